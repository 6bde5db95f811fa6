//! NASDAQ TotalView-ITCH 5.0.

mod encode;
mod table;

pub use encode::Encoder;
pub use table::{MESSAGES, MessageInfo, message};
