//! The simulated venue: own orders beside the replica.
//!
//! A strategy's orders never enter the replica, which shows what the tape says and nothing else.
//! The [`Venue`] keeps them beside it and decides from the tape when they would have traded:
//!
//! | case | rule |
//! |---|---|
//! | arrival | event time + latency, never inside an open exchange event of the instrument; behind every displayed order then at the price, and behind own ones |
//! | execution of an order ahead | reduces what is ahead; no own fill |
//! | cancel, delete, replace of an order ahead | leaves the queue ahead; a replaced one never comes back ahead |
//! | execution of an order behind ours, or at a worse price than ours | own fill min(leaves, shares) at our price |
//! | execution that is not printable | part of a cross: changes what is ahead, fills nothing |
//! | hidden trade at our price or worse | own fill min(leaves, shares) at our price; better than ours: nothing |
//! | an order of the other side that would cross ours | own fill min(leaves, its shares) at our price, once per real order; those shares are `taken` |
//! | one aggressor's exchange event | each of its records gives at most its shares, so own fills never exceed executed + remaining shares |
//! | our aggressive order | takes displayed shares front to back, at the resting order's price; each real order remembers what was `taken` of it |
//! | `taken` | shrinks as the feed executes, reduces or deletes the order; moves along when it is replaced or modified |
//! | post-only, IOC, FOK | judged on the visible book (shares less `taken`), own orders excluded |
//! | cross | own order better than the cross price filled at it, all together at most its shares; at it: nothing; cross of 0: nothing |
//! | halt, quoting | new orders are accepted and queue until trading, IOC and FOK are rejected, cancels work, no fills but in the cross |
//! | own orders among themselves | price, then time; they never trade with one another |
//! | replace | total quantity including what is filled; loses its place; a total not above what is filled ends the order |
//! | not modelled | reaction of others, hidden liquidity beyond printed trades, venue minimum quantities |
//!
//! [`VenueConfig::conservative`] drops the rows of hidden trades and of crossing orders.
//!
//! Quantities are any multiple of the quantity increment (one share); prices lie on the tick.

mod entry;
mod lane;
mod latency;
mod order;
mod save;
mod simulated;
mod taken;
mod wire;

pub use latency::{LATENCY_DEFAULT, LatencyModel};
pub(crate) use save::{load_in_flight, load_terms, save_in_flight, save_terms};
pub(crate) use wire::InFlight;

pub use order::{NewOrder, OpenOrder, OrderState};
pub use simulated::{Venue, VenueConfig};
pub use wire::Command;
