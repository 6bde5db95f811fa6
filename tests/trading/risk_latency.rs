//! The risk gate while orders and reports are on their way.
//!
//! Would catch: a fill that is in neither the position nor what is open until its report comes, a
//! replacement of a replacement that slips through, an order counted twice with its replacement or
//! for ever, a gate that refuses what it need not.

use proptest::prelude::*;
use ringtape::event::{Execution, ExecutionKind, Reason};
use ringtape::matching::{LatencyModel, NewOrder, OpenOrder};
use ringtape::strategy::Trader;
use ringtape::units::{Nanos, OrderId, Qty, Side};

use Side::{Buy, Sell};

use crate::risk_gate::{Act, Stage};
use crate::venue_tape::{X, add, d, delete, execute, kinds};

fn ways(order: u64, report: u64) -> LatencyModel {
    LatencyModel { report: Nanos(report), ..Nanos(order).into() }
}

/// What was filled, bought less sold, at the venue.
fn filled(out: &[Execution]) -> i64 {
    let fills = out.iter().filter(|one| one.kind() == Some(ExecutionKind::Filled));
    fills.map(|fill| if fill.side == Buy as u8 { 1 } else { -1 } * fill.qty.cast_signed()).sum()
}

fn at_venue(trader: &Trader) -> Vec<OpenOrder> {
    trader.venue().expect("a simulated one").open_orders(X).collect()
}

/// The positions that all open orders of a side would lead to: long, short.
fn reach(held: i64, open: &[OpenOrder]) -> [i64; 2] {
    let sum = |side| -> i64 {
        let own = open.iter().filter(|order| order.terms.side == side);
        own.map(|order| order.leaves.0.cast_signed()).sum()
    };
    [held + sum(Buy), sum(Sell) - held]
}

#[test]
fn a_fill_counts_as_open_until_its_report_has_come() {
    let mut stage = Stage::with("position=150", ways(0, 5_000));
    stage.new_order(Buy, 1002, 100);
    assert_eq!(filled(&stage.run.out), 100);
    assert_eq!(stage.run.position(), 0, "the report is on its way");
    assert_eq!(stage.new_order(Buy, 990, 51), Reason::PositionLimit);
    stage.run.play_all(&[delete(99); 10]);
    assert_eq!(stage.run.position(), 100);
    assert_eq!(stage.new_order(Buy, 990, 51), Reason::PositionLimit);
    assert_eq!(stage.new_order(Buy, 990, 50), Reason::None);
}

#[test]
fn a_replacement_is_sent_with_the_fills_that_were_told() {
    let mut stage = Stage::with("position=243", ways(0, 50_000));
    assert_eq!(stage.new_order(Buy, 990, 200), Reason::None);
    stage.run.play_all(&[add(50, Buy, d(985), 100), execute(50, 100)]);
    assert_eq!(filled(&stage.run.out), 100);
    // 300 with the 100 that are filled would be 300 in the end.
    let out = stage.act(Act::Replace(1, d(990), 300));
    assert_eq!((kinds(&out), out[0].reason()), (vec!["rejected"], Reason::PositionLimit));
    assert_eq!(kinds(&stage.act(Act::Replace(1, d(990), 243))), ["replaced"]);
}

#[test]
fn a_replacement_of_one_on_its_way_is_tested_too() {
    let mut stage = Stage::with("position=150", ways(3_000, 0));
    stage.act(Act::New(NewOrder::limit(X, Buy, d(990), Qty(100))));
    stage.run.play_all(&[delete(99); 5]);
    stage.plan(Act::Replace(1, d(991), 120));
    let out = stage.act(Act::Replace(2, d(0), 151));
    assert_eq!((kinds(&out), out[0].reason()), (vec!["rejected"], Reason::PositionLimit));
    stage.act(Act::Replace(2, d(0), 150));
    let out = stage.run.play_all_and_tell(&[delete(99); 5]);
    assert_eq!(kinds(&out), ["replaced", "replaced"]);
    assert_eq!(stage.run.resting(), [(Buy, 991, 150)]);
    assert_eq!(
        stage.act(Act::New(NewOrder::limit(X, Buy, d(1), Qty(1))))[0].reason(),
        Reason::PositionLimit
    );
}

#[test]
fn an_order_and_its_replacement_on_its_way_are_one_open_order() {
    let mut stage = Stage::with("open-orders=2", ways(0, 0));
    assert_eq!(stage.new_order(Buy, 990, 10), Reason::None);
    stage.plan(Act::Replace(1, d(991), 10));
    let out = stage.act(Act::New(NewOrder::limit(X, Sell, d(1010), Qty(10))));
    assert_eq!(kinds(&out), ["replaced", "accepted"]);
    assert_eq!(stage.new_order(Buy, 990, 10), Reason::OpenOrders);
}

#[test]
fn a_replacement_that_came_after_its_quantity_was_filled_is_open_no_more() {
    let mut stage = Stage::with("open-orders=1,position=100", ways(4_000, 0));
    stage.act(Act::New(NewOrder::limit(X, Buy, d(990), Qty(10))));
    stage.run.play_all(&[delete(99); 6]);
    stage.act(Act::Replace(1, d(990), 5));
    let tape = [add(50, Buy, d(985), 6), execute(50, 6), delete(99), delete(99), delete(99)];
    let out = stage.run.play_all_and_tell(&tape);
    let last = out.iter().rfind(|one| one.kind() == Some(ExecutionKind::Cancelled));
    assert_eq!(last.expect("a cancel").reason(), Reason::ReplacedBelowCum);
    stage.act(Act::New(NewOrder::limit(X, Buy, d(990), Qty(94))));
    assert_eq!(kinds(&stage.run.play_all_and_tell(&[delete(99); 6])), ["accepted"]);
}

/// What a random strategy does, and what the market does then.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    side: Side,
    cents: i64,
    qty: u64,
    /// How many orders ago the one was sent that it is about.
    back: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..12u8, any::<bool>(), 995..1008i64, 1..150u64, 0..6u64);
    let step = step.prop_map(|(what, is_buy, cents, qty, back)| Step {
        what,
        side: if is_buy { Buy } else { Sell },
        cents,
        qty,
        back,
    });
    prop::collection::vec(step, 1..120)
}

/// Does a step; the market's orders have numbers from `id` on.
fn play(stage: &mut Stage, step: Step, id: u64) -> Vec<Execution> {
    let Step { what, side, cents, qty, back } = step;
    let number = stage.run.trader.orders_sent().saturating_sub(back);
    let order = NewOrder::limit(X, side, d(cents), Qty(qty));
    match what {
        0..=2 => stage.plan(Act::New(order)),
        3 => stage.plan(Act::New(NewOrder::market(X, side, Qty(qty)))),
        4..=6 => stage.plan(Act::Replace(number, d(cents), qty)),
        7 => stage.plan(Act::Replace(number, d(0), 2 * qty)),
        8 => stage.plan(Act::Cancel(number)),
        _ => return stage.run.play_all_and_tell(&[add(id, side, d(cents), qty), execute(id, qty)]),
    }
    // Some of what it does it does at once.
    if back % 2 == 0 { stage.run.play_all_and_tell(&[delete(99)]) } else { vec![] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_position_ever_passes_its_limit(
        steps in steps(),
        (order, report, jitter, seed) in (0..6_000u64, 0..30_000u64, 0..5_000u64, 0..9u64),
    ) {
        let latency = LatencyModel { jitter: Nanos(jitter), seed, ..ways(order, report) };
        let mut stage = Stage::with("position=200", latency);
        for (step, id) in steps.into_iter().zip(100..) {
            let first = stage.run.out.len();
            let before = filled(&stage.run.out);
            play(&mut stage, step, id);
            for end in first..=stage.run.out.len() {
                let held = before + filled(&stage.run.out[first..end]);
                prop_assert!(held.abs() <= 200, "{held} by {step:?}");
            }
            let held = filled(&stage.run.out);
            let reached = reach(held, &at_venue(&stage.run.trader));
            prop_assert!(reached.iter().all(|most| *most <= 200), "{reached:?} by {step:?}");
        }
        // What is over holds no room: all of it is there again.
        stage.run.play_all(&[delete(99)]);
        let sent = stage.run.trader.orders_sent();
        (1..=sent).for_each(|number| stage.plan(Act::Cancel(number)));
        stage.run.play_all(&[delete(99); 60]);
        let held = filled(&stage.run.out);
        prop_assert_eq!(held, stage.run.position());
        let room = u64::try_from(200 - held).expect("within the limit");
        if room > 0 {
            stage.act(Act::New(NewOrder::limit(X, Buy, d(500), Qty(room))));
            stage.run.play_all(&[delete(99); 60]);
            let open = at_venue(&stage.run.trader);
            prop_assert_eq!(reach(held, &open)[0], 200);
        }
    }

    #[test]
    fn without_latency_only_what_leads_beyond_the_limit_is_refused(steps in steps()) {
        let mut stage = Stage::with("position=200", ways(0, 0));
        for (step, id) in steps.into_iter().zip(100..) {
            let (held, open) = (stage.run.position(), at_venue(&stage.run.trader));
            let out = play(&mut stage, Step { back: step.back & !1, ..step }, id);
            let refused = |one: &&Execution| one.reason() == Reason::PositionLimit;
            let Some(refused) = out.iter().find(refused) else { continue };
            let old = open.iter().find(|order| order.order_id == OrderId(refused.order_id));
            let freed = old.map_or(0, |old| old.leaves.0 + old.cum.0).cast_signed();
            let side = usize::from(refused.side == Sell as u8);
            let reached = reach(held, &open)[side] - freed + refused.qty.cast_signed();
            prop_assert!(reached > 200, "{refused:?} would lead to {reached} only");
        }
    }
}
