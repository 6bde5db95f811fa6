//! The replica once more, written for reading: sorted maps, queues, and a walk for every answer.
//!
//! It follows `SEMANTICS` line by line and shares nothing with the crate's books but the records.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, VecDeque};

use ringtape::book::{
    Change, ChangeKind, InstrumentStats, LevelView, ORDER_QTY_MAX, OrderView, ReplicaCounts, Touch,
};
use ringtape::event::kinds::Group;
use ringtape::event::{Event, EventView, Flags, Instrument, InstrumentTable, Kind};
use ringtape::hash::{RunningHash, hash_bytes};
use ringtape::limits::INSTRUMENTS_MAX;
use ringtape::units::{InstrumentId, MatchId, OrderId, Price, Qty, Side};

/// Both sides, each from price to the orders there, front to back.
#[derive(Default)]
struct NaiveBook {
    sides: [BTreeMap<Price, VecDeque<OrderView>>; 2],
    state: u8,
    is_halted: bool,
    is_open: bool,
    marked: Touch,
    is_crossing_counted: bool,
    stats: InstrumentStats,
    last_price: Option<Price>,
    close_price: Option<Price>,
}

#[derive(Default)]
pub struct NaiveReplica {
    books: BTreeMap<InstrumentId, NaiveBook>,
    /// Where each live reference rests.
    places: BTreeMap<OrderId, (InstrumentId, Side, Price)>,
    /// Printed quantities, newest last.
    prints: Vec<(MatchId, InstrumentId, Qty)>,
    instruments: InstrumentTable,
    next_priority: u64,
    applied: u64,
    pub counts: ReplicaCounts,
    pub peak_orders: usize,
    hash: RunningHash,
}

struct Execution {
    order_id: OrderId,
    qty: Qty,
    match_id: MatchId,
    price: Option<Price>,
    is_printed: bool,
}

impl NaiveReplica {
    pub fn apply(&mut self, event: &Event) -> Change {
        self.applied += 1;
        let instrument = InstrumentId(event.instrument);
        let is_market = event.kind().is_none_or(|kind| kind.info().group == Group::Market);
        if !is_market {
            return unchanged(ChangeKind::None, OrderId(0), instrument, Qty(0));
        }
        if instrument.0 as usize >= INSTRUMENTS_MAX {
            self.counts.instruments_out_of_range += 1;
            return unchanged(ChangeKind::None, OrderId(0), instrument, Qty(0));
        }
        self.books.entry(instrument).or_default();
        let change = self.apply_market(event, instrument);
        let is_definition = matches!(
            event.kind(),
            None | Some(Kind::Instrument | Kind::InstrumentTerms | Kind::InstrumentListing)
        );
        if !is_definition {
            self.end_record(event, instrument);
        }
        change
    }

    fn apply_market(&mut self, event: &Event, instrument: InstrumentId) -> Change {
        let none = unchanged(ChangeKind::None, OrderId(0), instrument, Qty(0));
        match event.view() {
            EventView::Add(add) => {
                let Some(side) = event.side() else {
                    self.counts.sideless_orders += 1;
                    return none;
                };
                let Some(qty) = self.resting_qty(add.qty) else { return none };
                let (order_id, price) = (add.order_id, add.price);
                let order = OrderView { order_id, instrument, side, price, qty, priority: 0 };
                if let Some(old) = self.order(order_id) {
                    self.counts.duplicate_adds.note(self.applied - 1, event.ts_event);
                    self.remove(order_id);
                    return self.replaced(old, order);
                }
                let order = self.push(order);
                Change { kind: ChangeKind::Added, order, ..none }
            }
            EventView::Delete(delete) => match self.named(event, delete.order_id) {
                Some(order) => self.take_off(ChangeKind::Deleted, order, order.qty),
                None => self.unknown(event, delete.order_id, instrument, Qty(0)),
            },
            EventView::Reduce(reduce) => match self.named(event, reduce.order_id) {
                Some(order) => self.take_off(ChangeKind::Reduced, order, reduce.qty),
                None => self.unknown(event, reduce.order_id, instrument, reduce.qty),
            },
            EventView::Execute(execute) => {
                let (order_id, qty) = (execute.order_id, execute.qty);
                let match_id = execute.match_id;
                let execution =
                    Execution { order_id, qty, match_id, price: None, is_printed: true };
                self.execute(event, &execution)
            }
            EventView::ExecuteAt(execute) => {
                let (order_id, qty) = (execute.order_id, execute.qty);
                let (match_id, price) = (execute.match_id, Some(execute.price));
                let is_printed = event.has(Flags::PRINTABLE);
                self.execute(event, &Execution { order_id, qty, match_id, price, is_printed })
            }
            EventView::Replace(replace) => {
                let Some(old) = self.named(event, replace.order_id) else {
                    return self.unknown(event, replace.order_id, instrument, replace.qty);
                };
                let Some(qty) = self.resting_qty(replace.qty) else {
                    return self.take_off(ChangeKind::Deleted, old, old.qty);
                };
                let (order_id, price) = (replace.new_order_id, replace.price);
                self.remove(old.order_id);
                if self.order(order_id).is_some() {
                    self.counts.duplicate_adds.note(self.applied - 1, event.ts_event);
                    self.remove(order_id);
                }
                self.replaced(old, OrderView { order_id, price, qty, ..old })
            }
            EventView::Modify(modify) => {
                let Some(old) = self.named(event, modify.order_id) else {
                    return self.unknown(event, modify.order_id, instrument, modify.qty);
                };
                let Some(qty) = self.resting_qty(modify.qty) else {
                    return self.take_off(ChangeKind::Deleted, old, old.qty);
                };
                let new = OrderView { price: modify.price, qty, ..old };
                let change = Change { kind: ChangeKind::Modified, order: old, ..none };
                if new.price == old.price && new.qty <= old.qty {
                    self.resting(old.order_id).qty = new.qty;
                    let qty = Qty(old.qty.0 - new.qty.0);
                    Change { qty, new: Some(new), ..change }
                } else {
                    self.remove(old.order_id);
                    Change { new: Some(self.push(new)), ..change }
                }
            }
            EventView::Clear(_) => {
                self.places.retain(|_, place| place.0 != instrument);
                let book = self.book(instrument);
                (book.sides, book.close_price) = (Default::default(), None);
                Change { kind: ChangeKind::Cleared, ..none }
            }
            _ => {
                self.apply_tape(event, instrument);
                none
            }
        }
    }

    /// Messages that name no displayed order.
    fn apply_tape(&mut self, event: &Event, instrument: InstrumentId) {
        match event.view() {
            EventView::Instrument(_) | EventView::InstrumentTerms(_) => {
                self.instruments.apply(event);
            }
            EventView::Trade(trade) => {
                self.counts.zero_quantities += u64::from(trade.qty == Qty(0));
                add_to(&mut self.book(instrument).stats.hidden_qty, trade.qty);
                self.print(instrument, trade.match_id, trade.qty, Some(trade.price));
            }
            EventView::Cross(cross) => {
                if cross.cross_type.0 == b'C' && cross.qty.0 > 0 {
                    self.book(instrument).close_price = Some(cross.price);
                }
                add_to(&mut self.book(instrument).stats.cross_qty, cross.qty);
                self.print(instrument, cross.match_id, cross.qty, Some(cross.price));
            }
            EventView::Broken(broken) => {
                let wanted = (broken.match_id, instrument);
                let print = self.prints.iter().rposition(|&(id, of, _)| (id, of) == wanted);
                match print {
                    None => self.counts.unknown_breaks += 1,
                    Some(position) => {
                        let (.., qty) = self.prints.remove(position);
                        let stats = &mut self.book(instrument).stats;
                        stats.volume.0 = stats.volume.0.saturating_sub(qty.0);
                        stats.trades -= 1;
                        add_to(&mut stats.broken_qty, qty);
                    }
                }
            }
            EventView::Status(status) => {
                let was_trading = self.is_trading(instrument);
                let book = self.book(instrument);
                match status.market.0 {
                    0 => book.state = status.state.0,
                    b'Q' => book.is_halted = status.state.0 == b'H',
                    _ => {}
                }
                if was_trading && !self.is_trading(instrument) {
                    self.counts.halts.note(self.applied - 1, event.ts_event);
                }
            }
            EventView::LevelSet(_) | EventView::Unknown(_) => self.counts.unsupported += 1,
            _ => {}
        }
    }

    fn execute(&mut self, event: &Event, execution: &Execution) -> Change {
        let &Execution { order_id, qty, match_id, price, is_printed } = execution;
        let order = self.named(event, order_id);
        let instrument = order.map_or(InstrumentId(event.instrument), |order| order.instrument);
        if is_printed {
            add_to(&mut self.book(instrument).stats.executed_qty, qty);
            self.print(instrument, match_id, qty, price.or(order.map(|order| order.price)));
        } else {
            add_to(&mut self.book(instrument).stats.unprinted_qty, qty);
        }
        match order {
            Some(order) => self.take_off(ChangeKind::Executed, order, qty),
            None => self.unknown(event, order_id, instrument, qty),
        }
    }

    fn print(&mut self, of: InstrumentId, match_id: MatchId, qty: Qty, price: Option<Price>) {
        if qty.0 == 0 {
            return;
        }
        let book = self.book(of);
        add_to(&mut book.stats.volume, qty);
        book.stats.trades += 1;
        if price.is_some() {
            book.last_price = price;
        }
        self.prints.push((match_id, of, qty));
    }

    fn take_off(&mut self, kind: ChangeKind, order: OrderView, qty: Qty) -> Change {
        if qty.0 == 0 {
            self.counts.zero_quantities += 1;
            return unchanged(ChangeKind::None, order.order_id, order.instrument, qty);
        }
        if qty > order.qty {
            self.counts.excess_quantities += 1;
        }
        let left_book = qty >= order.qty;
        if left_book {
            self.remove(order.order_id);
        } else {
            self.resting(order.order_id).qty.0 -= qty.0;
        }
        Change { kind, order, qty: qty.min(order.qty), new: None, left_book }
    }

    fn replaced(&mut self, order: OrderView, new: OrderView) -> Change {
        let new = Some(self.push(new));
        Change { kind: ChangeKind::Replaced, order, qty: order.qty, new, left_book: true }
    }

    fn unknown(
        &mut self,
        event: &Event,
        order_id: OrderId,
        instrument: InstrumentId,
        qty: Qty,
    ) -> Change {
        self.counts.unknown_orders.note(self.applied - 1, event.ts_event);
        unchanged(ChangeKind::Unknown, order_id, instrument, qty)
    }

    fn named(&mut self, event: &Event, order_id: OrderId) -> Option<OrderView> {
        let order = self.order(order_id)?;
        if order.instrument.0 != event.instrument {
            self.counts.foreign_orders += 1;
        }
        Some(order)
    }

    fn resting_qty(&mut self, qty: Qty) -> Option<Qty> {
        if qty.0 == 0 {
            self.counts.zero_quantities += 1;
            return None;
        }
        if qty > ORDER_QTY_MAX {
            self.counts.oversized_orders += 1;
        }
        Some(qty.min(ORDER_QTY_MAX))
    }

    fn push(&mut self, mut order: OrderView) -> OrderView {
        order.priority = self.next_priority;
        self.next_priority += 1;
        let OrderView { order_id, instrument, side, price, .. } = order;
        self.places.insert(order_id, (instrument, side, price));
        self.peak_orders = self.peak_orders.max(self.places.len());
        let levels = &mut self.book(instrument).sides[side.index()];
        levels.entry(price).or_default().push_back(order);
        order
    }

    fn remove(&mut self, order_id: OrderId) {
        let (instrument, side, price) = self.places.remove(&order_id).expect("a live order");
        let levels = &mut self.book(instrument).sides[side.index()];
        let queue = levels.get_mut(&price).expect("its level");
        queue.retain(|order| order.order_id != order_id);
        if queue.is_empty() {
            levels.remove(&price);
        }
    }

    fn resting(&mut self, order_id: OrderId) -> &mut OrderView {
        let (instrument, side, price) = self.places[&order_id];
        let queue = self.book(instrument).sides[side.index()].get_mut(&price).expect("its level");
        queue.iter_mut().find(|order| order.order_id == order_id).expect("the order")
    }

    fn end_record(&mut self, event: &Event, instrument: InstrumentId) {
        let at = self.applied - 1;
        let touch = self.touch(instrument);
        let is_trading = self.is_trading(instrument);
        let units = self.units(instrument);
        let book = self.book(instrument);
        book.is_open = !event.has(Flags::LAST);
        if book.is_open {
            return;
        }
        let is_changed = touch != book.marked;
        if is_changed {
            book.marked = touch;
            book.is_crossing_counted = false;
        }
        let is_crossing = touch.is_crossed() && is_trading && !book.is_crossing_counted;
        book.is_crossing_counted |= is_crossing;
        if is_crossing {
            self.counts.crossed.note(at, event.ts_event);
        }
        if is_changed {
            let (symbol, price_step, qty_step) = units;
            let price = |price: Price| (price.0 as u64).wrapping_mul(price_step);
            let qty = |qty: Qty| qty.0.wrapping_mul(qty_step);
            self.hash_record(&[
                symbol,
                price(touch.bid_price),
                qty(touch.bid_qty),
                price(touch.ask_price),
                qty(touch.ask_qty),
            ]);
        }
    }

    fn hash_record(&mut self, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.hash.update(&bytes);
    }

    /// Symbol hash, price increment and quantity increment.
    fn units(&self, id: InstrumentId) -> (u64, u64, u64) {
        let assumed = Instrument::us_equity(&self.instruments.symbol(id));
        let of = self.instruments.get(id).unwrap_or(&assumed);
        (hash_bytes(of.symbol.as_str().as_bytes()), of.price_increment, of.qty_increment)
    }

    fn book(&mut self, id: InstrumentId) -> &mut NaiveBook {
        self.books.get_mut(&id).expect("an instrument that was seen")
    }

    pub fn order(&self, order_id: OrderId) -> Option<OrderView> {
        let (instrument, side, price) = self.places.get(&order_id)?;
        let queue = &self.books[instrument].sides[side.index()][price];
        queue.iter().find(|order| order.order_id == order_id).copied()
    }

    pub fn touch(&self, id: InstrumentId) -> Touch {
        let best = |side| self.levels(id, side).first().copied().unwrap_or_default();
        let (bid, ask) = (best(Side::Buy), best(Side::Sell));
        Touch { bid_price: bid.price, bid_qty: bid.qty, ask_price: ask.price, ask_qty: ask.qty }
    }

    /// Best first.
    pub fn levels(&self, id: InstrumentId, side: Side) -> Vec<LevelView> {
        let Some(book) = self.books.get(&id) else { return Vec::new() };
        let mut levels: Vec<LevelView> = book.sides[side.index()]
            .iter()
            .map(|(&price, queue)| LevelView {
                price,
                qty: Qty(queue.iter().map(|order| order.qty.0).sum()),
                orders: queue.len() as u32,
            })
            .collect();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
    }

    pub fn queue(&self, id: InstrumentId, side: Side, price: Price) -> Vec<OrderView> {
        let book = self.books.get(&id);
        let queue = book.and_then(|book| book.sides[side.index()].get(&price));
        queue.into_iter().flatten().copied().collect()
    }

    pub fn is_trading(&self, id: InstrumentId) -> bool {
        self.books.get(&id).is_none_or(|book| !b"HPQ".contains(&book.state) && !book.is_halted)
    }

    pub fn is_event_open(&self, id: InstrumentId) -> bool {
        self.books.get(&id).is_some_and(|book| book.is_open)
    }

    pub fn last_price(&self, id: InstrumentId) -> Option<Price> {
        self.books.get(&id)?.last_price
    }

    pub fn close_price(&self, id: InstrumentId) -> Option<Price> {
        self.books.get(&id)?.close_price
    }

    pub fn stats(&self, id: InstrumentId) -> InstrumentStats {
        self.books.get(&id).map_or(InstrumentStats::default(), |book| book.stats)
    }

    pub fn live_orders(&self) -> usize {
        self.places.len()
    }

    /// The touch's history is hashed already; what rests follows.
    pub fn books_hash(&self) -> u64 {
        let mut by_symbol: Vec<_> =
            self.books.keys().map(|&id| (self.instruments.symbol(id), id)).collect();
        by_symbol.sort();
        let mut rest = Self { hash: self.hash, ..Self::default() };
        for (_, id) in by_symbol {
            let (symbol, price_step, qty_step) = self.units(id);
            for side in [Side::Buy, Side::Sell] {
                for (price, queue) in &self.books[&id].sides[side.index()] {
                    let price = (price.0 as u64).wrapping_mul(price_step);
                    rest.hash_record(&[symbol, side as u64, price, queue.len() as u64]);
                    for order in queue {
                        let qty = order.qty.0.wrapping_mul(qty_step);
                        rest.hash_record(&[order.order_id.0, qty]);
                    }
                }
            }
        }
        rest.hash.value()
    }
}

fn unchanged(kind: ChangeKind, order_id: OrderId, instrument: InstrumentId, qty: Qty) -> Change {
    let (side, price) = (Side::Buy, Price(0));
    let order = OrderView { order_id, instrument, side, price, qty: Qty(0), priority: 0 };
    Change { kind, order, qty, new: None, left_book: false }
}

fn add_to(sum: &mut Qty, qty: Qty) {
    sum.0 = sum.0.saturating_add(qty.0);
}
