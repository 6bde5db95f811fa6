//! The program as its users run it, and the examples.

#[path = "../common/mod.rs"]
mod common;

mod bench_compare;
mod bench_pipeline;
mod bench_ring;
mod capi;
mod command_line;
mod compare;
mod determinism;
mod doctor;
mod engine_handle;
mod examples;
mod export;
mod mistakes;
mod readme;
mod replay_flags;
mod report;
mod watch;
