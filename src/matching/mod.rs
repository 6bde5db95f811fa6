//! Matching: orders of many accounts against one another, and a strategy's orders against a tape.
//!
//! [`Matcher`] executes orders: commands of the market ring go in, executions come out. The
//! simulated venue ([`venue`]) keeps own orders beside a recorded feed instead. [`proof`] holds the
//! matcher against an exchange's own tape.
//!
//! ```text
//!  expiries due --> command --> checks --> accepted --> continuous --> rests, or is cancelled
//!                                             |         matching            |
//!                                             +--> waits for an auction     +--> stops that it
//!                                             +--> pends as a stop               triggers, in turn
//! ```
//!
//! The tables below are the rules; each has tests, and a naive model that is written from them says
//! the same to millions of random commands.
//!
//! # Records
//!
//! | | |
//! |---|---|
//! | order of the records of one command | expiries due; the answer; fills and self-trade effects as they happen; the end of the remainder; triggered stops, each with its fills and its remainder; indicative results of open calls by ascending instrument. A phase of all instruments is one of each, with its indicative result |
//! | match | two fills with one number, maker then taker, at the resting order's price; in an uncross buy then sell; numbers count matches from 1 |
//! | `price` of other records | the order's limit; of market and stop orders the cap, 0 when none |
//! | `qty` of other records | accepted, replaced, triggered: the total with what is filled; cancelled, expired: what was open; reduced: what was taken off; rejected: what was asked for |
//! | `leaves`, `cum` | after the record; an iceberg's with its reserve; of a rejected change the order's own |
//! | reasons | a cancel, reduce or replace that was asked for: `requested` |
//!
//! # Checks of a new order, the first that fails is the reason
//!
//! | reason | fails when |
//! |---|---|
//! | `bad_terms` | a code means nothing, or there is no side |
//! | `unknown_instrument` | no record defined it |
//! | `duplicate_order` | a live order has the number: resting, pending or waiting; numbers of dead orders are free, unless `terms_more` says that the sender used it |
//! | `bad_quantity` | 0, above [`ORDER_QTY_MAX`](crate::book::ORDER_QTY_MAX), or outside the instrument's limits |
//! | `off_lot` | not a multiple of the lot |
//! | `bad_price` | a limit, cap or stop price that is not positive, a limit or cap above the maximum, a trail that is not positive |
//! | `off_tick` | limit, cap or stop price |
//! | `bad_terms` | terms that contradict one another: post-only that is market, stop, IOC, FOK or has a minimum; reprice without post-only; display with market, stop, hidden, IOC or FOK; a minimum above the quantity or with a stop; GTD without a time to come; a time without GTD; bid/ask trigger without a stop; opening or closing with stop, post-only, minimum or display |
//! | `not_trading` | the instrument is halted, or outside its hours without a call |
//! | `not_in_auction` | IOC, FOK, post-only or a minimum while a call is open |
//! | `auction_over` | for the opening auction, and that is over in this session |
//! | `capacity` | [`MatcherConfig::orders_max`] orders live |
//! | `would_take` | post-only that would trade with any resting order, hidden ones and own group included; with reprice it takes the next price on the tick that would not, unless that is not positive or above the maximum |
//!
//! A display of the whole quantity or more is no iceberg. Rejects are counted by reason
//! ([`Matcher::counts`]).
//!
//! # Priority
//!
//! | what happens to a resting order | place in its queue |
//! |---|---|
//! | partial fill, reduce | keeps |
//! | replace | loses; with [`Priority::Cme`] a smaller total at the same asked price keeps |
//! | iceberg refill | loses: back of the displayed queue at its price |
//! | unfilled in an uncross, halted and resumed | keeps |
//!
//! Better price first, then displayed before hidden, then time.
//!
//! # Order types and terms
//!
//! | | |
//! |---|---|
//! | limit, day, GTC, GTD | trades up to its limit, the rest rests; GTD expires before the first record at or past its time, by time, then number; a day order does so at the close of the instrument's hours where it has any |
//! | market | never rests; bound by its cap, else by the collar around the last trade; the remainder is cancelled with `collar` when there is liquidity beyond the bound, else with `no_liquidity` |
//! | IOC | the remainder is cancelled with `immediate_remainder` |
//! | FOK | cancelled with `not_fillable` unless all of it can trade at once, hidden and reserve counted |
//! | minimum quantity | cancelled with `min_qty` unless so much can trade at once; dropped once resting |
//! | hidden | rests behind all displayed orders of its price |
//! | iceberg | displays a part; used up, it refills with min(display, leaves) at the back, and an aggressor meets it again before the next price; reduced, it loses its reserve first |
//! | stop, stop limit | pends until the source (last trade, or best ask for buys and best bid for sells) reaches the stop, then enters as market or limit with fresh priority |
//! | trailing | stop = best price since entry -/+ trail, never loosens; a stop price of its own is the first stop, while it is the tighter one; follows what an order traded before the test; without a price it waits for the first one |
//! | trigger order | tested after an incoming order (new or replaced) is done, against the highest and lowest price that it traded; all buys by ascending stop, then all sells by descending stop, then entry; what they trigger queues behind. True on entry: at once. On resume and after an uncross: against the last price and the touch |
//! | pro-rata ([`Allocation::ProRata`]) | the displayed orders of a price share in proportion, in whole lots, what is left over front to back; with `top` the front order first; one fill an order and round; hidden orders by time |
//! | self-trade prevention | the incoming order's mode against orders of its group, or of its account without one, pair by pair as met: newest, oldest, both, decrement (both lose the smaller open quantity); pro-rata first clears the price of them. FOK and minimum quantity do not count them, but meeting one on the way can end the order after a part of it traded. Off in an uncross |
//!
//! # Changes
//!
//! | | |
//! |---|---|
//! | cancel, reduce, replace | of the order's own account and instrument where the command names them, else `unknown_order` with what it names; a reduce by all or more cancels |
//! | replace | total with what is filled (0 unchanged), price (0 unchanged), number (0 unchanged); `duplicate_order`, `not_trading`; a total not above what is filled ends the order with `replaced_below_cum`; then quantity, lot, price and tick as a new order, post-only tested again; rejected it stays as it was; accepted it comes in as a new order |
//! | replace of a pending stop | limit or cap, total and number; stop price and entry stay |
//! | replace in a call, or of an order that waits | no matching, back of the queue |
//! | mass cancel | all criteria (account, instrument, side, price range of limit or cap) must hold; by ascending number; none: `unknown_order` |
//!
//! # Phases
//!
//! | code | allowed | effect |
//! |---|---|---|
//! | h halt | not halted | new orders and replacements are rejected, cancels and reduces work, nothing triggers |
//! | r resume | halted | back to trading or to the call |
//! | a auction | neither halted nor in a call | orders rest without matching, market orders wait; orders for the opening and closing auction wait for theirs at all times |
//! | u uncross | in a call, not halted | trades at one price and goes on trading |
//! | d end of day | always | day, opening and closing orders expire by ascending number; the opening auction is to come again |
//!
//! Elsewhere they are rejected with `wrong_state`. [`EVERY_INSTRUMENT`] means all, one by one.
//!
//! An instrument with hours ([`InstrumentRules::hours`]) takes new orders and replacements in them,
//! and in a call at any time; cancels and reduces work always. At the close its day ends without a
//! record of phase: day and opening orders expire then, closing ones when the next session opens,
//! and the opening auction is to come again. Day orders miss a closing auction that uncrosses at
//! the close or past it: where they are to take part, the hours end after it.
//!
//! # Auction
//!
//! | | |
//! |---|---|
//! | who | displayed and hidden orders, icebergs whole, market orders, those for this auction; a cap bounds like a limit; stops stay out |
//! | candidates | all limits and caps, and the reference if it lies among them; the reference alone if all are market orders |
//! | price | largest volume; smallest imbalance; the highest if all that remain lack sells, the lowest if all lack buys; the nearest to the reference; the higher |
//! | reference | last trade, else the close before ([`InstrumentRules::previous_close`]), else the one of the uncross |
//! | collar | a price outside: nothing trades, the call goes on |
//! | who trades | market without a cap by time, then better price (a cap ranks as a limit), then displayed, hidden, reserve, then time; two pointers down both lists |
//! | after it | icebergs that are used up refill; `auction_over` for what is left of opening and closing orders, `no_liquidity` for market orders, by ascending number; the price is the last trade; stops are tested |
//! | indicative | after every record that changed an open call: price, volume and imbalance if one of them changed, also when nothing would trade |
//!
//! # Cost
//!
//! Plain limit orders take a short way that reads one line of the instrument and never looks at
//! stops, calls, groups or reserves; those cost nothing where there are none.
//!
//! | operation | cost |
//! |---|---|
//! | new plain order, cancel, replace | that of the book ([`crate::book`]), and for each fill O(1) |
//! | stop, expiry | O(log n) to enter and to leave; a trailing stop O(1), and each trade looks at all of its instrument |
//! | FOK, minimum quantity | the orders within the limit |
//! | indicative result, uncross | the levels of the instrument, sorted; the orders that trade, sorted |
//! | mass cancel, end of day | the orders of the instruments concerned |
//!
//! A live order costs 16 bytes beside the book's, and an extra record of about 150 if it is an
//! iceberg, a stop, GTD, in a group or waiting.

mod ahead;
mod allocation;
mod auction;
mod change;
mod checks;
mod config;
mod counts;
mod cross;
mod entry;
mod expiry;
mod hand;
mod heap;
mod lane;
mod leave;
mod matcher;
pub mod proof;
mod queries;
mod rank;
mod save;
mod scratch;
mod self_trade;
mod stops;
mod terms;
mod triggers;
mod uncross;
pub mod venue;

pub use ahead::MATCH_AHEAD_EVENTS;
pub use auction::EVERY_INSTRUMENT;
pub use config::{
    Allocation, InstrumentRules, MATCHER_ORDERS_MAX_DEFAULT, MatcherConfig, Priority,
};
pub use counts::MatcherTotals;
pub use matcher::Matcher;
pub use queries::{MatcherOrder, OrderPlace};
pub use venue::{
    Command, LATENCY_DEFAULT, LatencyModel, NewOrder, OpenOrder, OrderState, QueueModel, Venue,
    VenueConfig,
};
