//! The trader: one strategy, its venue and its own account, driven event by event.

use std::collections::{BTreeMap, VecDeque};

use super::desk::{Desk, Office};
use super::{Strategy, StrategySpec};
use crate::book::{Change, Replica};
use crate::error::{Error, Result};
use crate::event::{Event, Execution, ExecutionKind, Flags, Kind, Liquidity, Quote};
use crate::limits::COMMANDS_PER_EVENT_MAX;
use crate::matching::{Venue, VenueConfig};
use crate::portfolio::{FeeSchedule, MarkRule, Portfolio, PortfolioConfig};
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId, Nanos, Price, Qty};

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

/// What a trader did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraderCounts {
    /// New orders that the strategy sent.
    pub submitted: u64,
    /// Orders that the venue accepted.
    pub accepted: u64,
    /// Commands that the venue rejected.
    pub rejected: u64,
    /// Fills.
    pub fills: u64,
    /// Orders cancelled.
    pub cancelled: u64,
    /// Orders replaced.
    pub replaced: u64,
    /// Orders that expired at the end.
    pub expired: u64,
    /// Events whose turn ended before all commands that were due had arrived.
    pub postponed: u64,
}

/// The instrument was announced to the strategy.
const KNOWN: u8 = 1 << 0;
/// The strategy watches it.
const WATCHED: u8 = 1 << 1;
/// There are own orders, or shares were taken.
const ORDERS: u8 = 1 << 2;
/// There is a position.
const HELD: u8 = 1 << 3;
/// Its listing was written.
const LISTED: u8 = 1 << 4;
/// A fill within an open exchange event awaits its quote.
const QUOTE_DUE: u8 = 1 << 5;
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
    strategy: Box<dyn Strategy>,
    config: TraderConfig,
    office: Office,
    /// By instrument; an event without interest costs one look here.
    interest: Vec<u8>,
    /// The last quote written, by instrument.
    quotes: BTreeMap<u32, Quote>,
    /// What the venue answered; empty between calls.
    reports: Vec<Execution>,
    /// Executions that the strategy has not seen yet.
    untold: VecDeque<Execution>,
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
        if event.kind <= Kind::InstrumentTerms as u8 {
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
        let first = self.reports.len();
        self.office.venue.kill(self.office.now, &mut self.reports);
        for execution in self.reports.drain(first..) {
            count(&mut self.office.counts, &execution);
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

    /// Writes what the venue answered: listing first, fees added, own account kept.
    fn settle(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<()> {
        for index in 0..self.reports.len() {
            let mut execution = self.reports[index];
            let instrument = InstrumentId(execution.instrument);
            let ts_event = Nanos(execution.ts_event);
            self.list(instrument, ts_event, replica, out)?;
            let is_fill = execution.kind() == Some(ExecutionKind::Filled);
            if is_fill {
                execution.fee = self.fee(&execution)?;
                self.office.account.apply(&execution)?;
            }
            count(&mut self.office.counts, &execution);
            self.untold.push_back(execution);
            out.push(execution);
            self.look_again(instrument);
            if is_fill && replica.is_event_open(instrument) {
                self.interest[instrument.0 as usize] |= QUOTE_DUE;
            } else if is_fill {
                self.quote(instrument, ts_event, true, replica, out)?;
            }
        }
        self.reports.clear();
        Ok(())
    }

    fn fee(&self, execution: &Execution) -> Result<i64> {
        let instrument = InstrumentId(execution.instrument);
        let account = &self.office.account;
        let fee = || {
            let liquidity = Liquidity::from_code(execution.liquidity)?;
            let (listing, worth) = (account.listing(instrument)?, account.worth(instrument)?);
            let (price, qty) = (Price(execution.price), Qty(execution.qty));
            let fee = self.config.fees.fee(liquidity, price, qty, listing, worth)?;
            i64::try_from(fee.0).ok()
        };
        fee().ok_or_else(|| Error::CheckFailed {
            what: format!("the fee of a fill of order {} is beyond i64", execution.order_id),
            cure: "check the fee schedule and the order's size".into(),
        })
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

    /// Writes an instrument's listing unless it was written before.
    fn list(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let index = instrument.0 as usize;
        let Some(known) = replica.instruments().get(instrument) else { return Ok(()) };
        if self.interest.len() <= index {
            self.interest.resize(index + 1, 0);
        }
        if self.interest[index] & LISTED == 0 {
            self.interest[index] |= LISTED;
            let listing = Execution::from_listing(ts_event.0, instrument.0, &known.listing());
            self.office.account.apply(&listing)?;
            out.push(listing);
        }
        Ok(())
    }

    /// Writes a quote if it differs from the last one, or if it must be written.
    fn quote(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        is_forced: bool,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let quote = quote_of(instrument, replica);
        if is_forced || self.quotes.get(&instrument.0) != Some(&quote) {
            self.write_quote(instrument, ts_event, &quote, out)?;
        }
        Ok(())
    }

    fn write_quote(
        &mut self,
        instrument: InstrumentId,
        ts_event: Nanos,
        quote: &Quote,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        self.interest[instrument.0 as usize] &= !QUOTE_DUE;
        self.quotes.insert(instrument.0, *quote);
        let execution = Execution::from_quote(ts_event.0, instrument.0, quote);
        self.office.account.apply(&execution)?;
        out.push(execution);
        Ok(())
    }

    fn is_held(&self, instrument: InstrumentId) -> bool {
        self.interest.get(instrument.0 as usize).is_some_and(|bits| bits & HELD != 0)
    }

    /// Brings the bits for orders and position up to date.
    fn look_again(&mut self, instrument: InstrumentId) {
        let Office { venue, account, account_id, .. } = &self.office;
        let is_active = venue.is_active(instrument);
        let position = account.position(*account_id, instrument);
        let is_held = position.is_some_and(|position| position.qty != 0);
        if let Some(bits) = self.interest.get_mut(instrument.0 as usize) {
            *bits &= !(ORDERS | HELD);
            *bits |= if is_active { ORDERS } else { 0 } | if is_held { HELD } else { 0 };
        }
    }

    /// Writes the state of venue, account, strategy and what is between them.
    pub fn save(&self, writer: &mut StateWriter) {
        let Office { venue, account, now, orders, counts, .. } = &self.office;
        writer.put_u64(now.0);
        writer.put_u64(*orders);
        counts.fields().into_iter().for_each(|count| writer.put_u64(count));
        venue.save(writer);
        account.save(writer);
        writer.put_bytes(&self.interest);
        let quotes = self.quotes.iter().map(|(&id, quote)| Execution::from_quote(0, id, quote));
        for records in [quotes.collect(), Vec::from(self.untold.clone())] {
            writer.put_bytes(bytemuck::cast_slice(&records));
        }
        self.strategy.save(writer);
    }

    /// Replaces the trader's state by a saved one; strategy and configuration are the same.
    ///
    /// # Errors
    ///
    /// State that this trader did not write. The trader is of no use then.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.office.now = Nanos(reader.u64()?);
        self.office.orders = reader.u64()?;
        self.office.counts = TraderCounts::load(reader)?;
        self.office.venue.load(reader)?;
        self.office.account.load(reader)?;
        self.interest = reader.bytes()?.to_vec();
        let quotes = load_records(reader)?;
        self.quotes = quotes
            .iter()
            .map(|record| Some((record.instrument, record.quote()?)))
            .collect::<Option<_>>()
            .ok_or_else(|| reader.bad("a quote is none"))?;
        self.untold = load_records(reader)?.into();
        self.strategy.load(reader)
    }
}

impl TraderCounts {
    fn fields(self) -> [u64; 8] {
        let Self { submitted, accepted, rejected, fills, cancelled, replaced, expired, postponed } =
            self;
        [submitted, accepted, rejected, fills, cancelled, replaced, expired, postponed]
    }

    fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        Ok(Self {
            submitted: reader.u64()?,
            accepted: reader.u64()?,
            rejected: reader.u64()?,
            fills: reader.u64()?,
            cancelled: reader.u64()?,
            replaced: reader.u64()?,
            expired: reader.u64()?,
            postponed: reader.u64()?,
        })
    }
}

fn load_records(reader: &mut StateReader<'_>) -> Result<Vec<Execution>> {
    let bytes = reader.bytes()?;
    if !bytes.len().is_multiple_of(size_of::<Execution>()) {
        return Err(reader.bad("records are cut"));
    }
    Ok(bytes.chunks_exact(size_of::<Execution>()).map(bytemuck::pod_read_unaligned).collect())
}

fn count(counts: &mut TraderCounts, execution: &Execution) {
    let counter = match execution.kind() {
        Some(ExecutionKind::Accepted) => &mut counts.accepted,
        Some(ExecutionKind::Rejected) => &mut counts.rejected,
        Some(ExecutionKind::Filled) => &mut counts.fills,
        Some(ExecutionKind::Cancelled) => &mut counts.cancelled,
        Some(ExecutionKind::Replaced) => &mut counts.replaced,
        Some(ExecutionKind::Expired) => &mut counts.expired,
        _ => return,
    };
    *counter += 1;
}

/// What the books say of an instrument now; the closing cross is left for the end of the day.
fn quote_of(instrument: InstrumentId, replica: &Replica) -> Quote {
    let touch = replica.touch(instrument);
    Quote {
        bid_price: touch.bid_price,
        bid_qty: touch.bid_qty,
        ask_price: touch.ask_price,
        ask_qty: touch.ask_qty,
        last_price: replica.last_price(instrument),
        close_price: None,
        trading: replica.is_trading(instrument),
    }
}
