//! The venue against a naive one that keeps whole queues, own orders standing literally in them.
//!
//! Random feeds with halts and crosses, orders of every kind, every model of latency.
//!
//! Would catch: a queue position that drifts from the real one, a fill that another order should
//! have had, a stop that triggers early, late or out of turn, an order that outlives its time or
//! its auction, shares taken twice, own fills beyond what an exchange event traded, state lost by a
//! save in the middle.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use ringtape::book::Replica;
use ringtape::event::{Event, Execution, ExecutionKind, Liquidity, TimeInForce};
use ringtape::matching::{Command, LatencyModel, NewOrder, OrderState, Venue, VenueConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::{Nanos, OrderId, Price, Qty, Side};

use crate::venue_model::{NaiveVenue, NaiveWays, Place, Standing, Told};
use crate::venue_tape::*;

#[derive(Clone, Debug)]
enum Step {
    Add { is_buy: bool, level: i64, qty: u64 },
    Execute { pick: usize, qty: u64 },
    ExecuteAt { pick: usize, qty: u64, level: i64, is_printable: bool },
    Reduce { pick: usize, qty: u64 },
    Delete { pick: usize },
    Replace { pick: usize, level: i64, qty: u64 },
    Modify { pick: usize, level: i64, qty: u64 },
    Hidden { level: i64, qty: u64 },
    Cross { level: i64, qty: u64, letter: u8 },
    Status { letter: u8 },
    Own { is_buy: bool, level: i64, qty: u64, style: Style },
    CancelOwn { pick: usize },
    ReduceOwn { pick: usize, qty: u64 },
    ReplaceOwn { pick: usize, level: i64, qty: u64 },
    SaveAndLoad,
}

/// A step, how long after the one before, and whether more of its exchange event follows.
type Timed = (u64, bool, Step);

/// An own order: number, where, open, displayed, stop price, ahead.
type State = (u64, OrderState, u64, u64, Option<Price>, u64);

/// What an own order is.
#[derive(Clone, Copy, Debug)]
struct Style {
    kind: u8,
    other_level: i64,
    display: u64,
    time_in_force: u8,
    lasts: u64,
    is_bidask: bool,
}

fn price(level: i64) -> Price {
    d(1000 + level)
}

fn side_of(is_buy: bool) -> Side {
    if is_buy { Side::Buy } else { Side::Sell }
}

/// An order whose terms go together.
fn terms_of(side: Side, level: i64, qty: u64, style: Style, now: u64) -> NewOrder {
    let limit = NewOrder::limit(X, side, price(level), Qty(qty));
    let market = NewOrder::market(X, side, Qty(qty));
    let other = price(style.other_level);
    let terms = match style.kind {
        0..=3 => limit,
        4 => return limit.post_only(),
        5 => return limit.repriced(),
        6 | 7 => limit.iceberg(Qty(style.display)),
        8 => limit.hidden(),
        9 => market,
        10 => NewOrder { price: other, ..market },
        11 => limit.stop_at(other),
        12 => market.stop_at(other),
        13 => limit.trailing(Price(100 * style.other_level.max(1))),
        14 => market.trailing(Price(100 * style.other_level.max(1))),
        _ => NewOrder { stop_price: other, ..market.trailing(Price(200)) },
    };
    let is_stop = terms.order_type.is_stop();
    let terms = if is_stop && style.is_bidask { terms.on_bidask() } else { terms };
    let is_plain = !is_stop && terms.display_qty.0 == 0;
    match style.time_in_force {
        0 | 1 => terms.until(Nanos(now + style.lasts)),
        2 => terms.with_time_in_force(TimeInForce::Gtc),
        3 if terms.display_qty.0 == 0 => terms.with_time_in_force(TimeInForce::Ioc),
        4 if terms.display_qty.0 == 0 => terms.with_time_in_force(TimeInForce::Fok),
        5 if is_plain => terms.with_time_in_force(TimeInForce::Opening),
        6 if is_plain => terms.with_time_in_force(TimeInForce::Closing),
        _ => terms,
    }
}

fn steps() -> impl Strategy<Value = Vec<Timed>> {
    let (pick, level, qty) = (0..1_000usize, 0..8i64, 1..400u64);
    let style = (0..16u8, 0..8i64, 1..150u64, 0..12u8, 0..60u64, any::<bool>()).prop_map(
        |(kind, other_level, display, time_in_force, lasts, is_bidask)| Style {
            kind,
            other_level,
            display,
            time_in_force,
            lasts,
            is_bidask,
        },
    );
    let letter = prop_oneof![Just(b'O'), Just(b'C'), Just(b'H'), Just(b'I')];
    let state = prop_oneof![3 => Just(b'T'), 1 => Just(b'H'), 1 => Just(b'Q')];
    let (p, l, q) = (pick.clone(), level.clone(), qty.clone());
    let step = prop_oneof![
        8 => (any::<bool>(), l.clone(), q.clone())
            .prop_map(|(is_buy, level, qty)| Step::Add { is_buy, level, qty }),
        6 => (p.clone(), q.clone()).prop_map(|(pick, qty)| Step::Execute { pick, qty }),
        1 => (p.clone(), q.clone(), l.clone(), any::<bool>()).prop_map(
            |(pick, qty, level, is_printable)| Step::ExecuteAt { pick, qty, level, is_printable }),
        2 => (p.clone(), q.clone()).prop_map(|(pick, qty)| Step::Reduce { pick, qty }),
        3 => p.clone().prop_map(|pick| Step::Delete { pick }),
        2 => (p.clone(), l.clone(), q.clone())
            .prop_map(|(pick, level, qty)| Step::Replace { pick, level, qty }),
        2 => (p.clone(), l.clone(), q.clone())
            .prop_map(|(pick, level, qty)| Step::Modify { pick, level, qty }),
        2 => (l.clone(), q.clone()).prop_map(|(level, qty)| Step::Hidden { level, qty }),
        1 => (l.clone(), 0..900u64, letter)
            .prop_map(|(level, qty, letter)| Step::Cross { level, qty, letter }),
        2 => state.prop_map(|letter| Step::Status { letter }),
        10 => (any::<bool>(), l, q, style)
            .prop_map(|(is_buy, level, qty, style)| Step::Own { is_buy, level, qty, style }),
        1 => p.clone().prop_map(|pick| Step::CancelOwn { pick }),
        1 => (p.clone(), qty.clone()).prop_map(|(pick, qty)| Step::ReduceOwn { pick, qty }),
        1 => (p, -1_000..8i64, qty).prop_map(|(pick, level, qty)| {
            Step::ReplaceOwn { pick, level, qty: if level % 3 == 0 { 0 } else { qty } }
        }),
        1 => Just(Step::SaveAndLoad),
    ];
    let is_open = prop::bool::weighted(0.15);
    prop::collection::vec((0..12u64, is_open, step), 1..200)
}

fn latencies() -> impl Strategy<Value = LatencyModel> {
    let recorded: Arc<[[Nanos; 2]]> = Arc::new([[Nanos(3), Nanos(0)], [Nanos(40), Nanos(0)]]);
    let jitter = LatencyModel { jitter: Nanos(25), seed: 7, ..LatencyModel::from(Nanos(4)) };
    prop_oneof![
        Just(LatencyModel::from(Nanos(0))),
        Just(LatencyModel::from(Nanos(15))),
        Just(jitter),
        Just(LatencyModel { recorded: Some(recorded), ..LatencyModel::from(Nanos(0)) }),
    ]
}

/// Both venues side by side.
struct Pair {
    tape: Tape,
    naive: NaiveVenue,
    ways: NaiveWays,
    next_real: u64,
    next_own: u64,
}

impl Pair {
    fn new(latency: LatencyModel, conservative: bool) -> Self {
        Self {
            ways: NaiveWays::new(&latency),
            tape: Tape::with(VenueConfig { latency, conservative, ..VenueConfig::default() }),
            naive: NaiveVenue::new(conservative),
            next_real: 0,
            next_own: 0,
        }
    }

    fn pick(&self, pick: usize) -> Option<Standing> {
        let live: Vec<&Standing> = self.naive.orders.iter().filter(|o| !o.is_own).collect();
        (!live.is_empty()).then(|| live[pick % live.len()].clone())
    }

    /// The number of an own order, of one that is in flight or gone too.
    fn pick_own(&self, pick: usize) -> OrderId {
        own(1 + pick as u64 % (self.next_own + 1))
    }

    /// Plays one step on both; what each told.
    fn play(&mut self, (gap, is_open, step): &Timed) -> (Vec<Execution>, Vec<Told>) {
        self.tape.now += gap;
        let now = self.tape.now;
        let mut out = self.tape.receive();
        self.naive.receive(now);
        if let Some(command) = self.command(step) {
            self.tape.send(command);
            self.naive.send(now, self.ways.next(), command);
        } else if let Step::SaveAndLoad = step {
            self.save_and_load();
        } else if let Some(event) = self.tape_event(step) {
            self.naive.complete(!is_open, matches!(step, Step::Status { .. }));
            let event = if *is_open { open(event) } else { event };
            out.extend(self.tape.play_at(now, event));
        }
        (out, std::mem::take(&mut self.naive.told))
    }

    fn command(&mut self, step: &Step) -> Option<Command> {
        Some(match *step {
            Step::Own { is_buy, level, qty, style } => {
                self.next_own += 1;
                let terms = terms_of(side_of(is_buy), level, qty, style, self.tape.now);
                Command::New { order_id: own(self.next_own), terms }
            }
            Step::CancelOwn { pick } => Command::Cancel { order_id: self.pick_own(pick) },
            Step::ReduceOwn { pick, qty } => {
                Command::Reduce { order_id: self.pick_own(pick), qty: Qty(qty) }
            }
            Step::ReplaceOwn { pick, level, qty } => {
                let order_id = self.pick_own(pick);
                self.next_own += 1;
                let new_order_id = own(self.next_own);
                let price = if level < 0 { Price(0) } else { price(level) };
                Command::Replace { order_id, new_order_id, price, qty: Qty(qty) }
            }
            _ => return None,
        })
    }

    /// The event of a step, which the naive venue has taken in.
    fn tape_event(&mut self, step: &Step) -> Option<Event> {
        Some(match *step {
            Step::Add { is_buy, level, qty } => {
                self.next_real += 1;
                let (id, side, price) = (self.next_real, side_of(is_buy), price(level));
                let is_own = false;
                self.naive.arrive(Standing { id, is_own, side, price, qty, taken: 0 });
                add(id, side, price, qty)
            }
            Step::Hidden { level, qty } => {
                self.naive.hidden_trade(price(level), qty);
                hidden_trade(price(level), qty)
            }
            Step::Cross { level, qty, letter } => {
                self.naive.cross(price(level), qty, letter);
                cross_of(letter, price(level), qty)
            }
            Step::Status { letter } => {
                self.naive.is_trading = letter == b'T';
                status(letter)
            }
            _ => return self.event_of_order(step),
        })
    }

    fn event_of_order(&mut self, step: &Step) -> Option<Event> {
        let (Step::Execute { pick, .. }
        | Step::ExecuteAt { pick, .. }
        | Step::Reduce { pick, .. }
        | Step::Delete { pick }
        | Step::Replace { pick, .. }
        | Step::Modify { pick, .. }) = *step
        else {
            return None;
        };
        let real = self.pick(pick)?;
        let event = match *step {
            Step::Execute { qty, .. } => {
                let qty = qty.min(real.qty);
                self.naive.execute(real.id, qty, Some(real.price));
                execute(real.id, qty)
            }
            Step::ExecuteAt { qty, level, is_printable, .. } => {
                let (qty, price) = (qty.min(real.qty), price(level));
                self.naive.execute(real.id, qty, is_printable.then_some(price));
                execute_at(real.id, qty, price, is_printable)
            }
            Step::Reduce { qty, .. } => {
                let qty = qty.min(real.qty);
                self.naive.take_off(real.id, qty);
                reduce(real.id, qty)
            }
            Step::Replace { level, qty, .. } => {
                self.next_real += 1;
                let id = self.next_real;
                self.move_order(&real, id, price(level), qty);
                replace(real.id, id, price(level), qty)
            }
            Step::Modify { level, qty, .. } => {
                let price = price(level);
                if price == real.price && qty <= real.qty {
                    self.naive.take_off(real.id, real.qty - qty);
                } else {
                    self.move_order(&real, real.id, price, qty);
                }
                modify(real.id, price, qty)
            }
            _ => {
                self.naive.take_off(real.id, real.qty);
                delete(real.id)
            }
        };
        self.naive.drop_empty();
        Some(event)
    }

    /// A real order goes to the back; what was taken of it goes along, less what it gave up.
    fn move_order(&mut self, real: &Standing, id: u64, price: Price, qty: u64) {
        self.naive.take_off(real.id, real.qty);
        self.naive.drop_empty();
        let taken = real.taken.saturating_sub(real.qty.saturating_sub(qty));
        self.naive.arrive(Standing { id, price, qty, taken, ..real.clone() });
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

    /// Own orders of both.
    fn states(&self) -> [Vec<State>; 2] {
        let mut venue: Vec<_> = self
            .tape
            .venue
            .open_orders(X)
            .map(|order| {
                let id = order.order_id.0 & !OrderId::OWN;
                let (displayed, ahead) = (order.displayed.0, order.ahead.0);
                (id, order.state, order.leaves.0, displayed, order.stop, ahead)
            })
            .collect();
        venue.sort_unstable_by_key(|state| state.0);
        let naive = self.naive.mine.iter().map(|(&id, mine)| {
            let (state, ahead) = match mine.place {
                Place::Resting => (OrderState::Resting, self.naive.ahead(id)),
                Place::Halted => (OrderState::Halted, 0),
                Place::Waiting => (OrderState::Waiting, 0),
                Place::Pending => (OrderState::Pending, 0),
            };
            let is_shown = mine.place == Place::Resting && !mine.terms.is_hidden;
            let displayed = if is_shown { mine.front() } else { 0 };
            (id, state, mine.leaves(), displayed, mine.stop, ahead)
        });
        [venue, naive.collect()]
    }
}

/// Executions as the naive venue tells them.
fn told(executions: &[Execution]) -> Vec<Told> {
    let unknown = |e: &Execution| e.reason() == ringtape::event::Reason::UnknownOrder;
    executions
        .iter()
        .map(|e| {
            let kind = e.kind().map_or("?", ExecutionKind::name);
            let qty = if unknown(e) { 0 } else { e.qty };
            (kind, e.order_id & !OrderId::OWN, qty, Price(e.price), e.reason())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn orders_of_every_kind_fare_as_in_whole_queues(
        steps in steps(),
        latency in latencies(),
        conservative in prop::bool::weighted(0.2),
    ) {
        let mut pair = Pair::new(latency, conservative);
        for (at, step) in steps.iter().enumerate() {
            let (executions, expected) = pair.play(step);
            prop_assert_eq!(told(&executions), expected, "step {} {:?}", at, step);
            let [venue, naive] = pair.states();
            prop_assert_eq!(venue, naive, "step {} {:?}", at, step);
        }
    }

    #[test]
    fn no_real_order_gives_more_than_it_showed(steps in steps()) {
        let mut pair = Pair::new(LatencyModel::from(Nanos(0)), false);
        let (mut shown, mut given) = (vec![0], BTreeMap::<u64, u64>::new());
        let renews_nothing =
            |(_, _, s): &&Timed| !matches!(s, Step::Replace { .. } | Step::Modify { .. });
        for step in steps.iter().filter(renews_nothing) {
            if let (_, _, Step::Add { qty, .. }) = step {
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
        own_orders in prop::collection::vec((0..8i64, 1..600u64, 0..3u8), 1..8),
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
            if let Some(&(level, qty, style)) = own_order {
                let limit = NewOrder::limit(X, Side::Buy, price(level), Qty(qty));
                tape.order([limit, limit.hidden(), limit.iceberg(Qty(1 + qty / 3))][style as usize]);
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
        let mut pair = Pair::new(LatencyModel::from(Nanos(0)), false);
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
        let mut loaded = Venue::new(VenueConfig { latency: Nanos(0).into(), ..VenueConfig::default() });
        for cut in (0..saved.len()).step_by(11) {
            let mut reader = StateReader::new("venue", &saved[..cut]);
            prop_assert!(loaded.load(&mut reader).is_err());
            prop_assert!(!loaded.is_active(X) && loaded.next_due().is_none());
        }
        loaded.load(&mut StateReader::new("venue", &saved))?;
        prop_assert_eq!(bytes(&loaded), saved);
    }
}
