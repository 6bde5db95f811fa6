//! The simulated venue: own orders beside the replica.
