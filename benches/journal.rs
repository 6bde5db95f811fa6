//! The journal bench.

fn main() {}
