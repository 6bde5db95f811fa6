//! The `ringtape` program.

fn main() {}
