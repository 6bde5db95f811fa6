//! The replica's memory in the steady state.
//!
//! Would catch an allocation on the hot path: a map node, a queue that grows, a text for a counter.

#[path = "common/allocations.rs"]
mod counting;
#[path = "common/book_events.rs"]
mod events;

use counting::allocated;
use events::*;
use ringtape::book::Replica;
use ringtape::event::Event;
use ringtape::units::Side;

/// Adds, executes, replaces, reduces and at last deletes 20,000 orders in 50 instruments.
fn session() -> Vec<Event> {
    let mut stream = Vec::new();
    for id in 1..=20_000u64 {
        let instrument = (id % 50) as u32;
        let side = if id % 2 == 0 { Side::Buy } else { Side::Sell };
        let depth = (id * 7 % 61) as i64;
        let price = if side == Side::Buy { 1_000 - depth } else { 1_001 + depth };
        stream.push(add(instrument, id, side, price, 100));
        let earlier = (id / 2).max(1);
        stream.push(match id % 7 {
            0 => execute((earlier % 50) as u32, earlier, 100, id),
            1 => trade(instrument, 1_000, 10, id),
            2 => replace((earlier % 50) as u32, earlier, 20_000 + id, 900, 50),
            3 => reduce((earlier % 50) as u32, earlier, 30),
            4 => modify((earlier % 50) as u32, earlier, 950, 200),
            5 => execute_at((earlier % 50) as u32, earlier, 990, 20, id),
            _ => status(instrument, b'T', 0),
        });
    }
    stream.extend((1..=40_000).map(|id| delete(0, id)));
    stream
}

#[test]
fn a_second_session_like_the_first_allocates_nothing() {
    let stream = session();
    let mut replica = Replica::new();
    let mut allocations = || {
        let before = allocated();
        for event in &stream {
            replica.apply(event);
        }
        allocated() - before
    };
    assert!(allocations() > 10, "the counter counts");
    assert_eq!(allocations(), 0);
    assert_eq!(replica.totals().live_orders, 0);
}
