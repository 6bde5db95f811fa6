//! The house: structure, documents and their examples.

#[path = "../common/sources.rs"]
mod sources;

mod examples_in_docs;
mod house;
