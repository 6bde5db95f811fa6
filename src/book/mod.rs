//! Full-depth order books and the replica that keeps them in step with a feed.
