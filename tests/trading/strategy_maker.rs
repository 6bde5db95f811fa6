//! The built-in market maker on scripted tapes and on a recording.
//!
//! Would catch: a maker over its limit, with two orders a side, away from the touch, or one that
//! repeats what the venue refused.

use ringtape::book::Replica;
use ringtape::event::kinds::Raw;
use ringtape::event::{
    Event, Instrument, InstrumentOverride, InstrumentTable, Reason, TickBands, payload,
};
use ringtape::feed::{self, Fill, OpenOptions};
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::units::{AccountId, InstrumentId, Price, Qty, Side};

use Side::{Buy, Sell};

use crate::venue_tape::run::{Run, maker, maker_of};
use crate::venue_tape::{add, d, delete, execute, kinds, status};

#[test]
fn the_maker_joins_the_touch_follows_it_and_stops_at_its_limit() {
    let mut run = Run::new(maker("maker:symbols=X,lots=1,limit=150", 500));
    run.play_all(&[add(1, Buy, d(1000), 300)]);
    assert_eq!(run.resting(), []);
    run.play_all(&[add(2, Sell, d(1004), 300), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1000, 100), (Sell, 1004, 100)]);
    // The bid improves: the order follows it.
    run.play_all(&[add(3, Buy, d(1001), 300), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1001, 100), (Sell, 1004, 100)]);
    // 300 ahead of us leave, then 40 of the order behind us are executed, then the rest.
    run.play_all(&[add(4, Buy, d(1001), 500), execute(3, 300), execute(4, 40)]);
    assert_eq!((run.position(), run.resting()[0]), (40, (Buy, 1001, 60)));
    run.play_all(&[execute(4, 100), delete(99)]);
    // Long 100: another 100 would exceed 150, so only the offer stays.
    assert_eq!((run.position(), run.resting()), (100, vec![(Sell, 1004, 100)]));
    // Sold: flat again, and both sides are quoted.
    run.play_all(&[add(5, Sell, d(1004), 900), execute(2, 300), execute(5, 100)]);
    assert_eq!(run.position(), 0);
    run.play_all(&[delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1001, 100), (Sell, 1004, 100)]);
    // Halted: no market to make.
    run.play_all(&[status(b'H'), delete(99)]);
    assert_eq!(run.resting(), []);
    let realised = run.trader.account().rows()[0].realised;
    assert_eq!(realised.to_string(), "3.00");
    assert_eq!(run.trader.counts().rejected, 0);
}

#[test]
fn the_maker_does_not_repeat_a_refused_price_until_the_touch_is_another() {
    let own = InstrumentOverride { price_max: Some(10_030_000_000), ..Default::default() };
    let mut run = Run::new(maker_of("maker", own));
    // The tape may show a price that is too high for a new order.
    run.play_all(&[add(1, Buy, d(1000), 100), add(2, Sell, d(1004), 100)]);
    for _ in 0..10 {
        run.play_all(&[delete(99)]);
    }
    assert_eq!(run.trader.counts().rejected, 1);
    assert_eq!(run.resting(), [(Buy, 1000, 100)]);
    run.play_all(&[add(3, Sell, d(1003), 100), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1000, 100), (Sell, 1003, 100)]);
    // Refused while it has an order: that one stays.
    run.play_all(&[delete(3), delete(99), delete(99), delete(99)]);
    assert_eq!(run.trader.counts().rejected, 2);
    assert_eq!(run.resting(), [(Buy, 1000, 100), (Sell, 1003, 100)]);
}

#[test]
fn between_two_ticks_the_maker_quotes_the_one_behind_the_touch() {
    let mut run = Run::new(maker("maker", 0));
    run.play_all(&[add(1, Buy, Price(100_050), 100), add(2, Sell, Price(100_350), 100)]);
    assert_eq!(run.resting(), [(Buy, 1000, 100), (Sell, 1004, 100)]);

    // Own ticks of 5 cents, and of 10 from 10.10 on, go before those of the definition.
    let ticks = TickBands::new(&[(0, 50_000_000), (10_100_000_000, 100_000_000)]).ok();
    let own = InstrumentOverride { ticks, ..Default::default() };
    let mut run = Run::new(maker_of("maker:limit=300,skew=3", own));
    run.play_all(&[add(1, Buy, d(1003), 100), add(2, Sell, d(1011), 100)]);
    assert_eq!(run.resting(), [(Buy, 1000, 100), (Sell, 1020, 100)]);
    run.play_all(&[add(3, Buy, d(1010), 100)]);
    assert_eq!(run.resting(), [(Buy, 1010, 100), (Sell, 1020, 100)]);
    // Long a third of the limit it bids one tick lower, which is one of 5 cents there.
    run.play_all(&[add(4, Buy, d(1010), 100), execute(3, 100), execute(4, 100)]);
    assert_eq!(run.position(), 100);
    assert_eq!(run.resting(), [(Buy, 995, 100), (Sell, 1020, 100)]);
    assert_eq!(run.trader.counts().rejected, 0);
}

#[test]
fn without_symbols_a_second_instrument_is_refused_with_the_way_to_name_them() {
    let mut run = Run::new(maker("maker", 0));
    let other = InstrumentTable::events(0, InstrumentId(14), &Instrument::us_equity("Y"));
    let error = run.play(other[0]).expect_err("two instruments");
    assert_eq!(error.exit_code(), 2);
    let message = error.to_string();
    assert!(message.contains("`X` and `Y`") && message.contains("symbols=X,Y"), "{message}");
    // With a symbol named, other instruments pass by.
    let mut run = Run::new(maker("maker:symbols=X", 0));
    run.play_all(&other);
}

#[test]
fn a_symbol_that_never_appears_is_warned_about_with_the_nearest_one() {
    let mut run = Run::new(maker("maker:symbols=X,XX,NOWHERE", 10));
    run.end();
    let warnings = run.trader.warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("`NOWHERE`") && warnings[0].contains("ringtape info"));
    assert!(warnings[1].contains("`XX`") && warnings[1].contains("did you mean `X`?"));
}

#[test]
fn the_kill_switch_stops_the_maker_for_good() {
    let mut run = Run::new(maker("maker", 500));
    run.play_all(&[add(1, Buy, d(1000), 100), add(2, Sell, d(1002), 100), delete(99)]);
    assert_eq!(run.resting().len(), 2);
    let kill = payload::Kill { account: AccountId(0), all_accounts: 0, pad: Raw([0; 24]) };
    let mut out = vec![];
    let kill = Event::new(0, 0, kill);
    run.trader.command(&kill, &run.replica, &mut out).expect("it ends");
    assert_eq!(kinds(&out), ["cancelled", "cancelled"]);
    assert!(out.iter().all(|execution| execution.reason() == Reason::Killed));
    run.play_all(&[add(3, Buy, d(1001), 100), delete(99), delete(99)]);
    assert_eq!(run.resting(), []);
    assert_eq!(run.trader.counts().submitted, 2);
}

#[test]
fn the_maker_quotes_whole_lots_also_after_a_fill_of_a_part() {
    let own = InstrumentOverride { lot: Some(Qty(10)), ..InstrumentOverride::default() };
    let mut run = Run::new(maker_of("maker:size=105", own));
    run.play_all(&[add(1, Buy, d(1000), 300), add(2, Sell, d(1004), 300), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1000, 100), (Sell, 1004, 100)]);
    run.play_all(&[add(3, Buy, d(1000), 700), execute(1, 300), execute(3, 7)]);
    assert_eq!(run.resting(), [(Buy, 1000, 93), (Sell, 1004, 100)]);
    // 7 are filled: of 107 the order that follows the touch asks for 100.
    run.play_all(&[add(4, Buy, d(1001), 300), delete(99)]);
    assert_eq!(run.resting(), [(Buy, 1001, 93), (Sell, 1004, 100)]);
    assert_eq!(run.trader.counts().rejected, 0);
}

#[test]
fn a_maker_that_can_never_quote_says_why() {
    let lots_of_10 = InstrumentOverride { lot: Some(Qty(10)), ..InstrumentOverride::default() };
    for (spec, own, told) in [
        ("maker:size=2000", InstrumentOverride::default(), Some("set `limit=2000` or more")),
        ("maker:lots=3,limit=299", InstrumentOverride::default(), Some("of 300 would exceed")),
        ("maker:size=9", lots_of_10, Some("less than the lot of 10")),
        ("maker:size=1000", InstrumentOverride::default(), None),
    ] {
        let mut run = Run::new(maker_of(spec, own));
        run.play_all(&[add(1, Buy, d(1000), 300), add(2, Sell, d(1004), 300), delete(99)]);
        run.end();
        let counts = run.trader.counts();
        assert_eq!(counts.submitted == 0, told.is_some(), "{spec}");
        let warnings = run.trader.warnings();
        let warned: Vec<_> = warnings.iter().filter(|one| one.contains("not quote `X`")).collect();
        assert_eq!(warned.len(), usize::from(told.is_some()), "{warnings:?}");
        assert!(told.is_none_or(|told| warned[0].contains(told)), "{warnings:?}");
    }
}

#[test]
fn the_maker_trades_on_the_real_recording_and_the_audit_holds() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let path = folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50");
    let mut runs = [(); 2].map(|()| {
        let mut feed = feed::open(&path, &OpenOptions::default()).expect("the recording");
        let trader = maker("maker", 50_000);
        let mut run = Run { replica: Replica::new(), trader, out: vec![], events: 0 };
        run.trader.start(&run.replica, &mut run.out).expect("it starts");
        let mut events = [bytemuck::Zeroable::zeroed(); 256];
        while let Fill::Records(count) = feed.fill(&mut events).expect("a sound feed") {
            run.play_all(&events[..count]);
        }
        run.end();
        run
    });
    let [first, second] = &mut runs;
    assert!(first.out == second.out);
    let counts = first.trader.counts();
    assert!(counts.fills > 0 && counts.postponed == 0, "{counts:?}");
    let mut portfolio = Portfolio::new(PortfolioConfig { audit: true, ..Default::default() });
    for execution in &first.out {
        portfolio.apply(execution).expect("the audit holds");
    }
    let row = &portfolio.rows()[0];
    eprintln!("{counts:?}: {} {} {} {}", row.position, row.realised, row.unrealised, row.equity);
    assert!(row.priced && row.position.abs() <= 1_000);
    assert_eq!(portfolio.rows(), first.trader.account().rows());
    // The replica holds what the tape says and no own order.
    assert_eq!(first.replica.totals().live_orders, 215);
}
