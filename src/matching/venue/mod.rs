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
//! | hidden trade at our price or worse | own fill min(leaves, shares) at our price; better than ours: nothing; at the price of a hidden order of ours: nothing, its place among hidden ones is not known |
//! | an order of the other side that would cross ours | own fill min(leaves, its shares) at our price, once per real order; those shares are `taken` |
//! | one aggressor's exchange event | each of its records gives at most its shares, so own fills never exceed executed + remaining shares |
//! | our aggressive order | takes displayed shares front to back, at the resting order's price; each real order remembers what was `taken` of it |
//! | `taken` | shrinks as the feed executes, reduces or deletes the order; moves along when it is replaced or modified |
//! | post-only, IOC, FOK | judged on the visible book (shares less `taken`), own orders excluded |
//! | cross | own order better than the cross price filled at it, all together at most its shares; at it: nothing; cross of 0: nothing; buys, then sells, each market first, then better price, displayed, hidden, reserve, time |
//! | halt, quoting, outside the hours that an instrument was given | new orders are accepted and queue until trading, IOC and FOK are rejected, cancels work, no fills but in the cross, no stop triggers |
//! | own orders among themselves | price, then time; they never trade with one another |
//! | replace | total quantity including what is filled, limit or cap, 0 unchanged; loses its place; a total not above what is filled ends the order; a stop that pends keeps its stop price and its time |
//! | not modelled | reaction of others, own fills in prices and triggers, hidden liquidity beyond printed trades, venue minimum quantities |
//!
//! [`VenueConfig::conservative`] drops the rows of hidden trades and of crossing orders.
//!
//! # Kinds of orders
//!
//! Terms that contradict one another are rejected by the checks of the matcher, in its order, with
//! its reasons ([`super`]).
//!
//! | kind | rule |
//! |---|---|
//! | market | takes up to its cap, else up to the instrument's collar around the last trade, else all that is displayed, and never rests; the rest is cancelled with `collar` where more is displayed, else with `no_liquidity`; while halted it queues, and takes part in crosses |
//! | day, opening, closing | expire before the first event of another day, and at the end of the feed; of an instrument with hours: day and opening orders before the first event at or past the close, so that they miss a closing cross that comes then, closing ones at the next opening |
//! | GTC, GTD | outlast both; GTD expires before the first event at or past its time, by time, then number |
//! | opening | waits for the first cross of the session; a closing cross ends it; `auction_over` after it |
//! | closing | waits for a closing cross (type C, or one without a type that is not the first); `auction_over` after it |
//! | post-only | rejected with `would_take`; with reprice moved to the next price on the tick that meets none with shares left, if an order may have it |
//! | hidden | rests behind all that is displayed at its price, also what comes later |
//! | iceberg | displays min(display, leaves); used up, the next part comes to the back of its queue, behind all that is displayed then; an execution behind reaches the displayed part, one at a worse price all of it, a part a fill; reduced, it loses its reserve first |
//! | stop, stop limit, trailing | pends until the tape reaches it: the highest and lowest price that an exchange event printed, after its LAST, or best bid and offer; then enters as market or limit order without latency. Printed crosses count, own fills and what is not printable do not |
//! | trailing | stop = best price since entry -/+ trail, never loosens, followed before the test; without a price it waits for the first one |
//! | triggered together | buys by ascending stop, then sells by descending stop, then as they arrived; none triggers another, as own fills are no prints |
//! | true on entry, or when trading resumes | enters at once: tested with the last price and the touch |
//!
//! # Feeds of price levels
//!
//! Where a feed names no orders, nobody knows a place in the queue. [`QueueModel`] says what is
//! assumed; all other rows hold with levels in the place of orders.
//!
//! | case | rule |
//! |---|---|
//! | arrival | behind all of the level |
//! | print at our price | what is ahead trades first, own orders get what is left of it |
//! | print at a worse price | own fill min(leaves, shares) at our price |
//! | side of a print | where the feed tells it only that side's orders trade, else buys, then sells |
//! | level falls | by what printed there since it was told last: that was counted; by more: as the model says; never more ahead than the level has |
//! | level rises | what came is behind |
//! | level of the other side that crosses ours | own fill at our price from what came, once |
//! | book cleared | own orders keep what is ahead until their level is told again |
//!
//! Prices lie on the tick. Quantities are any multiple of the quantity increment (one share),
//! unless [`VenueConfig::instruments`] has rules for the instrument: those of the matcher.

mod checks;
mod crosses;
mod entry;
mod expiry;
mod lane;
mod latency;
mod levels;
mod liquidity;
mod new_order;
mod order;
mod save;
mod simulated;
mod stops;
mod taken;
mod tape;
mod wire;

pub use latency::{LATENCY_DEFAULT, LatencyModel};
pub use levels::QueueModel;
pub use new_order::NewOrder;
pub use order::{OpenOrder, OrderState};
pub(crate) use save::{load_in_flight, load_terms, save_in_flight, save_terms};
pub use simulated::{Venue, VenueConfig};
pub use wire::Command;
pub(crate) use wire::InFlight;
