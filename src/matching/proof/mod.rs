//! The matcher proved on an exchange's own tape: what the tape says must have come in comes in, and
//! what the matcher makes of it is held against what the exchange made of it.
//!
//! ```text
//!   tape      E 100 of order 1     E 50 of order 2      A order 9: buy 30     one exchange event
//!                      \                 |                /
//!   came in             buy 180, limit of A, number 9
//!                                        |
//!   matcher                 100 of 1, 50 of 2, 30 rest           the same, in the same order?
//! ```
//!
//! The matcher keeps its own book from the commands alone. The replica beside it keeps the tape's,
//! and is looked at for the trading state and after a disagreement only: the queues that the event
//! touched are then set to the tape's, so that one error counts once.
//!
//! # What comes in
//!
//! An *execution event* is an exchange event that holds an `execute`.
//!
//! | on the tape | to the matcher |
//! |---|---|
//! | `add` outside an execution event | a day limit order of that number; if it would trade: *disagree* |
//! | the same while halted or quoting | rests without matching; an unknown state counts as trading |
//! | `reduce`, `delete` | reduce, cancel; inside an execution event where they stand |
//! | `replace` | cancel, and a new order of the same side at the back |
//! | `modify` | at the same price and no larger: reduce; else cancel, and a new order at the back |
//! | `execute`s of one resting side | one order of the other side for their sum, immediate or cancel, limit = price of the last |
//! | the same with an `add` of the other side | one day limit order of that number at its price, for their sum and the added quantity; exactly the added quantity must rest |
//! | the same with an `add` of the resting side | what a reserve shows next: a new order after the executions, or where it stands if the event executes it |
//! | `trade` | nothing: there is no displayed order; plausible inside the spread, or where all displayed orders of that price were executed before in the event |
//!
//! # What is said
//!
//! *Agree* is the same orders, quantities and prices in the same order, and the same remainder.
//!
//! | exchange event | verdict |
//! |---|---|
//! | names an order that is not in the book | none: `unknown_reference` |
//! | holds an execution at another price that is not printed (it shows in a cross) | none: `cross` |
//! | holds one that is printed | none: `priced`; applied as a reduction |
//! | executes orders of both sides, or also of another instrument | none: `unclassified` |
//! | executes orders of one side | agree, or disagree: counted in `checked` |
//! | holds nothing but trades without a displayed order | none: `hidden_prints` |
//!
//! Each event is in one row, the first that holds. An aggressor with a minimum quantity passes
//! small orders over: *disagree*, with the shares passed over, and never explained away. Adds that
//! would trade are in `disagree` too and not in `checked`.
//!
//! Events are told apart by flag LAST. Until a feed first shows an exchange event of several
//! records, neighbouring executions of an instrument are taken for one event if times are equal,
//! match numbers go up by 1, the resting side is one and prices do not improve, and trades without
//! a displayed order between them belong to it; a report that was made so throughout says *grouped
//! by match number*.
//!
//! # What it proves
//!
//! | proved, where the evidence is above 0 | not proved |
//! |---|---|
//! | the better price trades first | hidden orders, icebergs and their refills |
//! | at a price, who came first trades first | market, stop, minimum-quantity and other orders |
//! | partial fills and reductions keep their place | auctions, halts |
//! | a replacement goes to the back | self-trade prevention |
//! | the limit holds, and exactly the rest rests | pro-rata, command replaces with totals |
//!
//! Price-time priority of displayed limit orders, that is, and nothing else. The evidence counts
//! the executions that a wrong matcher could get wrong: those in a queue of more than one order say
//! something about time, the others about price only.

mod checker;
mod engine;
mod report;
mod step;

pub use checker::Checker;
pub use engine::OnTape;
pub use report::{DISAGREEMENTS_KEPT, Disagreement, Evidence, MatchingCheck, Why};

use crate::book::OrderView;
use crate::event::Event;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// A fill of a resting order, at the order's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeFill {
    /// The resting order.
    pub order_id: OrderId,
    /// Its price.
    pub price: Price,
    /// Shares of it that traded.
    pub qty: Qty,
}

/// How an order comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It matches, and the rest rests.
    Day,
    /// It matches, and the rest is dropped.
    Immediate,
    /// It rests without matching.
    Unmatched,
}

/// A matcher that a [`Checker`] can hold against a tape: the engine's ([`OnTape`]), or one that is
/// wrong on purpose, to see that it is found out.
pub trait CheckedMatcher {
    /// Takes a record that defines an instrument.
    fn define(&mut self, _event: &Event) {}

    /// Lets a limit order come in and appends its fills. It takes its number over from a live order
    /// that has it; the priority it carries means nothing.
    fn enter(&mut self, order: &OrderView, arrival: Arrival, fills: &mut Vec<TapeFill>);

    /// Takes shares off an order; with no more than that it leaves.
    fn reduce(&mut self, order_id: OrderId, qty: Qty);

    /// Takes an order out.
    fn cancel(&mut self, order_id: OrderId);

    /// Lets an order come in for another that leaves.
    fn replace(
        &mut self,
        old: OrderId,
        new: &OrderView,
        arrival: Arrival,
        fills: &mut Vec<TapeFill>,
    ) {
        self.cancel(old);
        self.enter(new, arrival, fills);
    }

    /// Takes all orders of an instrument out.
    fn clear(&mut self, instrument: InstrumentId);

    /// Appends the orders at a price, front to back, with their open quantities.
    fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        into: &mut Vec<(OrderId, Qty)>,
    );
}
