//! The gate itself: keeps what is open, and says no.

use std::collections::VecDeque;

use super::limits::{Limit, RiskLimits};
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
    /// By ascending number.
    open: Vec<Open>,
    /// By ascending instrument.
    exposures: Vec<Exposure>,
}

/// An open order, or one on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    order_id: OrderId,
    instrument: InstrumentId,
    side: Side,
    /// Quantity that it may still add to the position.
    reserved: u64,
}

/// What is open in an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exposure {
    instrument: InstrumentId,
    /// Open quantity by side.
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

    /// Lets a new order pass, which then counts as open, or says why not.
    ///
    /// # Errors
    ///
    /// The reason of the first limit in the order of the module's table that it runs into.
    pub fn pass_new(
        &mut self,
        account: AccountId,
        order_id: OrderId,
        terms: &NewOrder,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        let watch = self.watch(account);
        watch.pass_message(at.now)?;
        if watch.find(order_id).is_ok() {
            return Err(Reason::DuplicateOrder);
        }
        watch.admit(order_id, terms, 0, at)
    }

    /// Lets the replacement of an order pass, or says why not.
    ///
    /// `terms` are those of the new order with its whole quantity, `cum` of which is filled.
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
        cum: u64,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        let watch = self.watch(account);
        watch.pass_message(at.now)?;
        if watch.find(new).is_ok() {
            return Err(Reason::DuplicateOrder);
        }
        let held = watch.find(old).map_or(0, |index| watch.open[index].reserved);
        watch.admit(new, terms, held.saturating_add(cum), at)
    }

    /// Counts a cancel or reduction, which always passes.
    pub fn note_message(&mut self, account: AccountId, now: Nanos) {
        self.watch(account).note_message(now);
    }

    /// Follows what became of an order.
    pub fn note(&mut self, execution: &Execution) {
        let order_id = execution.order_id();
        let watch = self.watch(execution.account());
        match execution.kind() {
            Some(ExecutionKind::Filled) => {
                watch.fills += 1;
                watch.leave(order_id, execution.leaves);
            }
            Some(ExecutionKind::Reduced) => watch.leave(order_id, execution.leaves),
            Some(ExecutionKind::Cancelled | ExecutionKind::Expired) => watch.leave(order_id, 0),
            Some(ExecutionKind::Replaced) => {
                watch.leave(order_id, 0);
                watch.leave(OrderId(execution.new_order_id), execution.leaves);
            }
            Some(ExecutionKind::Rejected) if execution.new_order_id != 0 => {
                watch.leave(OrderId(execution.new_order_id), 0);
            }
            // An unknown order is none of ours, or its end was told; the answer to a command about
            // an order that is open has its open quantity.
            Some(ExecutionKind::Rejected)
                if execution.leaves == 0 && execution.reason() != Reason::UnknownOrder =>
            {
                watch.leave(order_id, 0);
            }
            _ => {}
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
            open: vec![],
            exposures: vec![],
        }
    }

    fn find(&self, order_id: OrderId) -> Result<usize, usize> {
        self.open.binary_search_by_key(&order_id, |open| open.order_id)
    }

    /// Whether anything may be sent at all; counts the message that was, also if it is refused.
    fn pass_message(&mut self, now: Nanos) -> Result<(), Reason> {
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
        self.note_message(now);
        Ok(())
    }

    fn note_message(&mut self, now: Nanos) {
        self.messages += 1;
        if self.limits.get(Limit::MessageRate).is_some() {
            self.recent.push_back(now.0);
        }
    }

    /// Admits an order of which `covered` is filled or counted already.
    fn admit(
        &mut self,
        order_id: OrderId,
        terms: &NewOrder,
        covered: u64,
        at: Circumstances<'_>,
    ) -> Result<(), Reason> {
        let limits = self.limits;
        let within = |limit: Limit, value: u64| match limits.get(limit) {
            Some(most) if value > most => Err(limit.reason()),
            _ => Ok(()),
        };
        within(Limit::OrderQty, terms.qty.0)?;
        if covered == 0 {
            within(Limit::OpenOrders, self.open.len() as u64 + 1)?;
        }
        if let Some(most) = limits.get(Limit::PriceCollar) {
            collar(terms, most, at.books)?;
        }
        let reserved = terms.qty.0.saturating_sub(covered);
        let index = self.exposure_of(terms, at.books);
        let side = terms.side.index();
        let before = self.exposures[index];
        let exposure = &mut self.exposures[index];
        exposure.open[side] = exposure.open[side].saturating_add(reserved);
        let tested = self.test_sums(index, terms.side, at);
        if let Err(reason) = tested {
            self.exposures[index] = before;
            return Err(reason);
        }
        let open = Open { order_id, instrument: terms.instrument, side: terms.side, reserved };
        if let Err(place) = self.find(order_id) {
            self.open.insert(place, open);
        }
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

    /// An order has `leaves` open now.
    fn leave(&mut self, order_id: OrderId, leaves: u64) {
        let Ok(index) = self.find(order_id) else { return };
        let open = &mut self.open[index];
        let (instrument, side, counted) = (open.instrument, open.side.index(), open.reserved);
        open.reserved = leaves;
        if leaves == 0 {
            self.open.remove(index);
        }
        if let Ok(at) = self.exposures.binary_search_by_key(&instrument, |one| one.instrument) {
            let sum = &mut self.exposures[at].open[side];
            *sum = sum.saturating_sub(counted).saturating_add(leaves);
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
        writer.put_len(self.open.len());
        for open in &self.open {
            writer.put_u64(open.order_id.0);
            writer.put_u32(open.instrument.0);
            writer.put_u8(open.side as u8);
            writer.put_u64(open.reserved);
        }
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
        for _ in 0..reader.len(8)? {
            let (order_id, instrument) = (OrderId(reader.u64()?), InstrumentId(reader.u32()?));
            let code = reader.u8()?;
            let side =
                Side::from_code(code).ok_or_else(|| reader.bad(format!("no side is {code}")))?;
            watch.open.push(Open { order_id, instrument, side, reserved: reader.u64()? });
        }
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
