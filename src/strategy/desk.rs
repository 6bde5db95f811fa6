//! What a strategy can see and do.

use super::counts::TraderCounts;
use crate::book::Replica;
use crate::matching::{Command, NewOrder, OpenOrder, Venue};
use crate::portfolio::Portfolio;
use crate::units::{AccountId, InstrumentId, Money, Nanos, OrderId, Price, Qty};

/// A trader's side of the desk: venue, own account, time.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) venue: Venue,
    pub(super) account: Portfolio,
    pub(super) account_id: AccountId,
    pub(super) now: Nanos,
    /// Own orders numbered so far.
    pub(super) orders: u64,
    pub(super) counts: TraderCounts,
}

/// What a strategy can see and do: books, its position, its orders.
#[derive(Debug)]
pub struct Desk<'a> {
    office: &'a mut Office,
    books: &'a Replica,
}

impl<'a> Desk<'a> {
    pub(super) fn new(office: &'a mut Office, books: &'a Replica) -> Self {
        Self { office, books }
    }

    /// The highest exchange time so far; while delayed orders arrive, the time of their arrival.
    pub fn now(&self) -> Nanos {
        self.office.now
    }

    /// The venue's displayed books; own orders are not in them.
    pub fn books(&self) -> &'a Replica {
        self.books
    }

    /// Quantity held in increments; negative when short.
    pub fn position(&self, instrument: InstrumentId) -> i64 {
        let position = self.office.account.position(self.office.account_id, instrument);
        position.map_or(0, |position| position.qty)
    }

    /// Profit of what was closed, before fees.
    pub fn realised(&self, instrument: InstrumentId) -> Money {
        let position = self.office.account.position(self.office.account_id, instrument);
        position.map_or(Money(0), |position| position.realised)
    }

    /// Profit of what is held at the mark; 0 while unpriced.
    pub fn unrealised(&self, instrument: InstrumentId) -> Money {
        self.office.account.unrealised(self.office.account_id, instrument)
    }

    /// The whole own account.
    pub fn account(&self) -> &Portfolio {
        &self.office.account
    }

    /// Own orders of an instrument: those at the venue, bids before offers and best first, then
    /// those in flight.
    pub fn open_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = OpenOrder> {
        let venue = &self.office.venue;
        let in_flight = venue.in_flight().filter(move |o| o.terms.instrument == instrument);
        venue.open_orders(instrument).chain(in_flight)
    }

    /// An own order; `None` once it is filled, cancelled or rejected, and for a replacement that
    /// has not arrived yet.
    pub fn order(&self, order_id: OrderId) -> Option<OpenOrder> {
        self.office.venue.order(order_id)
    }

    /// Sends a new order and returns its number.
    pub fn submit(&mut self, terms: NewOrder) -> OrderId {
        self.office.counts.submitted += 1;
        let order_id = self.next_order_id();
        self.send(terms.instrument, Command::New { order_id, terms });
        order_id
    }

    /// Asks to cancel an order.
    pub fn cancel(&mut self, order_id: OrderId) {
        self.send_about(order_id, Command::Cancel { order_id });
    }

    /// Asks to take `qty` off an order, which keeps its place.
    pub fn reduce(&mut self, order_id: OrderId, qty: Qty) {
        self.send_about(order_id, Command::Reduce { order_id, qty });
    }

    /// Asks to replace an order and returns the number of the new one, which loses its place.
    ///
    /// `qty` is the new total including what is filled; 0 leaves it unchanged.
    pub fn replace(&mut self, order_id: OrderId, price: Price, qty: Qty) -> OrderId {
        let new_order_id = self.next_order_id();
        self.send_about(order_id, Command::Replace { order_id, new_order_id, price, qty });
        new_order_id
    }

    fn next_order_id(&mut self) -> OrderId {
        self.office.orders += 1;
        OrderId(OrderId::OWN | self.office.orders)
    }

    fn send_about(&mut self, order_id: OrderId, command: Command) {
        // An order that is gone has no instrument any more: the answer will be that it is unknown.
        let instrument = self.office.venue.instrument_of(order_id).unwrap_or_default();
        self.send(instrument, command);
    }

    fn send(&mut self, instrument: InstrumentId, command: Command) {
        let Office { venue, now, account_id, .. } = &mut *self.office;
        venue.send(*now, *account_id, instrument, command);
    }
}
