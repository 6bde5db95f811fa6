//! A venue: the matching engine behind a socket.
//!
//! ```text
//!   clients <--TCP--> server --inbox--> feed handler -- market ring --> matching
//!                        ^                                                 |
//!                        +--- execution journal <--------- execution ring -+
//! ```
//!
//! The engine is the one that runs order files, with journals. The server turns messages into
//! commands of its market ring, and reads what became of them where it is safe: in the execution
//! journal. So a report is never sent before its cause is in the market journal, and any report
//! can be sent again. The venue keeps nothing else: after a crash the numbers of every run's
//! commands and reports are counted again from the two journals.
//!
//! In the journals an order's number is `run << 40 | the client's number`, its account
//! `run << 8 | the client's account`, where runs are numbered from 1 as they first log in; 0 is the
//! opening book. A mass cancel of account 2^32 - 1, which nobody has, is an echo: when its
//! rejection is read, everything before it was.

mod client;
mod heed;
mod opening;
mod runs;
mod server;
mod used;
mod wire;

pub use opening::OpeningBook;
pub use server::{VenueCounts, VenueServer};
