//! The trader: strategies, their venue and their accounts, driven event by event.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::counts::TraderCounts;
use super::desk::Office;
use super::entry::OrderEntry;
use super::member::{Call, Member};
use super::risk::{Limit, RiskGate, RiskLimits};
use super::timers::Timers;
use super::{Strategy, StrategySpec};
use crate::book::{Change, ChangeKind, OrderView, Replica};
use crate::error::Result;
use crate::event::{Event, EventView, Execution, Flags, Kind, Quote, Reason};
use crate::feed::Zone;
use crate::limits::COMMANDS_PER_EVENT_MAX;
use crate::matching::{Venue, VenueConfig};
use crate::portfolio::{FeeSchedule, MarkRule, Portfolio, PortfolioConfig, Rates};
use crate::units::{AccountId, InstrumentId, Nanos, Qty};

/// What shapes a trader beside its strategies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraderConfig {
    /// The account of the first strategy; the others follow it.
    pub account: AccountId,
    /// The simulated venue.
    pub venue: VenueConfig,
    /// Fees of its fills; free unless set.
    pub fees: FeeSchedule,
    /// Fees of symbols that have their own.
    pub fees_of: BTreeMap<String, FeeSchedule>,
    /// How its own accounts mark positions.
    pub marks: MarkRule,
    /// Rates into the currency of limits in money.
    pub rates: Rates,
    /// What the risk gate holds every account to.
    pub limits: RiskLimits,
    /// Seed of the randomness that strategies may use.
    pub seed: u64,
    /// The clock at whose midnight a day ends: that of the feed.
    pub clock: Zone,
}

/// An execution on its way to its strategy.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) due: Nanos,
    pub(super) execution: Execution,
}

/// The instrument was announced to the strategies.
const KNOWN: u8 = 1 << 0;
/// A strategy watches it.
const WATCHED: u8 = 1 << 1;
/// There are own orders, or shares were taken.
pub(super) const ORDERS: u8 = 1 << 2;
/// There is a position.
pub(super) const HELD: u8 = 1 << 3;
/// Its listing was written.
pub(super) const LISTED: u8 = 1 << 4;
/// A fill within an open exchange event awaits its quote.
pub(super) const QUOTE_DUE: u8 = 1 << 5;
/// There was a fill so lately that its markouts are still to come.
pub(super) const RECENT: u8 = 1 << 6;
/// What makes its quotes be written, so that the last one is of the last complete exchange event.
pub(super) const QUOTED: u8 = HELD | QUOTE_DUE | RECENT;
/// What makes an event of the instrument matter.
const INTEREST: u8 = WATCHED | ORDERS | QUOTED;

/// Runs strategies against the simulated venue.
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
/// Several strategies trade at one venue, each for an account of its own, and are called in their
/// order. Cause and ingest time of the executions are for the caller to fill in. An instrument's
/// listing comes before its first other execution, a quote after each fill and whenever touch, last
/// price or state of a held instrument changed after LAST, or of one that traded lately; and before
/// a fill where none was written for that long, so that no fill is valued at an old mark.
pub struct Trader {
    pub(super) members: Vec<Member>,
    pub(super) config: TraderConfig,
    pub(super) office: Office,
    /// By instrument; an event without interest costs one look here.
    pub(super) interest: Vec<u8>,
    /// By instrument: until when quotes are wanted for markouts.
    pub(super) recent_until: Vec<u64>,
    /// The last quote written, by instrument.
    pub(super) quotes: BTreeMap<u32, Quote>,
    /// Executions that the strategies have not seen yet.
    pub(super) untold: VecDeque<Told>,
    /// The instrument of the last event: while its exchange event is open, no timer fires.
    pub(super) last_instrument: InstrumentId,
    /// When the day ends that the last event lies in; 0 before the first.
    pub(super) day_end: Nanos,
    /// Whether the feed has lost messages and not recovered.
    pub(super) is_cut_off: bool,
    /// Whether reports take no time.
    pub(super) tells_at_once: bool,
}

impl std::fmt::Debug for Trader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trader")
            .field("strategies", &self.names().collect::<Vec<_>>())
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
        Self::with_strategies(vec![strategy], config)
    }

    /// A trader with several strategies, each with an account of its own.
    pub fn with_strategies(strategies: Vec<Box<dyn Strategy>>, config: TraderConfig) -> Self {
        let account = PortfolioConfig {
            marks: config.marks,
            rates: config.rates.clone(),
            ..PortfolioConfig::default()
        };
        let office = Office {
            venue: OrderEntry::Simulated(Box::new(Venue::new(config.venue.clone()))),
            account: Portfolio::new(account),
            gate: RiskGate::new(config.limits),
            timers: Timers::default(),
            now: Nanos(0),
            instruments: Arc::clone(&config.venue.instruments),
            orders: 0,
            counts: TraderCounts::default(),
            reports: vec![],
            refusals: vec![],
        };
        let member =
            |(strategy, number)| Member::new(strategy, number, config.account, config.seed);
        Self {
            members: strategies.into_iter().zip(0..).map(member).collect(),
            office,
            interest: vec![],
            recent_until: vec![],
            quotes: BTreeMap::new(),
            untold: VecDeque::new(),
            last_instrument: InstrumentId(0),
            day_end: Nanos(0),
            is_cut_off: false,
            tells_at_once: config.venue.latency.tells_at_once(),
            config,
        }
    }

    /// The run starts. To be called once, before the first event.
    ///
    /// # Errors
    ///
    /// What a strategy says about the instruments that are there already.
    pub fn start(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        self.call_all(Call::Start, replica, out)?;
        for (id, _) in replica.instruments().iter() {
            self.meet_instrument(id, replica, out)?;
        }
        Ok(())
    }

    /// Lets delayed orders arrive and timers fire that are due by the time of `event`, before it is
    /// applied.
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
        if until >= self.day_end {
            self.turn_day(until, Nanos(event.ts_event), replica, out)?;
        }
        if self.next_due().is_some_and(|due| due <= until) {
            self.receive(until, Nanos(event.ts_event), replica, out)?;
        }
        self.office.now = until;
        if event.has(Flags::MAYBE_BAD) != self.is_cut_off {
            self.cut_off(event.has(Flags::MAYBE_BAD), replica, out)?;
        }
        Ok(())
    }

    /// Lets own orders follow what `event` changed, then, after LAST, the strategies act.
    ///
    /// # Errors
    ///
    /// What a strategy says about a new instrument; a fill beyond what money can hold.
    #[inline]
    pub fn after(
        &mut self,
        event: &Event,
        change: &Change,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        if let Some(entered) = change.new
            && entered.instrument != change.order.instrument
        {
            return self.after_move(event, change, entered, replica, out);
        }
        // WHY: a faulty message may name an order of another instrument than its own; what counts
        // is whose book changed.
        let instrument = change.order.instrument;
        self.last_instrument = instrument;
        let interest = self.interest.get(instrument.0 as usize).copied().unwrap_or(0);
        if interest & INTEREST == 0 && event.kind > Kind::InstrumentTerms as u8 {
            return Ok(());
        }
        self.follow(interest, event, change, replica, out)
    }

    /// The same where a reference came to life in one instrument while it was in another's book:
    /// an order left there, and one entered here.
    #[cold]
    fn after_move(
        &mut self,
        event: &Event,
        change: &Change,
        entered: OrderView,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let left = Change { kind: ChangeKind::Deleted, new: None, ..*change };
        self.after(event, &left, replica, out)?;
        let entered = Change {
            kind: ChangeKind::Added,
            order: entered,
            qty: Qty(0),
            new: None,
            left_book: false,
        };
        self.after(event, &entered, replica, out)
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
            self.office.venue.after(event, change, replica, &mut self.office.reports);
            self.settle(replica, out)?;
            self.look_again(instrument);
        }
        if interest & WATCHED != 0 {
            self.call_watchers(instrument, Call::Event(event), replica, out)?;
        }
        if !event.has(Flags::LAST) {
            return Ok(());
        }
        self.quote_after_last(instrument, ts_event, replica, out)?;
        self.tell(replica, out)?;
        if interest & WATCHED != 0 {
            self.call_watchers(instrument, Call::Complete(instrument), replica, out)?;
        }
        let now = self.office.now;
        if self.next_due().is_some_and(|due| due <= now) {
            self.receive(now, ts_event, replica, out)?;
        }
        Ok(())
    }

    /// A command to the trader from the market ring: a limit, the kill switch, or what a gateway
    /// tells; others pass by.
    ///
    /// # Errors
    ///
    /// A value beyond what money can hold; a report that cannot be booked.
    pub fn command(
        &mut self,
        event: &Event,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        match event.view() {
            EventView::Limits(change) => {
                if let Some(limit) = Limit::from_code(change.limit) {
                    self.office.gate.set(change.account, limit, change.value);
                }
            }
            EventView::Kill(kill) => {
                for index in 0..self.members.len() {
                    let account = self.members[index].seat.account;
                    if kill.all_accounts != 0 || kill.account == account {
                        self.office.kill(account, Reason::Killed);
                    }
                }
            }
            _ => return self.hear(event, replica, out),
        }
        self.settle(replica, out)
    }

    /// The feed ended: orders expire, and what is held gets its last mark, the closing cross if
    /// there was one.
    ///
    /// # Errors
    ///
    /// A value beyond what money can hold.
    pub fn end(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        let now = self.office.now;
        self.call_all(Call::End, replica, out)?;
        // Twice: what a strategy sends in answer to the first round is rejected in the second.
        for _ in 0..2 {
            self.office.venue.end(now, &mut self.office.reports);
            self.settle(replica, out)?;
            for told in std::mem::take(&mut self.untold) {
                self.tell_owner(&told.execution, replica, out)?;
            }
        }
        self.quote_close(now, replica, out)
    }

    /// What the trader did so far, all strategies together.
    pub fn counts(&self) -> TraderCounts {
        self.office.counts
    }

    /// New orders and replacements that were sent so far.
    #[inline]
    pub fn orders_sent(&self) -> u64 {
        self.office.orders
    }

    /// The strategies' names, in the order of their accounts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.strategy.name())
    }

    /// Each strategy's account, name and what it did.
    pub fn strategies(&self) -> impl Iterator<Item = (AccountId, &str, TraderCounts)> {
        self.members
            .iter()
            .map(|member| (member.seat.account, member.strategy.name(), member.seat.counts))
    }

    /// Whether the strategies can be saved, and so the trader.
    pub fn can_save(&self) -> bool {
        self.members.iter().all(|member| member.strategy.can_save())
    }

    /// The strategies' own accounts.
    pub fn account(&self) -> &Portfolio {
        &self.office.account
    }

    /// The simulated venue with the own orders; `None` where they go to a real one.
    pub fn venue(&self) -> Option<&Venue> {
        match &self.office.venue {
            OrderEntry::Simulated(venue) => Some(venue),
            OrderEntry::Away(_) => None,
        }
    }

    /// The risk gate.
    pub fn gate(&self) -> &RiskGate {
        &self.office.gate
    }

    /// What the user should know after the run, in sentences that name the cure.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.members.iter().flat_map(|member| member.strategy.warnings()).collect();
        if let OrderEntry::Away(door) = &self.office.venue {
            warnings.extend(door.warnings());
        } else if self.config.venue.latency.is_zero() && self.office.counts.fills > 0 {
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
        let killed = self.members.iter().filter(|m| self.office.gate.is_killed(m.seat.account));
        warnings.extend(killed.map(|member| {
            format!(
                "the kill switch of account {} was thrown: its orders were cancelled, and nothing \
                 it sent after that passed",
                member.seat.account
            )
        }));
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
        self.make_room(id);
        let interest = self.interest[index];
        if interest & KNOWN == 0 {
            self.interest[index] |= KNOWN;
            for member in &mut self.members {
                if member.strategy.on_instrument(id, instrument)? {
                    member.watch(id);
                    self.interest[index] |= WATCHED;
                }
            }
        }
        let is_changed = self.office.account.listing(id) != Some(&instrument.listing());
        if interest & LISTED != 0 && is_changed {
            self.interest[index] &= !LISTED;
            self.list(id, self.office.now, replica, out)?;
        }
        Ok(())
    }

    /// The feed lost messages, or is whole again.
    #[cold]
    fn cut_off(
        &mut self,
        is_cut_off: bool,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        self.is_cut_off = is_cut_off;
        for member in &self.members {
            let account = member.seat.account;
            let Office { gate, venue, reports, now, .. } = &mut self.office;
            let cancels = gate.limits(account).get(Limit::CancelOnDisconnect);
            if is_cut_off && cancels.is_some_and(|value| value != 0) {
                venue.cancel_all(account, Reason::Disconnected, *now, reports);
            }
        }
        self.settle(replica, out)
    }
}
