//! Records back into ITCH 5.0 messages: the inverse of the decoder.

use crate::event::kinds::{Letter, Price32, Text};
use crate::event::{Event, EventView, Flags, payload};
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::processor::prefetch_at;
use crate::units::{Price, Qty, Side};

/// Bytes of the header that every message has: type, locate, tracking number, time.
const HEADER_BYTES: usize = 11;

/// Bytes of the length that precedes each message of a file.
const LENGTH_BYTES: usize = 2;

/// Notice bytes that the records of one message can carry.
const NOTICE_BYTES_MAX: usize = 28 + 32 * (MESSAGE_RECORDS_MAX - 1);

/// Bytes of the longest message that records can carry, its length included.
pub(crate) const FRAME_BYTES_MAX: usize = LENGTH_BYTES + HEADER_BYTES + NOTICE_BYTES_MAX;

/// Room for any message.
pub(crate) type Room = [u8; FRAME_BYTES_MAX];

/// Times have 48 bits.
const TIME_LIMIT_NS: u64 = 1 << 48;

/// Writes records as framed ITCH 5.0 messages.
///
/// It remembers the symbols of instruments for the messages that repeat them, and derives tracking
/// numbers from the flag [`LAST`](Flags::LAST): the first execution of an exchange event has 2,
/// each further one 2 more, every other message of the event 1 more; messages alone have 0, a
/// cross alone 1. An event that begins at the very time at which another of its instrument ended
/// begins with no larger number than that one ended with, so that a reader takes them for two.
///
/// ```
/// use ringtape::event::kinds::Text;
/// use ringtape::event::{Event, Flags, payload};
/// use ringtape::feed::itch::Encoder;
/// use ringtape::units::OrderId;
///
/// let delete = payload::Delete { order_id: OrderId(7), pad: bytemuck::Zeroable::zeroed() };
/// let mut out = Vec::new();
/// let event = Event::new(34_200_000_000_000, 13, delete).with_flags(Flags::LAST);
/// assert!(Encoder::new(0).encode(&[event], &mut out));
/// assert_eq!(out[..5], [0, 19, b'D', 0, 13]);
/// assert_eq!(out.len(), 2 + 19);
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    midnight_ns: u64,
    symbols: Vec<[u8; 8]>,
    /// The last message, which the tracking number of the next one must tell it from.
    last: Option<Last>,
    /// Whether its exchange event goes on.
    is_open: bool,
}

/// What a reader looks at when it asks whether a message goes on with the one before.
#[derive(Clone, Copy, Debug)]
struct Last {
    instrument: u32,
    ts_event: u64,
    tracking: u16,
}

/// What stands in front of every message.
#[derive(Clone, Copy)]
struct Header {
    locate: u16,
    tracking: u16,
    time: [u8; 6],
}

/// A framed message of `N` bytes, length included, while it is being put together.
struct Frame<'a, const N: usize>(&'a mut [u8; N]);

impl<'a, const N: usize> Frame<'a, N> {
    // WHY always: with every offset known a frame is a few stores, 40 instructions; as calls, or
    // with a place that moves on from field to field, it is 140.
    #[inline(always)]
    fn new(letter: u8, header: Header, room: &'a mut Room) -> Self {
        let bytes = room.first_chunk_mut().expect("a frame is no longer than the longest");
        *bytes.first_chunk_mut().expect("a frame has a length") =
            ((N - LENGTH_BYTES) as u16).to_be_bytes();
        Self(bytes)
            .put(0, [letter])
            .put(1, header.locate.to_be_bytes())
            .put(3, header.tracking.to_be_bytes())
            .put(5, header.time)
    }

    /// Puts a field at the specification's offset, which counts from the type letter.
    #[inline(always)]
    fn put<const M: usize>(self, offset: usize, field: [u8; M]) -> Self {
        let place = self.0[LENGTH_BYTES + offset..].first_chunk_mut();
        *place.expect("a frame has room for its fields") = field;
        self
    }

    #[inline(always)]
    fn letter(self, offset: usize, letter: Letter) -> Self {
        self.put(offset, [if letter.0 == 0 { b' ' } else { letter.0 }])
    }

    #[inline(always)]
    fn text<const M: usize>(self, offset: usize, text: Text<M>) -> Self {
        self.put(offset, text.0.map(|byte| if byte == 0 { b' ' } else { byte }))
    }

    /// Bytes of the message.
    #[inline(always)]
    fn size(self) -> Option<usize> {
        Some(N)
    }
}

/// A price as ITCH has it; `None` when it does not fit.
fn price4(price: Price) -> Option<[u8; 4]> {
    u32::try_from(price.0).ok().map(u32::to_be_bytes)
}

/// A quantity of 32 bits; `None` when it does not fit.
fn qty4(qty: Qty) -> Option<[u8; 4]> {
    u32::try_from(qty.0).ok().map(u32::to_be_bytes)
}

fn side_letter(side: Side) -> u8 {
    match side {
        Side::Buy => b'B',
        Side::Sell => b'S',
    }
}

impl Encoder {
    /// An encoder for records whose times count from the epoch, on a day that starts at
    /// `midnight_ns`; 0 for records whose times count from midnight.
    pub fn new(midnight_ns: u64) -> Self {
        Self { midnight_ns, symbols: Vec::new(), last: None, is_open: false }
    }

    /// Appends one message, length prefix included, and says whether it wrote anything.
    ///
    /// `records` is one whole message: records flagged [`CONTINUED`](Flags::CONTINUED) and the one
    /// that ends the chain. Nothing is written for what ITCH does not say: commands, records of
    /// the engine, instruments that a reader assumed, values that do not fit their fields.
    pub fn encode(&mut self, records: &[Event], out: &mut Vec<u8>) -> bool {
        let mut room = [0; FRAME_BYTES_MAX];
        let size = self.encode_into(records, &mut room);
        out.extend_from_slice(&room[..size.unwrap_or(0)]);
        size.is_some()
    }

    /// Writes one message to the front of `room` and says how long it is; `None` when there is
    /// nothing to write.
    // WHY always: where the kind of the records is known beforehand, as in the generator, only that
    // kind's few stores are left.
    #[inline(always)]
    pub(crate) fn encode_into(&mut self, records: &[Event], room: &mut Room) -> Option<usize> {
        let (first, last) = (records.first()?, records.last()?);
        let records = match first.view() {
            EventView::Instrument(instrument) => {
                self.learn(first.instrument, instrument.symbol);
                without_assumed(records)
            }
            _ => records,
        };
        let first = records.first()?;
        let view = first.view();
        let tracking = self.next_tracking(&view, first);
        let size = self.encode_message(view, records, tracking, room);
        if size.is_some() {
            let &Event { instrument, ts_event, .. } = first;
            (self.last, self.is_open) = (Some(Last { instrument, ts_event, tracking }), true);
        }
        // What cannot be written may end an event all the same.
        self.is_open &= !last.has(Flags::LAST);
        size
    }

    /// Ends the exchange event that is open, as [`LAST`](Flags::LAST) in its last record does.
    pub(crate) fn end_event(&mut self) {
        self.is_open = false;
    }

    /// Asks for the memory of an instrument's symbol.
    #[inline]
    pub(crate) fn prefetch(&self, instrument: u32) {
        prefetch_at(&self.symbols, instrument as usize);
    }

    /// Remembers the symbol of an instrument.
    fn learn(&mut self, instrument: u32, symbol: Text<24>) {
        let index = instrument as usize;
        if index > usize::from(u16::MAX) {
            return;
        }
        if self.symbols.len() <= index {
            self.symbols.resize(index + 1, [b' '; 8]);
        }
        for (byte, given) in self.symbols[index].iter_mut().zip(symbol.0) {
            *byte = if given == 0 { b' ' } else { given };
        }
    }

    fn stock(&self, instrument: u32) -> [u8; 8] {
        self.symbols.get(instrument as usize).copied().unwrap_or([b' '; 8])
    }

    /// The tracking number of a message that is the next of the open exchange event, or the first.
    #[inline(always)]
    fn next_tracking(&self, view: &EventView<'_>, first: &Event) -> u16 {
        let step = match view {
            EventView::Execute(_) | EventView::Trade(_) => 2,
            EventView::ExecuteAt(_) if first.has(Flags::PRINTABLE) => 2,
            EventView::ExecuteAt(_) | EventView::Cross(_) => 1,
            _ => u16::from(self.is_open),
        };
        match self.last {
            Some(last) if self.is_open => last.tracking.saturating_add(step),
            Some(last)
                if (last.instrument, last.ts_event) == (first.instrument, first.ts_event) =>
            {
                step.min(last.tracking)
            }
            _ => step,
        }
    }

    /// Writes the message; `None` when ITCH cannot say it.
    #[inline(always)]
    fn encode_message(
        &self,
        view: EventView<'_>,
        records: &[Event],
        tracking: u16,
        room: &mut Room,
    ) -> Option<usize> {
        let event = &records[0];
        let since_midnight = event.ts_event.checked_sub(self.midnight_ns)?;
        if since_midnight >= TIME_LIMIT_NS {
            return None;
        }
        let [_, _, time @ ..] = since_midnight.to_be_bytes();
        let header = Header { locate: u16::try_from(event.instrument).ok()?, tracking, time };
        match view {
            EventView::Add(add) => self.add(event, add, header, room),
            EventView::Execute(execute) => Frame::<33>::new(b'E', header, room)
                .put(11, execute.order_id.0.to_be_bytes())
                .put(19, qty4(execute.qty)?)
                .put(23, execute.match_id.0.to_be_bytes())
                .size(),
            EventView::Reduce(reduce) => Frame::<25>::new(b'X', header, room)
                .put(11, reduce.order_id.0.to_be_bytes())
                .put(19, qty4(reduce.qty)?)
                .size(),
            EventView::Delete(delete) => {
                let frame = Frame::<21>::new(b'D', header, room);
                frame.put(11, delete.order_id.0.to_be_bytes()).size()
            }
            EventView::Replace(replace) => Frame::<37>::new(b'U', header, room)
                .put(11, replace.order_id.0.to_be_bytes())
                .put(19, replace.new_order_id.0.to_be_bytes())
                .put(27, qty4(replace.qty)?)
                .put(31, price4(replace.price)?)
                .size(),
            _ => self.encode_rare(view, records, header, room),
        }
    }

    /// The messages that are no change of a displayed order at its own price.
    #[inline(never)]
    fn encode_rare(
        &self,
        view: EventView<'_>,
        records: &[Event],
        header: Header,
        room: &mut Room,
    ) -> Option<usize> {
        let event = &records[0];
        let stock = self.stock(event.instrument);
        match view {
            EventView::ExecuteAt(execute) => {
                let printable = if event.has(Flags::PRINTABLE) { b'Y' } else { b'N' };
                Frame::<38>::new(b'C', header, room)
                    .put(11, execute.order_id.0.to_be_bytes())
                    .put(19, qty4(execute.qty)?)
                    .put(23, execute.match_id.0.to_be_bytes())
                    .put(31, [printable])
                    .put(32, price4(execute.price)?)
                    .size()
            }
            EventView::Trade(trade) => Frame::<46>::new(b'P', header, room)
                .put(11, trade.order_id.0.to_be_bytes())
                .put(19, [side_letter(event.side().unwrap_or(Side::Buy))])
                .put(20, qty4(trade.qty)?)
                .put(24, stock)
                .put(32, price4(trade.price)?)
                .put(36, trade.match_id.0.to_be_bytes())
                .size(),
            EventView::Cross(cross) => Frame::<42>::new(b'Q', header, room)
                .put(11, cross.qty.0.to_be_bytes())
                .put(19, stock)
                .put(27, price4(cross.price)?)
                .put(31, cross.match_id.0.to_be_bytes())
                .letter(39, cross.cross_type)
                .size(),
            EventView::Broken(broken) => {
                let frame = Frame::<21>::new(b'B', header, room);
                frame.put(11, broken.match_id.0.to_be_bytes()).size()
            }
            EventView::Imbalance(imbalance) => write_imbalance(imbalance, stock, header, room),
            EventView::Collar(collar) => Frame::<37>::new(b'J', header, room)
                .put(11, stock)
                .put(19, price4(collar.reference_price)?)
                .put(23, price4(collar.upper_price)?)
                .put(27, price4(collar.lower_price)?)
                .put(31, u32::try_from(collar.extension).ok()?.to_be_bytes())
                .size(),
            EventView::Status(status) => write_status(status, stock, header, room),
            EventView::Phase(phase) => {
                if !b"OSQMEC".contains(&phase.code.0) {
                    return None;
                }
                Frame::<14>::new(b'S', header, room).letter(11, phase.code).size()
            }
            EventView::Instrument(_) => write_directory(records, stock, header, room),
            EventView::Notice(notice) => write_notice(notice, records, header, room),
            _ => None,
        }
    }

    #[inline(always)]
    fn add(
        &self,
        event: &Event,
        add: &payload::Add,
        header: Header,
        room: &mut Room,
    ) -> Option<usize> {
        let side = [side_letter(event.side()?)];
        let (shares, price) = (qty4(add.qty)?, price4(add.price)?);
        let stock = self.stock(event.instrument);
        if add.attribution.0 == [0; 4] {
            Frame::<38>::new(b'A', header, room)
                .put(11, add.order_id.0.to_be_bytes())
                .put(19, side)
                .put(20, shares)
                .put(24, stock)
                .put(32, price)
                .size()
        } else {
            Frame::<42>::new(b'F', header, room)
                .put(11, add.order_id.0.to_be_bytes())
                .put(19, side)
                .put(20, shares)
                .put(24, stock)
                .put(32, price)
                .text(36, add.attribution)
                .size()
        }
    }
}

fn write_imbalance(
    imbalance: &payload::Imbalance,
    stock: [u8; 8],
    header: Header,
    room: &mut Room,
) -> Option<usize> {
    let price = |Price32(price)| u32::to_be_bytes(price);
    Frame::<52>::new(b'I', header, room)
        .put(11, imbalance.paired_qty.0.to_be_bytes())
        .put(19, imbalance.imbalance_qty.0.to_be_bytes())
        .letter(27, imbalance.direction)
        .put(28, stock)
        .put(36, price(imbalance.far_price))
        .put(40, price(imbalance.near_price))
        .put(44, price(imbalance.reference_price))
        .letter(48, imbalance.cross_type)
        .letter(49, imbalance.price_variation)
        .size()
}

/// A trading action, or an operational halt when a market is named.
fn write_status(
    status: &payload::Status,
    stock: [u8; 8],
    header: Header,
    room: &mut Room,
) -> Option<usize> {
    if status.market.0 == 0 {
        Frame::<27>::new(b'H', header, room)
            .put(11, stock)
            .letter(19, status.state)
            .letter(20, status.reserved)
            .text(21, status.reason)
            .size()
    } else {
        Frame::<23>::new(b'h', header, room)
            .put(11, stock)
            .letter(19, status.market)
            .letter(20, status.state)
            .size()
    }
}

/// The records after an instrument whose terms a reader assumed: the message that named it.
fn without_assumed(records: &[Event]) -> &[Event] {
    match records.get(1).map(Event::view) {
        Some(EventView::InstrumentTerms(terms)) if terms.assumed != 0 => &records[2..],
        _ => records,
    }
}

/// A stock directory message; fields without a record are blank.
fn write_directory(
    records: &[Event],
    stock: [u8; 8],
    header: Header,
    room: &mut Room,
) -> Option<usize> {
    let mut round_lot = 0;
    let mut listing: payload::InstrumentListing = bytemuck::Zeroable::zeroed();
    for record in records {
        match record.view() {
            EventView::InstrumentTerms(terms) => round_lot = terms.round_lot,
            EventView::InstrumentListing(given) => listing = *given,
            EventView::Instrument(given) if given.symbol.0[8..] != [0; 16] => return None,
            _ => {}
        }
    }
    Frame::<41>::new(b'R', header, room)
        .put(11, stock)
        .letter(19, listing.market_category)
        .letter(20, listing.financial_status)
        .put(21, round_lot.to_be_bytes())
        .letter(25, listing.round_lots_only)
        .letter(26, listing.issue_class)
        .text(27, listing.issue_subtype)
        .letter(29, listing.authenticity)
        .letter(30, listing.short_sale_threshold)
        .letter(31, listing.ipo)
        .letter(32, listing.luld_tier)
        .letter(33, listing.etp)
        .put(34, listing.etp_leverage.to_be_bytes())
        .letter(38, listing.inverse)
        .size()
}

/// Any other message: its letter, and its body as it came.
fn write_notice(
    notice: &payload::Notice,
    records: &[Event],
    header: Header,
    room: &mut Room,
) -> Option<usize> {
    const START: usize = LENGTH_BYTES + HEADER_BYTES;
    let body_bytes = usize::from(notice.body_bytes);
    let body = &mut room[START..];
    let mut kept = notice.body.0.len();
    body[..kept].copy_from_slice(&notice.body.0);
    for record in records.iter().take(MESSAGE_RECORDS_MAX).skip(1) {
        if let EventView::NoticeMore(more) = record.view() {
            body[kept..kept + more.body.0.len()].copy_from_slice(&more.body.0);
            kept += more.body.0.len();
        }
    }
    if body_bytes > kept {
        return None;
    }
    Frame::<START>::new(notice.message_type.0, header, room);
    let length = ((HEADER_BYTES + body_bytes) as u16).to_be_bytes();
    room[..LENGTH_BYTES].copy_from_slice(&length);
    Some(START + body_bytes)
}
