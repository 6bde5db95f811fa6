//! Reports: a finished run as text for people, as one JSON document for scripts, and as a page of
//! charts with its histograms beside it.

mod bench_page;
pub mod carrier;
pub mod chart;
mod door;
mod findings;
pub mod format;
pub mod generated;
pub mod hdr;
mod html;
mod journal_check;
#[cfg(feature = "cli")]
mod json;
mod latency;
mod machine;
mod market;
mod matching_check;
mod money;
mod page;
mod samples;
mod tables;
mod text;

pub use bench_page::BenchPage;
#[cfg(feature = "cli")]
pub use findings::located_json;
pub use findings::{DataFault, DataFaults, located_text, warnings};
pub use journal_check::JournalCheck;
#[cfg(feature = "cli")]
pub use json::{rejects_json, run_json};
pub use latency::{NamedMeter, meters};
pub use machine::Machine;
pub use market::{MarketPicture, busiest, picture};
pub use money::{MoneyStory, OrderRow};
pub use page::{Page, ReportFile};
pub use samples::Samples;
pub use tables::{fills_csv, positions_csv};
pub use text::run_text;
