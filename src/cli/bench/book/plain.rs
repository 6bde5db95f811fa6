//! The replica's peer: books as one writes them first.
//!
//! Orders lie in a slab and are found by a hash map; the levels of a side are a sorted vector that
//! ends at the touch; queues are linked both ways. It has the books and nothing else: no touch that
//! is watched and hashed, no change that is told, no count of what is odd, and it asks for nothing
//! ahead.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ringtape::event::{Event, EventView};
use ringtape::units::{OrderId, Price, Qty, Side};

/// The place of no record.
const NIL: u32 = u32::MAX;

/// Spreads numbers by one multiplication.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(self.0 ^ u64::from(byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(32);
    }
}

#[derive(Clone, Copy, Default)]
struct Order {
    qty: Qty,
    level: u32,
    prev: u32,
    next: u32,
}

#[derive(Clone, Copy, Default)]
struct Level {
    /// The price, so that it ascends toward the touch.
    key: i64,
    qty: Qty,
    side: u32,
    head: u32,
    tail: u32,
    orders: u32,
}

/// Records and those of them that are free.
struct Slab<T> {
    records: Vec<T>,
    free: Vec<u32>,
}

impl<T: Clone + Default> Slab<T> {
    fn with_capacity(count: usize) -> Self {
        Self { records: vec![T::default(); count], free: (0..count as u32).rev().collect() }
    }

    fn insert(&mut self, record: T) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.records[place as usize] = record;
                place
            }
            None => {
                self.records.push(record);
                self.records.len() as u32 - 1
            }
        }
    }
}

/// All books.
pub(super) struct PlainBooks {
    index: HashMap<u64, u32, BuildHasherDefault<Spread>>,
    orders: Slab<Order>,
    levels: Slab<Level>,
    /// By instrument and side, keys with their levels.
    sides: Vec<Vec<(i64, u32)>>,
}

impl PlainBooks {
    /// Books with room for so many live orders, the memory touched as a replica's is.
    pub(super) fn with_capacity(orders: usize) -> Self {
        let mut index: HashMap<_, _, _> = (0..orders as u64).map(|number| (number, NIL)).collect();
        index.clear();
        Self {
            index,
            orders: Slab::with_capacity(orders),
            levels: Slab::with_capacity(orders / 2),
            sides: Vec::new(),
        }
    }

    pub(super) fn apply_all(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.apply(event));
    }

    fn apply(&mut self, event: &Event) {
        match event.view() {
            EventView::Add(add) => {
                let Some(side) = event.side() else { return };
                let at = 2 * event.instrument + u32::from(side == Side::Sell);
                if self.sides.len() <= at as usize {
                    self.sides.resize_with(at as usize + 1, Vec::new);
                }
                self.add(add.order_id, at, add.price, add.qty);
            }
            EventView::Delete(delete) => {
                self.remove(delete.order_id);
            }
            EventView::Replace(replace) => {
                if let Some(side) = self.remove(replace.order_id) {
                    self.add(replace.new_order_id, side, replace.price, replace.qty);
                }
            }
            EventView::Execute(execute) => self.reduce(execute.order_id, execute.qty),
            EventView::ExecuteAt(execute) => self.reduce(execute.order_id, execute.qty),
            EventView::Reduce(reduce) => self.reduce(reduce.order_id, reduce.qty),
            _ => {}
        }
    }

    /// Orders, levels, and the sum of the orders' quantities.
    pub(super) fn totals(&self) -> (usize, usize, u64) {
        let levels = self.sides.iter().flatten().map(|&(_, level)| level as usize);
        let qty = levels.clone().map(|level| self.levels.records[level].qty.0).sum();
        (self.index.len(), levels.count(), qty)
    }

    fn add(&mut self, order_id: OrderId, side: u32, price: Price, qty: Qty) {
        let key = if side.is_multiple_of(2) { price.0 } else { -price.0 };
        let keys = &mut self.sides[side as usize];
        let end = end_of(keys, key);
        let level = match keys[..end].last() {
            Some(&(last, level)) if last == key => level,
            _ => {
                let level = Level { key, qty: Qty(0), side, head: NIL, tail: NIL, orders: 0 };
                let level = self.levels.insert(level);
                keys.insert(end, (key, level));
                level
            }
        };
        let place = &mut self.levels.records[level as usize];
        let order = self.orders.insert(Order { qty, level, prev: place.tail, next: NIL });
        match place.tail {
            NIL => place.head = order,
            last => self.orders.records[last as usize].next = order,
        }
        place.tail = order;
        place.qty.0 += qty.0;
        place.orders += 1;
        self.index.insert(order_id.0, order);
    }

    /// Takes an order out; says on which side it was.
    fn remove(&mut self, order_id: OrderId) -> Option<u32> {
        let place = self.index.remove(&order_id.0)?;
        self.orders.free.push(place);
        let Order { qty, level, prev, next } = self.orders.records[place as usize];
        let at = &mut self.levels.records[level as usize];
        at.qty.0 -= qty.0;
        at.orders -= 1;
        match prev {
            NIL => at.head = next,
            prev => self.orders.records[prev as usize].next = next,
        }
        match next {
            NIL => at.tail = prev,
            next => self.orders.records[next as usize].prev = prev,
        }
        let side = at.side;
        if at.orders == 0 {
            let keys = &mut self.sides[side as usize];
            keys.remove(end_of(keys, at.key) - 1);
            self.levels.free.push(level);
        }
        Some(side)
    }

    /// Takes `qty` off an order, or all of it if it has no more.
    fn reduce(&mut self, order_id: OrderId, qty: Qty) {
        let Some(&place) = self.index.get(&order_id.0) else { return };
        let order = &mut self.orders.records[place as usize];
        if order.qty <= qty {
            self.remove(order_id);
            return;
        }
        order.qty.0 -= qty.0;
        self.levels.records[order.level as usize].qty.0 -= qty.0;
    }
}

/// The end of the keys that are not better than one, looked for from the touch.
fn end_of(keys: &[(i64, u32)], key: i64) -> usize {
    keys.iter().rposition(|&(one, _)| one <= key).map_or(0, |at| at + 1)
}
