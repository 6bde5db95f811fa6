//! Own orders in the queues of price levels, against whole queues and over real recordings.
//!
//! Would catch: a place in the queue that a print moves twice, a fill before what is ahead has
//! traded, a model that helps itself to a better place, a level's shares taken twice, a strategy
//! that never gets its fills, or gets other ones the second time.

use std::path::Path;

use proptest::prelude::*;
use ringtape::event::{Event, Flags, Liquidity, payload};
use ringtape::matching::{Command, NewOrder, QueueModel, VenueConfig};
use ringtape::units::{Nanos, Price, Qty, Side};

use Side::{Buy, Sell};

use crate::common::program::run;
use crate::common::shared_feeds;
use crate::venue_tape::*;

fn level(side: Side, price: Price, qty: u64) -> Event {
    let set = payload::LevelSet { order_count: 0, price, qty: Qty(qty), pad: 0 };
    Event::new(0, X.0, set).with_side(side).with_flags(Flags::LAST)
}

/// A print; `resting` is the side that it hit, where the feed tells.
fn print(price: Price, qty: u64, resting: Option<Side>) -> Event {
    match resting {
        Some(side) => hidden_trade(price, qty).with_side(side),
        None => Event { side: 0, ..hidden_trade(price, qty) },
    }
}

fn tape(queue: QueueModel) -> Tape {
    Tape::with(VenueConfig { latency: Nanos(0).into(), queue, ..VenueConfig::default() })
}

fn limit(side: Side, price: Price, qty: u64) -> NewOrder {
    NewOrder::limit(X, side, price, Qty(qty))
}

#[test]
fn what_is_ahead_trades_first_and_a_level_explains_a_print_once() {
    let mut tape = tape(QueueModel::Proportional);
    tape.play(level(Buy, d(1000), 60));
    let order_id = tape.rest(Buy, d(1000), 30);
    tape.play(level(Buy, d(1000), 100));
    assert_eq!(tape.ahead(order_id), 60);
    assert_eq!(fills(&tape.play(print(d(1000), 70, None))), [(1, 10, d(1000))]);
    assert_eq!(tape.ahead(order_id), 0);
    tape.play(level(Buy, d(1000), 30));
    assert_eq!(fills(&tape.play(print(d(1000), 5, Some(Buy)))), [(1, 5, d(1000))]);
    assert!(tape.play(print(d(1000), 5, Some(Sell))).is_empty(), "it hit the other side");
    assert_eq!(fills(&tape.play(print(d(999), 50, None))), [(1, 15, d(1000))]);
}

#[test]
fn what_leaves_without_a_print_is_behind_us_or_in_proportion() {
    for (model, expected) in [(QueueModel::Pessimistic, 60), (QueueModel::Proportional, 48)] {
        let mut tape = tape(model);
        tape.play(level(Sell, d(1000), 60));
        let order_id = tape.rest(Sell, d(1000), 30);
        tape.play(level(Sell, d(1000), 100));
        tape.play(level(Sell, d(1000), 80));
        assert_eq!(tape.ahead(order_id), expected);
        tape.play(level(Sell, d(1000), 40));
        assert_eq!(tape.ahead(order_id), if expected == 60 { 40 } else { 24 });
        tape.play(clear());
        tape.play(level(Sell, d(1000), 10));
        assert_eq!(tape.ahead(order_id), 10);
    }
}

#[test]
fn a_level_is_taken_once_and_gives_what_comes_to_it() {
    let mut tape = tape(QueueModel::Pessimistic);
    tape.play(level(Sell, d(1001), 100));
    let ioc = |qty| limit(Buy, d(1001), qty).with_time_in_force(ringtape::event::TimeInForce::Ioc);
    let (_, out) = tape.order(ioc(70));
    assert_eq!((fills(&out), out[1].contra_order_id), (vec![(1, 70, d(1001))], 0));
    assert_eq!(fills(&tape.order(ioc(70)).1), [(2, 30, d(1001))]);
    tape.play(level(Sell, d(1001), 60));
    assert_eq!(fills(&tape.order(ioc(70)).1), []);
    tape.play(level(Sell, d(1001), 75));
    assert_eq!(fills(&tape.order(ioc(70)).1), [(4, 15, d(1001))]);
    // What comes to a level that crosses ours fills it, what was there does not again.
    tape.rest(Buy, d(1001), 50);
    assert_eq!(fills(&tape.play(level(Sell, d(1001), 85))), [(5, 10, d(1001))]);
    assert!(tape.play(level(Sell, d(1001), 85)).is_empty());
}

#[test]
fn hidden_orders_and_icebergs_stand_behind_what_the_level_has_then() {
    let mut tape = tape(QueueModel::Pessimistic);
    tape.play(level(Buy, d(1000), 50));
    let (hidden, _) = tape.order(limit(Buy, d(1000), 10).hidden());
    let (iceberg, _) = tape.order(limit(Buy, d(1000), 30).iceberg(Qty(10)));
    tape.play(level(Buy, d(1000), 90));
    assert_eq!((tape.ahead(hidden), tape.ahead(iceberg)), (90, 50));
    assert_eq!(fills(&tape.play(print(d(1000), 65, None))), [(2, 10, d(1000))]);
    tape.play(level(Buy, d(1000), 25));
    assert_eq!((tape.ahead(hidden), tape.ahead(iceberg)), (25, 25));
    assert_eq!(
        fills(&tape.play(print(d(999), 25, None))),
        [(2, 10, d(1000)), (2, 10, d(1000)), (1, 5, d(1000))]
    );
}

// ---- whole queues ----

/// A level's queue: what stands there, front to back; own orders have a number.
#[derive(Clone, Debug)]
struct Chunk {
    own: Option<u64>,
    qty: u64,
}

/// Bids at one price as whole queues, for the pessimistic model.
#[derive(Default)]
struct NaiveLevel {
    queue: Vec<Chunk>,
}

impl NaiveLevel {
    fn real(&self) -> u64 {
        self.queue.iter().filter(|chunk| chunk.own.is_none()).map(|chunk| chunk.qty).sum()
    }

    fn ahead(&self, own: u64) -> u64 {
        let before = self.queue.iter().take_while(|chunk| chunk.own != Some(own));
        before.filter(|chunk| chunk.own.is_none()).map(|chunk| chunk.qty).sum()
    }

    /// A print eats from the front; what own orders eat the real ones behind them trade too.
    fn print(&mut self, shares: u64) -> Vec<(u64, u64)> {
        let (mut left, mut fills) = (shares, vec![]);
        for chunk in &mut self.queue {
            let qty = chunk.qty.min(left);
            left -= qty;
            if let Some(own) = chunk.own.filter(|_| qty > 0) {
                chunk.qty -= qty;
                fills.push((own, qty));
            }
        }
        let mut traded = shares;
        for chunk in self.queue.iter_mut().filter(|chunk| chunk.own.is_none()) {
            let qty = chunk.qty.min(traded);
            traded -= qty;
            chunk.qty -= qty;
        }
        self.queue.retain(|chunk| chunk.qty > 0);
        fills
    }

    /// The level is told: more came to the back, less left from there.
    fn set(&mut self, told: u64) {
        let real = self.real();
        if told > real {
            self.queue.push(Chunk { own: None, qty: told - real });
        }
        let mut gone = real.saturating_sub(told);
        for chunk in self.queue.iter_mut().rev().filter(|chunk| chunk.own.is_none()) {
            let qty = chunk.qty.min(gone);
            gone -= qty;
            chunk.qty -= qty;
        }
        self.queue.retain(|chunk| chunk.qty > 0);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Level(u64),
    Print(u64),
    Own(u64),
    Cancel(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..300u64).prop_map(Step::Level),
        3 => (1..200u64).prop_map(Step::Print),
        3 => (1..60u64).prop_map(Step::Own),
        1 => (0..100usize).prop_map(Step::Cancel),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_pessimistic_place_is_that_of_whole_queues(steps in steps()) {
        let (mut tape, mut naive) = (tape(QueueModel::Pessimistic), NaiveLevel::default());
        for step in steps {
            let (out, expected) = match step {
                Step::Level(qty) => {
                    naive.set(qty);
                    (tape.play(level(Buy, d(1000), qty)), vec![])
                }
                Step::Print(qty) => {
                    let fills = naive.print(qty);
                    let out = tape.play(print(d(1000), qty, Some(Buy)));
                    // The level that the print left, as a feed tells it.
                    let left = naive.real();
                    prop_assert!(tape.play(level(Buy, d(1000), left)).is_empty());
                    (out, fills)
                }
                Step::Own(qty) => {
                    let order_id = tape.rest(Buy, d(1000), qty);
                    naive.queue.push(Chunk { own: Some(order_id.0 & 0xffff), qty });
                    (vec![], vec![])
                }
                Step::Cancel(pick) => {
                    let live: Vec<u64> = naive.queue.iter().filter_map(|chunk| chunk.own).collect();
                    if live.is_empty() {
                        continue;
                    }
                    let id = live[pick % live.len()];
                    naive.queue.retain(|chunk| chunk.own != Some(id));
                    tape.command(Command::Cancel { order_id: own(id) });
                    (vec![], vec![])
                }
            };
            let got: Vec<(u64, u64)> = fills(&out).iter().map(|fill| (fill.0, fill.1)).collect();
            prop_assert_eq!(got, expected);
            for chunk in &naive.queue {
                if let Some(id) = chunk.own {
                    prop_assert_eq!(tape.ahead(own(id)), naive.ahead(id));
                    prop_assert_eq!(tape.state(own(id)).leaves.0, chunk.qty);
                }
            }
        }
    }

    #[test]
    fn whatever_the_model_a_print_never_fills_more_than_it_traded(
        steps in steps(),
        is_proportional in any::<bool>(),
    ) {
        let model =
            if is_proportional { QueueModel::Proportional } else { QueueModel::Pessimistic };
        let mut tape = tape(model);
        let mut told = 0;
        for step in steps {
            match step {
                Step::Level(qty) => {
                    told = qty;
                    tape.play(level(Buy, d(1000), qty));
                }
                Step::Print(qty) => {
                    let out = tape.play(print(d(1000), qty, None));
                    let filled: u64 = fills(&out).iter().map(|fill| fill.1).sum();
                    prop_assert!(filled <= qty);
                    prop_assert!(out.iter().all(|e| e.liquidity == Liquidity::Maker as u8));
                }
                Step::Own(qty) => _ = tape.rest(Buy, d(1000), qty),
                Step::Cancel(_) => {}
            }
            for order in tape.venue.open_orders(X) {
                prop_assert!(order.ahead.0 <= told, "{} ahead of a level of {}", order.ahead.0, told);
            }
        }
    }
}

// ---- real recordings ----

#[test]
fn strategies_trade_in_recordings_of_levels_and_do_the_same_again() {
    let Some(folder) = shared_feeds() else { return };
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let journal = scratch.path().join("run");
    let binance = folder.join("binance/spot_btcusdt_20240808.gz");
    let (binance, journal) = (text(&binance), text(&journal));
    let strategy = ["--strategy", "maker:symbols=BTCUSDT", "--audit", "--json"];
    let replay = |feed: &str, more: &[&str]| {
        let ran = run(["replay", feed].into_iter().chain(strategy).chain(more.iter().copied()));
        assert_eq!(ran.code, 0, "{}", ran.all());
        ran.json()
    };
    let pessimistic = replay(&binance, &["--journal", &journal]);
    let proportional = replay(&binance, &["--queue", "proportional"]);
    for report in [&pessimistic, &proportional] {
        assert!(report["fills"].as_u64() > Some(0), "{report}");
        assert!(report["audits"].as_u64() > Some(0));
    }
    assert_ne!(pessimistic["state_hash"], proportional["state_hash"]);
    assert!(pessimistic.to_string().contains("pessimistic guesses"));
    let again = run(["replay", &journal, "--json"]).json();
    assert_eq!(again["state_hash"], pessimistic["state_hash"]);
    assert_eq!(again["fills"], pessimistic["fills"]);
    let deep = folder.join("iex/Iex__Deep.IexTp.v1.0__PriceLevelBuyUpdateMessage.pcap");
    let ran = run(["replay", &text(&deep), "--strategy", "idle", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_model_of_queues_is_named_for_feeds_of_levels_alone() {
    let sample = "feeds/sample.itch.gz";
    let ran = run(["replay", sample, "--strategy", "maker:symbols=ACME", "--queue", "pessimistic"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
    assert!(ran.all().contains("places in the queues are known"));
}
