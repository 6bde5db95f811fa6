//! ringtape: a low-latency trading event engine.

pub mod book;
pub mod clock;
pub mod engine;
pub mod error;
pub mod event;
pub mod feed;
pub mod hash;
pub mod journal;
pub mod limits;
pub mod map;
pub mod matching;
pub mod portfolio;
pub mod report;
pub mod ring;
pub mod runtime;
pub mod state;
pub mod strategy;
pub mod units;
