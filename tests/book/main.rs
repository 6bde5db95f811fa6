//! The replica: against a naive one, against recordings, and the faults that peers shipped.

#[path = "../common/book_events.rs"]
mod book_events;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/naive_book.rs"]
mod naive_book;

mod bugs;
mod model;
mod saving;
mod truth;
