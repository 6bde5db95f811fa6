//! Market events for the tests and the bench of the books, in one line each.
#![allow(dead_code, unreachable_pub)]

use bytemuck::Zeroable;
use ringtape::event::kinds::Letter;
use ringtape::event::{Event, Flags, Payload, payload};
use ringtape::units::{MatchId, OrderId, Price, Qty, Side};

/// An event that is an exchange event of its own.
fn whole<P: Payload>(instrument: u32, payload: P) -> Event {
    Event::new(0, instrument, payload).with_flags(Flags::LAST)
}

pub fn add(instrument: u32, order_id: u64, side: Side, price: i64, qty: u64) -> Event {
    let payload = payload::Add {
        order_id: OrderId(order_id),
        price: Price(price),
        qty: Qty(qty),
        ..payload::Add::zeroed()
    };
    whole(instrument, payload).with_side(side)
}

pub fn execute(instrument: u32, order_id: u64, qty: u64, match_id: u64) -> Event {
    let payload = payload::Execute {
        order_id: OrderId(order_id),
        pad: 0,
        qty: Qty(qty),
        match_id: MatchId(match_id),
    };
    whole(instrument, payload)
}

/// Printable; take the flag away for one that is not.
pub fn execute_at(instrument: u32, order_id: u64, price: i64, qty: u64, match_id: u64) -> Event {
    let payload = payload::ExecuteAt {
        order_id: OrderId(order_id),
        price: Price(price),
        qty: Qty(qty),
        match_id: MatchId(match_id),
    };
    whole(instrument, payload).with_flags(Flags::PRINTABLE)
}

pub fn reduce(instrument: u32, order_id: u64, qty: u64) -> Event {
    let payload = payload::Reduce { order_id: OrderId(order_id), pad: 0, qty: Qty(qty), pad2: 0 };
    whole(instrument, payload)
}

pub fn delete(instrument: u32, order_id: u64) -> Event {
    whole(instrument, payload::Delete { order_id: OrderId(order_id), ..payload::Delete::zeroed() })
}

pub fn replace(instrument: u32, order_id: u64, new_order_id: u64, price: i64, qty: u64) -> Event {
    let payload = payload::Replace {
        order_id: OrderId(order_id),
        price: Price(price),
        qty: Qty(qty),
        new_order_id: OrderId(new_order_id),
    };
    whole(instrument, payload)
}

pub fn modify(instrument: u32, order_id: u64, price: i64, qty: u64) -> Event {
    let payload =
        payload::Modify { order_id: OrderId(order_id), price: Price(price), qty: Qty(qty), pad: 0 };
    whole(instrument, payload)
}

pub fn trade(instrument: u32, price: i64, qty: u64, match_id: u64) -> Event {
    let payload = payload::Trade {
        order_id: OrderId(0),
        price: Price(price),
        qty: Qty(qty),
        match_id: MatchId(match_id),
    };
    whole(instrument, payload)
}

pub fn cross(instrument: u32, cross_type: u8, price: i64, qty: u64, match_id: u64) -> Event {
    let payload = payload::Cross {
        cross_type: Letter(cross_type),
        price: Price(price),
        qty: Qty(qty),
        match_id: MatchId(match_id),
        ..payload::Cross::zeroed()
    };
    whole(instrument, payload)
}

pub fn broken(instrument: u32, match_id: u64) -> Event {
    let payload = payload::Broken { match_id: MatchId(match_id), ..payload::Broken::zeroed() };
    whole(instrument, payload)
}

pub fn clear(instrument: u32) -> Event {
    whole(instrument, payload::Clear::zeroed())
}

pub fn level_set(instrument: u32, price: i64, qty: u64) -> Event {
    let payload = payload::LevelSet { order_count: 0, price: Price(price), qty: Qty(qty), pad: 0 };
    whole(instrument, payload)
}

/// `market` is 0 for a state that holds everywhere.
pub fn status(instrument: u32, state: u8, market: u8) -> Event {
    let payload = payload::Status {
        state: Letter(state),
        market: Letter(market),
        ..payload::Status::zeroed()
    };
    whole(instrument, payload)
}

/// The same event as a part of an exchange event that goes on.
pub fn unfinished(mut event: Event) -> Event {
    event.flags &= !Flags::LAST;
    event
}

/// The same execution as one that does not print.
pub fn unprinted(mut event: Event) -> Event {
    event.flags &= !Flags::PRINTABLE;
    event
}
