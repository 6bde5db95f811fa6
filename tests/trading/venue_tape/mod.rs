//! A short tape of one instrument, a real replica and a venue beside it.
#![allow(dead_code)]

pub(crate) mod run;

use ringtape::book::Replica;
use ringtape::event::kinds::{Letter, Raw, Text};
use ringtape::event::{Event, Execution, ExecutionKind, Flags, Instrument, InstrumentTable};
use ringtape::event::{Reason, payload};
use ringtape::matching::{Command, NewOrder, OpenOrder, Venue, VenueConfig};
use ringtape::units::{AccountId, InstrumentId, MatchId, Nanos, OrderId, Price, Qty, Side};

pub(crate) const X: InstrumentId = InstrumentId(13);

/// Dollars and cents as a price: `d(1001)` is 10.01.
pub(crate) fn d(cents: i64) -> Price {
    Price(cents * 100)
}

pub(crate) fn own(number: u64) -> OrderId {
    OrderId(OrderId::OWN | number)
}

// ---- events of the tape ----

pub(crate) fn add(id: u64, side: Side, price: Price, qty: u64) -> Event {
    let attribution = Text::new("");
    let add = payload::Add { order_id: OrderId(id), price, qty: Qty(qty), attribution, pad: 0 };
    Event::new(0, X.0, add).with_side(side).with_flags(Flags::LAST)
}

pub(crate) fn execute(id: u64, qty: u64) -> Event {
    let match_id = MatchId(1);
    let execute = payload::Execute { order_id: OrderId(id), pad: 0, qty: Qty(qty), match_id };
    Event::new(0, X.0, execute).with_flags(Flags::LAST | Flags::PRINTABLE)
}

pub(crate) fn execute_at(id: u64, qty: u64, price: Price, is_printable: bool) -> Event {
    let (order_id, qty, match_id) = (OrderId(id), Qty(qty), MatchId(1));
    let flags = if is_printable { Flags::LAST | Flags::PRINTABLE } else { Flags::LAST };
    let execute = payload::ExecuteAt { order_id, price, qty, match_id };
    Event::new(0, X.0, execute).with_flags(flags)
}

pub(crate) fn reduce(id: u64, qty: u64) -> Event {
    let reduce = payload::Reduce { order_id: OrderId(id), pad: 0, qty: Qty(qty), pad2: 0 };
    Event::new(0, X.0, reduce).with_flags(Flags::LAST)
}

pub(crate) fn delete(id: u64) -> Event {
    let delete = payload::Delete { order_id: OrderId(id), pad: Raw([0; 24]) };
    Event::new(0, X.0, delete).with_flags(Flags::LAST)
}

pub(crate) fn replace(id: u64, new_id: u64, price: Price, qty: u64) -> Event {
    let (order_id, new_order_id) = (OrderId(id), OrderId(new_id));
    let replace = payload::Replace { order_id, price, qty: Qty(qty), new_order_id };
    Event::new(0, X.0, replace).with_flags(Flags::LAST)
}

pub(crate) fn modify(id: u64, price: Price, qty: u64) -> Event {
    let modify = payload::Modify { order_id: OrderId(id), price, qty: Qty(qty), pad: 0 };
    Event::new(0, X.0, modify).with_flags(Flags::LAST)
}

pub(crate) fn hidden_trade(price: Price, qty: u64) -> Event {
    let (order_id, match_id) = (OrderId(0), MatchId(1));
    let trade = payload::Trade { order_id, price, qty: Qty(qty), match_id };
    let flags = Flags::LAST | Flags::PRINTABLE;
    Event::new(0, X.0, trade).with_side(Side::Buy).with_flags(flags)
}

/// A closing cross.
pub(crate) fn cross(price: Price, qty: u64) -> Event {
    cross_of(b'C', price, qty)
}

pub(crate) fn cross_of(letter: u8, price: Price, qty: u64) -> Event {
    let (cross_type, pad, match_id) = (Letter(letter), Raw([0; 7]), MatchId(1));
    let cross = payload::Cross { cross_type, pad, price, qty: Qty(qty), match_id };
    Event::new(0, X.0, cross).with_flags(Flags::LAST | Flags::PRINTABLE)
}

pub(crate) fn status(state: u8) -> Event {
    let status = payload::Status {
        state: Letter(state),
        market: Letter(0),
        reserved: Letter(0),
        pad: 0,
        reason: Text::new(""),
        pad2: Raw([0; 24]),
    };
    Event::new(0, X.0, status).with_flags(Flags::LAST)
}

pub(crate) fn clear() -> Event {
    Event::new(0, X.0, payload::Clear { pad: Raw([0; 32]) }).with_flags(Flags::LAST)
}

/// The same event with more of its exchange event to follow.
pub(crate) fn open(event: Event) -> Event {
    Event { flags: event.flags & !Flags::LAST, ..event }
}

// ---- the bench ----

/// A replica and a venue; every event is 1 ns after the one before.
pub(crate) struct Tape {
    pub(crate) replica: Replica,
    pub(crate) venue: Venue,
    pub(crate) now: u64,
    orders: u64,
}

impl Tape {
    pub(crate) fn new() -> Self {
        Self::with(VenueConfig { latency: Nanos(0).into(), ..VenueConfig::default() })
    }

    pub(crate) fn with(config: VenueConfig) -> Self {
        let mut replica = Replica::new();
        for event in InstrumentTable::events(0, X, &Instrument::us_equity("X")) {
            replica.apply(&event);
        }
        Self { replica, venue: Venue::new(config), now: 100, orders: 0 }
    }

    /// Applies an event and returns what it caused.
    pub(crate) fn play(&mut self, event: Event) -> Vec<Execution> {
        self.now += 1;
        self.play_at(self.now, event)
    }

    /// Applies an event at a time: what is due arrives first.
    pub(crate) fn play_at(&mut self, now: u64, event: Event) -> Vec<Execution> {
        self.now = now;
        let mut out = self.receive();
        let event = Event { ts_event: now, ..event };
        let change = self.replica.apply(&event);
        self.venue.after(&event, &change, &self.replica, &mut out);
        out
    }

    /// Lets everything arrive that is due.
    pub(crate) fn receive(&mut self) -> Vec<Execution> {
        let (mut out, now) = (vec![], Nanos(self.now));
        while self.venue.receive(now, now, &self.replica, &mut out).is_some() {}
        out
    }

    pub(crate) fn send(&mut self, command: Command) {
        self.venue.send(Nanos(self.now), AccountId(0), X, command);
    }

    /// Sends an order and lets it arrive.
    pub(crate) fn order(&mut self, terms: NewOrder) -> (OrderId, Vec<Execution>) {
        self.orders += 1;
        let order_id = own(self.orders);
        self.send(Command::New { order_id, terms });
        (order_id, self.receive())
    }

    /// A day order that must come to rest.
    pub(crate) fn rest(&mut self, side: Side, price: Price, qty: u64) -> OrderId {
        let (order_id, out) = self.order(NewOrder::limit(X, side, price, Qty(qty)));
        assert_eq!(kinds(&out), ["accepted"]);
        order_id
    }

    pub(crate) fn command(&mut self, command: Command) -> Vec<Execution> {
        self.send(command);
        self.receive()
    }

    pub(crate) fn state(&self, order_id: OrderId) -> OpenOrder {
        self.venue.order(order_id).expect("the order is open")
    }

    pub(crate) fn ahead(&self, order_id: OrderId) -> u64 {
        self.state(order_id).ahead.0
    }
}

pub(crate) fn kinds(executions: &[Execution]) -> Vec<&'static str> {
    executions.iter().map(|e| e.kind().map_or("?", ExecutionKind::name)).collect()
}

/// The fills among executions: order, quantity, price.
pub(crate) fn fills(executions: &[Execution]) -> Vec<(u64, u64, Price)> {
    executions
        .iter()
        .filter(|e| e.kind() == Some(ExecutionKind::Filled))
        .map(|e| (e.order_id & !OrderId::OWN, e.qty, Price(e.price)))
        .collect()
}

/// The only execution, a rejection or cancellation, and its reason.
pub(crate) fn reason(executions: &[Execution]) -> (&'static str, Reason) {
    let last = executions.last().expect("there is an execution");
    (last.kind().map_or("?", ExecutionKind::name), last.reason())
}
