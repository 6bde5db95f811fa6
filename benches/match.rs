//! The matcher on flows of commands in memory.
