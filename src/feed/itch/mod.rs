//! NASDAQ TotalView-ITCH 5.0.

mod table;

pub use table::{MESSAGES, MessageInfo, message};
