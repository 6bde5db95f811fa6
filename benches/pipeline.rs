//! The pipeline bench.

fn main() {}
