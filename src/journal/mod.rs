//! The journal: memory-mapped segments that are their own index.
