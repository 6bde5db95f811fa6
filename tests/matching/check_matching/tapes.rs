//! Small tapes, each with the row of the report that it belongs in.

use ringtape::event::{Event, Instrument, InstrumentTable};
use ringtape::matching::proof::{MatchingCheck, OnTape, Why};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

use super::queues::Queues;
use super::{check, check_and_compare};
use crate::book_events::{
    add, clear, delete, execute, execute_at, modify, reduce, replace, status, trade, unfinished,
    unprinted,
};

/// The instrument of all tapes.
const X: u32 = 1;
const TEN: i64 = 100_000;
const CENT: i64 = 100;

/// Checks a tape, with the engine's matcher and with the plain one.
fn found(tape: &[Event]) -> MatchingCheck {
    let definition = InstrumentTable::events(0, InstrumentId(X), &Instrument::us_equity("X"));
    let events: Vec<Event> = definition.into_iter().chain(tape.iter().copied()).collect();
    let found = check_and_compare(events.iter().copied());
    assert_eq!(found, check(&events, Queues::new(None)));
    assert_eq!(found, check(&events, OnTape::new()));
    assert_eq!(found.checked + found.adds_would_trade, found.agree + found.disagree);
    found
}

/// Three offers at one price, one a cent above; numbers 1 to 4, 100 shares each.
fn offers() -> Vec<Event> {
    let prices = [TEN, TEN, TEN, TEN + CENT];
    (1..).zip(prices).map(|(id, price)| add(X, id, Side::Sell, price, 100)).collect()
}

fn tape(rest: impl IntoIterator<Item = Event>) -> Vec<Event> {
    offers().into_iter().chain(rest).collect()
}

/// One exchange event of several records.
fn group(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let mut events: Vec<Event> = events.into_iter().map(unfinished).collect();
    let last = events.last_mut().expect("an event");
    *last = last.with_flags(ringtape::event::Flags::LAST);
    events
}

fn verdicts(found: &MatchingCheck) -> (u64, u64, u64) {
    (found.checked, found.agree, found.disagree)
}

#[test]
fn an_aggressor_takes_several_levels_and_rests_where_its_limit_is() {
    let sweep = group([
        execute(X, 1, 100, 1),
        execute(X, 2, 100, 2),
        execute(X, 3, 100, 3),
        execute(X, 4, 100, 4),
        add(X, 9, Side::Buy, TEN + CENT, 50),
    ]);
    let found = found(&tape(sweep));
    assert_eq!(verdicts(&found), (1, 1, 0));
    assert_eq!((found.executions, found.remainders), (4, 1));
    let evidence = found.evidence;
    assert_eq!((evidence.in_company, evidence.over_levels, evidence.with_remainder), (2, 4, 4));
}

#[test]
fn a_remainder_below_an_offer_that_it_should_have_taken_is_a_disagreement() {
    let event = group([execute(X, 1, 100, 1), add(X, 9, Side::Buy, TEN, 50)]);
    let found = found(&tape(event));
    assert_eq!(verdicts(&found), (1, 0, 1));
    let first = &found.disagreements[0];
    assert_eq!(first.why, Why::OtherFills);
    assert_eq!((first.expected.len(), first.got.len()), (1, 2));
}

#[test]
fn shares_that_were_passed_over_are_told_and_one_error_counts_once() {
    let found = found(&tape([
        execute(X, 3, 40, 1),
        execute(X, 1, 100, 7),
        execute(X, 2, 100, 17),
        execute(X, 3, 60, 27),
    ]));
    assert_eq!(verdicts(&found), (4, 3, 1));
    let first = &found.disagreements[0];
    assert_eq!((first.why, first.order_id), (Why::PassedOver(Qty(200)), OrderId(3)));
    assert_eq!((first.event, first.instrument), (6, InstrumentId(X)));
    assert_eq!((first.expected[0].qty, first.got[0].order_id), (Qty(40), OrderId(1)));
    assert_eq!(
        first.definition.map(|known| known.format_price(Price(TEN))).as_deref(),
        Some("10.0000")
    );
}

#[test]
fn an_add_that_would_trade_is_a_disagreement_and_rests_all_the_same() {
    let crossing = add(X, 9, Side::Buy, TEN, 30);
    let once = found(&tape([crossing, execute(X, 1, 100, 1)]));
    assert_eq!((verdicts(&once), once.adds_would_trade), ((1, 1, 1), 1));
    assert_eq!(once.disagreements[0].why, Why::AddWouldTrade);
    assert!(once.disagreements[0].expected.is_empty());

    let replaced = found(&tape([add(X, 8, Side::Buy, TEN - CENT, 30), replace(X, 8, 9, TEN, 30)]));
    assert_eq!((verdicts(&replaced), replaced.adds_would_trade), ((0, 0, 1), 1));
}

#[test]
fn adds_may_cross_while_an_instrument_is_halted_or_quoting() {
    for (state, adds_would_trade) in [(b'Q', 0), (b'H', 0), (b'P', 0), (b'T', 1)] {
        let found = found(&tape([status(X, state, 0), add(X, 9, Side::Buy, TEN, 30)]));
        assert_eq!(found.adds_would_trade, adds_would_trade, "{}", char::from(state));
    }
}

#[test]
fn a_reduction_keeps_the_place_and_a_replacement_goes_to_the_back() {
    let found = found(&tape([
        reduce(X, 1, 50),
        replace(X, 2, 12, TEN, 100),
        execute(X, 1, 50, 1),
        execute(X, 3, 100, 11),
        execute(X, 12, 100, 21),
    ]));
    assert_eq!(verdicts(&found), (3, 3, 0));
    let evidence = found.evidence;
    assert_eq!((evidence.on_reduced, evidence.on_replaced, evidence.in_company), (1, 1, 2));
}

#[test]
fn a_modification_keeps_the_place_unless_price_or_size_ask_for_more() {
    let found = found(&tape([
        modify(X, 1, TEN, 60),
        modify(X, 2, TEN, 120),
        execute(X, 1, 60, 1),
        execute(X, 3, 100, 11),
        execute(X, 2, 120, 21),
    ]));
    assert_eq!(verdicts(&found), (3, 3, 0));
}

#[test]
fn orders_that_leave_inside_an_execution_event_leave_where_they_stand() {
    // Self-match prevention: order 2 would have been next.
    let cancelled =
        group([execute(X, 1, 100, 1), delete(X, 2), execute(X, 3, 50, 2), reduce(X, 3, 20)]);
    let found_cancelled = found(&tape(cancelled));
    assert_eq!(verdicts(&found_cancelled), (1, 1, 0));
    // The front order is executed in part first, and leaves then.
    let decremented = group([execute(X, 1, 60, 1), delete(X, 1), execute(X, 2, 10, 2)]);
    assert_eq!(verdicts(&found(&tape(decremented))), (1, 1, 0));
    let rested =
        group([execute(X, 1, 100, 1), delete(X, 2), delete(X, 3), add(X, 9, Side::Buy, TEN, 5)]);
    assert_eq!(verdicts(&found(&tape(rested))), (1, 1, 0));
}

#[test]
fn what_a_reserve_shows_next_comes_after_the_fills_or_is_filled_in_the_event() {
    let after = group([execute(X, 1, 100, 1), add(X, 11, Side::Sell, TEN, 100)]);
    let rest = [execute(X, 2, 100, 8), execute(X, 3, 100, 18), execute(X, 11, 1, 28)];
    let late = found(&tape(after.into_iter().chain(rest)));
    assert_eq!((verdicts(&late), late.remainders), ((4, 4, 0), 0));

    let within = group([
        execute(X, 1, 100, 1),
        execute(X, 2, 100, 2),
        execute(X, 3, 100, 3),
        add(X, 11, Side::Sell, TEN, 70),
        execute(X, 11, 70, 4),
        execute(X, 4, 10, 5),
    ]);
    assert_eq!(verdicts(&found(&tape(within))), (1, 1, 0));
}

#[test]
fn executions_without_a_verdict_are_counted_by_class_and_taken_off() {
    let found = found(&tape([
        execute_at(X, 3, TEN - CENT, 30, 1),
        unprinted(execute_at(X, 2, TEN - CENT, 30, 11)),
        execute(X, 77, 5, 21),
        delete(X, 78),
        execute(X, 1, 100, 31),
        execute(X, 2, 70, 41),
        execute(X, 3, 70, 51),
    ]));
    assert_eq!((found.priced, found.cross, found.unknown_reference), (1, 1, 2));
    assert_eq!(verdicts(&found), (3, 3, 0));
}

#[test]
fn an_event_that_executes_both_sides_is_unclassified() {
    let mixed = group([execute(X, 1, 100, 1), execute(X, 8, 10, 2), add(X, 9, Side::Buy, TEN, 5)]);
    let setting = [add(X, 8, Side::Buy, TEN - CENT, 20)];
    let found = found(&tape(setting.into_iter().chain(mixed)));
    assert_eq!((verdicts(&found), found.unclassified), ((0, 0, 0), 1));
}

#[test]
fn hidden_trades_have_no_verdict_and_are_plausible_where_no_displayed_order_comes_first() {
    let inside = trade(X, TEN - CENT, 10, 1);
    let at_the_offer = trade(X, TEN, 10, 2);
    let alone = found(&tape([inside, at_the_offer]));
    assert_eq!(
        (verdicts(&alone), alone.hidden_prints, alone.implausible_prints),
        ((0, 0, 0), 2, 1)
    );

    let after = group([
        execute(X, 1, 100, 1),
        execute(X, 2, 100, 2),
        execute(X, 3, 100, 3),
        trade(X, TEN, 50, 4),
    ]);
    let behind = found(&tape(after));
    let prints = (behind.hidden_prints, behind.implausible_prints);
    assert_eq!((verdicts(&behind), prints), ((1, 1, 0), (0, 0)));
}

#[test]
fn a_feed_that_groups_nothing_is_grouped_by_match_number() {
    let whole = found(&tape([execute(X, 1, 100, 1), execute(X, 2, 100, 2), execute(X, 3, 9, 3)]));
    assert_eq!((verdicts(&whole), whole.executions), ((1, 1, 0), 3));
    assert!(whole.is_grouped_by_match_number);

    // A gap in the numbers, another time, a better price: each begins another event.
    let later = Event { ts_event: 5, ..execute(X, 3, 50, 5) };
    let parts =
        found(&tape([execute(X, 1, 100, 1), execute(X, 2, 50, 3), execute(X, 2, 50, 4), later]));
    assert_eq!((verdicts(&parts), parts.executions), ((3, 2, 1), 4));

    let around = found(&tape([execute(X, 1, 100, 1), trade(X, TEN, 5, 2), execute(X, 2, 1, 3)]));
    assert_eq!((around.checked, around.hidden_prints), (1, 0));

    let grouped = group([execute(X, 1, 100, 1), execute(X, 2, 100, 2)]);
    let told = found(&tape(grouped.into_iter().chain([execute(X, 3, 1, 3), execute(X, 3, 1, 4)])));
    assert_eq!(verdicts(&told), (3, 3, 0), "once told, the feed's own groups hold");
    assert!(!told.is_grouped_by_match_number);
}

#[test]
fn what_the_matcher_would_refuse_comes_in_as_the_exchange_took_it() {
    let found = found(&tape([
        add(X, 5, Side::Sell, TEN - 37, 10),
        add(X, 1, Side::Sell, TEN, 20),
        execute(X, 5, 10, 1),
        execute(X, 2, 100, 11),
        execute(X, 3, 100, 21),
        execute(X, 1, 20, 31),
        clear(X),
        add(X, 4, Side::Buy, TEN + CENT, 20),
    ]));
    assert_eq!((verdicts(&found), found.adds_would_trade), ((4, 4, 0), 0));
}
