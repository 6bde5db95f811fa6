//! The one table of ITCH 5.0 messages: letter, name, length and the kind it becomes.
//!
//! Source: NASDAQ TotalView-ITCH 5.0 specification; `O` was added after 2015.

use crate::event::Kind;

/// A row of the table of messages.
#[derive(Clone, Copy, Debug)]
pub struct MessageInfo {
    /// Type letter, the message's first byte.
    pub letter: u8,
    /// Name as the specification has it.
    pub name: &'static str,
    /// Bytes of the message without its length prefix.
    pub bytes: usize,
    /// Kind of the record that it becomes.
    pub kind: Kind,
}

const fn row(letter: u8, bytes: usize, kind: Kind, name: &'static str) -> MessageInfo {
    MessageInfo { letter, name, bytes, kind }
}

/// Every message of ITCH 5.0.
pub const MESSAGES: &[MessageInfo] = &[
    row(b'S', 12, Kind::Phase, "system event"),
    row(b'R', 39, Kind::Instrument, "stock directory"),
    row(b'H', 25, Kind::Status, "stock trading action"),
    row(b'h', 21, Kind::Status, "operational halt"),
    row(b'Y', 20, Kind::Notice, "Reg SHO restriction"),
    row(b'L', 26, Kind::Notice, "market participant position"),
    row(b'V', 35, Kind::Notice, "MWCB decline levels"),
    row(b'W', 12, Kind::Notice, "MWCB status"),
    row(b'K', 28, Kind::Notice, "IPO quoting period"),
    row(b'J', 35, Kind::Collar, "LULD auction collar"),
    row(b'A', 36, Kind::Add, "add order"),
    row(b'F', 40, Kind::Add, "add order with attribution"),
    row(b'E', 31, Kind::Execute, "order executed"),
    row(b'C', 36, Kind::ExecuteAt, "order executed with price"),
    row(b'X', 23, Kind::Reduce, "order cancel"),
    row(b'D', 19, Kind::Delete, "order delete"),
    row(b'U', 35, Kind::Replace, "order replace"),
    row(b'P', 44, Kind::Trade, "trade"),
    row(b'Q', 40, Kind::Cross, "cross trade"),
    row(b'B', 19, Kind::Broken, "broken trade"),
    row(b'I', 50, Kind::Imbalance, "net order imbalance"),
    row(b'N', 20, Kind::Notice, "retail interest"),
    row(b'O', 48, Kind::Notice, "direct listing"),
];

/// The table's rows by letter.
static BY_LETTER: [Option<&MessageInfo>; 256] = {
    let mut rows = [None; 256];
    let mut index = 0;
    while index < MESSAGES.len() {
        let row = &MESSAGES[index];
        assert!(rows[row.letter as usize].is_none());
        rows[row.letter as usize] = Some(row);
        index += 1;
    }
    rows
};

/// The row of a type letter; `None` for letters that ITCH 5.0 does not use.
#[inline]
pub fn message(letter: u8) -> Option<&'static MessageInfo> {
    BY_LETTER[letter as usize]
}
