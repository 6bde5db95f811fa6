//! The ring: a single writer, many readers, no lock; knows nothing of trading.
