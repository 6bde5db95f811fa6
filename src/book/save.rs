//! The bytes of a saved replica, and loading it.
//!
//! Orders may come in any order: their priorities say how they queue. A loaded replica packs them
//! anew, so handles and spare room differ, nothing that the replica says or does later differs.

use super::books::{Book, Books};
use super::counts::ReplicaCounts;
use super::levels::{LEVEL_BOOK_BYTES, LevelBooks};
use super::order::{ORDER_QTY_MAX, PRIORITY_MAX};
use super::prints::{PRINT_BYTES, Prints};
use super::replica::Replica;
use super::tape::{InstrumentStats, Tape, Turnover, Units};
use super::view::{Best, OrderView};
use crate::error::Result;
use crate::event::{Event, Instrument, InstrumentTable};
use crate::feed::Located;
use crate::hash::RunningHash;
use crate::limits::{EVENT_BYTES, INSTRUMENTS_MAX};
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, OrderId, Price, Qty, Side};

impl Replica {
    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::BadState`](crate::error::Error::BadState) for bytes that no replica writes.
    pub fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let applied = reader.u64()?;
        let touches = RunningHash::resume(reader.u64()?);
        let counts = load_counts(reader)?;
        let next_priority = reader.u64()?;
        let peak_orders = reader.u64()? as usize;
        let orders = reader.len(ORDER_BYTES)?;
        let count = reader.u64()?;
        let prints = reader.len(PRINT_BYTES)?;
        let defined = reader.len(2 * EVENT_BYTES)?;
        let used = reader.len(BOOK_BYTES)?;
        let of_levels = reader.len(LEVEL_BOOK_BYTES)?;
        let prints = Prints::load(prints, reader)?;
        let instruments = load_instruments(defined, reader)?;
        if next_priority > PRIORITY_MAX {
            return Err(reader.bad(format!("priority {next_priority} is out of range")));
        }
        let mut books = Books::with_capacity(orders);
        books.next_priority = next_priority;
        let tapes = load_books(count, used, &mut books.books, reader)?;
        for (id, instrument) in instruments.iter() {
            let book = books.books.get_mut(id.0 as usize);
            book.ok_or_else(|| reader.bad(format!("instrument {id} has no book")))?.units =
                Units::of(instrument);
        }
        load_orders(orders, &mut books, reader)?;
        books.earlier_peak = peak_orders;
        let level_books = LevelBooks::load(of_levels, reader)?;
        set_touches(&mut books, &level_books);
        Ok(Self { level_books, books, tapes, instruments, prints, counts, touches, applied })
    }
}

/// The touches of books of levels, which are not of orders.
fn set_touches(books: &mut Books, levels: &LevelBooks) {
    for (id, book) in (0..).zip(&mut books.books) {
        for side in [Side::Buy, Side::Sell] {
            if let Some(best) = levels.levels(InstrumentId(id), side).next() {
                book.best[side.index()] = Best { price: best.price, qty: best.qty };
            }
        }
    }
}

/// Bytes of a saved book and tape with their number.
const BOOK_BYTES: usize = 4 + 2 * 16 + 4 + 2 * 9 + 3 * 8 + 7 * 8;

/// Bytes of a saved order.
pub(super) const ORDER_BYTES: usize = 8 + 4 + 1 + 8 + 8 + 8;

pub(super) fn save_order(order: &OrderView, writer: &mut StateWriter) {
    writer.put_u64(order.order_id.0);
    writer.put_u32(order.instrument.0);
    writer.put_u8(order.side as u8);
    writer.put_i64(order.price.0);
    writer.put_u64(order.qty.0);
    writer.put_u64(order.priority);
}

/// Reads the books, still without orders, and gives the tapes beside them.
fn load_books(
    count: u64,
    used: usize,
    books: &mut Vec<Book>,
    reader: &mut StateReader<'_>,
) -> Result<Vec<Tape>> {
    if count > INSTRUMENTS_MAX as u64 {
        return Err(reader.bad(format!("{count} books are more than instruments may be")));
    }
    books.resize_with(count as usize, Book::default);
    let mut tapes = vec![Tape::default(); books.len()];
    for _ in 0..used {
        let id = reader.u32()?;
        let Some(book) = books.get_mut(id as usize) else {
            return Err(reader.bad(format!("book {id} of {count}")));
        };
        *book = load_book(reader)?;
        tapes[id as usize] = load_tape(reader)?;
    }
    Ok(tapes)
}

/// Puts saved orders into their queues, one queue after another, each front to back.
fn load_orders(count: usize, books: &mut Books, reader: &mut StateReader<'_>) -> Result<()> {
    let mut orders = (0..count).map(|_| load_order(reader)).collect::<Result<Vec<_>>>()?;
    // Best level last, where a ladder takes it without moving the others.
    let place = |order: &OrderView| {
        let rank = if order.side == Side::Buy { order.price.0 } else { !order.price.0 };
        (order.instrument, order.side as u8, rank, order.priority)
    };
    orders.sort_unstable_by_key(place);
    let mut last = None;
    for order in orders {
        let fits = (order.instrument.0 as usize) < books.books.len()
            && (1..=ORDER_QTY_MAX.0).contains(&order.qty.0)
            && order.priority < books.next_priority
            && last != Some(place(&order))
            && books.find(order.order_id).is_none();
        if !fits {
            return Err(reader.bad(format!("order {} cannot rest as it says", order.order_id)));
        }
        books.restore(order);
        last = Some(place(&order));
    }
    Ok(())
}

fn load_order(reader: &mut StateReader<'_>) -> Result<OrderView> {
    let (order_id, instrument) = (OrderId(reader.u64()?), InstrumentId(reader.u32()?));
    let Some(side) = Side::from_code(reader.u8()?) else {
        return Err(reader.bad(format!("order {order_id} has no side")));
    };
    let (price, qty, priority) = (Price(reader.i64()?), Qty(reader.u64()?), reader.u64()?);
    Ok(OrderView { order_id, instrument, side, price, qty, priority })
}

pub(super) fn save_book(book: &Book, writer: &mut StateWriter) {
    for side in &book.marked {
        writer.put_i64(side.price.0);
        writer.put_u64(side.qty.0);
    }
    writer.put_u8(book.state);
    writer.put_bool(book.is_halted);
    writer.put_bool(book.is_open);
    writer.put_bool(book.is_crossing_counted);
}

fn load_book(reader: &mut StateReader<'_>) -> Result<Book> {
    let mut book = Book::default();
    book.is_changed = true;
    for side in &mut book.marked {
        *side = Best { price: Price(reader.i64()?), qty: Qty(reader.u64()?) };
    }
    book.state = reader.u8()?;
    book.is_halted = reader.bool()?;
    book.is_open = reader.bool()?;
    book.is_crossing_counted = reader.bool()?;
    Ok(book)
}

pub(super) fn save_tape(tape: &Tape, writer: &mut StateWriter) {
    for price in [tape.last_price, tape.close_price] {
        writer.put_bool(price.is_some());
        writer.put_i64(price.map_or(0, |price| price.0));
    }
    writer.put_u64(tape.session_cross_qty.0);
    writer.put_u64(tape.turnover.value as u64);
    writer.put_u64((tape.turnover.value >> 64) as u64);
    writer.put_u64(tape.turnover.qty.0);
    let stats = &tape.stats;
    for qty in [
        stats.volume,
        stats.executed_qty,
        stats.unprinted_qty,
        stats.hidden_qty,
        stats.cross_qty,
        stats.broken_qty,
    ] {
        writer.put_u64(qty.0);
    }
    writer.put_u64(stats.trades);
}

fn load_tape(reader: &mut StateReader<'_>) -> Result<Tape> {
    let mut price = || -> Result<Option<Price>> {
        let is_known = reader.bool()?;
        let price = Price(reader.i64()?);
        Ok(is_known.then_some(price))
    };
    let (last_price, close_price) = (price()?, price()?);
    let session_cross_qty = Qty(reader.u64()?);
    let (low, high) = (reader.u64()?, reader.u64()?);
    let value = (u128::from(high) << 64 | u128::from(low)).cast_signed();
    let turnover = Turnover { value, qty: Qty(reader.u64()?) };
    let stats = InstrumentStats {
        volume: Qty(reader.u64()?),
        executed_qty: Qty(reader.u64()?),
        unprinted_qty: Qty(reader.u64()?),
        hidden_qty: Qty(reader.u64()?),
        cross_qty: Qty(reader.u64()?),
        broken_qty: Qty(reader.u64()?),
        trades: reader.u64()?,
    };
    Ok(Tape { stats, last_price, close_price, session_cross_qty, turnover })
}

pub(super) fn save_instrument(id: InstrumentId, one: &Instrument, writer: &mut StateWriter) {
    writer.put_bytes(bytemuck::cast_slice(&InstrumentTable::events(0, id, one)));
}

fn load_instruments(count: usize, reader: &mut StateReader<'_>) -> Result<InstrumentTable> {
    let mut table = InstrumentTable::default();
    for _ in 0..count {
        for record in reader.bytes()?.chunks(EVENT_BYTES) {
            let event: Event = bytemuck::try_pod_read_unaligned(record)
                .map_err(|_| reader.bad("an instrument is not whole"))?;
            table.apply(&event);
        }
    }
    Ok(table)
}

pub(super) fn save_counts(counts: &ReplicaCounts, writer: &mut StateWriter) {
    for Located { count, first, last, first_ts, last_ts, first_source, last_source, .. } in [
        counts.unknown_orders,
        counts.crossed,
        counts.quotes_differ,
        counts.duplicate_adds,
        counts.halts,
    ] {
        for number in [count, first, last, first_ts, last_ts] {
            writer.put_u64(number);
        }
        for source in [first_source, last_source] {
            writer.put_u32(source.unwrap_or(0));
        }
    }
    for count in [
        counts.quotes,
        counts.zero_quantities,
        counts.excess_quantities,
        counts.oversized_orders,
        counts.sideless_orders,
        counts.foreign_orders,
        counts.instruments_out_of_range,
        counts.unsupported,
        counts.unknown_breaks,
    ] {
        writer.put_u64(count);
    }
}

fn load_counts(reader: &mut StateReader<'_>) -> Result<ReplicaCounts> {
    let mut located = || -> Result<Located> {
        Ok(Located {
            count: reader.u64()?,
            first: reader.u64()?,
            last: reader.u64()?,
            first_ts: reader.u64()?,
            last_ts: reader.u64()?,
            first_source: Some(reader.u32()?).filter(|source| *source > 0),
            last_source: Some(reader.u32()?).filter(|source| *source > 0),
            // Of an event of the ring, which is no byte of a file.
            ..Located::default()
        })
    };
    Ok(ReplicaCounts {
        unknown_orders: located()?,
        crossed: located()?,
        quotes_differ: located()?,
        duplicate_adds: located()?,
        halts: located()?,
        quotes: reader.u64()?,
        zero_quantities: reader.u64()?,
        excess_quantities: reader.u64()?,
        oversized_orders: reader.u64()?,
        sideless_orders: reader.u64()?,
        foreign_orders: reader.u64()?,
        instruments_out_of_range: reader.u64()?,
        unsupported: reader.u64()?,
        unknown_breaks: reader.u64()?,
    })
}
