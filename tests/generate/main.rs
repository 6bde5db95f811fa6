//! The generator of sessions.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod encode;
mod flow;
mod session;
