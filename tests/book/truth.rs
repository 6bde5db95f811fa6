//! The replica against books that others rebuilt from real recordings.
//!
//! Would catch what a model of our own making cannot: a misread rule of the venue.

use std::io::Read;
use std::path::Path;

use ringtape::book::Replica;
use ringtape::event::{Event, Flags};
use ringtape::feed::{self, Fill, OpenOptions};
use ringtape::units::{InstrumentId, Price, Qty, Side};

/// Applies a whole recording; `after` sees the replica and each message's last record.
fn replay(path: &Path, mut after: impl FnMut(&Replica, &Event)) -> Replica {
    let mut feed = feed::open(path, &OpenOptions::default()).expect("a recording that opens");
    let mut replica = Replica::new();
    let mut batch = [bytemuck::Zeroable::zeroed(); 64];
    while let Fill::Records(count) = feed.fill(&mut batch).expect("a good feed") {
        for event in &batch[..count] {
            replica.apply(event);
            if !event.has(Flags::CONTINUED) {
                after(&replica, event);
            }
        }
    }
    replica
}

/// The truth's columns behind the message type: prices and sizes of the touch, then sizes.
fn row(replica: &Replica, id: InstrumentId) -> [u64; 7] {
    let touch = replica.touch(id);
    let levels = |side| replica.levels(id, side).count() as u64;
    [
        touch.bid_price.0 as u64,
        touch.bid_qty.0,
        touch.ask_price.0 as u64,
        touch.ask_qty.0,
        replica.totals().live_orders as u64,
        levels(Side::Buy),
        levels(Side::Sell),
    ]
}

#[test]
fn the_aapl_book_equals_the_published_one_after_each_of_ten_thousand_messages() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let folder = folder.join("itch");
    let packed = std::fs::File::open(folder.join("AAPL_20200130_premarket_10k.bbo.csv.gz"));
    let mut truth = String::new();
    flate2::read::MultiGzDecoder::new(packed.expect("the truth"))
        .read_to_string(&mut truth)
        .expect("a text");
    let mut rows = truth.lines().skip(1);

    let aapl = InstrumentId(13);
    let mut compared = 0;
    let replica =
        replay(&folder.join("AAPL_20200130_premarket_10k.NASDAQ_ITCH50"), |replica, event| {
            let columns: Vec<&str> = rows.next().expect("a row a message").split(',').collect();
            let number = |column: usize| columns[column].parse::<u64>().expect("a number");
            let expected: [u64; 7] = std::array::from_fn(|column| number(column + 3));
            assert_eq!((compared, event.ts_event), (number(0), number(1)));
            assert_eq!(row(replica, aapl), expected, "message {compared}");
            compared += 1;
        });
    assert_eq!((compared, rows.next()), (10_000, None));

    let stats = replica.stats(aapl);
    assert_eq!((stats.executed_qty, stats.hidden_qty), (Qty(56_086), Qty(25_470)));
    assert_eq!(stats.volume, Qty(56_086 + 25_470));
    assert_eq!(replica.counts(), &ringtape::book::ReplicaCounts::default());
    let touch = replica.touch(aapl);
    assert_eq!((touch.bid_price, touch.ask_price), (Price(3_201_400), Price(3_203_000)));
    assert_eq!(replica.totals().levels, 79 + 63);
    assert_eq!(replica.instruments().find("AAPL"), Some(aapl));
    assert!(replica.is_trading(aapl) && !replica.is_event_open(aapl));
}

#[test]
fn a_slice_from_mid_day_names_unknown_orders_in_399_messages() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let mut changes = 0;
    let replica = replay(&folder.join("itch/ALL_20191230_open_1000.NASDAQ_ITCH50"), |_, _| {
        changes += 1;
    });
    assert_eq!((changes, replica.counts().unknown_orders.count), (1_000, 399));
    assert_eq!(replica.counts().duplicate_adds.count, 0);
}

#[test]
fn the_artificial_file_names_unknown_orders_in_117_messages() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let replica = replay(&folder.join("itch/ex20101224.TEST_ITCH_50.gz"), |_, _| {});
    assert_eq!(replica.counts().unknown_orders.count, 117);
}
