//! The gate itself: keeps what is open, and says no.

use std::collections::VecDeque;

use super::limits::{Limit, RiskLimits};
use super::open::OpenOrders;
use super::prices::{collar, likely_price};
use crate::book::Replica;
use crate::error::Result;
use crate::event::{Execution, ExecutionKind, Reason};
use crate::matching::NewOrder;
use crate::portfolio::{Portfolio, Worth};
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId, Money, Nanos, OrderId, Price, Side};

/// ns in which messages are counted for the rate.
const RATE_WINDOW: u64 = 1_000_000_000;

/// What an order is sent into.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The time in ns.
    pub now: Nanos,
    /// The books.
    pub books: &'a Replica,
    /// Positions and marks of all accounts.
    pub account: &'a Portfolio,
}

/// The gate of all accounts; see the module's table.
///
/// Its state is a function of what was sent and of the executions it was told.
///
/// ```
/// use ringtape::book::Replica;
/// use ringtape::event::{Instrument, InstrumentTable, Reason};
/// use ringtape::matching::NewOrder;
/// use ringtape::portfolio::{Portfolio, PortfolioConfig};
/// use ringtape::strategy::risk::{Circumstances, RiskGate};
/// use ringtape::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};
///
/// let aapl = InstrumentId(13);
/// let mut books = Replica::new();
/// for event in InstrumentTable::events(0, aapl, &Instrument::us_equity("AAPL")) {
///     books.apply(&event);
/// }
/// let account = Portfolio::new(PortfolioConfig::default());
/// let at = Circumstances { now: Nanos(0), books: &books, account: &account };
///
/// let mut gate = RiskGate::new("position=150".parse()?);
/// let order = NewOrder::limit(aapl, Side::Buy, Price(3_201_400), Qty(100));
/// assert_eq!(gate.pass_new(AccountId(0), OrderId(1), &order, at), Ok(()));
/// let second = gate.pass_new(AccountId(0), OrderId(2), &order, at);
/// assert_eq!(second, Err(Reason::PositionLimit));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RiskGate {
    limits: RiskLimits,
    /// By ascending account.
    accounts: Vec<Watch>,
}

/// What the gate knows of an account.
#[derive(Clone, Debug)]
struct Watch {
    account: AccountId,
    limits: RiskLimits,
    is_killed: bool,
    messages: u64,
    fills: u64,
    /// Times of the messages of the last second, if their rate is limited.
    recent: VecDeque<u64>,
    open: OpenOrders,
    /// By ascending instrument.
    exposures: Vec<Exposure>,
}

/// What is open in an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exposure {
    instrument: InstrumentId,
    /// Quantity by side that open orders may still add to the position.
    open: [u64; 2],
    /// The latest likely price, to value what has no mark; 0 when there is none.
    price: Price,
}

impl RiskGate {
    /// A gate with the same limits for every account.
    pub fn new(limits: RiskLimits) -> Self {
        Self { limits, accounts: vec![] }
    }

    /// The limits of an account.
    pub fn limits(&self, account: AccountId) -> RiskLimits {
        let found = self.accounts.iter().find(|watch| watch.account == account);
        found.map_or(self.limits, |watch| watch.limits)
    }

    /// Changes a limit of an account; [`u64::MAX`] takes it away.
    pub fn set(&mut self, account: AccountId, limit: Limit, value: u64) {
        self.watch(account).limits.set(limit, value);
    }

    /// Lets nothing of an account pass from now on but cancels and reductions.
    pub fn kill(&mut self, account: AccountId) {
        self.watch(account).is_killed = true;
    }

    /// Whether an account's kill switch was thrown.
    pub fn is_killed(&self, account: AccountId) -> bool {
        self.accounts.iter().any(|watch| watch.account == account && watch.is_killed)
    }

    /// Lets a new order pass, which then counts as open and as a message, or says why not.
    ///
    /// # Errors
    ///
    /// The reason of the first limit that it runs into; those of messages are tested first.
    pub fn pass_new(
        &mut self,
        account: AccountId,
        order_id: OrderId,
        terms: &NewOrder,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        self.watch(account).pass(order_id, None, terms, at)
    }

    /// Lets the replacement of an order, or of a replacement on its way, pass, or says why not.
    ///
    /// `terms` are those of the new order with its whole quantity, what is filled included.
    ///
    /// # Errors
    ///
    /// As of [`pass_new`](Self::pass_new).
    pub fn pass_replace(
        &mut self,
        account: AccountId,
        old: OrderId,
        new: OrderId,
        terms: &NewOrder,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        self.watch(account).pass(new, Some(old), terms, at)
    }

    /// Counts a message that always passes: a cancel, a reduction, one about an order that is over.
    pub fn note_message(&mut self, account: AccountId, now: Nanos) {
        self.watch(account).note_message(now);
    }

    /// Follows what became of an order.
    ///
    /// To be called when positions follow it, not before: until then what was filled counts as
    /// open.
    pub fn note(&mut self, execution: &Execution) {
        let watch = self.watch(execution.account());
        if execution.kind() == Some(ExecutionKind::Filled) {
            watch.fills += 1;
        }
        let Some(shift) = watch.open.note(execution) else { return };
        let found = watch.exposures.binary_search_by_key(&shift.instrument, |one| one.instrument);
        if let Ok(index) = found {
            let sum = &mut watch.exposures[index].open[shift.side.index()];
            *sum = sum.saturating_sub(shift.before).saturating_add(shift.after);
        }
    }

    /// Whether an account has lost more than it may; `equity` is what it made since the start.
    pub fn is_ruined(&self, account: AccountId, equity: Money) -> bool {
        let limit = self.limits(account).money(Limit::Loss);
        limit.is_some_and(|limit| -equity > limit) && !self.is_killed(account)
    }

    fn watch(&mut self, account: AccountId) -> &mut Watch {
        let index = match self.accounts.binary_search_by_key(&account, |watch| watch.account) {
            Ok(index) => index,
            Err(index) => {
                self.accounts.insert(index, Watch::new(account, self.limits));
                index
            }
        };
        &mut self.accounts[index]
    }

    /// Writes limits as they are now, what is open and what was counted.
    pub fn save(&self, writer: &mut StateWriter) {
        writer.put_len(self.accounts.len());
        for watch in &self.accounts {
            watch.save(writer);
        }
    }

    /// Replaces what the gate knows by saved state; the limits of other accounts stay.
    ///
    /// # Errors
    ///
    /// Cut state, or state that is none of a gate.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        let mut accounts: Vec<Watch> = vec![];
        for _ in 0..reader.len(4)? {
            let watch = Watch::load(reader)?;
            if accounts.last().is_some_and(|last| last.account >= watch.account) {
                return Err(reader.bad("accounts are out of order"));
            }
            accounts.push(watch);
        }
        self.accounts = accounts;
        Ok(())
    }
}

impl Watch {
    fn new(account: AccountId, limits: RiskLimits) -> Self {
        Self {
            account,
            limits,
            is_killed: false,
            messages: 0,
            fills: 0,
            recent: VecDeque::new(),
            open: OpenOrders::default(),
            exposures: vec![],
        }
    }

    /// Lets an order pass, in the place of an old one if there is one.
    fn pass(
        &mut self,
        order_id: OrderId,
        old_id: Option<OrderId>,
        terms: &NewOrder,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        self.may_send(at.now)?;
        if self.open.has(order_id) {
            return Err(Reason::DuplicateOrder);
        }
        self.admit(order_id, old_id, terms, at)?;
        self.note_message(at.now);
        Ok(())
    }

    /// Whether anything may be sent at all.
    fn may_send(&mut self, now: Nanos) -> Result<(), Reason> {
        if self.is_killed {
            return Err(Reason::Killed);
        }
        if let Some(most) = self.limits.get(Limit::MessageRate) {
            let oldest = now.0.saturating_sub(RATE_WINDOW);
            while self.recent.front().is_some_and(|time| *time <= oldest && now.0 > RATE_WINDOW) {
                self.recent.pop_front();
            }
            if self.recent.len() as u64 >= most {
                return Err(Reason::MessageRate);
            }
        }
        if let Some(most) = self.limits.get(Limit::OrderToTrade)
            && self.messages >= most.saturating_mul(self.fills.max(1))
        {
            return Err(Reason::OrderToTrade);
        }
        Ok(())
    }

    fn note_message(&mut self, now: Nanos) {
        self.messages += 1;
        if self.limits.get(Limit::MessageRate).is_some() {
            self.recent.push_back(now.0);
        }
    }

    /// Counts an order as open unless that leads beyond a limit.
    fn admit(
        &mut self,
        order_id: OrderId,
        old_id: Option<OrderId>,
        terms: &NewOrder,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        let limits = self.limits;
        let within = |limit: Limit, value: u64| match limits.get(limit) {
            Some(most) if value > most => Err(limit.reason()),
            _ => Ok(()),
        };
        within(Limit::OrderQty, terms.qty.0)?;
        if !old_id.is_some_and(|old_id| self.open.has(old_id)) {
            within(Limit::OpenOrders, self.open.len() as u64 + 1)?;
        }
        if let Some(most) = limits.get(Limit::PriceCollar) {
            collar(terms, most, at.books)?;
        }
        let added = self.open.added_by(old_id, terms.qty.0);
        let index = self.exposure_of(terms, at.books);
        let side = terms.side.index();
        let before = self.exposures[index];
        let exposure = &mut self.exposures[index];
        exposure.open[side] = exposure.open[side].saturating_add(added);
        let tested = self.test_sums(index, terms.side, at);
        if let Err(reason) = tested {
            self.exposures[index] = before;
            return Err(reason);
        }
        self.open.insert(order_id, old_id, terms);
        Ok(())
    }

    /// Tests position and values with what is open, an order of the exposure at `index` included.
    fn test_sums(&self, index: usize, side: Side, at: Circumstances<'_>) -> Result<(), Reason> {
        let exposure = &self.exposures[index];
        if let Some(most) = self.limits.get(Limit::Position) {
            let [long, short] = exposure.reach(self.account, at.account);
            let reached = if side == Side::Buy { long } else { -short };
            if reached > i128::from(most) {
                return Err(Reason::PositionLimit);
            }
        }
        let gross = self.limits.money(Limit::GrossNotional);
        let net = self.limits.money(Limit::NetNotional);
        if gross.is_none() && net.is_none() {
            return Ok(());
        }
        let (mut gross_sum, mut long_sum, mut short_sum) = (0i128, 0i128, 0i128);
        for exposure in &self.exposures {
            let [long, short] = exposure.values(self.account, at).ok_or(Reason::GrossNotional)?;
            gross_sum = gross_sum.saturating_add(long.abs().max(short.abs()));
            long_sum = long_sum.saturating_add(long);
            short_sum = short_sum.saturating_add(short);
        }
        if gross.is_some_and(|most| gross_sum > most.0) {
            return Err(Reason::GrossNotional);
        }
        let reached = if side == Side::Buy { long_sum } else { short_sum.saturating_neg() };
        if net.is_some_and(|most| reached > most.0) {
            return Err(Reason::NetNotional);
        }
        Ok(())
    }

    fn exposure_of(&mut self, terms: &NewOrder, books: &Replica) -> usize {
        let (instrument, price) = (terms.instrument, likely_price(terms, books));
        match self.exposures.binary_search_by_key(&instrument, |one| one.instrument) {
            Ok(index) => {
                self.exposures[index].price = price;
                index
            }
            Err(index) => {
                self.exposures.insert(index, Exposure { instrument, open: [0, 0], price });
                index
            }
        }
    }

    fn save(&self, writer: &mut StateWriter) {
        writer.put_u32(self.account.0);
        for limit in Limit::ALL {
            writer.put_u64(self.limits.get(limit).unwrap_or(u64::MAX));
        }
        writer.put_bool(self.is_killed);
        writer.put_u64(self.messages);
        writer.put_u64(self.fills);
        writer.put_len(self.recent.len());
        self.recent.iter().for_each(|&time| writer.put_u64(time));
        self.open.save(writer);
        writer.put_len(self.exposures.len());
        for exposure in &self.exposures {
            writer.put_u32(exposure.instrument.0);
            exposure.open.iter().for_each(|&open| writer.put_u64(open));
            writer.put_i64(exposure.price.0);
        }
    }

    fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut watch = Self::new(AccountId(reader.u32()?), RiskLimits::default());
        for limit in Limit::ALL {
            watch.limits.set(limit, reader.u64()?);
        }
        watch.is_killed = reader.bool()?;
        (watch.messages, watch.fills) = (reader.u64()?, reader.u64()?);
        watch.recent = (0..reader.len(8)?).map(|_| reader.u64()).collect::<Result<_>>()?;
        watch.open = OpenOrders::load(reader)?;
        for _ in 0..reader.len(8)? {
            let instrument = InstrumentId(reader.u32()?);
            let open = [reader.u64()?, reader.u64()?];
            let price = Price(reader.i64()?);
            watch.exposures.push(Exposure { instrument, open, price });
        }
        Ok(watch)
    }
}

impl Exposure {
    /// The positions that are reached if everything open on one side is filled: buys, sells.
    fn reach(&self, account: AccountId, portfolio: &Portfolio) -> [i128; 2] {
        let held = portfolio.position(account, self.instrument);
        let held = held.map_or(0, |position| i128::from(position.qty));
        [held + i128::from(self.open[0]), held - i128::from(self.open[1])]
    }

    /// What these positions are worth in the base currency; `None` beyond what money can hold, and
    /// without a rate or any price.
    fn values(&self, account: AccountId, at: Circumstances<'_>) -> Option<[i128; 2]> {
        let mark = at.account.mark_of(self.instrument);
        let half_price = mark.map_or(2 * i128::from(self.price.0), |mark| mark.half_price);
        let listing = at.books.instruments().get(self.instrument)?.listing();
        let worth = at.account.worth(self.instrument).or_else(|| Worth::of(&listing))?;
        let mut values = [0; 2];
        for (value, qty) in values.iter_mut().zip(self.reach(account, at.account)) {
            if half_price == 0 && qty != 0 {
                return None;
            }
            let amount = worth.value(half_price, qty)?;
            *value = at.account.in_base(listing.currency, amount)?.0;
        }
        Some(values)
    }
}
