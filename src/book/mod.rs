//! Order books: every order of every instrument, rebuilt from a market-by-order feed.
//!
//! ```text
//!  OrderIndex            Slab<Order>  32 bytes each          Slab<Level>  32 bytes each
//!  | 12 tags, handles  |  | id, qty, priority, level ------> | price, total, count, owner |
//!  | 12 tags, handles  |->|                                  |                            |
//!  | ...               |  | next, prev: the queue <--------- | head, tail                 |
//!                                                                      ^
//!  Book (two cache lines, by instrument)                               |
//!  | touch, bids, asks, status   |  Ladder: | price, level | ... | price, level |  <- touch
//!  | touch as last hashed, units | -------> worst                        best
//! ```
//!
//! * Orders and levels live in slabs and name each other by `u32` handles. A level is an intrusive
//!   queue, so an order leaves from the middle of it without a search.
//! * A ladder holds a side's levels sorted in one row with the best at its end, and spills what
//!   lies more than 256 levels away from it into blocks. All rows lie on one shelf, in huge pages.
//! * The index finds an order by its reference: open addressing in buckets of a cache line, no
//!   tombstones, and it grows bit by bit.
//! * The touch lies in the book itself and is kept up to date, so that asking for it reads one
//!   line; the second one is read only when the touch has changed.
//! * What the next messages will touch is asked for before they come.
//! * Where a condition cannot be predicted (which side, first in its queue, at the touch), both
//!   answers are worked out and one is selected: a branch guessed wrongly costs as much as twenty
//!   instructions. With the looks ahead in one place and rungs of 8 bytes this took the time of a
//!   message from 76 to 56 ns in cache, and from 92 to 77 ns on a day of 0.8 million live orders.
//!
//! | operation | cost |
//! |---|---|
//! | add at a price where orders rest | search from the touch, O(log levels) at worst |
//! | add at a new price | the same, and 8 bytes moved for each level nearer the touch, at most 2 KiB |
//! | execute, reduce, delete | O(1); the last order of a level takes the level out, as above |
//! | replace, modify | delete and add; a modify that keeps its place is O(1) |
//! | touch, order by reference | O(1) |
//! | place of an order in its queue | O(orders ahead) |
//! | books hash, save, load | O(orders) |
//!
//! A live order costs 32 bytes of slab and 9 to 17 bytes of index; a level 32 bytes of slab and 8
//! of ladder; an instrument 128 bytes of book and the tape beside it. On a day with 1.9 million
//! live orders and 0.73 million levels that is 68 bytes an order in all, with 0.8 million orders
//! 86. Nothing allocates once slabs, index and ladders have grown to the session's size.

mod ahead;
mod books;
mod counts;
mod digest;
mod index;
mod ladder;
mod levels;
mod messages;
mod order;
mod preview;
mod prints;
mod queries;
mod replica;
mod save;
mod saving;
mod slab;
mod store;
mod tape;
mod view;

pub use ahead::LOOK_AHEAD_EVENTS;
pub use counts::{ReplicaCounts, Totals};
pub(crate) use index::Found;
pub use order::ORDER_QTY_MAX;
pub use queries::{Imbalance, QueuePosition, Update};
pub use replica::Replica;
pub(crate) use replica::is_of_exchange_event;
pub use saving::{SAVED_PIECES, Saving};
pub(crate) use slab::{Linked, NIL, Slab};
pub(crate) use store::{BookId, OrderStore, Place};
pub use tape::{InstrumentStats, Turnover};
pub(crate) use tape::{Units, hash_words};
pub use view::{Change, ChangeKind, LevelView, OrderView, Touch};
