//! A matcher written for reading: a queue for each price. It can be told to be wrong in one way.

use std::collections::{BTreeMap, HashMap, VecDeque};

use ringtape::book::OrderView;
use ringtape::matching::proof::{Arrival, CheckedMatcher, TapeFill};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

/// In what a matcher is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The last order of a queue trades first.
    LastInFirstOut,
    /// An order that is reduced goes to the back.
    ReduceLosesItsPlace,
    /// An order that comes in for another at the same price takes its place.
    ReplaceKeepsItsPlace,
}

/// Bids and offers of one instrument, by price.
type Book = [BTreeMap<Price, VecDeque<OrderView>>; 2];

/// The matcher.
pub(crate) struct Queues {
    fault: Option<Fault>,
    books: HashMap<InstrumentId, Book>,
    /// Where each live order is.
    places: HashMap<OrderId, (InstrumentId, Side, Price)>,
}

impl Queues {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, books: HashMap::new(), places: HashMap::new() }
    }

    fn level(&mut self, order_id: OrderId) -> Option<&mut VecDeque<OrderView>> {
        let (instrument, side, price) = *self.places.get(&order_id)?;
        self.books.get_mut(&instrument)?[side.index()].get_mut(&price)
    }

    /// The best price of a side, if an order with `limit` may trade at it.
    fn best(&self, instrument: InstrumentId, side: Side, limit: Price) -> Option<Price> {
        let levels = &self.books.get(&instrument)?[side.index()];
        let best = match side {
            Side::Buy => levels.keys().next_back(),
            Side::Sell => levels.keys().next(),
        };
        best.copied().filter(|&best| !side.is_better(limit, best))
    }

    fn rest(&mut self, order: OrderView) {
        self.places.insert(order.order_id, (order.instrument, order.side, order.price));
        let book = self.books.entry(order.instrument).or_default();
        book[order.side.index()].entry(order.price).or_default().push_back(order);
    }
}

impl CheckedMatcher for Queues {
    fn enter(&mut self, order: &OrderView, arrival: Arrival, fills: &mut Vec<TapeFill>) {
        self.cancel(order.order_id);
        let mut order = *order;
        let resting = order.side.opposite();
        while arrival != Arrival::Unmatched && order.qty.0 > 0 {
            let Some(price) = self.best(order.instrument, resting, order.price) else { break };
            let fault = self.fault;
            let book = self.books.get_mut(&order.instrument).expect("it has a best price");
            let queue = book[resting.index()].get_mut(&price).expect("it is the best price");
            let maker = match fault {
                Some(Fault::LastInFirstOut) => queue.back(),
                _ => queue.front(),
            };
            let maker = *maker.expect("no level is empty");
            let qty = order.qty.min(maker.qty);
            fills.push(TapeFill { order_id: maker.order_id, price, qty });
            order.qty.0 -= qty.0;
            if qty == maker.qty {
                self.cancel(maker.order_id);
            } else {
                let maker = queue.iter_mut().find(|other| other.order_id == maker.order_id);
                maker.expect("it is in its queue").qty.0 -= qty.0;
            }
        }
        if arrival != Arrival::Immediate && order.qty.0 > 0 {
            self.rest(order);
        }
    }

    fn reduce(&mut self, order_id: OrderId, qty: Qty) {
        let fault = self.fault;
        let Some(queue) = self.level(order_id) else { return };
        let index = queue.iter().position(|order| order.order_id == order_id);
        let index = index.expect("it is in its queue");
        if queue[index].qty <= qty {
            self.cancel(order_id);
            return;
        }
        queue[index].qty.0 -= qty.0;
        if fault == Some(Fault::ReduceLosesItsPlace) {
            let order = queue.remove(index).expect("it is there");
            queue.push_back(order);
        }
    }

    fn cancel(&mut self, order_id: OrderId) {
        let Some((instrument, side, price)) = self.places.remove(&order_id) else { return };
        let levels = &mut self.books.get_mut(&instrument).expect("its book")[side.index()];
        let queue = levels.get_mut(&price).expect("its queue");
        queue.retain(|order| order.order_id != order_id);
        if queue.is_empty() {
            levels.remove(&price);
        }
    }

    fn replace(
        &mut self,
        old: OrderId,
        new: &OrderView,
        arrival: Arrival,
        fills: &mut Vec<TapeFill>,
    ) {
        let is_same_price = self.places.get(&old).is_some_and(|&(_, _, price)| price == new.price);
        if self.fault == Some(Fault::ReplaceKeepsItsPlace) && is_same_price {
            let queue = self.level(old).expect("its queue");
            let order = queue.iter_mut().find(|order| order.order_id == old);
            *order.expect("it is in its queue") = *new;
            self.places.remove(&old);
            self.places.insert(new.order_id, (new.instrument, new.side, new.price));
            return;
        }
        self.cancel(old);
        self.enter(new, arrival, fills);
    }

    fn clear(&mut self, instrument: InstrumentId) {
        self.books.remove(&instrument);
        self.places.retain(|_, (other, _, _)| *other != instrument);
    }

    fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        into: &mut Vec<(OrderId, Qty)>,
    ) {
        let level = self.books.get(&instrument).and_then(|book| book[side.index()].get(&price));
        into.extend(level.into_iter().flatten().map(|order| (order.order_id, order.qty)));
    }
}
