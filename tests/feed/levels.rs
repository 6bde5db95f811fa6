//! Feeds of price levels: read exactly, put in sequence, held to what the venue says.
//!
//! Would catch a level that is not removed, a diff that is applied twice or left out, a rounded
//! price, a gap that nobody hears of, levels that a snapshot does not clear, a journal or a saved
//! book that differs.
#![cfg(feature = "json")]

use std::fs;

use ringtape::book::{Replica, Touch};
use ringtape::event::{Event, EventView, Flags};
use ringtape::feed::binance::BinanceFeed;
use ringtape::feed::tardis::TardisFeed;
use ringtape::feed::{Feed, Zone};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::{InstrumentId, Price, Qty, Side};

use crate::common::program::run;
use crate::feed_common::{Trickle, drain, drain_to_fault};

const ID: InstrumentId = InstrumentId(1);

/// Eight decimal places.
const ONE: i64 = 100_000_000;

fn depth(first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        "1723161253937085768 {{\"stream\":\"x@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\
         \"E\":1723161255208,\"s\":\"XUSDT\",\"U\":{first},\"u\":{last},\"b\":[{bids}],\
         \"a\":[{asks}]}}}}\n"
    )
}

fn snapshot(last: u64, bids: &str, asks: &str) -> String {
    format!("1723161254206652067 {{\"lastUpdateId\":{last},\"bids\":[{bids}],\"asks\":[{asks}]}}\n")
}

fn ticker(id: u64, bid: &str, ask: &str) -> String {
    format!(
        "1723161254087891268 {{\"stream\":\"x@bookTicker\",\"data\":{{\"u\":{id},\
         \"s\":\"XUSDT\",\"b\":\"{bid}\",\"B\":\"1\",\"a\":\"{ask}\",\"A\":\"1\"}}}}\n"
    )
}

const TRADE: &str = "1723161254087896568 {\"stream\":\"x@trade\",\"data\":{\"e\":\"trade\",\
                     \"E\":1723161255343,\"s\":\"XUSDT\",\"t\":7,\"p\":\"10.00000001\",\
                     \"q\":\"0.5\",\"T\":1723161255342,\"m\":true,\"M\":true}}\n";

fn binance(lines: &[String]) -> BinanceFeed {
    BinanceFeed::from_bytes("x", lines.concat()).expect("a recording")
}

fn replica_of(events: &[Event]) -> Replica {
    let mut replica = Replica::new();
    events.iter().for_each(|event| _ = replica.apply(event));
    replica
}

fn prices(replica: &Replica, side: Side) -> Vec<(i64, u64)> {
    replica.levels(ID, side).map(|level| (level.price.0, level.qty.0)).collect()
}

#[test]
fn a_book_begins_with_the_snapshot_and_the_diffs_that_it_does_not_hold() {
    let mut feed = binance(&[
        depth(1, 4, r#"["9","7"]"#, ""),
        depth(5, 6, r#"["10","3"]"#, r#"["11","0"]"#),
        snapshot(5, r#"["8","1"]"#, r#"["11","2"],["12","2"]"#),
        depth(7, 8, r#"["8","0"],["10","0"],["9.5","0.00000001"]"#, ""),
        TRADE.to_owned(),
    ]);
    let events = drain(&mut feed);
    let replica = replica_of(&events);
    assert_eq!(prices(&replica, Side::Buy), [(95 * ONE / 10, 1)]);
    assert_eq!(prices(&replica, Side::Sell), [(12 * ONE, 2 * ONE as u64)]);
    assert_eq!(replica.last_price(ID), Some(Price(10 * ONE + 1)));
    assert_eq!(replica.stats(ID).volume, Qty(ONE as u64 / 2));
    assert_eq!(feed.checks().gaps.count, 0);
    let clears = |event: &&Event| matches!(event.view(), EventView::Clear(_));
    assert_eq!(events.iter().filter(clears).count(), 1);
    // The snapshot with its held diff is one exchange event, the diff another.
    let last = events.iter().filter(|event| event.has(Flags::LAST)).count();
    assert_eq!(last, 3, "snapshot, diff, trade");
    assert_eq!(feed.description().zone, Zone::Utc);
}

#[test]
fn a_missing_diff_is_a_gap_and_a_new_snapshot_heals_it() {
    let lines = [
        snapshot(5, r#"["8","1"]"#, r#"["11","2"]"#),
        depth(6, 6, r#"["8","2"]"#, ""),
        depth(9, 10, r#"["7","1"]"#, ""),
        snapshot(20, r#"["9","1"]"#, r#"["11","2"]"#),
        depth(21, 21, r#"["9","3"]"#, ""),
        depth(21, 21, r#"["9","4"]"#, ""),
    ];
    let mut feed = binance(&lines);
    let events = drain(&mut feed);
    assert_eq!(feed.checks().gaps.count, 2, "updates 7 and 8");
    let doubtful = |event: &&Event| event.has(Flags::MAYBE_BAD);
    assert_eq!(events.iter().filter(doubtful).count(), 1);
    assert_eq!(prices(&replica_of(&events), Side::Buy), [(9 * ONE, 3 * ONE as u64)]);
}

#[test]
fn the_venues_best_prices_are_compared_with_the_book_of_their_update() {
    let lines = [
        snapshot(5, r#"["8","1"],["7","1"]"#, r#"["11","1"]"#),
        ticker(6, "8", "11"),
        ticker(8, "7", "11"),
        depth(6, 7, r#"["6","1"]"#, ""),
        depth(8, 8, r#"["8","0"]"#, ""),
        ticker(9, "9", "11"),
        depth(9, 9, r#"["5","1"]"#, ""),
    ];
    let replica = replica_of(&drain(&mut binance(&lines)));
    assert_eq!(replica.counts().quotes, 3);
    assert_eq!(replica.counts().quotes_differ.count, 1, "nobody told of the bid at 9");
}

#[test]
fn without_a_snapshot_there_is_no_book_and_the_user_is_told() {
    let mut feed = binance(&[depth(1, 4, r#"["9","7"]"#, ""), TRADE.to_owned()]);
    let replica = replica_of(&drain(&mut feed));
    assert_eq!(replica.touch(ID), Touch::default());
    let told = feed.description().assumptions.concat();
    assert!(told.contains("1 depth diffs of XUSDT were left out"), "{told}");
}

#[test]
fn faults_name_line_and_byte_after_everything_before_them() {
    let good = snapshot(5, r#"["8","1"]"#, "");
    for (bad, told) in [
        (depth(6, 6, r#"["8.123456789","1"]"#, ""), "`8.123456789` is no price"),
        (depth(6, 6, r#"["8","-1"]"#, ""), "`-1` is no quantity"),
        ("1723161254206652067 {\"stream\":\n".to_owned(), "EOF while parsing"),
        ("nonsense\n".to_owned(), "does not begin with a time"),
    ] {
        let mut feed = binance(&[good.clone(), depth(6, 6, r#"["8","2"]"#, ""), bad.clone()]);
        let (events, outcome) = drain_to_fault(&mut feed, 8);
        assert_eq!(prices(&replica_of(&events), Side::Buy), [(8 * ONE, 2 * ONE as u64)]);
        let fault = outcome.expect_err("a fault").to_string();
        assert!(fault.contains("line 3: ") && fault.contains(told), "{fault}");
    }
    let strange = "1723161254206652067 {\"stream\":\"x@kline\",\"data\":{}}\n".to_owned();
    let mut feed = binance(&[strange, good]);
    drain(&mut feed);
    assert_eq!(feed.checks().unknown_types.count, 1);
}

const ROWS: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
    binance,BTCUSDT,1000,1010,true,bid,10.5,3\nbinance,BTCUSDT,1000,1010,true,ask,11,1\n\
    binance,BTCUSDT,1001,1011,false,bid,10.5,0\nbinance,BTCUSDT,1001,1011,false,bid,10.4,2\n\
    binance,ETHUSDT,1001,1011,true,bid,2,1\nbinance,BTCUSDT,1002,1012,false,ask,11,0.00000001\n\
    binance,BTCUSDT,1003,1013,true,bid,9,1\nbinance,BTCUSDT,1003,1013,true,ask,12,1\n";

#[test]
fn tardis_rows_are_grouped_by_message_and_a_snapshot_begins_anew() {
    let mut feed = TardisFeed::from_bytes("book.csv", ROWS).expect("rows");
    let events = drain(&mut feed);
    let levels = |event: &&Event| matches!(event.view(), EventView::LevelSet(_));
    let last: Vec<bool> = events.iter().filter(levels).map(Event::is_last).collect();
    assert_eq!(last, [false, true, false, true, true, true, false, true]);
    let until = events.iter().rposition(|event| matches!(event.view(), EventView::Clear(_)));
    let before = replica_of(&events[..until.expect("a second snapshot")]);
    assert_eq!(prices(&before, Side::Buy), [(10_400_000_000, 200_000_000)]);
    assert_eq!(prices(&before, Side::Sell), [(11_000_000_000, 1)]);
    let replica = replica_of(&events);
    assert_eq!(prices(&replica, Side::Buy), [(9_000_000_000, 100_000_000)]);
    assert_eq!(replica.touch(InstrumentId(2)).bid_price, Price(2_000_000_000));
    assert_eq!(replica.totals().levels, 3);
    assert_eq!(feed.checks().first_ts, Some(1_000_000));

    let trickle = Trickle { inner: ROWS.as_bytes(), step: 3 };
    let mut slow = TardisFeed::from_reader("book.csv", trickle).expect("rows");
    assert_eq!(drain(&mut slow), events);
    let bad = ROWS.replace("bid,10.4", "bod,10.4");
    let (_, outcome) = drain_to_fault(&mut TardisFeed::from_bytes("b", bad).expect("rows"), 8);
    let told = outcome.expect_err("a fault").to_string();
    assert!(told.contains("line 5: the side is `bod`"), "{told}");
}

#[test]
fn a_saved_book_of_levels_goes_on_as_it_was() {
    let events = drain(&mut TardisFeed::from_bytes("book.csv", ROWS).expect("rows"));
    for cut in 0..events.len() {
        let mut writer = StateWriter::default();
        replica_of(&events[..cut]).save(&mut writer);
        let bytes = writer.into_bytes();
        let mut loaded = Replica::load(&mut StateReader::new("books", &bytes)).expect("whole");
        events[cut..].iter().for_each(|event| _ = loaded.apply(event));
        assert_eq!(loaded.books_hash(), replica_of(&events).books_hash(), "{cut}");
    }
}

#[test]
fn a_feed_of_levels_goes_through_the_whole_program_and_its_journal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let feed = folder.join("book.csv").display().to_string();
    fs::write(&feed, ROWS).expect("written");
    let dir = folder.join("run").display().to_string();
    let first = run(["replay", &feed, "--json", "--journal", &dir]);
    assert_eq!(first.code, 0, "{}", first.all());
    let again = run(["replay", &dir, "--json"]).json();
    let first = first.json();
    assert_eq!(again["hashes"], first["hashes"]);
    assert_eq!(again["feed"]["messages"], first["feed"]["messages"]);
    assert_eq!(first["hashes"]["books_of"], "levels");
    assert_eq!(first["feed"]["clock"], "utc");
    let resumed = run(["replay", &feed, "--json", "--journal", &dir, "--resume"]);
    assert_eq!(resumed.code, 0, "{}", resumed.all());
    assert_eq!(resumed.json()["hashes"], first["hashes"]);

    let book = run(["book", &feed, "--symbol", "BTCUSDT", "--json"]).json();
    assert_eq!(book["bids"][0]["price"], "9.000000000");
    let rows = run(["book", &feed, "--symbol", "BTCUSDT", "--csv"]).stdout;
    assert!(rows.ends_with(",9000000000,100000000,12000000000,100000000,0,1,1\n"), "{rows}");
    for from in [&feed, &dir] {
        let refused = run(["replay", from, "--check-matching"]);
        assert_eq!(refused.code, 2, "{}", refused.all());
        assert!(refused.stderr.contains("price levels"), "{}", refused.stderr);
    }
    assert_eq!(run(["replay", &feed, "--date", "2024-08-08"]).code, 2, "its times have their date");
}
