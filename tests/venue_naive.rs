//! The venue against a naive one that keeps whole queues, own orders standing literally in them.
//!
//! Would catch: a queue position that drifts from the real one, a fill that another order should
//! have had, shares taken twice, own fills beyond what an exchange event traded, state lost by a
//! save in the middle.

mod venue_tape;

use std::collections::BTreeMap;

use proptest::prelude::*;
use ringtape::book::Replica;
use ringtape::event::{Event, Execution, Liquidity, TimeInForce};
use ringtape::matching::{Command, NewOrder, Venue, VenueConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::{Nanos, OrderId, Price, Qty, Side};
use venue_tape::*;

/// An order standing in a queue.
#[derive(Clone, Debug)]
struct Standing {
    id: u64,
    is_own: bool,
    side: Side,
    price: Price,
    qty: u64,
    taken: u64,
}

/// All orders of both sides in order of arrival; every question is answered by looking at all.
#[derive(Default)]
struct NaiveVenue {
    orders: Vec<Standing>,
}

type Fill = (u64, u64, Price);

impl NaiveVenue {
    /// Orders of a side, best price first, then as they arrived: positions in `orders`.
    fn queue(&self, side: Side) -> Vec<usize> {
        let mut queue: Vec<usize> =
            (0..self.orders.len()).filter(|&at| self.orders[at].side == side).collect();
        let sign = if side == Side::Buy { -1 } else { 1 };
        queue.sort_by_key(|&at| sign * self.orders[at].price.0);
        queue
    }

    fn find(&self, id: u64) -> usize {
        self.orders.iter().position(|o| o.id == id && !o.is_own).expect("a live order")
    }

    fn ahead(&self, own_id: u64) -> u64 {
        let at = self.orders.iter().position(|o| o.is_own && o.id == own_id).expect("resting");
        let own = &self.orders[at];
        let level = |o: &&Standing| o.side == own.side && o.price == own.price && !o.is_own;
        self.orders[..at].iter().filter(level).map(|o| o.qty).sum()
    }

    /// Fills own orders standing at the given places from `shares`; the price is their own.
    fn fill_own(&mut self, places: &[usize], mut shares: u64) -> Vec<Fill> {
        let mut fills = vec![];
        for &at in places {
            let own = &mut self.orders[at];
            let qty = own.qty.min(shares);
            if own.is_own && qty > 0 {
                own.qty -= qty;
                shares -= qty;
                fills.push((own.id, qty, own.price));
            }
        }
        self.orders.retain(|o| o.qty > 0);
        fills
    }

    fn execute(&mut self, id: u64, qty: u64) -> Vec<Fill> {
        let side = self.orders[self.find(id)].side;
        let queue = self.queue(side);
        let place = queue.iter().position(|&at| at == self.find(id)).expect("it stands there");
        let ahead = queue[..place].to_vec();
        self.take_off(id, qty);
        self.fill_own(&ahead, qty)
    }

    fn take_off(&mut self, id: u64, qty: u64) {
        let at = self.find(id);
        let real = &mut self.orders[at];
        real.qty -= qty;
        real.taken = real.taken.saturating_sub(qty);
    }

    fn drop_empty(&mut self) {
        self.orders.retain(|o| o.qty > 0);
    }

    /// A real order comes: own orders of the other side that it crosses are filled from what was
    /// not taken of it.
    fn arrive(&mut self, mut real: Standing) -> Vec<Fill> {
        let crossed = self.reached_by(real.side.opposite(), real.price);
        let fills = self.fill_own(&crossed, real.qty - real.taken);
        real.taken += fills.iter().map(|fill| fill.1).sum::<u64>();
        self.orders.push(real);
        fills
    }

    /// Own orders of a side at a price or better.
    fn reached_by(&self, side: Side, price: Price) -> Vec<usize> {
        let is_reached = |at: &usize| {
            let own = &self.orders[*at];
            own.is_own && !side.is_better(price, own.price)
        };
        self.queue(side).into_iter().filter(is_reached).collect()
    }

    fn hidden_trade(&mut self, price: Price, qty: u64) -> Vec<Fill> {
        let mut fills = self.fill_own(&self.reached_by(Side::Buy, price), qty);
        let used: u64 = fills.iter().map(|fill| fill.1).sum();
        fills.extend(self.fill_own(&self.reached_by(Side::Sell, price), qty - used));
        fills
    }

    /// An own order comes: takes what is visible, rests or goes.
    fn own_order(&mut self, id: u64, terms: &NewOrder) -> Vec<Fill> {
        let reach: Vec<usize> = self
            .queue(terms.side.opposite())
            .into_iter()
            .filter(|&at| {
                let real = &self.orders[at];
                !real.is_own && !terms.side.is_better(real.price, terms.price)
            })
            .collect();
        let visible: u64 =
            reach.iter().map(|&at| self.orders[at].qty - self.orders[at].taken).sum();
        let would_take = terms.is_post_only && visible > 0;
        let cannot_fill = terms.time_in_force == TimeInForce::Fok && visible < terms.qty.0;
        if would_take || cannot_fill {
            return vec![];
        }
        let (mut left, mut fills) = (terms.qty.0, vec![]);
        for at in reach {
            let real = &mut self.orders[at];
            let qty = left.min(real.qty - real.taken);
            if qty > 0 {
                real.taken += qty;
                left -= qty;
                fills.push((id, qty, real.price));
            }
        }
        if left > 0 && terms.time_in_force == TimeInForce::Day {
            let (side, price) = (terms.side, terms.price);
            self.orders.push(Standing { id, is_own: true, side, price, qty: left, taken: 0 });
        }
        fills
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add { is_buy: bool, level: i64, qty: u64 },
    Execute { pick: usize, qty: u64 },
    Reduce { pick: usize, qty: u64 },
    Delete { pick: usize },
    Replace { pick: usize, level: i64, qty: u64 },
    Modify { pick: usize, level: i64, qty: u64 },
    Hidden { level: i64, qty: u64 },
    Own { is_buy: bool, level: i64, qty: u64, style: u8 },
    CancelOwn { pick: usize },
    SaveAndLoad,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (pick, level, qty) = (0..1_000usize, 0..8i64, 1..400u64);
    let step = prop_oneof![
        8 => (any::<bool>(), level.clone(), qty.clone())
            .prop_map(|(is_buy, level, qty)| Step::Add { is_buy, level, qty }),
        6 => (pick.clone(), qty.clone()).prop_map(|(pick, qty)| Step::Execute { pick, qty }),
        2 => (pick.clone(), qty.clone()).prop_map(|(pick, qty)| Step::Reduce { pick, qty }),
        3 => pick.clone().prop_map(|pick| Step::Delete { pick }),
        2 => (pick.clone(), level.clone(), qty.clone())
            .prop_map(|(pick, level, qty)| Step::Replace { pick, level, qty }),
        2 => (pick.clone(), level.clone(), qty.clone())
            .prop_map(|(pick, level, qty)| Step::Modify { pick, level, qty }),
        2 => (level.clone(), qty.clone()).prop_map(|(level, qty)| Step::Hidden { level, qty }),
        6 => (any::<bool>(), level, qty, 0..6u8)
            .prop_map(|(is_buy, level, qty, style)| Step::Own { is_buy, level, qty, style }),
        1 => pick.prop_map(|pick| Step::CancelOwn { pick }),
        1 => Just(Step::SaveAndLoad),
    ];
    prop::collection::vec(step, 1..200)
}

fn side_of(is_buy: bool) -> Side {
    if is_buy { Side::Buy } else { Side::Sell }
}

/// Both venues side by side.
struct Pair {
    tape: Tape,
    naive: NaiveVenue,
    next_real: u64,
}

impl Pair {
    fn pick(&self, pick: usize, is_own: bool) -> Option<Standing> {
        let live: Vec<&Standing> =
            self.naive.orders.iter().filter(|o| o.is_own == is_own).collect();
        (!live.is_empty()).then(|| live[pick % live.len()].clone())
    }

    fn next_id(&mut self) -> u64 {
        self.next_real += 1;
        self.next_real
    }

    /// Plays one step on both; the fills of both.
    fn play(&mut self, step: &Step) -> (Vec<Execution>, Vec<Fill>) {
        let price = |level: i64| d(1000 + level);
        match *step {
            Step::Add { is_buy, level, qty } => {
                let (id, side, price) = (self.next_id(), side_of(is_buy), price(level));
                let real = Standing { id, is_own: false, side, price, qty, taken: 0 };
                (self.tape.play(add(id, side, price, qty)), self.naive.arrive(real))
            }
            Step::Hidden { level, qty } => {
                let price = price(level);
                let fills = self.naive.hidden_trade(price, qty);
                (self.tape.play(hidden_trade(price, qty)), fills)
            }
            Step::Own { is_buy, level, qty, style } => {
                let mut terms = NewOrder::limit(X, side_of(is_buy), price(level), Qty(qty));
                match style {
                    0 => terms = terms.with_time_in_force(TimeInForce::Ioc),
                    1 => terms = terms.with_time_in_force(TimeInForce::Fok),
                    2 => terms = terms.post_only(),
                    _ => {}
                }
                let (order_id, out) = self.tape.order(terms);
                (out, self.naive.own_order(order_id.0 & !OrderId::OWN, &terms))
            }
            Step::CancelOwn { pick } => {
                let Some(own_order) = self.pick(pick, true) else { return (vec![], vec![]) };
                self.naive.orders.retain(|o| !(o.is_own && o.id == own_order.id));
                let order_id = own(own_order.id);
                (self.tape.command(Command::Cancel { order_id }), vec![])
            }
            Step::SaveAndLoad => {
                self.save_and_load();
                (vec![], vec![])
            }
            _ => self.play_on_order(step),
        }
    }

    fn play_on_order(&mut self, step: &Step) -> (Vec<Execution>, Vec<Fill>) {
        let (Step::Execute { pick, .. }
        | Step::Reduce { pick, .. }
        | Step::Delete { pick }
        | Step::Replace { pick, .. }
        | Step::Modify { pick, .. }) = *step
        else {
            return (vec![], vec![]);
        };
        let Some(real) = self.pick(pick, false) else { return (vec![], vec![]) };
        let (event, fills): (Event, Vec<Fill>) = match *step {
            Step::Execute { qty, .. } => {
                let qty = qty.min(real.qty);
                (execute(real.id, qty), self.naive.execute(real.id, qty))
            }
            Step::Reduce { qty, .. } => {
                let qty = qty.min(real.qty);
                self.naive.take_off(real.id, qty);
                (reduce(real.id, qty), vec![])
            }
            Step::Replace { level, qty, .. } => {
                let (id, price) = (self.next_id(), d(1000 + level));
                (replace(real.id, id, price, qty), self.move_order(&real, id, price, qty))
            }
            Step::Modify { level, qty, .. } => {
                let price = d(1000 + level);
                let keeps_place = price == real.price && qty <= real.qty;
                let fills = if keeps_place {
                    self.naive.take_off(real.id, real.qty - qty);
                    vec![]
                } else {
                    self.move_order(&real, real.id, price, qty)
                };
                (modify(real.id, price, qty), fills)
            }
            _ => {
                self.naive.take_off(real.id, real.qty);
                (delete(real.id), vec![])
            }
        };
        self.naive.drop_empty();
        (self.tape.play(event), fills)
    }

    /// A real order goes to the back; what was taken of it goes along, less what it gave up.
    fn move_order(&mut self, real: &Standing, id: u64, price: Price, qty: u64) -> Vec<Fill> {
        self.naive.take_off(real.id, real.qty);
        self.naive.drop_empty();
        let taken = real.taken.saturating_sub(real.qty.saturating_sub(qty));
        self.naive.arrive(Standing { id, price, qty, taken, ..real.clone() })
    }

    fn save_and_load(&mut self) {
        let mut writer = StateWriter::default();
        self.tape.replica.save(&mut writer);
        self.tape.venue.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = StateReader::new("pair", &bytes);
        self.tape.replica = Replica::load(&mut reader).expect("just saved");
        self.tape.venue = Venue::new(self.tape.venue.config().clone());
        self.tape.venue.load(&mut reader).expect("just saved");
        reader.finish().expect("nothing is left over");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn queue_positions_and_fills_are_those_of_whole_queues(steps in steps()) {
        let naive = NaiveVenue::default();
        let mut pair = Pair { tape: Tape::new(), naive, next_real: 0 };
        for (at, step) in steps.iter().enumerate() {
            let (executions, expected) = pair.play(step);
            prop_assert_eq!(fills(&executions), expected, "step {} {:?}", at, step);
            let own: Vec<&Standing> = pair.naive.orders.iter().filter(|o| o.is_own).collect();
            prop_assert_eq!(pair.tape.venue.open_orders(X).count(), own.len());
            for standing in own {
                let state = pair.tape.state(venue_tape::own(standing.id));
                prop_assert_eq!(state.leaves, Qty(standing.qty), "step {} {:?}", at, step);
                prop_assert_eq!(
                    state.ahead.0, pair.naive.ahead(standing.id), "step {} {:?}", at, step
                );
            }
        }
    }

    #[test]
    fn no_real_order_gives_more_than_it_showed(steps in steps()) {
        let mut pair = Pair { tape: Tape::new(), naive: NaiveVenue::default(), next_real: 0 };
        let (mut shown, mut given) = (vec![0], BTreeMap::<u64, u64>::new());
        let renews_nothing = |s: &&Step| !matches!(s, Step::Replace { .. } | Step::Modify { .. });
        for step in steps.iter().filter(renews_nothing) {
            if let Step::Add { qty, .. } = step {
                shown.push(*qty);
            }
            for fill in pair.play(step).0.iter().filter(|e| e.contra_order_id != 0) {
                *given.entry(fill.contra_order_id).or_default() += fill.qty;
            }
        }
        for (id, given) in given {
            prop_assert!(given <= shown[id as usize], "order {} gave {}", id, given);
        }
    }

    #[test]
    fn own_fills_of_an_exchange_event_never_exceed_what_it_traded_and_left(
        books in prop::collection::vec((0..8i64, 1..300u64), 1..20),
        own_orders in prop::collection::vec((0..8i64, 1..600u64), 1..8),
        hits in prop::collection::vec((0..20usize, 1..300u64), 1..10),
        hidden in (0..8i64, 0..300u64),
        remainder in (0..8i64, 0..300u64),
    ) {
        let mut tape = Tape::new();
        let (mut next_book, mut next_own) = (books.iter(), own_orders.iter());
        let mut id = 0;
        loop {
            let (book, own_order) = (next_book.next(), next_own.next());
            if let Some(&(level, qty)) = book {
                id += 1;
                tape.play(add(id, Side::Buy, d(1000 + level), qty));
            }
            if let Some(&(level, qty)) = own_order {
                tape.rest(Side::Buy, d(1000 + level), qty);
            }
            if book.is_none() && own_order.is_none() {
                break;
            }
        }
        let (mut traded, mut filled) = (0, 0);
        let mut play = |tape: &mut Tape, event, shares| {
            traded += shares;
            let out = tape.play(open(event));
            filled += out.iter().filter(|e| e.liquidity == Liquidity::Maker as u8)
                .map(|e| e.qty).sum::<u64>();
        };
        for (pick, qty) in hits {
            let Some(real) = tape.replica.order(OrderId(1 + pick as u64 % id)) else { continue };
            let qty = qty.min(real.qty.0);
            play(&mut tape, execute(real.order_id.0, qty), qty);
        }
        play(&mut tape, hidden_trade(d(1000 + hidden.0), hidden.1), hidden.1);
        if remainder.1 > 0 {
            play(&mut tape, add(99, Side::Sell, d(1000 + remainder.0), remainder.1), remainder.1);
        }
        prop_assert!(filled <= traded, "{} of {}", filled, traded);
    }

    #[test]
    fn cut_state_is_an_error_and_leaves_the_venue_as_it_was(
        steps in steps(),
        due in 0..100u64,
    ) {
        let naive = NaiveVenue::default();
        let mut pair = Pair { tape: Tape::new(), naive, next_real: 0 };
        for step in &steps {
            pair.play(step);
        }
        pair.tape.now += due;
        let terms = NewOrder::limit(X, Side::Buy, d(1000), Qty(1));
        pair.tape.send(Command::New { order_id: own(1_000_000), terms });
        let bytes = |venue: &Venue| {
            let mut writer = StateWriter::default();
            venue.save(&mut writer);
            writer.into_bytes()
        };
        let saved = bytes(&pair.tape.venue);
        let mut loaded = Venue::new(VenueConfig { latency: Nanos(0).into(), conservative: false });
        for cut in (0..saved.len()).step_by(11) {
            let mut reader = StateReader::new("venue", &saved[..cut]);
            prop_assert!(loaded.load(&mut reader).is_err());
            prop_assert!(!loaded.is_active(X) && loaded.next_due().is_none());
        }
        loaded.load(&mut StateReader::new("venue", &saved))?;
        prop_assert_eq!(bytes(&loaded), saved);
    }
}
