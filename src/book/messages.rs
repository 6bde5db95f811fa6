//! What each kind of message means to the replica.

use super::index::Found;
use super::order::ORDER_QTY_MAX;
use super::replica::{Replica, nothing};
use super::slab::NIL;
use super::tape::{Units, add};
use super::view::{Best, Change, ChangeKind, LevelView, OrderView, Touch};
use crate::event::{Event, payload};
use crate::units::{InstrumentId, MatchId, OrderId, Price, Qty, Side};

/// What an execution message says, at the order's price or another.
pub(super) struct ExecutionMessage {
    order_id: OrderId,
    qty: Qty,
    match_id: MatchId,
    /// The price if that is not the order's.
    price: Option<Price>,
    is_printable: bool,
}

impl From<&payload::Execute> for ExecutionMessage {
    #[inline(always)]
    fn from(message: &payload::Execute) -> Self {
        let &payload::Execute { order_id, qty, match_id, .. } = message;
        Self { order_id, qty, match_id, price: None, is_printable: true }
    }
}

impl ExecutionMessage {
    #[inline(always)]
    pub(super) fn at(message: &payload::ExecuteAt, is_printable: bool) -> Self {
        let &payload::ExecuteAt { order_id, qty, match_id, price } = message;
        Self { order_id, qty, match_id, price: Some(price), is_printable }
    }
}

/// Messages that name one order.
impl Replica {
    #[inline(always)]
    pub(super) fn add(&mut self, event: &Event, message: &payload::Add, hint: u32) -> Change {
        let Some(side) = event.side() else {
            self.counts.sideless_orders += 1;
            return nothing(event);
        };
        let Some(qty) = self.order_qty(message.qty) else { return nothing(event) };
        let order = OrderView {
            order_id: message.order_id,
            instrument: InstrumentId(event.instrument),
            side,
            price: message.price,
            qty,
            priority: 0,
        };
        match self.books.find_or_vacancy(order.order_id) {
            Err(vacancy) => {
                let order = self.books.add(vacancy, order, hint);
                Change { kind: ChangeKind::Added, order, qty: Qty(0), new: None, left_book: false }
            }
            Ok(found) => {
                self.counts.duplicate_adds.note_event(self.applied - 1, event);
                self.swap(event, found, order, NIL)
            }
        }
    }

    #[inline(always)]
    pub(super) fn delete(&mut self, event: &Event, order_id: OrderId) -> Change {
        let Some(found) = self.books.find(order_id) else {
            return self.unknown(event, order_id, Qty(0));
        };
        self.delete_found(event, found)
    }

    #[inline(always)]
    pub(super) fn reduce(&mut self, event: &Event, message: &payload::Reduce) -> Change {
        let &payload::Reduce { order_id, qty, .. } = message;
        match self.books.find(order_id) {
            Some(found) => self.take_off(event, ChangeKind::Reduced, found, qty),
            None => self.unknown(event, order_id, qty),
        }
    }

    #[inline(always)]
    pub(super) fn execute(&mut self, event: &Event, message: &ExecutionMessage) -> Change {
        let change = match self.books.find(message.order_id) {
            Some(found) => self.take_off(event, ChangeKind::Executed, found, message.qty),
            None => self.unknown(event, message.order_id, message.qty),
        };
        let instrument = change.order.instrument;
        let stats = &mut self.tapes[instrument.0 as usize].stats;
        if message.is_printable {
            add(&mut stats.executed_qty, message.qty);
            let is_known = change.kind != ChangeKind::Unknown;
            let price = message.price.or(is_known.then_some(change.order.price));
            self.print(instrument, message.match_id, message.qty, price);
        } else {
            add(&mut stats.unprinted_qty, message.qty);
        }
        change
    }

    #[inline(always)]
    pub(super) fn replace(
        &mut self,
        event: &Event,
        message: &payload::Replace,
        hint: u32,
    ) -> Change {
        let &payload::Replace { order_id, price, qty, new_order_id } = message;
        let Some(found) = self.books.find(order_id) else {
            return self.unknown(event, order_id, qty);
        };
        match self.order_qty(qty) {
            Some(qty) => {
                let old = self.note_view(event, found);
                let new = OrderView { order_id: new_order_id, price, qty, ..old };
                self.swap(event, found, new, hint)
            }
            None => self.delete_found(event, found),
        }
    }

    #[inline(always)]
    pub(super) fn modify(&mut self, event: &Event, message: &payload::Modify) -> Change {
        let &payload::Modify { order_id, price, qty, .. } = message;
        let Some(found) = self.books.find(order_id) else {
            return self.unknown(event, order_id, qty);
        };
        let Some(qty) = self.order_qty(qty) else {
            return self.delete_found(event, found);
        };
        let old = self.note_view(event, found);
        let new = OrderView { price, qty, ..old };
        if price != old.price || qty > old.qty {
            self.books.remove(found);
            let new = self.enter(event, new, NIL);
            return Change {
                kind: ChangeKind::Modified,
                order: old,
                qty: Qty(0),
                new,
                left_book: false,
            };
        }
        let taken = Qty(old.qty.0 - qty.0);
        if taken.0 > 0 {
            self.books.reduce(found.handle, taken);
        }
        let new = Some(new);
        Change { kind: ChangeKind::Modified, order: old, qty: taken, new, left_book: false }
    }

    /// The order that a message names.
    #[inline(always)]
    fn note_view(&mut self, event: &Event, found: Found) -> OrderView {
        let order = self.books.view(found.handle);
        self.note_instrument(event, &order);
        order
    }

    /// Counts a message that names an order of another instrument.
    #[inline(always)]
    fn note_instrument(&mut self, event: &Event, order: &OrderView) {
        self.counts.foreign_orders += u64::from(order.instrument.0 != event.instrument);
    }

    /// Takes an order out.
    #[inline(always)]
    fn delete_found(&mut self, event: &Event, found: Found) -> Change {
        let order = self.books.remove(found);
        self.note_instrument(event, &order);
        let (kind, qty) = (ChangeKind::Deleted, order.qty);
        Change { kind, order, qty, new: None, left_book: true }
    }

    /// Takes `qty` off an order, or all of it if it has no more.
    #[inline(always)]
    fn take_off(&mut self, event: &Event, kind: ChangeKind, found: Found, qty: Qty) -> Change {
        let open = self.books.orders[found.handle].qty();
        let taken = qty.min(open);
        let left_book = taken == open;
        let order = if left_book {
            self.counts.excess_quantities += u64::from(qty > taken);
            self.books.remove(found)
        } else if taken.0 > 0 {
            self.books.reduce(found.handle, taken)
        } else {
            return self.take_nothing(event, found);
        };
        self.note_instrument(event, &order);
        Change { kind, order, qty: taken, new: None, left_book }
    }

    /// A message that takes no quantity off.
    #[cold]
    fn take_nothing(&mut self, event: &Event, found: Found) -> Change {
        let OrderView { order_id, instrument, .. } = self.note_view(event, found);
        self.counts.zero_quantities += 1;
        Change::of_none(ChangeKind::None, order_id, instrument, Qty(0))
    }

    /// Puts a new order in the place of one that leaves. Another live order under the new one's
    /// reference leaves too: its delete must have been lost.
    #[inline(always)]
    fn swap(&mut self, event: &Event, found: Found, new: OrderView, hint: u32) -> Change {
        let order = self.books.remove(found);
        let new = self.enter(event, new, hint);
        Change { kind: ChangeKind::Replaced, order, qty: order.qty, new, left_book: true }
    }

    /// Adds an order; a live one under its reference leaves.
    #[inline(always)]
    fn enter(&mut self, event: &Event, order: OrderView, hint: u32) -> Option<OrderView> {
        let vacancy = match self.books.find_or_vacancy(order.order_id) {
            Err(vacancy) => vacancy,
            Ok(duplicate) => {
                self.counts.duplicate_adds.note_event(self.applied - 1, event);
                self.books.remove(duplicate);
                self.books.find_or_vacancy(order.order_id).expect_err("the duplicate has left")
            }
        };
        Some(self.books.add(vacancy, order, hint))
    }

    /// The quantity with which an order rests; `None` if it has none.
    #[inline(always)]
    fn order_qty(&mut self, qty: Qty) -> Option<Qty> {
        let is_usual = qty.0.wrapping_sub(1) < ORDER_QTY_MAX.0;
        if is_usual { Some(qty) } else { self.odd_qty(qty) }
    }

    #[cold]
    fn odd_qty(&mut self, qty: Qty) -> Option<Qty> {
        self.counts.zero_quantities += u64::from(qty.0 == 0);
        self.counts.oversized_orders += u64::from(qty > ORDER_QTY_MAX);
        (qty.0 > 0).then_some(ORDER_QTY_MAX)
    }

    #[inline(always)]
    fn unknown(&mut self, event: &Event, order_id: OrderId, qty: Qty) -> Change {
        self.count_unknown(event);
        let instrument = InstrumentId(event.instrument);
        Change::of_none(ChangeKind::Unknown, order_id, instrument, qty)
    }

    #[cold]
    fn count_unknown(&mut self, event: &Event) {
        self.counts.unknown_orders.note_event(self.applied - 1, event);
    }
}

/// Messages that name no displayed order.
impl Replica {
    /// Sets a price level; the touch follows it as it follows orders.
    pub(super) fn set_level(&mut self, event: &Event, message: &payload::LevelSet) -> Change {
        let instrument = InstrumentId(event.instrument);
        let is_free = |side: &Side| self.books.levels(instrument, *side).next().is_none();
        let Some(side) = event.side().filter(is_free) else {
            self.counts.unsupported += 1;
            return nothing(event);
        };
        let before = self.level_books.level(instrument, side, message.price).unwrap_or_default();
        let orders = u32::try_from(message.order_count).unwrap_or(u32::MAX);
        let level = LevelView { price: message.price, qty: message.qty, orders };
        let best = self.level_books.set(instrument, side, level);
        let book = &mut self.books.books[event.instrument as usize];
        book.best[side.index()] = Best { price: best.price, qty: best.qty };
        book.is_changed = true;
        let view = |qty| OrderView {
            order_id: OrderId(0),
            instrument,
            side,
            price: message.price,
            qty,
            priority: 0,
        };
        Change {
            kind: ChangeKind::LevelSet,
            order: view(before.qty),
            qty: Qty(before.qty.0.saturating_sub(message.qty.0)),
            new: Some(view(message.qty)),
            left_book: message.qty.0 == 0,
        }
    }

    /// Compares the touch with what the venue says it is.
    pub(super) fn compare(&mut self, event: &Event, message: &payload::Quote) {
        let &payload::Quote { bid_price, bid_qty, ask_price, ask_qty } = message;
        let told = Touch { bid_price, bid_qty, ask_price, ask_qty };
        self.counts.quotes += 1;
        if self.books.touch(InstrumentId(event.instrument)) != told {
            self.counts.quotes_differ.note_event(self.applied - 1, event);
        }
    }

    pub(super) fn define(&mut self, event: &Event) {
        self.instruments.apply(event);
        let id = InstrumentId(event.instrument);
        let units = self.instruments.get(id).map(Units::of).unwrap_or_default();
        self.books.books[id.0 as usize].units = units;
    }

    pub(super) fn trade(&mut self, instrument: InstrumentId, message: &payload::Trade) {
        self.counts.zero_quantities += u64::from(message.qty.0 == 0);
        add(&mut self.tapes[instrument.0 as usize].stats.hidden_qty, message.qty);
        self.print(instrument, message.match_id, message.qty, Some(message.price));
    }

    pub(super) fn cross(&mut self, instrument: InstrumentId, message: &payload::Cross) {
        let tape = &mut self.tapes[instrument.0 as usize];
        add(&mut tape.stats.cross_qty, message.qty);
        add(&mut tape.session_cross_qty, message.qty);
        if message.qty.0 > 0 && message.cross_type.0 == b'C' {
            tape.close_price = Some(message.price);
        }
        self.print(instrument, message.match_id, message.qty, Some(message.price));
    }

    pub(super) fn break_trade(&mut self, instrument: InstrumentId, match_id: MatchId) {
        match self.prints.take(match_id, instrument) {
            Some((qty, price)) => {
                let tape = &mut self.tapes[instrument.0 as usize];
                tape.stats.reverse(qty);
                if let Some(price) = price {
                    tape.turnover.take(price, qty);
                }
            }
            None => self.counts.unknown_breaks += 1,
        }
    }

    pub(super) fn set_status(&mut self, event: &Event, message: &payload::Status) {
        let instrument = InstrumentId(event.instrument);
        let was_trading = self.is_trading(instrument);
        let venue = self.instruments.get(instrument).map_or("", |found| found.venue.as_str());
        let own_market = match venue {
            "BX" => b'B',
            "PSX" => b'X',
            _ => b'Q',
        };
        let book = &mut self.books.books[instrument.0 as usize];
        book.is_changed = true;
        match message.market.0 {
            0 => book.state = message.state.0,
            market if market == own_market => book.is_halted = message.state.0 == b'H',
            _ => {}
        }
        if was_trading && !self.is_trading(instrument) {
            self.counts.halts.note_event(self.applied - 1, event);
        }
    }

    /// A printed quantity: volume, last price, and what a later break needs; 0 is no print.
    #[inline(always)]
    fn print(
        &mut self,
        instrument: InstrumentId,
        match_id: MatchId,
        qty: Qty,
        price: Option<Price>,
    ) {
        if qty.0 == 0 {
            return;
        }
        let tape = &mut self.tapes[instrument.0 as usize];
        add(&mut tape.stats.volume, qty);
        tape.stats.trades += 1;
        if let Some(price) = price {
            tape.last_price = Some(price);
            tape.turnover.add(price, qty);
        }
        self.prints.note(match_id, instrument, qty, price);
    }
}
