//! The trader: one strategy, its venue and its own account, driven event by event.

use std::collections::{BTreeMap, VecDeque};

use super::counts::TraderCounts;
use super::desk::{Desk, Office};
use super::settle::quote_of;
use super::{Strategy, StrategySpec};
use crate::book::{Change, Replica};
use crate::error::Result;
use crate::event::{Event, Execution, Flags, Kind, Quote};
use crate::limits::COMMANDS_PER_EVENT_MAX;
use crate::matching::{Venue, VenueConfig};
use crate::portfolio::{FeeSchedule, MarkRule, Portfolio, PortfolioConfig};
use crate::units::{AccountId, InstrumentId, Nanos};

/// What shapes a trader beside its strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraderConfig {
    /// The account that it trades for.
    pub account: AccountId,
    /// The simulated venue.
    pub venue: VenueConfig,
    /// Fees of its fills; free unless set.
    pub fees: FeeSchedule,
    /// How its own account marks positions.
    pub marks: MarkRule,
}

/// The instrument was announced to the strategy.
const KNOWN: u8 = 1 << 0;
/// The strategy watches it.
const WATCHED: u8 = 1 << 1;
/// There are own orders, or shares were taken.
pub(super) const ORDERS: u8 = 1 << 2;
/// There is a position.
pub(super) const HELD: u8 = 1 << 3;
/// Its listing was written.
pub(super) const LISTED: u8 = 1 << 4;
/// A fill within an open exchange event awaits its quote.
pub(super) const QUOTE_DUE: u8 = 1 << 5;
/// What makes an event of the instrument matter.
const INTEREST: u8 = WATCHED | ORDERS | HELD | QUOTE_DUE;

/// Runs a strategy against the simulated venue.
///
/// The caller owns the replica and keeps this order for every market event:
///
/// ```
/// use ringtape::book::Replica;
/// use ringtape::event::{Event, Execution};
/// use ringtape::strategy::{StrategySpec, Trader, TraderConfig};
///
/// fn run(events: &[Event]) -> ringtape::error::Result<Vec<Execution>> {
///     let mut replica = Replica::new();
///     let spec = StrategySpec::parse("maker:symbols=AAPL")?;
///     let mut trader = Trader::new(&spec, TraderConfig::default());
///     let mut executions = vec![];
///     trader.start(&replica, &mut executions)?;
///     for event in events {
///         trader.before(event, &replica, &mut executions)?;
///         let change = replica.apply(event);
///         trader.after(event, &change, &replica, &mut executions)?;
///     }
///     trader.end(&replica, &mut executions)?;
///     Ok(executions)
/// }
/// # assert!(run(&[])?.is_empty());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
///
/// Cause and ingest time of the executions are for the caller to fill in. An instrument's listing
/// comes before its first other execution, a quote after each fill and whenever touch, last price
/// or state of a held instrument changed after LAST.
pub struct Trader {
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) config: TraderConfig,
    pub(super) office: Office,
    /// By instrument; an event without interest costs one look here.
    pub(super) interest: Vec<u8>,
    /// The last quote written, by instrument.
    pub(super) quotes: BTreeMap<u32, Quote>,
    /// What the venue answered; empty between calls.
    pub(super) reports: Vec<Execution>,
    /// Executions that the strategy has not seen yet.
    pub(super) untold: VecDeque<Execution>,
}

impl std::fmt::Debug for Trader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trader")
            .field("strategy", &self.strategy.name())
            .field("config", &self.config)
            .field("counts", &self.office.counts)
            .finish_non_exhaustive()
    }
}

impl Trader {
    /// A trader with a built-in strategy.
    pub fn new(spec: &StrategySpec, config: TraderConfig) -> Self {
        Self::with_strategy(spec.build(), config)
    }

    /// A trader with a strategy of your own.
    pub fn with_strategy(strategy: Box<dyn Strategy>, config: TraderConfig) -> Self {
        let account = PortfolioConfig { marks: config.marks, ..PortfolioConfig::default() };
        let office = Office {
            venue: Venue::new(config.venue),
            account: Portfolio::new(account),
            account_id: config.account,
            now: Nanos(0),
            orders: 0,
            counts: TraderCounts::default(),
        };
        Self {
            strategy,
            config,
            office,
            interest: vec![],
            quotes: BTreeMap::new(),
            reports: vec![],
            untold: VecDeque::new(),
        }
    }

    /// The run starts. To be called once, before the first event.
    ///
    /// # Errors
    ///
    /// What the strategy says about the instruments that are there already.
    pub fn start(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        self.strategy.on_start(&mut Desk::new(&mut self.office, replica));
        for (id, _) in replica.instruments().iter() {
            self.meet_instrument(id, replica, out)?;
        }
        Ok(())
    }

    /// Lets delayed orders arrive that are due by the time of `event`, before it is applied.
    ///
    /// # Errors
    ///
    /// A fill beyond what money can hold.
    #[inline]
    pub fn before(
        &mut self,
        event: &Event,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        // WHY: marks stand wherever the feed was cut into batches or the run resumed; time that
        // followed them would make the state depend on that.
        if event.kind >= Kind::FeedMark as u8 {
            return Ok(());
        }
        let until = self.office.now.max(Nanos(event.ts_event));
        if self.office.venue.next_due().is_some_and(|due| due <= until) {
            self.receive(until, Nanos(event.ts_event), replica, out)?;
        }
        self.office.now = until;
        Ok(())
    }

    /// Lets own orders follow what `event` changed, then, after LAST, the strategy act.
    ///
    /// # Errors
    ///
    /// What the strategy says about a new instrument; a fill beyond what money can hold.
    #[inline]
    pub fn after(
        &mut self,
        event: &Event,
        change: &Change,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        // WHY: a faulty message may name an order of another instrument than its own; what counts
        // is whose book changed.
        let instrument = change.order.instrument;
        let interest = self.interest.get(instrument.0 as usize).copied().unwrap_or(0);
        if interest & INTEREST == 0 && event.kind > Kind::InstrumentTerms as u8 {
            return Ok(());
        }
        self.follow(interest, event, change, replica, out)
    }

    fn follow(
        &mut self,
        interest: u8,
        event: &Event,
        change: &Change,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let instrument = change.order.instrument;
        // WHY: definitions are repeated wherever a journal's segment begins; a strategy that acted
        // on one would make the state depend on that.
        if event.kind <= Kind::InstrumentListing as u8 {
            return self.meet_instrument(instrument, replica, out);
        }
        let ts_event = Nanos(event.ts_event);
        if interest & ORDERS != 0 {
            self.office.venue.after(event, change, replica, &mut self.reports);
            self.settle(replica, out)?;
            self.look_again(instrument);
        }
        if interest & WATCHED != 0 {
            self.strategy.on_event(event, &mut Desk::new(&mut self.office, replica));
        }
        if !event.has(Flags::LAST) {
            return Ok(());
        }
        let interest_now = self.interest[instrument.0 as usize];
        if interest_now & (HELD | QUOTE_DUE) != 0 {
            let is_due = interest_now & QUOTE_DUE != 0;
            self.quote(instrument, ts_event, is_due, replica, out)?;
        }
        self.tell(replica);
        if interest & WATCHED != 0 {
            let desk = &mut Desk::new(&mut self.office, replica);
            self.strategy.on_exchange_event(instrument, desk);
        }
        let now = self.office.now;
        if self.office.venue.next_due().is_some_and(|due| due <= now) {
            self.receive(now, ts_event, replica, out)?;
        }
        Ok(())
    }

    /// The feed ended: orders expire, and what is held gets its last mark, the closing cross if
    /// there was one.
    ///
    /// # Errors
    ///
    /// A value beyond what money can hold.
    pub fn end(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        let now = self.office.now;
        self.strategy.on_end(&mut Desk::new(&mut self.office, replica));
        // Twice: what the strategy sends in answer to the first round is rejected in the second.
        for _ in 0..2 {
            self.office.venue.end_of_day(now, &mut self.reports);
            self.settle(replica, out)?;
            let untold = std::mem::take(&mut self.untold);
            for execution in &untold {
                let desk = &mut Desk::new(&mut self.office, replica);
                self.strategy.on_execution(execution, desk);
            }
        }
        for index in 0..self.interest.len() as u32 {
            let instrument = InstrumentId(index);
            if self.is_held(instrument) {
                let close_price = replica.close_price(instrument);
                let quote = Quote { close_price, ..quote_of(instrument, replica) };
                self.write_quote(instrument, now, &quote, out)?;
            }
        }
        Ok(())
    }

    /// The kill switch: every order is cancelled, everything that arrives from now on is rejected.
    pub fn kill(&mut self, out: &mut Vec<Execution>) {
        self.office.venue.kill(self.office.now, &mut self.reports);
        for execution in self.reports.drain(..) {
            self.office.counts.note(&execution);
            self.untold.push_back(execution);
            out.push(execution);
        }
    }

    /// What the trader did so far.
    pub fn counts(&self) -> TraderCounts {
        self.office.counts
    }

    /// The strategy's name.
    pub fn name(&self) -> &str {
        self.strategy.name()
    }

    /// Whether the strategy can be saved, and so the trader.
    pub fn can_save(&self) -> bool {
        self.strategy.can_save()
    }

    /// The strategy's own account.
    pub fn account(&self) -> &Portfolio {
        &self.office.account
    }

    /// The venue with the own orders.
    pub fn venue(&self) -> &Venue {
        &self.office.venue
    }

    /// What the user should know after the run, in sentences that name the cure.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.strategy.warnings();
        if self.config.venue.latency == Nanos(0) && self.office.counts.fills > 0 {
            warnings.push(
                "order latency is zero, so the P&L is an upper bound: set one with --latency"
                    .into(),
            );
        }
        if self.office.counts.postponed > 0 {
            warnings.push(format!(
                "after {} events more than {COMMANDS_PER_EVENT_MAX} commands were due at once and \
                 the rest waited: let the strategy answer rejects less eagerly",
                self.office.counts.postponed
            ));
        }
        warnings
    }

    /// An instrument is defined or its terms changed.
    fn meet_instrument(
        &mut self,
        id: InstrumentId,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let Some(instrument) = replica.instruments().get(id) else { return Ok(()) };
        let index = id.0 as usize;
        if self.interest.len() <= index {
            self.interest.resize(index + 1, 0);
        }
        let interest = self.interest[index];
        if interest & KNOWN == 0 {
            let is_watched = self.strategy.on_instrument(id, instrument)?;
            self.interest[index] |= if is_watched { KNOWN | WATCHED } else { KNOWN };
        }
        let is_changed = self.office.account.listing(id) != Some(&instrument.listing());
        if interest & LISTED != 0 && is_changed {
            self.interest[index] &= !LISTED;
            self.list(id, self.office.now, replica, out)?;
        }
        Ok(())
    }

    /// Lets commands arrive that are due by `until`; each one's answers reach the strategy before
    /// the next arrives.
    #[cold]
    fn receive(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        for _ in 0..COMMANDS_PER_EVENT_MAX {
            let Office { venue, now, .. } = &mut self.office;
            let Some(due) = venue.receive(until, ts_event, replica, &mut self.reports) else {
                return Ok(());
            };
            *now = due.max(*now);
            self.settle(replica, out)?;
            self.tell(replica);
        }
        self.office.counts.postponed += 1;
        Ok(())
    }

    /// Tells the strategy what became of its orders, unless their exchange event is still open.
    fn tell(&mut self, replica: &Replica) {
        let mut waiting = 0;
        while self.untold.len() > waiting {
            let execution = self.untold[waiting];
            if replica.is_event_open(InstrumentId(execution.instrument)) {
                waiting += 1;
                continue;
            }
            self.untold.remove(waiting);
            self.strategy.on_execution(&execution, &mut Desk::new(&mut self.office, replica));
        }
    }

    fn is_held(&self, instrument: InstrumentId) -> bool {
        self.interest.get(instrument.0 as usize).is_some_and(|bits| bits & HELD != 0)
    }
}
