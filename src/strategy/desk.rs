//! What a strategy can see and do.

use std::sync::Arc;

use super::counts::TraderCounts;
use super::entry::OrderEntry;
use super::risk::{Circumstances, RiskGate, RiskLimits};
use super::timers::{TimerId, Timers};
use crate::book::Replica;
use crate::event::{Execution, ExecutionKind, InstrumentOverrides, Quote, Reason};
use crate::hash::SplitMix64;
use crate::matching::{Command, InstrumentRules, NewOrder, OpenOrder};
use crate::portfolio::Portfolio;
use crate::units::{AccountId, InstrumentId, Money, Nanos, OrderId, Price, Qty, Side};

/// What all strategies of a trader share: venue, accounts, gate, timers, time.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) venue: OrderEntry,
    pub(super) account: Portfolio,
    pub(super) gate: RiskGate,
    pub(super) timers: Timers,
    pub(super) now: Nanos,
    /// What the user knows of instruments.
    pub(super) instruments: Arc<InstrumentOverrides>,
    /// Own orders numbered so far.
    pub(super) orders: u64,
    pub(super) counts: TraderCounts,
    /// What the venue answered; empty between calls.
    pub(super) reports: Vec<Execution>,
    /// What the gate refused; empty between calls.
    pub(super) refusals: Vec<Execution>,
}

/// A strategy's place at the desk.
#[derive(Debug)]
pub(super) struct Seat {
    /// Place among the strategies.
    pub(super) number: u32,
    pub(super) account: AccountId,
    pub(super) random: SplitMix64,
    pub(super) counts: TraderCounts,
}

/// What a strategy can see and do: books, its position, its orders, its timers.
#[derive(Debug)]
pub struct Desk<'a> {
    office: &'a mut Office,
    seat: &'a mut Seat,
    books: &'a Replica,
}

impl<'a> Desk<'a> {
    pub(super) fn new(office: &'a mut Office, seat: &'a mut Seat, books: &'a Replica) -> Self {
        Self { office, seat, books }
    }

    /// The highest exchange time so far; while delayed orders arrive and timers fire, the time at
    /// which they do.
    pub fn now(&self) -> Nanos {
        self.office.now
    }

    /// The venue's displayed books; own orders are not in them.
    pub fn books(&self) -> &'a Replica {
        self.books
    }

    /// Whether an instrument trades now: as the feed says, and within its own hours.
    pub fn is_trading(&self, instrument: InstrumentId) -> bool {
        self.office.is_trading(instrument, self.books)
    }

    /// The smallest step that a new order's price may have at `price`, by the instrument's own
    /// ticks, else by its definition.
    pub fn tick(&self, instrument: InstrumentId, price: Price) -> i64 {
        let Some(known) = self.books.instruments().get(instrument) else { return 1 };
        self.office.rules(instrument, self.books).tick(price, known)
    }

    /// The price of an order at `price`, or where that is off the tick, the nearest that is no
    /// better for the other side.
    pub fn on_tick(&self, instrument: InstrumentId, side: Side, price: Price) -> Price {
        let Some(known) = self.books.instruments().get(instrument) else { return price };
        self.office.rules(instrument, self.books).on_tick(side, price, known)
    }

    /// What quantities of new orders of an instrument must be multiples of.
    pub fn lot(&self, instrument: InstrumentId) -> Qty {
        self.office.rules(instrument, self.books).lot
    }

    /// The account that the strategy trades for.
    pub fn account_id(&self) -> AccountId {
        self.seat.account
    }

    /// Quantity held in increments; negative when short.
    pub fn position(&self, instrument: InstrumentId) -> i64 {
        let position = self.office.account.position(self.seat.account, instrument);
        position.map_or(0, |position| position.qty)
    }

    /// Profit of what was closed, before fees.
    pub fn realised(&self, instrument: InstrumentId) -> Money {
        let position = self.office.account.position(self.seat.account, instrument);
        position.map_or(Money(0), |position| position.realised)
    }

    /// Profit of what is held at the mark; 0 while unpriced.
    pub fn unrealised(&self, instrument: InstrumentId) -> Money {
        self.office.account.unrealised(self.seat.account, instrument)
    }

    /// Positions and marks of all accounts of the run.
    pub fn account(&self) -> &Portfolio {
        &self.office.account
    }

    /// The limits that the strategy's orders are held to.
    pub fn limits(&self) -> RiskLimits {
        self.office.gate.limits(self.seat.account)
    }

    /// Own orders of an instrument: those at the venue, bids before offers and best first, then
    /// those in flight. Each has its place in the queue.
    pub fn open_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = OpenOrder> {
        let account = self.seat.account;
        let orders = self.office.venue.open_orders(instrument);
        orders.filter(move |order| order.account == account)
    }

    /// An own order; `None` once it is filled, cancelled or rejected, and for a replacement that
    /// has not arrived yet.
    pub fn order(&self, order_id: OrderId) -> Option<OpenOrder> {
        let order = self.office.venue.order(order_id);
        order.filter(|order| order.account == self.seat.account)
    }

    /// Sends a new order and returns its number.
    ///
    /// ```
    /// use ringtape::event::TimeInForce;
    /// use ringtape::matching::NewOrder;
    /// use ringtape::strategy::Desk;
    /// use ringtape::units::{InstrumentId, Nanos, Price, Qty, Side};
    ///
    /// /// One order of every kind.
    /// fn send_all(instrument: InstrumentId, desk: &mut Desk<'_>) {
    ///     let limit = NewOrder::limit(instrument, Side::Buy, Price(3_201_400), Qty(100));
    ///     let market = NewOrder::market(instrument, Side::Sell, Qty(100));
    ///     for order in [
    ///         limit,
    ///         market,
    ///         limit.with_time_in_force(TimeInForce::Gtc),
    ///         limit.until(Nanos(desk.now().0 + 1_000_000_000)),
    ///         limit.with_time_in_force(TimeInForce::Ioc),
    ///         limit.with_time_in_force(TimeInForce::Fok),
    ///         market.with_time_in_force(TimeInForce::Opening),
    ///         limit.with_time_in_force(TimeInForce::Closing),
    ///         limit.post_only(),
    ///         limit.repriced(),
    ///         limit.hidden(),
    ///         limit.iceberg(Qty(10)),
    ///         market.stop_at(Price(3_190_000)),
    ///         limit.stop_at(Price(3_201_000)).on_bidask(),
    ///         market.trailing(Price(5_000)),
    ///         limit.trailing(Price(5_000)),
    ///     ] {
    ///         desk.submit(order);
    ///     }
    /// }
    /// ```
    ///
    /// What the risk gate refuses comes back as a rejection, like what the venue does.
    pub fn submit(&mut self, terms: NewOrder) -> OrderId {
        self.office.counts.submitted += 1;
        self.seat.counts.submitted += 1;
        let order_id = self.next_order_id();
        let at = circumstances(self.office.now, self.books, &self.office.account);
        match self.office.gate.pass_new(self.seat.account, order_id, &terms, at) {
            Ok(()) => self.send(terms.instrument, Command::New { order_id, terms }),
            Err(reason) => {
                let refused = self.refused(order_id, terms.instrument, reason);
                self.office.refusals.push(Execution {
                    side: terms.side as u8,
                    price: terms.price.0,
                    qty: terms.qty.0,
                    ..refused
                });
            }
        }
        order_id
    }

    /// Asks to cancel an order.
    pub fn cancel(&mut self, order_id: OrderId) {
        self.office.gate.note_message(self.seat.account, self.office.now);
        self.send_about(order_id, Command::Cancel { order_id });
    }

    /// Asks to cancel every own order of an instrument that is at the venue or on its way there.
    pub fn cancel_all(&mut self, instrument: InstrumentId) {
        let orders: Vec<OrderId> =
            self.open_orders(instrument).map(|order| order.order_id).collect();
        orders.into_iter().for_each(|order_id| self.cancel(order_id));
    }

    /// Asks to take `qty` off an order, which keeps its place.
    pub fn reduce(&mut self, order_id: OrderId, qty: Qty) {
        self.office.gate.note_message(self.seat.account, self.office.now);
        self.send_about(order_id, Command::Reduce { order_id, qty });
    }

    /// Asks to replace an order and returns the number of the new one, which loses its place.
    ///
    /// `price` is the new limit, or the cap of an order that never rests; `qty` is the new total
    /// including what is filled. 0 leaves either unchanged, and all other terms stay.
    pub fn replace(&mut self, order_id: OrderId, price: Price, qty: Qty) -> OrderId {
        let new_order_id = self.next_order_id();
        let Some(old) = self.terms_of(order_id) else {
            // It is over, and so is what was to replace it: the venue will not know it.
            self.office.gate.note_message(self.seat.account, self.office.now);
            self.send_about(order_id, Command::Replace { order_id, new_order_id, price, qty });
            return new_order_id;
        };
        let terms = old.with(price, qty);
        let at = circumstances(self.office.now, self.books, &self.office.account);
        let account = self.seat.account;
        let passed = self.office.gate.pass_replace(account, order_id, new_order_id, &terms, at);
        if let Err(reason) = passed {
            let refused = self.refused(order_id, terms.instrument, reason);
            let (leaves, cum) =
                self.order(order_id).map_or((0, 0), |order| (order.leaves.0, order.cum.0));
            self.office.refusals.push(Execution {
                side: terms.side as u8,
                price: terms.price.0,
                qty: terms.qty.0,
                leaves,
                cum,
                new_order_id: new_order_id.0,
                ..refused
            });
            return new_order_id;
        }
        self.send_about(order_id, Command::Replace { order_id, new_order_id, price, qty });
        new_order_id
    }

    /// Throws the account's kill switch: its orders are cancelled, and nothing it sends passes from
    /// now on.
    pub fn kill(&mut self) {
        self.office.kill(self.seat.account, Reason::Killed);
    }

    /// Starts a timer and returns its number; it fires before the first event at or past `due`.
    ///
    /// One that is due already fires once the exchange event at hand is complete.
    pub fn set_timer(&mut self, due: Nanos) -> TimerId {
        self.office.timers.set(self.seat.number, due)
    }

    /// Stops a timer; whether it was still running.
    pub fn stop_timer(&mut self, timer: TimerId) -> bool {
        self.office.timers.stop(self.seat.number, timer)
    }

    /// A random number below `limit`, 0 when that is 0; the same in every run of the same seed.
    pub fn random_below(&mut self, limit: u64) -> u64 {
        self.seat.random.below(limit)
    }

    fn next_order_id(&mut self) -> OrderId {
        self.office.orders += 1;
        OrderId(OrderId::OWN | self.office.orders)
    }

    /// The terms of an own order, or of a replacement on its way.
    fn terms_of(&self, order_id: OrderId) -> Option<NewOrder> {
        if let Some(order) = self.order(order_id) {
            return Some(order.terms);
        }
        let (old_id, price, qty) = self.office.venue.replacement(order_id)?;
        Some(self.terms_of(old_id)?.with(price, qty))
    }

    fn refused(&self, order_id: OrderId, instrument: InstrumentId, reason: Reason) -> Execution {
        Execution {
            order_id: order_id.0,
            account: self.seat.account.0,
            reason: reason as u16,
            ..Execution::new(ExecutionKind::Rejected, self.office.now.0, instrument.0)
        }
    }

    fn send_about(&mut self, order_id: OrderId, command: Command) {
        // An order that is gone has no instrument any more: the answer will be that it is unknown.
        let instrument = self.office.venue.instrument_of(order_id).unwrap_or_default();
        self.send(instrument, command);
    }

    fn send(&mut self, instrument: InstrumentId, command: Command) {
        let Office { venue, now, .. } = &mut *self.office;
        venue.send(*now, self.seat.account, instrument, command);
    }
}

impl Office {
    /// What orders of an instrument are held to beyond its definition.
    fn rules(&self, instrument: InstrumentId, books: &Replica) -> InstrumentRules {
        // Most runs know of no instrument more than the feed does.
        let known = books.instruments().get(instrument).filter(|_| !self.instruments.is_empty());
        let own = known.and_then(|known| {
            let own = self.instruments.get(known.symbol.as_str())?;
            Some(InstrumentRules::of(own, known))
        });
        own.unwrap_or_default()
    }

    fn is_trading(&self, instrument: InstrumentId, books: &Replica) -> bool {
        books.is_trading(instrument) && self.rules(instrument, books).is_open(self.now.0)
    }

    /// What the books say of an instrument whose last exchange event is complete; while one is
    /// open, what they said before it. The closing cross is left for the end of the day.
    pub(super) fn quote(&self, instrument: InstrumentId, books: &Replica) -> Quote {
        let touch = books.settled_touch(instrument);
        Quote {
            bid_price: touch.bid_price,
            bid_qty: touch.bid_qty,
            ask_price: touch.ask_price,
            ask_qty: touch.ask_qty,
            last_price: books.last_price(instrument),
            close_price: None,
            trading: self.is_trading(instrument, books),
        }
    }

    /// Throws an account's kill switch for a reason.
    pub(super) fn kill(&mut self, account: AccountId, reason: Reason) {
        self.gate.kill(account);
        self.venue.kill(account, reason, self.now, &mut self.reports);
    }

    /// When the next order arrives or the next timer fires.
    #[inline]
    pub(super) fn next_due(&self) -> Option<Nanos> {
        match (self.venue.next_due(), self.timers.next_due()) {
            (Some(order), Some(timer)) => Some(order.min(timer)),
            (order, timer) => order.or(timer),
        }
    }
}

fn circumstances<'a>(now: Nanos, books: &'a Replica, account: &'a Portfolio) -> Circumstances<'a> {
    Circumstances { now, books, account }
}
