//! Live feeds: MoldUDP64 over UDP, as a venue sends it, and the sender's side for a recorded day.
//!
//! ```text
//!   line A  --> socket --+                       ready messages
//!                        +--> arbiter ---------> | . . . . . . | --> decoder --> events
//!   line B  --> socket --+       | missing               a packet's end closes the exchange event
//!                                v
//!                          request server ------> the same arbiter
//! ```
//!
//! A loss on one line is filled by the other; one on both is asked for again, where there is a
//! server, and told with its numbers once patience is over. Patience runs from when a loss was
//! seen, or from the last answer of the server; a session that does not begin with number 1 waits
//! as long for lower numbers, and what comes later is lost, and told. Nothing waits: without news
//! the feed is [pending](super::Fill::Pending), and after each millisecond of silence it delivers a
//! `time` event, so that strategies and expiries go on. A journal of the run repeats all of that.
//!
//! Exchange events end with the packets that hold them: a sender that spreads one over two packets
//! is found out by its times and tracking numbers, and told.
//!
//! The sender keeps the last 512 MiB of messages for those who ask; what came before is forgotten,
//! and a request for it gets no answer.

mod address;
mod history;
mod receive;
mod send;
mod socket;
mod stream;

pub use self::address::{SCHEME, UdpAddress};
pub use self::receive::UdpFeed;
pub use self::send::{SenderConfig, UdpSender};
