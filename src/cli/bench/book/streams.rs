//! Streams that are hard on books: what a book pays for where its structure is weak.

use bytemuck::Zeroable;
use ringtape::event::{Event, Flags, Payload, payload};
use ringtape::units::{MatchId, OrderId, Price, Qty, Side};

/// Events that fill the books, and those that are timed.
pub(super) struct Stream {
    pub(super) name: &'static str,
    pub(super) fill: Vec<Event>,
    pub(super) timed: Vec<Event>,
}

/// Every stream.
pub(super) fn worst_cases() -> Vec<Stream> {
    vec![crowd(), sweep(), far_end(), walk(), growth()]
}

fn event<P: Payload>(payload: P) -> Event {
    Event::new(0, 1, payload).with_flags(Flags::LAST)
}

fn add(order_id: u64, side: Side, price: i64) -> Event {
    event(payload::Add {
        order_id: OrderId(order_id),
        price: Price(price),
        qty: Qty(100),
        ..payload::Add::zeroed()
    })
    .with_side(side)
}

fn delete(order_id: u64) -> Event {
    event(payload::Delete { order_id: OrderId(order_id), ..payload::Delete::zeroed() })
}

fn execute(order_id: u64) -> Event {
    let match_id = MatchId(order_id);
    event(payload::Execute { order_id: OrderId(order_id), pad: 0, qty: Qty(100), match_id })
}

/// 100,000 orders at one price leave from the middle outward.
fn crowd() -> Stream {
    const ORDERS: u64 = 100_000;
    let middle = ORDERS / 2;
    Stream {
        name: "100,000 orders at one price, cancelled from the middle",
        fill: (0..ORDERS).map(|id| add(id, Side::Buy, 1_000_000)).collect(),
        timed: (0..middle)
            .flat_map(|far| [delete(middle - 1 - far), delete(middle + far)])
            .collect(),
    }
}

/// An aggressor takes 5,000 orders, five at each price; twenty times.
fn sweep() -> Stream {
    const MAKERS: u64 = 5_000;
    const TIMES: u64 = 20;
    let price = |id: u64| 1_000_000 + (id % MAKERS / 5) as i64 * 100;
    let makers = (0..MAKERS * TIMES).map(|id| add(id, Side::Sell, price(id)));
    Stream {
        name: "sweeps of 5,000 makers",
        fill: makers.collect(),
        // All makers of a price stand in one queue, so that a sweep takes each price in turn.
        timed: (0..MAKERS / 5)
            .flat_map(|level| {
                (0..TIMES).flat_map(move |turn| (0..5).map(move |n| turn * MAKERS + level * 5 + n))
            })
            .map(execute)
            .collect(),
    }
}

/// A side of 10,000 levels whose far end comes and goes.
fn far_end() -> Stream {
    const LEVELS: u64 = 10_000;
    const TIMES: u64 = 50_000;
    Stream {
        name: "the far end of 10,000 levels comes and goes",
        fill: (0..LEVELS).map(|id| add(id, Side::Buy, 10_000_000 - id as i64 * 100)).collect(),
        timed: (0..TIMES)
            .flat_map(|turn| {
                let id = LEVELS + turn;
                [add(id, Side::Buy, 100 + (turn % 50) as i64), delete(id)]
            })
            .collect(),
    }
}

/// The price rises for ever: the touch moves on, and the far end follows 200 levels behind.
fn walk() -> Stream {
    const WIDTH: i64 = 200;
    const STEPS: i64 = 100_000;
    let bid = |step: i64| add(2 * step as u64, Side::Buy, 100 * (WIDTH + step));
    let offer = |step: i64| add(2 * step as u64 + 1, Side::Sell, 100 * (2 * WIDTH + 1 + step));
    let step_of = |step: i64| {
        let gone = (step - WIDTH) as u64;
        [delete(2 * gone + 1), bid(step), offer(step), delete(2 * gone)]
    };
    Stream {
        name: "a price that rises 100,000 ticks, 200 levels a side",
        fill: (0..WIDTH).flat_map(|step| [bid(step), offer(step)]).collect(),
        timed: (WIDTH..WIDTH + STEPS).flat_map(step_of).collect(),
    }
}

/// Two million orders come and none leaves: slab and index grow.
fn growth() -> Stream {
    const ORDERS: u64 = 2_000_000;
    Stream {
        name: "2,000,000 orders come into an empty replica",
        fill: Vec::new(),
        timed: (0..ORDERS)
            .map(|id| Event {
                instrument: (id % 4_096) as u32,
                ..add(id, Side::Buy, 1_000_000 - (id / 4_096 % 64) as i64 * 100)
            })
            .collect(),
    }
}
