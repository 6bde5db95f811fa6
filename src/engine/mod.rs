//! The engine: wires feed, rings, books, strategy, portfolio and journal together.

pub mod generate;
