//! Where the session is written down: the clock, the numbers of orders and matches, the messages
//! that were made, and what is counted of them.

use bytemuck::Zeroable;

use crate::event::kinds::{Letter, Payload, Price32, Raw, Text};
use crate::event::{Event, Flags, payload};
use crate::feed::itch::Encoder;
use crate::units::{MatchId, OrderId, Price, Qty, Side};

use super::batch::Batch;
use super::market::Part;
use super::summary::Summary;

/// Independent sequences of order references in each partition; their numbers lie in between one
/// another.
const SEQUENCES: usize = 4;

/// What was made and not yet handed out, and the running numbers of the day.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    /// Time in ns since midnight.
    pub(super) now: u64,
    pub(super) batch: Batch,
    encoder: Encoder,
    pub(super) summary: Summary,
    next_ids: [u64; SEQUENCES],
    next_match: u64,
    /// Whose tape it is. References and match numbers of other partitions lie in between its own.
    pub(super) part: Part,
    /// Instrument and match of the latest displayed execution, unless it was broken.
    unbroken: Option<(u32, MatchId)>,
    /// Time and instrument of the message before.
    before: (u64, u32),
}

fn price_of(price: u32) -> Price {
    Price(i64::from(price))
}

fn qty_of(qty: u32) -> Qty {
    Qty(u64::from(qty))
}

impl Tape {
    /// The tape of a part of so many stocks.
    pub(super) fn new(part: Part, stocks: usize) -> Self {
        Self {
            now: 0,
            batch: Batch::default(),
            encoder: Encoder::new(0),
            summary: Summary::new(stocks * part.of as usize),
            next_ids: [4_096, 18_433, 9_218, 30_723]
                .map(|first| first + u64::from(part.number) * SEQUENCES as u64),
            next_match: 17_152 + u64::from(part.number),
            part,
            unbroken: None,
            before: (0, 0),
        }
    }

    /// Asks for the memory that messages of an instrument will want.
    #[inline]
    pub(super) fn prefetch(&self, instrument: u32) {
        self.encoder.prefetch(instrument);
        self.summary.prefetch(instrument);
    }

    /// A fresh order reference; a stock's orders are all of one sequence.
    #[inline]
    pub(super) fn next_id(&mut self, stock: usize) -> u64 {
        let is_last = self.part.number + 1 == self.part.of;
        let next = &mut self.next_ids[(stock + usize::from(is_last)) % SEQUENCES];
        *next += u64::from(self.part.of) * SEQUENCES as u64;
        *next
    }

    fn next_match(&mut self) -> MatchId {
        self.next_match += u64::from(self.part.of);
        MatchId(self.next_match)
    }

    /// Moves on to a time that tells an execution of `instrument` from what came just before.
    ///
    /// A message continues the one before it when time and instrument are equal and its tracking
    /// number is larger, so an exchange event that starts with an execution needs a time of its
    /// own.
    pub(super) fn start_event(&mut self, instrument: u32) {
        if self.before == (self.now, instrument) {
            self.now += 1;
        }
    }

    /// Marks the last message as the last of its exchange event.
    pub(super) fn end_event(&mut self) {
        self.batch.end_event(&mut self.encoder);
    }

    /// One message of one record.
    #[inline(always)]
    pub(super) fn push<P: Payload>(
        &mut self,
        letter: u8,
        instrument: u32,
        side: Option<Side>,
        flags: u16,
        payload: P,
    ) {
        let mut event = Event::new(self.now, instrument, payload).with_flags(flags);
        event.side = side.map_or(0, |side| side as u8);
        self.push_message(letter, &[event]);
    }

    /// One message of any records.
    #[inline(always)]
    fn push_message(&mut self, letter: u8, records: &[Event]) {
        let instrument = records[0].instrument;
        self.batch.push(records, &mut self.encoder);
        self.summary.note_message(letter, instrument);
        self.summary.liquid.note_message(instrument, self.now);
        self.before = (self.now, instrument);
    }

    #[inline]
    pub(super) fn add(
        &mut self,
        instrument: u32,
        side: Side,
        id: u64,
        (price, qty): (u32, u32),
        attribution: Text<4>,
    ) {
        let letter = if attribution.0 == [0; 4] { b'A' } else { b'F' };
        let (price, qty) = (price_of(price), qty_of(qty));
        let add = payload::Add { order_id: OrderId(id), price, qty, attribution, pad: 0 };
        self.push(letter, instrument, Some(side), 0, add);
        self.summary.note_live(1);
    }

    pub(super) fn execute(&mut self, instrument: u32, id: u64, qty: u32) {
        let match_id = self.next_match();
        self.unbroken = Some((instrument, match_id));
        let execute =
            payload::Execute { order_id: OrderId(id), pad: 0, qty: qty_of(qty), match_id };
        self.push(b'E', instrument, None, Flags::PRINTABLE, execute);
    }

    pub(super) fn execute_at(
        &mut self,
        instrument: u32,
        id: u64,
        (price, qty): (u32, u32),
        flags: u16,
    ) {
        let match_id = self.next_match();
        let (price, qty) = (price_of(price), qty_of(qty));
        let execute = payload::ExecuteAt { order_id: OrderId(id), price, qty, match_id };
        self.push(b'C', instrument, None, flags, execute);
    }

    pub(super) fn reduce(&mut self, instrument: u32, id: u64, qty: u32) {
        let reduce = payload::Reduce { order_id: OrderId(id), pad: 0, qty: qty_of(qty), pad2: 0 };
        self.push(b'X', instrument, None, Flags::LAST, reduce);
    }

    #[inline]
    pub(super) fn delete(&mut self, instrument: u32, id: u64) {
        let delete = payload::Delete { order_id: OrderId(id), pad: Raw::zeroed() };
        self.push(b'D', instrument, None, Flags::LAST, delete);
        self.summary.liquid.note_delete(instrument, id, self.now);
        self.summary.note_live(-1);
    }

    #[inline]
    pub(super) fn replace(&mut self, instrument: u32, ids: (u64, u64), (price, qty): (u32, u32)) {
        let (order_id, new_order_id) = (OrderId(ids.0), OrderId(ids.1));
        let (price, qty) = (price_of(price), qty_of(qty));
        let replace = payload::Replace { order_id, price, qty, new_order_id };
        self.push(b'U', instrument, None, Flags::LAST, replace);
    }

    pub(super) fn trade(&mut self, instrument: u32, (price, qty): (u32, u32)) {
        let match_id = self.next_match();
        let (price, qty) = (price_of(price), qty_of(qty));
        let trade = payload::Trade { order_id: OrderId(0), price, qty, match_id };
        self.push(b'P', instrument, Some(Side::Buy), Flags::PRINTABLE, trade);
    }

    pub(super) fn cross(&mut self, instrument: u32, price: u32, shares: u64, cross_type: u8) {
        let match_id = self.next_match();
        let cross = payload::Cross {
            cross_type: Letter(cross_type),
            pad: Raw::zeroed(),
            price: price_of(price),
            qty: Qty(shares),
            match_id,
        };
        let printable = if shares == 0 { 0 } else { Flags::PRINTABLE };
        self.push(b'Q', instrument, None, printable | Flags::LAST, cross);
    }

    /// Breaks the latest displayed execution; nothing when there is none.
    pub(super) fn broken(&mut self) {
        let Some((instrument, match_id)) = self.unbroken.take() else { return };
        let broken = payload::Broken { pad: Raw::zeroed(), match_id };
        self.push(b'B', instrument, None, Flags::LAST, broken);
    }

    pub(super) fn imbalance(
        &mut self,
        instrument: u32,
        (paired, imbalance, direction): (u32, u32, u8),
        price: u32,
        cross_type: u8,
    ) {
        let record = payload::Imbalance {
            paired_qty: qty_of(paired),
            imbalance_qty: qty_of(imbalance),
            far_price: Price32(price),
            near_price: Price32(price),
            reference_price: Price32(price),
            direction: Letter(direction),
            cross_type: Letter(cross_type),
            price_variation: Letter(b'L'),
            pad: 0,
        };
        self.push(b'I', instrument, None, Flags::LAST, record);
    }

    pub(super) fn collar(&mut self, instrument: u32, price: u32) {
        let collar = payload::Collar {
            reference_price: price_of(price),
            upper_price: price_of(price + price / 20),
            lower_price: price_of(price - price / 20),
            extension: 0,
        };
        self.push(b'J', instrument, None, Flags::LAST, collar);
    }

    pub(super) fn phase(&mut self, code: u8) {
        let phase = payload::Phase {
            code: Letter(code),
            auction: 0,
            pad: Raw::zeroed(),
            reference_price: Price(0),
            lower_price: Price(0),
            upper_price: Price(0),
        };
        self.push(b'S', 0, None, Flags::LAST, phase);
    }

    /// A trading action, or an operational halt when a market is named.
    pub(super) fn status(&mut self, instrument: u32, state: u8, market: u8, reason: &str) {
        let is_operational = market != 0;
        let status = payload::Status {
            state: Letter(state),
            market: Letter(market),
            reserved: Letter(if is_operational { 0 } else { b' ' }),
            pad: 0,
            reason: Text::new(reason),
            pad2: Raw::zeroed(),
        };
        let letter = if is_operational { b'h' } else { b'H' };
        self.push(letter, instrument, None, Flags::LAST, status);
    }

    /// An instrument with its terms and its listing: a stock directory message.
    pub(super) fn directory(&mut self, instrument: u32, ticker: &str, is_offering: bool) {
        let first = payload::Instrument { symbol: Text::new(ticker), price_increment: 100_000 };
        let terms = payload::InstrumentTerms {
            venue: Text::new("NASDAQ"),
            currency: Text::new("USD"),
            round_lot: 100,
            qty_increment: 1_000_000_000,
            multiplier: 1,
            assumed: 0,
        };
        let listing = payload::InstrumentListing {
            etp_leverage: 0,
            market_category: Letter(b'Q'),
            financial_status: Letter(b'N'),
            round_lots_only: Letter(b'N'),
            issue_class: Letter(b'C'),
            issue_subtype: Text::new("Z"),
            authenticity: Letter(b'P'),
            short_sale_threshold: Letter(b'N'),
            ipo: Letter(if is_offering { b'Y' } else { b'N' }),
            luld_tier: Letter(b'1'),
            etp: Letter(b'N'),
            inverse: Letter(b'N'),
            pad: Raw::zeroed(),
        };
        let records = [
            Event::new(self.now, instrument, first).with_flags(Flags::CONTINUED),
            Event::new(self.now, instrument, terms).with_flags(Flags::CONTINUED),
            Event::new(self.now, instrument, listing).with_flags(Flags::LAST),
        ];
        self.push_message(b'R', &records);
    }

    /// Any other message of the venue.
    pub(super) fn notice(&mut self, letter: u8, instrument: u32, fields: &[&[u8]]) {
        let body = fields.concat();
        let mut first = payload::Notice {
            message_type: Letter(letter),
            pad: 0,
            body_bytes: body.len() as u16,
            body: Raw::zeroed(),
        };
        let (head, tail) = body.split_at(body.len().min(first.body.0.len()));
        first.body.0[..head.len()].copy_from_slice(head);
        if tail.is_empty() {
            self.push(letter, instrument, None, Flags::LAST, first);
            return;
        }
        let mut more = payload::NoticeMore { body: Raw::zeroed() };
        more.body.0[..tail.len()].copy_from_slice(tail);
        let records = [
            Event::new(self.now, instrument, first).with_flags(Flags::CONTINUED),
            Event::new(self.now, instrument, more).with_flags(Flags::LAST),
        ];
        self.push_message(letter, &records);
    }
}
