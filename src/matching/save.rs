//! A matcher's saved state: instruments and their states, books as their queues, stops, pools.
//!
//! A loaded matcher packs its orders anew: handles and spare room differ, nothing that it says or
//! does later differs.

use super::config::InstrumentRules;
use super::hand::{InHand, Shown};
use super::lane::Lane;
use super::matcher::Matcher;
use super::stops::Stop;
use super::terms::{Berth, Codes, Extra, Pool};
use super::uncross::Indicative;
use crate::book::{BookId, ORDER_QTY_MAX, Place};
use crate::error::Result;
use crate::event::{Event, InstrumentTable, TickBands, TradingHours, Zone, payload};
use crate::limits::{EVENT_BYTES, INSTRUMENTS_MAX};
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};

/// The largest place in time that an order's record holds.
const PRIORITY_MAX: u64 = (1 << 48) - 1;

/// Bytes of a saved order at least.
const ORDER_BYTES: usize = 100;

impl Matcher {
    /// Writes everything that the matcher's answers and future depend on, but not its
    /// configuration.
    pub fn save(&self, writer: &mut StateWriter) {
        writer.put_u64(self.matches);
        writer.put_u64(self.books.next_priority());
        self.counts.by_reason.iter().for_each(|&count| writer.put_u64(count));
        writer.put_bool(self.has_terms);
        for terms in
            [self.terms_at_hand.map(bytemuck::cast), self.more_terms_at_hand.map(bytemuck::cast)]
        {
            let words: [u64; 4] = terms.unwrap_or([0; 4]);
            writer.put_bool(terms.is_some());
            words.iter().for_each(|&word| writer.put_u64(word));
        }
        writer.put_len(self.instruments.len());
        for (id, instrument) in self.instruments.iter() {
            writer.put_bytes(bytemuck::cast_slice(&InstrumentTable::events(0, id, instrument)));
        }
        writer.put_len(self.lanes.len());
        for (id, lane) in self.lanes.iter().enumerate() {
            save_lane(lane, writer);
            let desk = self.desks.get(lane.desk as usize);
            save_indicative(&desk.map_or(Indicative::default(), |desk| desk.published), writer);
            let mut orders = Vec::new();
            self.for_each_order(InstrumentId(id as u32), |handle| orders.push(handle));
            writer.put_len(orders.len());
            orders.iter().for_each(|&handle| self.save_order(handle, writer));
        }
    }

    /// Replaces everything by a saved state; the configuration stays.
    ///
    /// # Errors
    ///
    /// [`Error::BadState`](crate::error::Error::BadState) for bytes that no matcher writes.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        let mut loaded = Self::new(self.config);
        loaded.matches = reader.u64()?;
        let next_priority = reader.u64()?;
        if next_priority > PRIORITY_MAX {
            return Err(reader.bad(format!("priority {next_priority} is out of range")));
        }
        for count in &mut loaded.counts.by_reason {
            *count = reader.u64()?;
        }
        loaded.has_terms = reader.bool()?;
        loaded.terms_at_hand = load_words(reader)?.map(bytemuck::cast::<_, payload::Terms>);
        loaded.more_terms_at_hand =
            load_words(reader)?.map(bytemuck::cast::<_, payload::TermsMore>);
        for _ in 0..reader.len(2 * EVENT_BYTES)? {
            for record in reader.bytes()?.chunks(EVENT_BYTES) {
                let event: Event = bytemuck::try_pod_read_unaligned(record)
                    .map_err(|_| reader.bad("an instrument is not whole"))?;
                loaded.instruments.apply(&event);
            }
        }
        let lanes = reader.u64()?;
        if lanes > INSTRUMENTS_MAX as u64 {
            return Err(reader.bad(format!("{lanes} lanes are more than instruments may be")));
        }
        for id in (0..lanes as u32).map(InstrumentId) {
            loaded.load_lane(id, reader)?;
            for _ in 0..reader.len(ORDER_BYTES)? {
                loaded.load_order(id, next_priority, reader)?;
            }
        }
        loaded.books.set_next_priority(next_priority);
        loaded.disturbed.clear();
        loaded.lanes.iter_mut().for_each(|lane| lane.is_disturbed = false);
        *self = loaded;
        Ok(())
    }

    fn load_lane(&mut self, id: InstrumentId, reader: &mut StateReader<'_>) -> Result<()> {
        self.make_lane(id);
        let is_fifo = self.is_fifo();
        let instrument = self.instruments.get(id).copied();
        let lane = self.lane_mut(id);
        if let Some(instrument) = instrument {
            lane.define(&instrument);
        }
        lane.is_halted = reader.bool()?;
        lane.is_call = reader.bool()?;
        lane.opening_over_until = reader.u64()?;
        lane.auction = reader.u8()?;
        lane.last_price = load_price(reader)?;
        lane.rules = InstrumentRules {
            lot: Qty(reader.u64()?),
            collar: load_price(reader)?,
            price_max: load_price(reader)?,
            qty_min: Qty(reader.u64()?),
            qty_max: Qty(reader.u64()?),
            previous_close: load_price(reader)?,
            ticks: load_ticks(reader)?,
            self_trade_group: reader.u64()?,
            hours: load_hours(reader)?,
        };
        if lane.rules.lot.0 == 0 {
            return Err(reader.bad("a lot of 0 has no multiples"));
        }
        lane.judge(is_fifo);
        self.calls += u32::from(self.lane(id).is_call);
        let published = Indicative {
            price: Price(reader.i64()?),
            volume: Qty(reader.u64()?),
            imbalance: Qty(reader.u64()?),
            side: reader.u8()?,
        };
        if published != Indicative::default() || self.lane(id).is_call {
            self.desk_mut(id).published = published;
        }
        Ok(())
    }

    fn save_order(&self, handle: u32, writer: &mut StateWriter) {
        let InHand { shown, codes, extra } = self.look(handle);
        writer.put_u64(shown.order_id.0);
        writer.put_u32(shown.account.0);
        writer.put_u8(shown.side as u8);
        writer.put_i64(shown.price.0);
        writer.put_u64(shown.leaves.0);
        writer.put_u64(shown.cum.0);
        writer.put_u16(codes.bits());
        writer.put_u64(self.books.priority(handle));
        for number in [extra.display.0, extra.reserve.0, extra.group, extra.expire_ts.0] {
            writer.put_u64(number);
        }
        writer.put_i64(extra.stop.trail.0);
        save_price(extra.stop.price, writer);
        save_price(extra.stop.best, writer);
        writer.put_u8(match extra.berth {
            Berth::Book => 0,
            Berth::Stop | Berth::Trailing | Berth::Triggered => 1,
            Berth::Pool(Pool::Market) => 2,
            Berth::Pool(Pool::Opening) => 3,
            Berth::Pool(Pool::Closing) => 4,
        });
    }

    /// Reads an order and puts it where it was; queues and lists are filled front to back.
    fn load_order(
        &mut self,
        instrument: InstrumentId,
        next_priority: u64,
        reader: &mut StateReader<'_>,
    ) -> Result<()> {
        let (order_id, account) = (OrderId(reader.u64()?), AccountId(reader.u32()?));
        let Some(side) = Side::from_code(reader.u8()?) else {
            return Err(reader.bad(format!("order {order_id} has no side")));
        };
        let price = Price(reader.i64()?);
        let (leaves, cum) = (Qty(reader.u64()?), Qty(reader.u64()?));
        let codes = Codes::from_bits(reader.u16()?);
        let priority = reader.u64()?;
        let mut extra = Extra {
            display: Qty(reader.u64()?),
            reserve: Qty(reader.u64()?),
            group: reader.u64()?,
            expire_ts: Nanos(reader.u64()?),
            stop: Stop { trail: Price(reader.i64()?), ..Stop::default() },
            price,
            ..Extra::none(instrument, side)
        };
        extra.stop.price = load_price(reader)?;
        extra.stop.best = load_price(reader)?;
        let place = reader.u8()?;
        let total = leaves.0.checked_add(cum.0);
        let is_sound = total.is_some_and(|total| total <= ORDER_QTY_MAX.0)
            && leaves > extra.reserve
            && (extra.reserve.0 == 0 || codes.is_some_and(Codes::is_iceberg))
            && codes.is_some_and(|codes| codes.is_stop() == (place == 1))
            && codes.is_some_and(|codes| codes.is_iceberg() == (extra.display.0 != 0))
            && priority < next_priority
            && place <= 4
            && !self.is_live(order_id);
        let Some(codes) = codes.filter(|_| is_sound) else {
            return Err(reader.bad(format!("order {order_id} cannot be as it says")));
        };
        let shown = Shown { order_id, account, instrument, side, price, leaves, cum };
        let order = InHand { shown, codes, extra };
        match place {
            0 => self.restore(&order, priority),
            1 => self.pend(&order, Some(priority)),
            2 => self.wait(&order, Pool::Market, Some(priority)),
            3 => self.wait(&order, Pool::Opening, Some(priority)),
            _ => self.wait(&order, Pool::Closing, Some(priority)),
        }
        Ok(())
    }

    /// Puts a saved order at the back of its queue with the place in time that it had.
    fn restore(&mut self, order: &InHand, priority: u64) {
        let Shown { order_id, instrument, side, price, leaves, .. } = order.shown;
        let is_hidden = order.codes.is_hidden();
        let book =
            if is_hidden { BookId::hidden(instrument) } else { BookId::displayed(instrument) };
        let displayed = Qty(leaves.0 - order.extra.reserve.0);
        let place = Place { book, side, price };
        let handle = self.books.restore(order_id, place, displayed, priority);
        self.berth(order, handle, Berth::Book, order.extra.reserve);
        let lane = self.lane_mut(instrument);
        lane.hidden[side.index()] += u32::from(is_hidden);
        lane.icebergs += u32::from(order.codes.is_iceberg());
    }
}

fn save_lane(lane: &Lane, writer: &mut StateWriter) {
    writer.put_bool(lane.is_halted);
    writer.put_bool(lane.is_call);
    writer.put_u64(lane.opening_over_until);
    writer.put_u8(lane.auction);
    save_price(lane.last_price, writer);
    let rules = &lane.rules;
    writer.put_u64(rules.lot.0);
    save_price(rules.collar, writer);
    save_price(rules.price_max, writer);
    writer.put_u64(rules.qty_min.0);
    writer.put_u64(rules.qty_max.0);
    save_price(rules.previous_close, writer);
    save_ticks(rules.ticks.as_ref(), writer);
    writer.put_u64(rules.self_trade_group);
    writer.put_bool(rules.hours.is_some());
    if let Some(TradingHours { open, close, zone }) = rules.hours {
        writer.put_u64(open);
        writer.put_u64(close);
        writer.put_bool(zone == Zone::Eastern);
    }
}

fn load_hours(reader: &mut StateReader<'_>) -> Result<Option<TradingHours>> {
    if !reader.bool()? {
        return Ok(None);
    }
    let (open, close) = (reader.u64()?, reader.u64()?);
    let zone = if reader.bool()? { Zone::Eastern } else { Zone::Utc };
    Ok(Some(TradingHours { open, close, zone }))
}

fn save_indicative(result: &Indicative, writer: &mut StateWriter) {
    writer.put_i64(result.price.0);
    writer.put_u64(result.volume.0);
    writer.put_u64(result.imbalance.0);
    writer.put_u8(result.side);
}

pub(super) fn save_price(price: Option<Price>, writer: &mut StateWriter) {
    writer.put_bool(price.is_some());
    writer.put_i64(price.map_or(0, |price| price.0));
}

fn save_ticks(ticks: Option<&TickBands>, writer: &mut StateWriter) {
    let bands = ticks.map_or(&[][..], TickBands::bands);
    writer.put_len(bands.len());
    for &(from, step) in bands {
        writer.put_u64(from);
        writer.put_u64(step);
    }
}

fn load_ticks(reader: &mut StateReader<'_>) -> Result<Option<TickBands>> {
    let count = reader.len(2 * size_of::<u64>())?;
    let mut bands = Vec::new();
    for _ in 0..count {
        bands.push((reader.u64()?, reader.u64()?));
    }
    match bands.is_empty() {
        true => Ok(None),
        false => TickBands::new(&bands).map(Some).map_err(|what| reader.bad(what)),
    }
}

pub(super) fn load_price(reader: &mut StateReader<'_>) -> Result<Option<Price>> {
    let is_there = reader.bool()?;
    let price = Price(reader.i64()?);
    Ok(is_there.then_some(price))
}

fn load_words(reader: &mut StateReader<'_>) -> Result<Option<[u64; 4]>> {
    let is_there = reader.bool()?;
    let words = [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?];
    Ok(is_there.then_some(words))
}
