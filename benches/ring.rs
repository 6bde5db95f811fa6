//! The ring bench.

fn main() {}
