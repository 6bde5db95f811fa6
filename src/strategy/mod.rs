//! Strategies, their desk, the risk gate, and the trader that runs them against the simulated
//! venue.
//!
//! ```text
//!                 events, changes of the replica
//!                               |
//!   Trader  +-------------------v--------------------+
//!           |  Venue: own orders, queues, fills      |---> executions
//!           |  own accounts: positions, marks        |---> listings, quotes
//!           +--------+----------------------^--------+
//!       after LAST,  |                      | orders, after their latency
//!       timers       |                 +----+---+
//!                    |                 |  gate  | limits, kill switch
//!                    v                 +----^---+
//!               strategies ------------>  Desk
//! ```
//!
//! A [`Strategy`] sees books, its position, its orders and its profit through a [`Desk`] and sends
//! commands through it. It is called after the last record of an exchange event and never sees a
//! book that the venue did not publish. It has no clock, and its randomness is the desk's, seeded,
//! so the same events make the same orders. Several strategies trade at one venue, each for an
//! account of its own; they share the market's liquidity and never trade with one another.
//!
//! | strategy | what it does | parameters |
//! |---|---|---|
//! | `none` | watches nothing | |
//! | `idle` | watches every instrument and does nothing: the cost of being called | |
//! | `maker` | joins the touch on both sides, steps back where it holds much | `symbols`, `lots` or `size`, `limit`, `skew` |
//! | `momentum` | follows the side that trades more | `symbols`, `size`, `limit`, `window`, `threshold`, `hold` |
//! | `twap` | works a parent order evenly over time | `symbols`, `side`, `qty`, `every`, `for`, `jitter` |
//! | `vwap` | works a parent order with the market's volume | `symbols`, `side`, `qty`, `every`, `rate` |

mod arrivals;
mod away;
mod counts;
mod desk;
mod door;
mod door_check;
mod door_list;
mod door_save;
mod entry;
mod idle;
mod maker;
mod member;
mod momentum;
mod parameters;
pub mod risk;
mod save;
mod schedule;
mod settle;
mod spec;
mod symbols;
mod timers;
mod trader;

pub use counts::TraderCounts;
pub use desk::Desk;
pub use idle::Idle;
pub use maker::{Maker, MakerConfig};
pub use momentum::{Momentum, MomentumConfig};
pub use schedule::{Schedule, ScheduleConfig, ScheduleKind};
pub use spec::StrategySpec;
pub use timers::TimerId;
pub use trader::{Trader, TraderConfig};

use crate::error::Result;
use crate::event::{Event, Execution, Instrument};
use crate::state::{StateReader, StateWriter};
use crate::units::InstrumentId;

/// A trading strategy: reacts to the market and to its own executions.
///
/// Only `name`, `save` and `load` must be written; a strategy without state saves nothing.
///
/// ```
/// use ringtape::error::Result;
/// use ringtape::matching::NewOrder;
/// use ringtape::state::{StateReader, StateWriter};
/// use ringtape::strategy::{Desk, Strategy};
/// use ringtape::units::{InstrumentId, Qty, Side};
///
/// /// Buys one share at the best bid whenever it has no order.
/// struct Joiner;
///
/// impl Strategy for Joiner {
///     fn name(&self) -> &str {
///         "joiner"
///     }
///     fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
///         let touch = desk.books().touch(instrument);
///         if touch.bid_qty.0 > 0 && desk.open_orders(instrument).count() == 0 {
///             desk.submit(NewOrder::limit(instrument, Side::Buy, touch.bid_price, Qty(1)));
///         }
///     }
///     fn save(&self, _: &mut StateWriter) {}
///     fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
pub trait Strategy: Send {
    /// The strategy's name in reports.
    fn name(&self) -> &str;

    /// An instrument is defined; says whether the strategy watches it.
    ///
    /// Only symbol and increment are sure yet. Events of instruments that are not watched pass by
    /// unless there are own orders or a position.
    ///
    /// # Errors
    ///
    /// What makes the strategy impossible to run on this feed; it ends the run.
    fn on_instrument(&mut self, _id: InstrumentId, _instrument: &Instrument) -> Result<bool> {
        Ok(true)
    }

    /// The run starts; nothing was published yet.
    fn on_start(&mut self, _desk: &mut Desk<'_>) {}

    /// A watched instrument has an event, applied already; more of its exchange event may follow.
    fn on_event(&mut self, _event: &Event, _desk: &mut Desk<'_>) {}

    /// An exchange event of a watched instrument is complete.
    fn on_exchange_event(&mut self, _instrument: InstrumentId, _desk: &mut Desk<'_>) {}

    /// An own order was filled, in part or whole.
    ///
    /// Executions inside an exchange event are told once it is complete, in their order.
    fn on_fill(&mut self, _fill: &Execution, _desk: &mut Desk<'_>) {}

    /// Something else became of an own order: it was accepted, rejected, replaced, reduced,
    /// triggered, cancelled, or it expired.
    fn on_order_update(&mut self, _update: &Execution, _desk: &mut Desk<'_>) {}

    /// A timer fired, before the first event at or past its time.
    fn on_timer(&mut self, _timer: TimerId, _desk: &mut Desk<'_>) {}

    /// The feed ended; what is sent now is rejected.
    fn on_end(&mut self, _desk: &mut Desk<'_>) {}

    /// Whether [`save`](Self::save) writes everything; a run whose strategy cannot makes no
    /// snapshots, and goes on from its first record.
    fn can_save(&self) -> bool {
        true
    }

    /// Writes everything that later decisions depend on.
    fn save(&self, writer: &mut StateWriter);

    /// Reads back what [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// State that the strategy did not write.
    fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()>;

    /// What the user should know after the run, in sentences that name the cure.
    fn warnings(&self) -> Vec<String> {
        vec![]
    }
}
