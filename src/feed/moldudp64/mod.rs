//! MoldUDP64: messages numbered through a session, in packets that may get lost.
//!
//! ```text
//!   0         10        18      20
//!   | session | number  | count | length u16 | message | length u16 | message | ...
//!     10 text   u64       u16
//! ```
//!
//! All integers are big-endian. The number is that of the packet's first message, the count how
//! many there are: 0 says that the session is alive, 0xffff that it has ended, and both then name
//! the number that comes next. A message of length 0 has a number and says nothing. A request has
//! the same header: the first number wanted and how many. Source: NASDAQ, MoldUDP64 1.00
//! (2009-07-07), checked against captures.
//!
//! The same packets come on two lines; `arbiter` makes one stream of them, in order, each message
//! once, and says what is missing. `recorded` does so for a capture: the messages that it hands out
//! are framed as in a file, so that one decoder serves both. There a message that is missing is
//! awaited for a second of the capture's time. So is, at the beginning, one with a lower number
//! than the first packet's. What comes later is lost, counted among the gaps and never among the
//! copies.

pub(crate) mod arbiter;
mod impair;
mod line;
pub(crate) mod packer;
pub(crate) mod packet;
#[cfg(feature = "pcap")]
mod recorded;

pub use self::impair::{Impairment, Line};
pub use self::packer::{Packed, Packer};

/// A source of the messages in a capture.
#[cfg(feature = "pcap")]
pub(crate) fn unwrap(capture: super::capture::Capture) -> super::source::Source {
    let packed = capture.description().clone();
    let name = match packed.format {
        "pcapng" => "itch-5.0 in moldudp64, pcapng",
        _ => "itch-5.0 in moldudp64, pcap",
    };
    let carrier = Box::new(recorded::MoldUnwrap::new(capture));
    super::source::Source::unwrapped(&packed, name, carrier)
}
