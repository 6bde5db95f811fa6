//! The matching engine as a run has it: what it matches, and what portfolio and hashes need of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::book::{Totals, Touch, Units, hash_words};
use crate::error::Result;
use crate::event::{
    Event, EventView, Execution, ExecutionKind, InstrumentOverrides, Kind, Listing, Quote, Reason,
};
use crate::hash::RunningHash;
use crate::matching::{InstrumentRules, Matcher, MatcherConfig, MatcherOrder, OrderPlace};
use crate::state::{StateReader, StateWriter};
use crate::strategy::TraderCounts;
use crate::units::{InstrumentId, Price, Qty, Side};

/// Bit of an auction that is the session's closing one.
const CLOSING: u8 = 2;

/// A matcher with its bookkeeping.
///
/// Beside the matcher's executions it gives those that only portfolios need: a listing when an
/// instrument is defined, and a quote whenever touch, last price or state of an instrument changed
/// that has traded.
///
/// ```
/// use ringtape::engine::Exchange;
/// use ringtape::feed::OpenOptions;
/// use ringtape::feed::orders::OrderFeed;
/// use ringtape::matching::MatcherConfig;
///
/// let text = "action,order_id,side,price,qty\nnew,1,sell,10.05,300\nnew,2,buy,10.05,100\n";
/// let mut feed = OrderFeed::from_bytes("example", text, &OpenOptions::default())?;
/// let mut exchange = Exchange::new(MatcherConfig::default());
/// let (mut records, mut executions) = (Vec::new(), Vec::new());
/// while feed.next_row(&mut records)?.is_some() {}
/// for record in &records {
///     exchange.apply(record, &mut executions);
/// }
/// assert_eq!(exchange.matcher().totals().matches, 1);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Exchange {
    matcher: Matcher,
    by_instrument: BTreeMap<InstrumentId, Desk>,
    touches: RunningHash,
    live_orders: usize,
    peak_live_orders: usize,
    counts: TraderCounts,
    /// What the user knows of instruments.
    instruments: Arc<InstrumentOverrides>,
    /// Instruments that the record at hand concerned.
    concerned: Vec<InstrumentId>,
    /// The latest exchange time.
    now: u64,
}

/// What was told of an instrument.
#[derive(Debug)]
struct Desk {
    listing: Listing,
    units: Units,
    /// The touch that was hashed last.
    touch: Touch,
    /// The quote that was told last; `None` until something traded.
    quote: Option<Quote>,
    /// Whether the command at hand filled orders.
    has_fills: bool,
    /// Whether the auction at hand is the closing one, and its price once it is over.
    is_closing: bool,
    close_price: Option<Price>,
}

impl Exchange {
    /// An exchange without instruments.
    pub fn new(config: MatcherConfig) -> Self {
        Self {
            matcher: Matcher::new(config),
            by_instrument: BTreeMap::new(),
            touches: RunningHash::default(),
            live_orders: 0,
            peak_live_orders: 0,
            counts: TraderCounts::default(),
            instruments: Arc::default(),
            concerned: Vec::new(),
            now: 0,
        }
    }

    /// The same with what the user knows of instruments; their rules hold from their definition
    /// on.
    pub fn knowing(self, instruments: Arc<InstrumentOverrides>) -> Self {
        Self { instruments, ..self }
    }

    /// An exchange of the same configuration without instruments.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.matcher.config()).knowing(Arc::clone(&self.instruments))
    }

    /// The matcher.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Writes everything that the exchange's answers and future depend on, but not its
    /// configuration.
    pub fn save(&self, writer: &mut StateWriter) {
        self.matcher.save(writer);
        writer.put_u64(self.touches.value());
        writer.put_len(self.live_orders);
        writer.put_len(self.peak_live_orders);
        self.counts.save(writer);
        writer.put_u64(self.now);
        writer.put_len(self.by_instrument.len());
        for (id, desk) in &self.by_instrument {
            let listing = Execution::from_listing(0, id.0, &desk.listing);
            writer.put_bytes(bytemuck::bytes_of(&listing));
            let Touch { bid_price, bid_qty, ask_price, ask_qty } = desk.touch;
            writer.put_i64(bid_price.0);
            writer.put_u64(bid_qty.0);
            writer.put_i64(ask_price.0);
            writer.put_u64(ask_qty.0);
            writer.put_bool(desk.quote.is_some());
            let quote = Execution::from_quote(0, id.0, &desk.quote.unwrap_or_default());
            writer.put_bytes(bytemuck::bytes_of(&quote));
            writer.put_bool(desk.is_closing);
            writer.put_bool(desk.close_price.is_some());
            writer.put_i64(desk.close_price.map_or(0, |price| price.0));
        }
    }

    /// An exchange of the same configuration as [`save`](Self::save) wrote it.
    ///
    /// # Errors
    ///
    /// [`Error::BadState`](crate::error::Error::BadState) for bytes that no exchange writes.
    pub fn load(&self, reader: &mut StateReader<'_>) -> Result<Self> {
        let mut loaded = self.anew();
        loaded.matcher.load(reader)?;
        loaded.touches = RunningHash::resume(reader.u64()?);
        loaded.live_orders = reader.u64()? as usize;
        loaded.peak_live_orders = reader.u64()? as usize;
        loaded.counts = TraderCounts::load(reader)?;
        loaded.now = reader.u64()?;
        for _ in 0..reader.len(2 * size_of::<Execution>())? {
            let (id, desk) = load_desk(&loaded.matcher, reader)?;
            loaded.by_instrument.insert(id, desk);
        }
        Ok(loaded)
    }

    /// Applies a record and appends what it causes to `out`, quotes last.
    ///
    /// A quote that fills changed also comes before them, so that none is valued at an old mark.
    pub fn apply(&mut self, event: &Event, out: &mut Vec<Execution>) {
        let start = out.len();
        self.now = self.now.max(event.ts_event);
        self.counts.submitted += u64::from(event.kind() == Some(Kind::NewOrder));
        self.matcher.apply(event, out);
        let is_definition = matches!(event.kind(), Some(Kind::Instrument | Kind::InstrumentTerms));
        if is_definition && !event.is_continued() {
            self.list(event, out);
        }
        if let EventView::Phase(phase) = event.view() {
            self.note_calls(phase.auction, &out[start..]);
        }
        self.concerned.clear();
        for execution in &out[start..] {
            self.counts.note(execution);
            self.count_live(execution);
            self.concerned.push(InstrumentId(execution.instrument));
        }
        self.concerned.sort_unstable();
        self.concerned.dedup();
        self.note_trades(start, out);
        self.follow(event.ts_event, start, out);
    }

    /// The last mark of what traded: the closing auction's price if there was one.
    pub fn end(&mut self, out: &mut Vec<Execution>) {
        for (&id, desk) in &self.by_instrument {
            if let Some(quote) = desk.quote {
                let quote = Quote { close_price: desk.close_price, ..quote };
                out.push(Execution::from_quote(self.now, id.0, &quote));
            }
        }
    }

    /// What the user should know after the run, in sentences that name the cure.
    pub fn warnings(&self) -> Vec<String> {
        let refused = self.matcher.counts().rejected(Reason::Capacity);
        let warning = || {
            format!(
                "{refused} orders were rejected because {} were live: raise --capacity",
                self.matcher.config().orders_max
            )
        };
        (refused > 0).then(warning).into_iter().collect()
    }

    /// Tells of an instrument that is new or has other terms.
    fn list(&mut self, event: &Event, out: &mut Vec<Execution>) {
        let id = InstrumentId(event.instrument);
        let Some(instrument) = self.matcher.instruments().get(id) else { return };
        let (listing, units) = (instrument.listing(), Units::of(instrument));
        let own = self.instruments.get(instrument.symbol.as_str());
        let rules = own.map(|own| InstrumentRules::of(own, instrument));
        if self.by_instrument.get(&id).is_some_and(|desk| desk.listing == listing) {
            return;
        }
        if let Some(rules) = rules {
            self.matcher.set_rules(id, rules);
        }
        let desk = self.by_instrument.entry(id).or_insert(Desk {
            listing,
            units,
            touch: Touch::default(),
            quote: None,
            has_fills: false,
            is_closing: false,
            close_price: None,
        });
        (desk.listing, desk.units) = (listing, units);
        out.push(Execution::from_listing(event.ts_event, id.0, &listing));
    }

    fn count_live(&mut self, execution: &Execution) {
        match execution.kind() {
            Some(ExecutionKind::Accepted) => self.live_orders += 1,
            Some(ExecutionKind::Filled | ExecutionKind::Cancelled | ExecutionKind::Expired)
                if execution.leaves == 0 =>
            {
                self.live_orders -= 1;
            }
            _ => {}
        }
        self.peak_live_orders = self.peak_live_orders.max(self.live_orders);
    }

    /// Takes note of which auction the calls that were opened are.
    fn note_calls(&mut self, auction: u8, out: &[Execution]) {
        for execution in out.iter().filter(|execution| execution.reason() == Reason::Auction) {
            if let Some(desk) = self.by_instrument.get_mut(&InstrumentId(execution.instrument)) {
                desk.is_closing = auction & CLOSING != 0;
            }
        }
    }

    /// From its first trade on an instrument has a quote.
    fn note_trades(&mut self, start: usize, out: &[Execution]) {
        for execution in &out[start..] {
            let is_trade = execution.kind() == Some(ExecutionKind::Filled);
            let is_cross = execution.reason() == Reason::Uncrossed && execution.qty > 0;
            if !is_trade && !is_cross {
                continue;
            }
            if let Some(desk) = self.by_instrument.get_mut(&InstrumentId(execution.instrument)) {
                desk.quote.get_or_insert_default();
                desk.has_fills |= is_trade;
                if is_cross && desk.is_closing {
                    desk.close_price = Some(Price(execution.price));
                }
            }
        }
    }

    /// Hashes touches and tells quotes that changed; what the record caused is in `out` from
    /// `start` on.
    fn follow(&mut self, ts_event: u64, start: usize, out: &mut Vec<Execution>) {
        let Self { matcher, by_instrument, touches, concerned, .. } = self;
        for &id in &*concerned {
            let Some(desk) = by_instrument.get_mut(&id) else { continue };
            let touch = matcher.touch(id);
            if touch != desk.touch {
                desk.touch = touch;
                hash_touch(&desk.units, &touch, touches);
            }
            let Some(told) = desk.quote else { continue };
            let has_fills = std::mem::take(&mut desk.has_fills);
            let quote = Quote {
                bid_price: touch.bid_price,
                bid_qty: touch.bid_qty,
                ask_price: touch.ask_price,
                ask_qty: touch.ask_qty,
                last_price: matcher.last_price(id),
                close_price: None,
                trading: matcher.is_open(id) && !matcher.is_halted(id) && !matcher.is_in_call(id),
            };
            if quote != told {
                desk.quote = Some(quote);
                let quote = Execution::from_quote(ts_event, id.0, &quote);
                if has_fills {
                    out.insert(start, quote);
                }
                out.push(quote);
            }
        }
    }

    /// What happened to orders, counted.
    pub fn counts(&self) -> TraderCounts {
        self.counts
    }

    /// Sizes of the books.
    pub fn totals(&self) -> Totals {
        let totals = self.matcher.totals();
        Totals {
            instruments: totals.instruments,
            live_orders: totals.live_orders,
            peak_live_orders: self.peak_live_orders,
            levels: totals.levels,
            bytes: totals.bytes,
        }
    }

    /// A hash of every touch so far and of every resting order, as
    /// [`Replica::books_hash`](crate::book::Replica::books_hash) makes it; a hidden order stands
    /// behind the displayed ones of its price, and an iceberg counts whole.
    pub fn books_hash(&self) -> u64 {
        let mut hash = self.touches;
        let mut instruments: Vec<_> = self.by_instrument.iter().collect();
        instruments.sort_by_key(|(id, desk)| (desk.listing.symbol.as_str(), **id));
        for (id, desk) in instruments {
            let mut resting = self.resting(*id);
            // Within a price the queue's order stays: the sort is stable.
            resting.sort_by_key(|order| (order.side as u8, order.price));
            for level in resting.chunk_by(|a, b| (a.side, a.price) == (b.side, b.price)) {
                let first = &level[0];
                let (side, price) = (first.side as u64, desk.units.price(first.price));
                hash_words(&mut hash, [desk.units.symbol, side, price, level.len() as u64]);
                for order in level {
                    hash_words(&mut hash, [order.order_id.0, desk.units.qty(order.leaves)]);
                }
            }
        }
        hash.value()
    }

    /// The orders on the book of an instrument: bids, then offers, best first, displayed before
    /// hidden ones, front to back.
    pub fn resting(&self, id: InstrumentId) -> Vec<MatcherOrder> {
        let mut orders = self.matcher.orders(id);
        orders.retain(|order| matches!(order.place, OrderPlace::Displayed | OrderPlace::Hidden));
        orders.sort_by_key(|order| {
            let is_hidden = order.place == OrderPlace::Hidden;
            match order.side {
                Side::Buy => (order.side as u8, -order.price.0, is_hidden),
                Side::Sell => (order.side as u8, order.price.0, is_hidden),
            }
        });
        orders
    }
}

fn load_desk(matcher: &Matcher, reader: &mut StateReader<'_>) -> Result<(InstrumentId, Desk)> {
    let record = load_record(reader)?;
    let id = InstrumentId(record.instrument);
    let listing = record.listing().ok_or_else(|| reader.bad("a listing is none"))?;
    let Some(instrument) = matcher.instruments().get(id) else {
        return Err(reader.bad(format!("instrument {id} is not defined")));
    };
    let units = Units::of(instrument);
    let touch = Touch {
        bid_price: Price(reader.i64()?),
        bid_qty: Qty(reader.u64()?),
        ask_price: Price(reader.i64()?),
        ask_qty: Qty(reader.u64()?),
    };
    let has_quote = reader.bool()?;
    let quote = load_record(reader)?.quote().filter(|_| has_quote);
    let is_closing = reader.bool()?;
    let has_close = reader.bool()?;
    let close_price = Some(Price(reader.i64()?)).filter(|_| has_close);
    Ok((id, Desk { listing, units, touch, quote, has_fills: false, is_closing, close_price }))
}

fn load_record(reader: &mut StateReader<'_>) -> Result<Execution> {
    let bytes: &[u8; size_of::<Execution>()] =
        reader.bytes()?.try_into().map_err(|_| reader.bad("a record has another size"))?;
    Ok(bytemuck::pod_read_unaligned(bytes))
}

fn hash_touch(units: &Units, touch: &Touch, hash: &mut RunningHash) {
    let (bid, ask) = (touch.bid_price, touch.ask_price);
    hash_words(
        hash,
        [
            units.symbol,
            units.price(bid),
            units.qty(touch.bid_qty),
            units.price(ask),
            units.qty(touch.ask_qty),
        ],
    );
}
