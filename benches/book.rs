//! The book bench.

fn main() {}
