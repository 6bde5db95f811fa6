//! The matcher: against a naive one, order files, and proof on tapes.

#[path = "../common/book_events.rs"]
mod book_events;
#[path = "../common/command_stream.rs"]
mod command_stream;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/naive_matcher/mod.rs"]
mod naive_matcher;

mod bugs;
mod check_matching;
mod model;
mod orders;
mod replay_orders;
mod save;
