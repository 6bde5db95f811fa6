//! The itch bench.

fn main() {}
