//! The replica: the venue's displayed books, rebuilt from a market-by-order feed.

use super::books::Books;
use super::counts::{ReplicaCounts, Totals};
use super::levels::LevelBooks;
use super::messages::ExecutionMessage;
use super::prints::Prints;
use super::slab::NIL;
use super::tape::{InstrumentStats, Tape, Units};
use super::view::{Best, Change, ChangeKind, LevelView, OrderView, Touch, touch_of};
use crate::event::kinds::Group;
use crate::event::{Event, EventView, Flags, InstrumentTable, Kind};
use crate::hash::RunningHash;
use crate::limits::INSTRUMENTS_MAX;
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

/// Every instrument's displayed book as the tape tells it, with status, last price and volume.
///
/// The replica never leaves the tape: own orders are kept beside it. Its state is a function of the
/// events applied.
///
/// ```
/// use ringtape::book::{ChangeKind, Replica};
/// use ringtape::event::kinds::Text;
/// use ringtape::event::{Event, Flags, payload};
/// use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};
///
/// let mut replica = Replica::new();
/// let bid = payload::Add {
///     order_id: OrderId(7),
///     price: Price(3_201_400),
///     qty: Qty(100),
///     attribution: Text::new(""),
///     pad: 0,
/// };
/// let event = Event::new(0, 13, bid).with_side(Side::Buy).with_flags(Flags::LAST);
/// assert_eq!(replica.apply(&event).kind, ChangeKind::Added);
///
/// let aapl = InstrumentId(13);
/// assert_eq!(replica.touch(aapl).bid_price, Price(3_201_400));
/// assert_eq!(replica.queue(aapl, Side::Buy, Price(3_201_400)).count(), 1);
/// assert_eq!(replica.order(OrderId(7)).map(|order| order.qty), Some(Qty(100)));
/// ```
#[derive(Clone, Debug)]
pub struct Replica {
    pub(super) books: Books,
    pub(super) tapes: Vec<Tape>,
    pub(super) instruments: InstrumentTable,
    pub(super) prints: Prints,
    pub(super) counts: ReplicaCounts,
    pub(super) touches: RunningHash,
    pub(super) applied: u64,
    /// Of instruments whose feed tells levels and no orders.
    pub(super) level_books: LevelBooks,
}

impl Replica {
    /// A replica without books.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// A replica with room for so many live orders before it first grows, its memory touched, so
    /// that no message waits for the system to find some.
    pub fn with_capacity(orders: usize) -> Self {
        Self {
            books: Books::with_capacity(orders),
            tapes: Vec::new(),
            instruments: InstrumentTable::default(),
            prints: Prints::default(),
            counts: ReplicaCounts::default(),
            touches: RunningHash::default(),
            applied: 0,
            level_books: LevelBooks::default(),
        }
    }

    /// Applies one event of any kind and says what it changed.
    ///
    /// Commands and engine events change nothing. Faulty messages are counted
    /// ([`counts`](Self::counts)) and never stop the replica.
    pub fn apply(&mut self, event: &Event) -> Change {
        self.step(event, NIL, |change| change)
    }

    /// Applies one event and hands on what it changed; `hint` may name the level at which it adds
    /// an order.
    ///
    /// WHY: handed on rather than given back, from the usual kinds and from the others apart: so
    /// the compiler leaves out of a change what nobody looks at, where a place for all of them in
    /// memory took 30 instructions a message.
    #[inline(always)]
    pub(super) fn step<T>(
        &mut self,
        event: &Event,
        hint: u32,
        then: impl FnOnce(Change) -> T,
    ) -> T {
        self.applied += 1;
        if event.instrument as usize >= self.tapes.len() && !self.make_room(event) {
            return then(nothing(event));
        }
        let change = match event.view() {
            EventView::Add(add) => self.add(event, add, hint),
            EventView::Delete(delete) => self.delete(event, delete.order_id),
            EventView::Replace(replace) => self.replace(event, replace, hint),
            _ => return then(self.apply_other(event)),
        };
        self.end_record(event);
        then(change)
    }

    /// Everything but orders that come, leave or are replaced, which are 94 % of a day's messages.
    ///
    /// WHY: the loop of those three stays small.
    #[inline(never)]
    fn apply_other(&mut self, event: &Event) -> Change {
        let mut change = nothing(event);
        let instrument = change.order.instrument;
        match event.view() {
            EventView::Execute(execute) => change = self.execute(event, &execute.into()),
            EventView::ExecuteAt(execute) => {
                let is_printable = event.has(Flags::PRINTABLE);
                change = self.execute(event, &ExecutionMessage::at(execute, is_printable));
            }
            EventView::Reduce(reduce) => change = self.reduce(event, reduce),
            EventView::Modify(modify) => change = self.modify(event, modify),
            EventView::Instrument(_) | EventView::InstrumentTerms(_) => self.define(event),
            EventView::Trade(trade) => self.trade(instrument, trade),
            EventView::Cross(cross) => self.cross(instrument, cross),
            EventView::Broken(broken) => self.break_trade(instrument, broken.match_id),
            EventView::Status(status) => self.set_status(event, status),
            EventView::Clear(_) => {
                change.kind = ChangeKind::Cleared;
                self.books.clear(instrument);
                self.level_books.clear(instrument);
                let tape = &mut self.tapes[instrument.0 as usize];
                (tape.close_price, tape.session_cross_qty) = (None, Qty(0));
            }
            EventView::LevelSet(level) => change = self.set_level(event, level),
            EventView::Quote(quote) => self.compare(event, quote),
            EventView::Unknown(_) => self.counts.unsupported += 1,
            _ => {}
        }
        if is_of_exchange_event(event) {
            self.end_record(event);
        }
        change
    }

    /// All instruments that were defined.
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Best bid and offer of an instrument as of the last event, within an exchange event too.
    #[inline]
    pub fn touch(&self, instrument: InstrumentId) -> Touch {
        self.books.touch(instrument)
    }

    /// Best bid and offer as of the last complete exchange event.
    #[inline]
    pub(crate) fn settled_touch(&self, instrument: InstrumentId) -> Touch {
        let book = self.books.books.get(instrument.0 as usize);
        book.map_or(Touch::default(), |book| touch_of(&book.marked))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, instrument: InstrumentId, side: Side) -> impl Iterator<Item = LevelView> {
        let levels = self.books.levels(instrument, side).rev().map(LevelView::from);
        levels.chain(self.level_books.levels(instrument, side))
    }

    /// The level at a price; without quantity and orders if nothing rests there.
    pub fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> LevelView {
        let empty = LevelView { price, ..LevelView::default() };
        let of_orders = self.books.level(instrument, side, price).map(LevelView::from);
        let told = || self.level_books.level(instrument, side, price);
        of_orders.or_else(told).unwrap_or(empty)
    }

    /// Whether the feed tells levels of an instrument, of which there are some, and no orders.
    pub fn has_levels(&self, instrument: InstrumentId) -> bool {
        let mut sides = [Side::Buy, Side::Sell].into_iter();
        sides.any(|side| self.level_books.levels(instrument, side).next().is_some())
    }

    /// The orders at a price, front to back.
    pub fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> impl Iterator<Item = OrderView> {
        let level = self.books.level(instrument, side, price);
        level.into_iter().flat_map(|level| self.books.queue(level))
    }

    /// The resting order of a reference.
    #[inline]
    pub fn order(&self, order_id: OrderId) -> Option<OrderView> {
        self.books.find(order_id).map(|found| self.books.view(found.handle))
    }

    /// The priority that the next order to arrive will get.
    ///
    /// Larger than that of every resting order; at one level a smaller priority is ahead.
    #[inline]
    pub fn next_priority(&self) -> u64 {
        self.books.next_priority
    }

    /// Whether an instrument trades; while its status is unknown it does.
    ///
    /// Halted, paused and quotation-only states do not trade, nor does an instrument whose own
    /// market halted operationally; operational halts of other markets are not its concern.
    pub fn is_trading(&self, instrument: InstrumentId) -> bool {
        let book = self.books.books.get(instrument.0 as usize);
        book.is_none_or(|book| !book.is_halted && !matches!(book.state, b'H' | b'P' | b'Q'))
    }

    /// Whether the last record of an instrument was without LAST: more of its exchange event
    /// follows.
    #[inline]
    pub fn is_event_open(&self, instrument: InstrumentId) -> bool {
        self.books.books.get(instrument.0 as usize).is_some_and(|book| book.is_open)
    }

    /// Price of the last printed trade or cross; breaking it does not bring the one before back.
    #[inline]
    pub fn last_price(&self, instrument: InstrumentId) -> Option<Price> {
        self.tapes.get(instrument.0 as usize)?.last_price
    }

    /// Price of the closing cross, if one traded since the book was last cleared.
    pub fn close_price(&self, instrument: InstrumentId) -> Option<Price> {
        self.tapes.get(instrument.0 as usize)?.close_price
    }

    /// What crossed since the book was last cleared.
    pub(crate) fn session_cross_qty(&self, instrument: InstrumentId) -> Qty {
        self.tapes.get(instrument.0 as usize).map_or(Qty(0), |tape| tape.session_cross_qty)
    }

    /// What was traded in an instrument.
    pub fn stats(&self, instrument: InstrumentId) -> InstrumentStats {
        self.tapes.get(instrument.0 as usize).map_or(InstrumentStats::default(), |tape| tape.stats)
    }

    /// Faults and oddities of the messages so far.
    pub fn counts(&self) -> &ReplicaCounts {
        &self.counts
    }

    /// Orders in all books.
    pub fn live_orders(&self) -> usize {
        self.books.live_orders()
    }

    /// Sizes over all books. Walks all books: for reports, not for every message.
    pub fn totals(&self) -> Totals {
        Totals {
            instruments: self.instruments.len(),
            live_orders: self.books.live_orders(),
            peak_live_orders: self.books.peak_orders(),
            levels: self.books.live_levels() + self.level_books.count(),
            bytes: self.books.bytes()
                + self.level_books.bytes()
                + self.prints.bytes()
                + self.tapes.capacity() * size_of::<Tape>(),
        }
    }

    /// Grows the arrays to the instrument of an event; `false` when nothing of the event concerns a
    /// book.
    #[cold]
    fn make_room(&mut self, event: &Event) -> bool {
        if event.kind().is_some_and(|kind| kind.info().group != Group::Market) {
            return false;
        }
        let index = event.instrument as usize;
        let fits = index < INSTRUMENTS_MAX;
        if fits {
            self.books.books.resize_with(index + 1, Default::default);
            self.tapes.resize(index + 1, Tape::default());
        } else {
            self.counts.instruments_out_of_range += 1;
        }
        fits
    }

    /// After every record of an exchange event: what changed up to its LAST is looked at once.
    #[inline(always)]
    fn end_record(&mut self, event: &Event) {
        let book = &mut self.books.books[event.instrument as usize];
        book.is_open = !event.has(Flags::LAST);
        if book.is_changed && !book.is_open {
            self.look_at_touch(event);
        }
    }

    /// A touch that differs from the one seen after the LAST before is hashed and tested, once.
    #[inline]
    fn look_at_touch(&mut self, event: &Event) {
        let id = InstrumentId(event.instrument);
        let book = &mut self.books.books[event.instrument as usize];
        book.is_changed = false;
        if !same(&book.best, &book.marked) {
            book.marked = book.best;
            book.is_crossing_counted = false;
            if !book.units.are_known() {
                book.units = Units::assumed(id);
            }
            book.units.hash_touch(&book.marked, &mut self.touches);
        }
        let [bid, ask] = &book.marked;
        if bid.price >= ask.price && !book.is_crossing_counted {
            self.count_crossing(event);
        }
    }

    /// A touch whose bid price is not below its ask price: counts it once if both sides are there
    /// and the instrument trades.
    #[inline(never)]
    fn count_crossing(&mut self, event: &Event) {
        let instrument = InstrumentId(event.instrument);
        let is_trading = self.is_trading(instrument);
        let book = &mut self.books.books[instrument.0 as usize];
        if is_trading && touch_of(&book.marked).is_crossed() {
            book.is_crossing_counted = true;
            self.counts.crossed.note_event(self.applied - 1, event);
        }
    }
}

impl Default for Replica {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether two touches are the same, without a branch a number.
#[inline(always)]
fn same(a: &[Best; 2], b: &[Best; 2]) -> bool {
    let words = |[bid, ask]: &[Best; 2]| {
        [bid.price.0.cast_unsigned(), bid.qty.0, ask.price.0.cast_unsigned(), ask.qty.0]
    };
    words(a) == words(b)
}

/// The change of an event that changes no book.
#[inline]
pub(super) fn nothing(event: &Event) -> Change {
    Change::of_none(ChangeKind::None, OrderId(0), InstrumentId(event.instrument), Qty(0))
}

/// Whether LAST means something on a record.
///
/// Definitions are repeated wherever a journal's segment begins, and commands and engine events
/// come from elsewhere: none of them belongs to an exchange event.
pub(crate) fn is_of_exchange_event(event: &Event) -> bool {
    match event.kind() {
        None | Some(Kind::Instrument | Kind::InstrumentTerms | Kind::InstrumentListing) => false,
        Some(kind) => kind.info().group == Group::Market,
    }
}
