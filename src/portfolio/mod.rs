//! Positions, cash, marks and fees in exact integers.
//!
//! Money is an `i128` in 1e-9 of the currency; there is no float. The [`Portfolio`] reads nothing
//! but records of the execution ring, so that a journal of executions rebuilds it. The same code
//! keeps a strategy's own account on the matching thread.
//!
//! | what | rule |
//! |---|---|
//! | opening | adds price x quantity x multiplier to the total cost; an average is never stored |
//! | closing part of a position | moves cost x closed / held out, rounded toward zero; the remainder stays |
//! | lots | beside it: every opening fill is a lot, closed oldest first |
//! | closing more than is held | closes all, then opens the rest on the other side at the fill's price |
//! | realised | proceeds of what was closed less the cost that moved out, before fees |
//! | fees | added up beside it; a rebate is a negative fee |
//! | cash | what was sold less what was bought less fees, from the initial cash on |
//! | value of a fill | rounded toward zero where increments are finer than 1e-9 of the currency |
//! | mark | see [`marks`] |
//! | unpriced | carried at cost (unrealised 0) and listed as unpriced |
//! | equity | cash + position x multiplier x mark |
//! | exposure | gross: the value of all positions, shorts counted as longs; net: longs less shorts |
//! | drawdown | the largest fall of an account's equity from its highest so far, after fills and marks |
//! | base currency | sums of several currencies at the run's constant [`Rates`] |
//! | markouts | see [`markouts`] |
//!
//! The audit checks `initial cash + realised + unrealised - fees = cash + inventory x multiplier x
//! mark` after every fill and every mark. Its left side comes from the average-cost path, its right
//! side from sums of cash flows; the two share only the value of a fill. The lots must lead to the
//! same equity, the sums of an account to those of its positions, and the two fills of a match to
//! nothing.

mod account;
mod audit;
pub mod fees;
mod holding;
mod lots;
pub mod markouts;
pub mod marks;
mod position;
mod rates;
mod report;
mod save;

pub use account::{Portfolio, PortfolioConfig};
pub use fees::FeeSchedule;
pub use lots::{Lot, Lots};
pub use markouts::{MARKOUT_HORIZONS, MARKOUT_LONGEST, Measured, Quality};
pub use marks::{Mark, MarkRule, MarkSource};
pub use position::{Flows, Position, Worth};
pub use rates::Rates;
pub use report::{AccountTotal, PositionRow};
