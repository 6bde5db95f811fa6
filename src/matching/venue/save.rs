//! The venue's saved state: orders, what is in flight, what was taken.

use super::super::save::{load_price, save_price};
use super::super::stops::{Stop, Traded};
use super::lane::Lane;
use super::new_order::NewOrder;
use super::order::OwnOrder;
use super::simulated::Venue;
use super::wire::{Command, InFlight, Wire};
use crate::error::Result;
use crate::event::{OrderType, TimeInForce};
use crate::hash::SplitMix64;
use crate::limits::INSTRUMENTS_MAX;
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};

impl Venue {
    /// Writes own orders, what is in flight and what was taken.
    pub fn save(&self, writer: &mut StateWriter) {
        writer.put_u64(self.matches);
        writer.put_len(self.killed.len());
        self.killed.iter().for_each(|account| writer.put_u32(account.0));
        writer.put_u64(self.ways.random.state());
        self.ways.used.iter().for_each(|&used| writer.put_u64(used));
        writer.put_len(self.lanes.len());
        for lane in &self.lanes {
            writer.put_u32(lane.instrument.0);
            writer.put_bool(lane.is_of_levels);
            save_price(lane.traded.map(|traded| traded.high), writer);
            save_price(lane.traded.map(|traded| traded.low), writer);
            for queue in lane.queues() {
                writer.put_len(queue.len());
                queue.iter().for_each(|order| save_order(order, writer));
            }
            writer.put_len(lane.taken.entries().len());
            for &(order_id, qty) in lane.taken.entries() {
                writer.put_u64(order_id.0);
                writer.put_u64(qty.0);
            }
        }
        writer.put_len(self.wire.iter().len());
        self.wire.iter().for_each(|in_flight| save_in_flight(in_flight, writer));
    }

    /// Replaces own orders by saved ones; the configuration stays.
    ///
    /// # Errors
    ///
    /// Cut state, or state that is none of a venue.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        let mut loaded = Self::new(self.config().clone());
        loaded.matches = reader.u64()?;
        for _ in 0..reader.len(4)? {
            loaded.killed.push(AccountId(reader.u32()?));
        }
        loaded.ways.random = SplitMix64::new(reader.u64()?);
        loaded.ways.used = [reader.u64()?, reader.u64()?];
        for _ in 0..reader.len(4)? {
            let instrument = load_instrument(reader)?;
            let index = loaded.make_lane(instrument);
            let mut lane = Lane::new(instrument);
            lane.is_of_levels = reader.bool()?;
            let (high, low) = (load_price(reader)?, load_price(reader)?);
            lane.traded = high.zip(low).map(|(high, low)| Traded { high, low });
            for queue in lane.queues_mut() {
                for _ in 0..reader.len(8)? {
                    let order = load_order(reader)?;
                    if order.terms.instrument != instrument {
                        return Err(reader.bad("an order rests at another instrument"));
                    }
                    loaded.note_live(&order);
                    queue.push(order);
                }
            }
            for _ in 0..reader.len(16)? {
                let order_id = OrderId(reader.u64()?);
                lane.taken.add(order_id, Qty(reader.u64()?));
            }
            loaded.lanes[index] = lane;
        }
        let mut wire = Wire::default();
        for _ in 0..reader.len(8)? {
            let in_flight = load_in_flight(reader)?;
            if wire.last_due().is_some_and(|last| last > in_flight.due) {
                return Err(reader.bad("commands in flight are out of order"));
            }
            wire.send(in_flight);
        }
        loaded.wire = wire;
        *self = loaded;
        Ok(())
    }
}

pub(crate) fn save_terms(terms: &NewOrder, writer: &mut StateWriter) {
    writer.put_u32(terms.instrument.0);
    writer.put_u8(terms.side as u8);
    writer.put_i64(terms.price.0);
    writer.put_u64(terms.qty.0);
    writer.put_u8(terms.order_type as u8);
    writer.put_u8(terms.time_in_force as u8);
    let instructions =
        [terms.is_post_only, terms.is_repriced, terms.is_hidden, terms.is_bidask_triggered];
    instructions.into_iter().for_each(|is_asked| writer.put_bool(is_asked));
    writer.put_i64(terms.stop_price.0);
    writer.put_i64(terms.trail.0);
    writer.put_u64(terms.display_qty.0);
    writer.put_u64(terms.expire_ts.0);
}

pub(crate) fn load_terms(reader: &mut StateReader<'_>) -> Result<NewOrder> {
    let instrument = load_instrument(reader)?;
    let side = reader.u8()?;
    let side = Side::from_code(side).ok_or_else(|| reader.bad(format!("no side is {side}")))?;
    let (price, qty) = (Price(reader.i64()?), Qty(reader.u64()?));
    let code = reader.u8()?;
    let order_type =
        OrderType::from_code(code).ok_or_else(|| reader.bad(format!("no order type is {code}")))?;
    let code = reader.u8()?;
    let time_in_force = TimeInForce::from_code(code)
        .ok_or_else(|| reader.bad(format!("no time in force is {code}")))?;
    Ok(NewOrder {
        instrument,
        side,
        price,
        qty,
        order_type,
        time_in_force,
        is_post_only: reader.bool()?,
        is_repriced: reader.bool()?,
        is_hidden: reader.bool()?,
        is_bidask_triggered: reader.bool()?,
        stop_price: Price(reader.i64()?),
        trail: Price(reader.i64()?),
        display_qty: Qty(reader.u64()?),
        expire_ts: Nanos(reader.u64()?),
    })
}

fn save_order(order: &OwnOrder, writer: &mut StateWriter) {
    writer.put_u64(order.id.0);
    writer.put_u32(order.account.0);
    save_terms(&order.terms, writer);
    writer.put_u64(order.expire_ts.0);
    writer.put_u64(order.cum.0);
    writer.put_u64(order.displayed.0);
    save_price(order.stop.price, writer);
    save_price(order.stop.best, writer);
    for number in [order.ahead.0, order.priority, order.printed.0, order.ahead_at_entry.0] {
        writer.put_u64(number);
    }
}

fn load_order(reader: &mut StateReader<'_>) -> Result<OwnOrder> {
    let (id, account) = (OrderId(reader.u64()?), AccountId(reader.u32()?));
    let terms = load_terms(reader)?;
    let expire_ts = Nanos(reader.u64()?);
    let (cum, displayed) = (Qty(reader.u64()?), Qty(reader.u64()?));
    if cum >= terms.qty {
        return Err(reader.bad("an open order has nothing open"));
    }
    let (price, best) = (load_price(reader)?, load_price(reader)?);
    Ok(OwnOrder {
        id,
        account,
        terms,
        expire_ts,
        cum,
        displayed,
        stop: Stop { price, best, trail: terms.trail },
        ahead: Qty(reader.u64()?),
        priority: reader.u64()?,
        printed: Qty(reader.u64()?),
        ahead_at_entry: Qty(reader.u64()?),
    })
}

pub(crate) fn save_in_flight(in_flight: &InFlight, writer: &mut StateWriter) {
    writer.put_u64(in_flight.due.0);
    writer.put_u32(in_flight.account.0);
    writer.put_u32(in_flight.instrument.0);
    match in_flight.command {
        Command::New { order_id, terms } => {
            writer.put_u8(0);
            writer.put_u64(order_id.0);
            save_terms(&terms, writer);
        }
        Command::Cancel { order_id } => {
            writer.put_u8(1);
            writer.put_u64(order_id.0);
        }
        Command::Reduce { order_id, qty } => {
            writer.put_u8(2);
            writer.put_u64(order_id.0);
            writer.put_u64(qty.0);
        }
        Command::Replace { order_id, new_order_id, price, qty } => {
            writer.put_u8(3);
            writer.put_u64(order_id.0);
            writer.put_u64(new_order_id.0);
            writer.put_i64(price.0);
            writer.put_u64(qty.0);
        }
    }
}

pub(crate) fn load_in_flight(reader: &mut StateReader<'_>) -> Result<InFlight> {
    let (due, account) = (Nanos(reader.u64()?), AccountId(reader.u32()?));
    let instrument = load_instrument(reader)?;
    let code = reader.u8()?;
    let order_id = OrderId(reader.u64()?);
    let command = match code {
        0 => Command::New { order_id, terms: load_terms(reader)? },
        1 => Command::Cancel { order_id },
        2 => Command::Reduce { order_id, qty: Qty(reader.u64()?) },
        3 => {
            let (new_order_id, price) = (OrderId(reader.u64()?), Price(reader.i64()?));
            Command::Replace { order_id, new_order_id, price, qty: Qty(reader.u64()?) }
        }
        other => return Err(reader.bad(format!("no command is {other}"))),
    };
    Ok(InFlight { due, account, instrument, command })
}

fn load_instrument(reader: &mut StateReader<'_>) -> Result<InstrumentId> {
    let id = reader.u32()?;
    if id as usize >= INSTRUMENTS_MAX {
        return Err(reader.bad(format!("instrument {id} is beyond the limit")));
    }
    Ok(InstrumentId(id))
}
