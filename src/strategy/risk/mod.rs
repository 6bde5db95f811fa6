//! The risk gate: what an account may send, checked on the matching thread before anything leaves
//! for the venue.
//!
//! ```text
//!   strategy --> desk --> gate --> wire --> venue
//!                          |                  |
//!                          +-- rejected       +-- executions --> gate: what is open, what was lost
//! ```
//!
//! | limit | an order is rejected when | reason |
//! |---|---|---|
//! | `order-qty` | its quantity is larger | `order_size` |
//! | `position` | the position could become larger, long or short, with all that is open on its side | `position_limit` |
//! | `gross-notional` | the value of all positions and open orders, each at its worst side, could become larger | `gross_notional` |
//! | `net-notional` | the value of all positions, longs less shorts, could become larger | `net_notional` |
//! | `price-collar` | its limit is further through the market than this from the last trade, or the mid; a stop's from its stop price; a market order's cap, and it must have one | `price_collar` |
//! | `message-rate` | so many messages were sent in the second before | `message_rate` |
//! | `open-orders` | so many orders are open | `open_orders` |
//! | `order-to-trade` | there are so many messages for each fill, the first fill granted | `order_to_trade` |
//! | `loss` | the account has lost more: then every order is cancelled and no other accepted | `loss_limit` |
//! | `cancel-on-disconnect` | not at all: the feed lost messages, and every order is cancelled | `disconnected` |
//! | always | an order of that number is open | `duplicate_order` |
//! | always | the kill switch was thrown | `killed` |
//!
//! A replacement is a message and is tested as an order in the place of the old one, which may be a
//! replacement on its way itself. Cancels and reductions count as messages and always pass; what
//! the gate refuses is not sent and counts as none. What is on its way counts as open, of an order
//! and its replacements the largest; so does what is filled until the report of it has come. Values
//! are price x quantity x multiplier, at the mark for what is held or where there is none at the
//! order's limit, else its stop price, else the other side of the market, in the base currency
//! where rates are known.
//!
//! Limits are read from text or a file, one set for every account, and changed while the market
//! runs by `limits` and `kill` records of the market ring, so that a replay of its journal repeats
//! them.

mod gate;
mod limits;
mod open;
mod prices;

pub use gate::{Circumstances, RiskGate};
pub use limits::{Limit, RiskLimits};
