//! Records back into ITCH 5.0 messages: the inverse of the decoder.

use crate::event::kinds::{Letter, Price32, Text};
use crate::event::{Event, EventView, Flags, payload};
use crate::limits::MESSAGE_RECORDS_MAX;
use crate::units::{Price, Qty, Side};

/// Bytes of the header that every message has: type, locate, tracking number, time.
const HEADER_BYTES: usize = 11;

/// Bytes of the length that precedes each message of a file.
const LENGTH_BYTES: usize = 2;

/// Notice bytes that the records of one message can carry.
const NOTICE_BYTES_MAX: usize = 28 + 32 * (MESSAGE_RECORDS_MAX - 1);

/// Times have 48 bits.
const TIME_LIMIT_NS: u64 = 1 << 48;

/// Writes records as framed ITCH 5.0 messages.
///
/// It remembers the symbols of instruments for the messages that repeat them, and derives tracking
/// numbers from the flag [`LAST`](Flags::LAST): the first execution of an exchange event has 2,
/// each further one 2 more, every other message of the event 1 more; messages alone have 0, a
/// cross alone 1.
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
    /// Tracking number of the open exchange event's last message; `None` when none is open.
    open_tracking: Option<u16>,
}

/// What stands in front of every message.
#[derive(Clone, Copy)]
struct Header {
    locate: u16,
    tracking: u16,
    time: [u8; 6],
}

/// A framed message of `N` bytes, length included, while it is being put together.
struct Frame<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Frame<N> {
    // WHY always: a frame that is moved from call to call is copied each time, which took a fifth
    // of a generated session's time.
    #[inline(always)]
    fn new(letter: u8, header: Header) -> Self {
        Self { bytes: [0; N], at: 0 }
            .put(((N - LENGTH_BYTES) as u16).to_be_bytes())
            .put([letter])
            .put(header.locate.to_be_bytes())
            .put(header.tracking.to_be_bytes())
            .put(header.time)
    }

    #[inline(always)]
    fn put<const M: usize>(mut self, field: [u8; M]) -> Self {
        let place =
            self.bytes[self.at..].first_chunk_mut().expect("a frame has room for its fields");
        *place = field;
        self.at += M;
        self
    }

    #[inline]
    fn letter(self, letter: Letter) -> Self {
        self.put([if letter.0 == 0 { b' ' } else { letter.0 }])
    }

    #[inline]
    fn text<const M: usize>(self, text: Text<M>) -> Self {
        self.put(text.0.map(|byte| if byte == 0 { b' ' } else { byte }))
    }

    #[inline]
    fn append_to(self, out: &mut Vec<u8>) {
        debug_assert_eq!(self.at, N);
        out.extend_from_slice(&self.bytes);
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
        Self { midnight_ns, symbols: Vec::new(), open_tracking: None }
    }

    /// Appends one message, length prefix included, and says whether it wrote anything.
    ///
    /// `records` is one whole message: records flagged [`CONTINUED`](Flags::CONTINUED) and the one
    /// that ends the chain. Nothing is written for what ITCH does not say: commands, records of
    /// the engine, instruments that a reader assumed, values that do not fit their fields.
    pub fn encode(&mut self, records: &[Event], out: &mut Vec<u8>) -> bool {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return false };
        let records = match first.view() {
            EventView::Instrument(instrument) => {
                self.learn(first.instrument, instrument.symbol);
                without_assumed(records)
            }
            _ => records,
        };
        let Some(first) = records.first() else { return false };
        let view = first.view();
        let tracking = self.next_tracking(&view, first.has(Flags::PRINTABLE));
        let written = self.encode_message(view, records, tracking, out).is_some();
        if written {
            self.open_tracking = (!last.has(Flags::LAST)).then_some(tracking);
        }
        written
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
    #[inline]
    fn next_tracking(&self, view: &EventView<'_>, printable: bool) -> u16 {
        let step = match view {
            EventView::Execute(_) | EventView::Trade(_) => 2,
            EventView::ExecuteAt(_) if printable => 2,
            EventView::ExecuteAt(_) | EventView::Cross(_) => 1,
            _ => u16::from(self.open_tracking.is_some()),
        };
        self.open_tracking.unwrap_or(0).saturating_add(step)
    }

    /// Writes the message; `None`, with nothing written, when ITCH cannot say it.
    #[inline]
    fn encode_message(
        &self,
        view: EventView<'_>,
        records: &[Event],
        tracking: u16,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let event = &records[0];
        let since_midnight = event.ts_event.checked_sub(self.midnight_ns)?;
        if since_midnight >= TIME_LIMIT_NS {
            return None;
        }
        let [_, _, time @ ..] = since_midnight.to_be_bytes();
        let header = Header { locate: u16::try_from(event.instrument).ok()?, tracking, time };
        match view {
            EventView::Add(add) => self.add(event, add, header, out),
            EventView::Execute(execute) => {
                Frame::<33>::new(b'E', header)
                    .put(execute.order_id.0.to_be_bytes())
                    .put(qty4(execute.qty)?)
                    .put(execute.match_id.0.to_be_bytes())
                    .append_to(out);
                Some(())
            }
            EventView::Reduce(reduce) => {
                Frame::<25>::new(b'X', header)
                    .put(reduce.order_id.0.to_be_bytes())
                    .put(qty4(reduce.qty)?)
                    .append_to(out);
                Some(())
            }
            EventView::Delete(delete) => {
                let frame = Frame::<21>::new(b'D', header);
                frame.put(delete.order_id.0.to_be_bytes()).append_to(out);
                Some(())
            }
            EventView::Replace(replace) => {
                Frame::<37>::new(b'U', header)
                    .put(replace.order_id.0.to_be_bytes())
                    .put(replace.new_order_id.0.to_be_bytes())
                    .put(qty4(replace.qty)?)
                    .put(price4(replace.price)?)
                    .append_to(out);
                Some(())
            }
            _ => self.encode_rare(view, records, header, out),
        }
    }

    /// The messages that are no change of a displayed order at its own price.
    fn encode_rare(
        &self,
        view: EventView<'_>,
        records: &[Event],
        header: Header,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let event = &records[0];
        let stock = self.stock(event.instrument);
        match view {
            EventView::ExecuteAt(execute) => {
                let printable = if event.has(Flags::PRINTABLE) { b'Y' } else { b'N' };
                Frame::<38>::new(b'C', header)
                    .put(execute.order_id.0.to_be_bytes())
                    .put(qty4(execute.qty)?)
                    .put(execute.match_id.0.to_be_bytes())
                    .put([printable])
                    .put(price4(execute.price)?)
                    .append_to(out);
            }
            EventView::Trade(trade) => {
                Frame::<46>::new(b'P', header)
                    .put(trade.order_id.0.to_be_bytes())
                    .put([side_letter(event.side().unwrap_or(Side::Buy))])
                    .put(qty4(trade.qty)?)
                    .put(stock)
                    .put(price4(trade.price)?)
                    .put(trade.match_id.0.to_be_bytes())
                    .append_to(out);
            }
            EventView::Cross(cross) => {
                Frame::<42>::new(b'Q', header)
                    .put(cross.qty.0.to_be_bytes())
                    .put(stock)
                    .put(price4(cross.price)?)
                    .put(cross.match_id.0.to_be_bytes())
                    .letter(cross.cross_type)
                    .append_to(out);
            }
            EventView::Broken(broken) => {
                let frame = Frame::<21>::new(b'B', header);
                frame.put(broken.match_id.0.to_be_bytes()).append_to(out);
            }
            EventView::Imbalance(imbalance) => append_imbalance(imbalance, stock, header, out),
            EventView::Collar(collar) => {
                Frame::<37>::new(b'J', header)
                    .put(stock)
                    .put(price4(collar.reference_price)?)
                    .put(price4(collar.upper_price)?)
                    .put(price4(collar.lower_price)?)
                    .put(u32::try_from(collar.extension).ok()?.to_be_bytes())
                    .append_to(out);
            }
            EventView::Status(status) => append_status(status, stock, header, out),
            EventView::Phase(phase) => {
                if !b"OSQMEC".contains(&phase.code.0) {
                    return None;
                }
                Frame::<14>::new(b'S', header).letter(phase.code).append_to(out);
            }
            EventView::Instrument(_) => return append_directory(records, stock, header, out),
            EventView::Notice(notice) => return append_notice(notice, records, header, out),
            _ => return None,
        }
        Some(())
    }

    #[inline]
    fn add(
        &self,
        event: &Event,
        add: &payload::Add,
        header: Header,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let side = [side_letter(event.side()?)];
        let (shares, price) = (qty4(add.qty)?, price4(add.price)?);
        let stock = self.stock(event.instrument);
        if add.attribution.0 == [0; 4] {
            Frame::<38>::new(b'A', header)
                .put(add.order_id.0.to_be_bytes())
                .put(side)
                .put(shares)
                .put(stock)
                .put(price)
                .append_to(out);
        } else {
            Frame::<42>::new(b'F', header)
                .put(add.order_id.0.to_be_bytes())
                .put(side)
                .put(shares)
                .put(stock)
                .put(price)
                .text(add.attribution)
                .append_to(out);
        }
        Some(())
    }
}

fn append_imbalance(
    imbalance: &payload::Imbalance,
    stock: [u8; 8],
    header: Header,
    out: &mut Vec<u8>,
) {
    let price = |Price32(price)| u32::to_be_bytes(price);
    Frame::<52>::new(b'I', header)
        .put(imbalance.paired_qty.0.to_be_bytes())
        .put(imbalance.imbalance_qty.0.to_be_bytes())
        .letter(imbalance.direction)
        .put(stock)
        .put(price(imbalance.far_price))
        .put(price(imbalance.near_price))
        .put(price(imbalance.reference_price))
        .letter(imbalance.cross_type)
        .letter(imbalance.price_variation)
        .append_to(out);
}

/// A trading action, or an operational halt when a market is named.
fn append_status(status: &payload::Status, stock: [u8; 8], header: Header, out: &mut Vec<u8>) {
    if status.market.0 == 0 {
        Frame::<27>::new(b'H', header)
            .put(stock)
            .letter(status.state)
            .letter(status.reserved)
            .text(status.reason)
            .append_to(out);
    } else {
        Frame::<23>::new(b'h', header)
            .put(stock)
            .letter(status.market)
            .letter(status.state)
            .append_to(out);
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
fn append_directory(
    records: &[Event],
    stock: [u8; 8],
    header: Header,
    out: &mut Vec<u8>,
) -> Option<()> {
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
    Frame::<41>::new(b'R', header)
        .put(stock)
        .letter(listing.market_category)
        .letter(listing.financial_status)
        .put(round_lot.to_be_bytes())
        .letter(listing.round_lots_only)
        .letter(listing.issue_class)
        .text(listing.issue_subtype)
        .letter(listing.authenticity)
        .letter(listing.short_sale_threshold)
        .letter(listing.ipo)
        .letter(listing.luld_tier)
        .letter(listing.etp)
        .put(listing.etp_leverage.to_be_bytes())
        .letter(listing.inverse)
        .append_to(out);
    Some(())
}

/// Any other message: its letter, and its body as it came.
fn append_notice(
    notice: &payload::Notice,
    records: &[Event],
    header: Header,
    out: &mut Vec<u8>,
) -> Option<()> {
    let body_bytes = usize::from(notice.body_bytes);
    let mut body = [0; NOTICE_BYTES_MAX];
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
    let length = (HEADER_BYTES + body_bytes) as u16;
    out.extend_from_slice(&length.to_be_bytes());
    out.push(notice.message_type.0);
    out.extend_from_slice(&header.locate.to_be_bytes());
    out.extend_from_slice(&header.tracking.to_be_bytes());
    out.extend_from_slice(&header.time);
    out.extend_from_slice(&body[..body_bytes]);
    Some(())
}
