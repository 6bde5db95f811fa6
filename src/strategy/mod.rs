//! Strategies, their desk and the built-in ones.
