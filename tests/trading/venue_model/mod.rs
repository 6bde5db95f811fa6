//! A naive venue: whole queues with own orders standing literally in them, and a wire that is a
//! list. Every question is answered by looking at everything.

mod commands;

use std::collections::{BTreeMap, VecDeque};

use ringtape::event::{OrderType, Reason, TimeInForce};
use ringtape::matching::{Command, LatencyModel, NewOrder};
use ringtape::units::{Price, Side};

/// An order standing in a queue; of an own one the numbers are in [`Mine`].
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: u64,
    pub(crate) is_own: bool,
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) qty: u64,
    pub(crate) taken: u64,
}

/// Where an own order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Resting,
    Halted,
    Waiting,
    Pending,
}

/// An own order.
#[derive(Clone, Debug)]
pub(crate) struct Mine {
    pub(crate) terms: NewOrder,
    pub(crate) cum: u64,
    /// What is left of the part that an iceberg displays.
    pub(crate) displayed: u64,
    pub(crate) place: Place,
    pub(crate) stop: Option<Price>,
    best: Option<Price>,
    /// When it came to its place.
    arrival: u64,
}

impl Mine {
    pub(crate) fn leaves(&self) -> u64 {
        self.terms.qty.0 - self.cum
    }

    fn is_iceberg(&self) -> bool {
        self.terms.display_qty.0 > 0
    }

    pub(crate) fn front(&self) -> u64 {
        if self.is_iceberg() { self.displayed } else { self.leaves() }
    }
}

/// What was told of an own order: what, number, quantity, price, reason.
pub(crate) type Told = (&'static str, u64, u64, Price, Reason);

/// What a trade on the tape reaches.
#[derive(Clone, Copy)]
enum Reach {
    /// Own orders in front of this real one.
    Real(u64),
    Hidden(Price),
    UpTo(Price),
}

#[derive(Default)]
pub(crate) struct NaiveVenue {
    /// All resting orders of both sides in order of arrival.
    pub(crate) orders: Vec<Standing>,
    pub(crate) mine: BTreeMap<u64, Mine>,
    wire: VecDeque<(u64, Command)>,
    pub(crate) is_trading: bool,
    pub(crate) is_open: bool,
    pub(crate) is_conservative: bool,
    last_price: Option<Price>,
    /// Highest and lowest print of the exchange event at hand.
    printed: Option<[Price; 2]>,
    /// Which auctions are over: opening, closing.
    over: [bool; 2],
    arrivals: u64,
    pub(crate) told: Vec<Told>,
}

fn sign(side: Side) -> i64 {
    if side == Side::Buy { -1 } else { 1 }
}

impl NaiveVenue {
    pub(crate) fn new(is_conservative: bool) -> Self {
        Self { is_trading: true, is_conservative, ..Self::default() }
    }

    // ---- queues ----

    /// Orders of a side, best price first, then displayed before hidden, then as they arrived.
    fn queue(&self, side: Side) -> Vec<usize> {
        let mut queue: Vec<usize> =
            (0..self.orders.len()).filter(|&at| self.orders[at].side == side).collect();
        queue.sort_by_key(|&at| {
            let order = &self.orders[at];
            (sign(side) * order.price.0, self.is_hidden(order))
        });
        queue
    }

    fn is_hidden(&self, order: &Standing) -> bool {
        order.is_own && self.mine[&order.id].terms.is_hidden
    }

    fn find(&self, id: u64) -> usize {
        self.orders.iter().position(|o| o.id == id && !o.is_own).expect("a live order")
    }

    pub(crate) fn ahead(&self, own_id: u64) -> u64 {
        let at = self.orders.iter().position(|o| o.is_own && o.id == own_id).expect("resting");
        let own = &self.orders[at];
        let end = if self.is_hidden(own) { self.orders.len() } else { at };
        let level = |o: &&Standing| o.side == own.side && o.price == own.price && !o.is_own;
        self.orders[..end].iter().filter(level).map(|o| o.qty).sum()
    }

    fn best_real(&self, side: Side, is_visible: bool) -> Option<Price> {
        let taken = |o: &Standing| if is_visible { o.taken } else { 0 };
        let queue = self.queue(side).into_iter().map(|at| &self.orders[at]);
        queue.filter(|o| !o.is_own && o.qty > taken(o)).map(|o| o.price).next()
    }

    // ---- the tape ----

    /// Fills the own orders that a record reaches, best first, until its shares are used up.
    fn fill_own(&mut self, side: Side, reach: Reach, shares: u64) -> u64 {
        let mut left = shares;
        while left > 0 && self.is_trading {
            let queue = self.queue(side);
            let end = match reach {
                Reach::Real(id) => queue.iter().position(|&at| at == self.find(id)),
                _ => Some(queue.len()),
            };
            let reached = queue[..end.expect("it stands there")].iter().find(|&&at| {
                let own = &self.orders[at];
                own.is_own
                    && match reach {
                        Reach::Real(_) => true,
                        Reach::Hidden(price) => {
                            side.is_better(own.price, price)
                                || (own.price == price && !self.is_hidden(own))
                        }
                        Reach::UpTo(price) => !side.is_better(price, own.price),
                    }
            });
            let Some(&at) = reached else { break };
            let (id, price) = (self.orders[at].id, self.orders[at].price);
            let qty = self.mine[&id].front().min(left);
            left -= qty;
            self.fill(id, qty, price);
            let mine = &self.mine[&id];
            if mine.front() == 0 {
                self.orders.remove(at);
                if mine.leaves() > 0 {
                    self.stand(id);
                } else {
                    self.mine.remove(&id);
                }
            }
        }
        shares - left
    }

    fn fill(&mut self, id: u64, qty: u64, price: Price) {
        let mine = self.mine.get_mut(&id).expect("an own order");
        mine.cum += qty;
        mine.displayed = mine.displayed.saturating_sub(qty);
        self.told.push(("filled", id, qty, price, Reason::None));
    }

    /// An own order comes to the back of its queue.
    fn stand(&mut self, id: u64) {
        let mine = self.mine.get_mut(&id).expect("an own order");
        mine.displayed = mine.terms.display_qty.0.min(mine.leaves());
        mine.place = Place::Resting;
        let (side, price) = (mine.terms.side, mine.terms.price);
        self.orders.push(Standing { id, is_own: true, side, price, qty: 0, taken: 0 });
    }

    /// A real order is executed; what is not printed fills nobody.
    pub(crate) fn execute(&mut self, id: u64, qty: u64, printed: Option<Price>) {
        let side = self.orders[self.find(id)].side;
        if let Some(price) = printed {
            self.print(price);
            self.fill_own(side, Reach::Real(id), qty);
        }
        self.take_off(id, qty);
        self.drop_empty();
    }

    pub(crate) fn take_off(&mut self, id: u64, qty: u64) {
        let at = self.find(id);
        let real = &mut self.orders[at];
        real.qty -= qty;
        real.taken = real.taken.saturating_sub(qty);
    }

    pub(crate) fn drop_empty(&mut self) {
        self.orders.retain(|o| o.is_own || o.qty > 0);
    }

    /// A real order comes: own orders of the other side that it crosses are filled from what was
    /// not taken of it.
    pub(crate) fn arrive(&mut self, mut real: Standing) {
        if !self.is_conservative {
            let (side, shares) = (real.side.opposite(), real.qty - real.taken);
            real.taken += self.fill_own(side, Reach::UpTo(real.price), shares);
        }
        self.orders.push(real);
    }

    pub(crate) fn hidden_trade(&mut self, price: Price, qty: u64) {
        self.print(price);
        if !self.is_conservative {
            let used = self.fill_own(Side::Buy, Reach::Hidden(price), qty);
            self.fill_own(Side::Sell, Reach::Hidden(price), qty - used);
        }
    }

    pub(crate) fn cross(&mut self, price: Price, qty: u64, letter: u8) {
        if qty == 0 {
            return;
        }
        self.print(price);
        let auctions = [!self.over[0] && letter != b'C', letter == b'C'];
        let mut left = qty;
        for side in [Side::Buy, Side::Sell] {
            let mut parts = vec![];
            for (&id, mine) in &self.mine {
                let takes_part = match mine.terms.time_in_force {
                    _ if mine.place == Place::Pending => false,
                    TimeInForce::Opening => auctions[0],
                    TimeInForce::Closing => auctions[1],
                    _ => true,
                };
                let is_market = mine.terms.order_type == OrderType::Market;
                let limit = mine.terms.price;
                let is_better = is_market && limit.0 == 0 || side.is_better(limit, price);
                if !takes_part || mine.terms.side != side || !is_better {
                    continue;
                }
                let key = if is_market { 0 } else { sign(side) * limit.0 };
                let in_queue = self
                    .queue(side)
                    .into_iter()
                    .position(|at| self.orders[at].is_own && self.orders[at].id == id);
                let time = in_queue.map_or(mine.arrival, |at| at as u64);
                let rank = |part| (!is_market, key, part, mine.place, time, id);
                parts.push((rank(u8::from(mine.terms.is_hidden)), mine.front()));
                if mine.is_iceberg() {
                    parts.push((rank(2), mine.leaves() - mine.front()));
                }
            }
            parts.sort_unstable();
            for ((.., id), open) in parts {
                let part = open.min(left);
                if part > 0 {
                    left -= part;
                    self.fill(id, part, price);
                }
            }
            self.refill(side);
        }
        self.over[0] = true;
        self.over[1] |= letter == b'C';
        let is_over = |mine: &Mine| match mine.terms.time_in_force {
            TimeInForce::Opening => true,
            TimeInForce::Closing => letter == b'C',
            _ => false,
        };
        let waits = |mine: &&Mine| mine.place == Place::Waiting;
        let over: Vec<u64> =
            self.mine.iter().filter(|(_, m)| waits(m) && is_over(m)).map(|(&id, _)| id).collect();
        over.into_iter().for_each(|id| self.end(id, "cancelled", Reason::AuctionOver));
    }

    /// After a cross: what is filled goes, icebergs show their next part.
    fn refill(&mut self, side: Side) {
        for at in self
            .queue(side)
            .into_iter()
            .map(|at| self.orders[at].clone())
            .filter(|o| o.is_own)
            .collect::<Vec<_>>()
        {
            if self.mine[&at.id].front() == 0 {
                self.orders.retain(|o| !(o.is_own && o.id == at.id));
                if self.mine[&at.id].leaves() > 0 {
                    self.stand(at.id);
                }
            }
        }
        self.mine.retain(|_, mine| mine.leaves() > 0);
    }

    fn print(&mut self, price: Price) {
        self.last_price = Some(price);
        if self.is_trading {
            let [high, low] = self.printed.unwrap_or([price; 2]);
            self.printed = Some([high.max(price), low.min(price)]);
        }
    }

    /// A record is done; the last one of its exchange event lets what waited enter.
    pub(crate) fn complete(&mut self, is_last: bool, is_status: bool) {
        self.is_open = !is_last;
        if !is_last {
            return;
        }
        let mut printed = self.printed.take();
        if !self.is_trading {
            return;
        }
        let mut halted: Vec<(u64, u64)> = self
            .mine
            .iter()
            .filter(|(_, mine)| mine.place == Place::Halted)
            .map(|(&id, mine)| (mine.arrival, id))
            .collect();
        halted.sort_unstable();
        for (_, id) in halted {
            match self.at_price(&self.mine[&id].terms.clone()) {
                Ok(price) => {
                    self.mine.get_mut(&id).expect("halted").terms.price = price;
                    self.enter(id);
                }
                Err(reason) => self.end(id, "cancelled", reason),
            }
        }
        if is_status && let Some(last) = self.last_price {
            let [high, low] = printed.unwrap_or([last; 2]);
            printed = Some([high.max(last), low.min(last)]);
        }
        self.run_stops(printed);
    }
}

/// The ways of a latency model, drawn as its documentation says.
pub(crate) struct NaiveWays {
    pub(crate) model: LatencyModel,
    random: ringtape::hash::SplitMix64,
    used: usize,
}

impl NaiveWays {
    pub(crate) fn new(model: &LatencyModel) -> Self {
        Self { model: model.clone(), random: ringtape::hash::SplitMix64::new(model.seed), used: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        let base = match &self.model.recorded {
            Some(ways) => ways[self.used % ways.len()][0],
            None => self.model.order,
        };
        self.used += 1;
        let jitter = self.model.jitter.0;
        base.0 + if jitter > 0 { self.random.below(jitter + 1) } else { 0 }
    }
}
