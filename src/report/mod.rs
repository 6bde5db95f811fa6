//! Reports: a finished run as text for people and as one JSON document for scripts.

pub mod carrier;
mod findings;
pub mod format;
mod journal_check;
#[cfg(feature = "cli")]
mod json;
mod machine;
mod matching_check;
mod text;

pub use findings::{DataFault, DataFaults, warnings};
pub use journal_check::JournalCheck;
#[cfg(feature = "cli")]
pub use json::run_json;
pub use machine::Machine;
pub use text::run_text;
