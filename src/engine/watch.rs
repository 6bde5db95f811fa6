//! A look into a running engine, for dashboards: what the agents show now and then.
//!
//! ```text
//!   matching ---- ring of views ----> Watch        a view is made when a slot is free, so only
//!   portfolio --- ring of views ----> (reader)     as often as the reader takes one
//!   stages ------ live meters ------>
//! ```
//!
//! The agents never wait: a full ring of views costs them one comparison a duty cycle.

use std::num::NonZeroU64;

use bytemuck::{Pod, Zeroable};

use super::names::{JOURNAL_STAGE, MATCHING, PORTFOLIO, RING_STAGE, TICK_TO_ORDER};
use super::run_state::Market;
use super::trail::{Trail, TrailBehind, trail};
use crate::book::LevelView;
use crate::error::Result;
use crate::event::kinds::Text;
use crate::event::{Instrument, InstrumentTable};
use crate::portfolio::Portfolio;
use crate::ring::{Consumer, Producer, RingBuilder};
use crate::runtime::{LiveMeter, LiveReader, Recent, StageMeter};
use crate::units::{AccountId, InstrumentId, Money, Side};

/// Books that are shown at a time.
pub const WATCHED_BOOKS_MAX: usize = 4;

/// Levels of a side that are shown.
pub const WATCHED_LEVELS_MAX: usize = 12;

/// Positions that are shown.
pub const WATCHED_POSITIONS_MAX: usize = 16;

/// Views under way.
const VIEWS: usize = 2;

/// Stages whose latencies are told live.
const STAGES: [&str; 5] = [RING_STAGE, JOURNAL_STAGE, MATCHING, TICK_TO_ORDER, PORTFOLIO];

/// Symbols whose books are to be shown; empty texts ask for nothing.
pub type WatchedSymbols = [Text<24>; WATCHED_BOOKS_MAX];

/// What matching shows: the market, own orders, and the books that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MarketView {
    /// Symbol of the record that came last: the busier an instrument, the more often it is its.
    pub last_symbol: Text<24>,
    /// Instruments that were defined.
    pub instruments: u64,
    /// Orders in all books.
    pub live_orders: u64,
    /// Messages that name an order which is not in the book.
    pub unknown_orders: u64,
    /// Touches found locked or crossed while trading.
    pub crossed: u64,
    /// Executions so far.
    pub executions: u64,
    /// New orders sent.
    pub submitted: u64,
    /// Commands rejected.
    pub rejected: u64,
    /// Fills.
    pub fills: u64,
    /// The books that were asked for; one that is not known has no symbol.
    pub books: [BookView; WATCHED_BOOKS_MAX],
}

/// The best levels of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BookView {
    /// Its symbol; empty when there is no such book.
    pub symbol: Text<24>,
    /// Price increment in 1e-9 of the currency.
    pub price_increment: u64,
    /// 0 while it is halted.
    pub is_trading: u64,
    /// Price of the last trade; 0 before the first.
    pub last_price: i64,
    /// Bids, best first; quantity 0 behind the last.
    pub bids: [WatchedLevel; WATCHED_LEVELS_MAX],
    /// Offers, best first; quantity 0 behind the last.
    pub asks: [WatchedLevel; WATCHED_LEVELS_MAX],
}

/// A level of a [`BookView`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct WatchedLevel {
    /// Its price in increments.
    pub price: i64,
    /// Its open quantity in increments.
    pub qty: u64,
    /// Number of its orders.
    pub orders: u64,
}

/// What the portfolio shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MoneyView {
    /// Equity of the first account in its first currency, in 1e-9 of it.
    pub equity: i128,
    /// Currency of `equity`; empty before the first fill.
    pub currency: Text<4>,
    /// Filling.
    pub pad: u32,
    /// Positions that there are; those above [`WATCHED_POSITIONS_MAX`] are not shown.
    pub count: u64,
    /// Positions by instrument, then account; no symbol behind the last.
    pub positions: [PositionView; WATCHED_POSITIONS_MAX],
}

/// A position; amounts in 1e-9 of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PositionView {
    /// Profit of what was closed, before fees.
    pub realised: i128,
    /// Profit of what is held at the mark.
    pub unrealised: i128,
    /// Fees less rebates.
    pub fees: i128,
    /// Its symbol; empty behind the last position.
    pub symbol: Text<24>,
    /// Quantity held in increments; negative when short.
    pub qty: i64,
    /// Number of fills.
    pub fills: u64,
    /// The account.
    pub account: u32,
    /// Currency of its amounts.
    pub currency: Text<4>,
}

impl PositionView {
    /// `realised + unrealised - fees`.
    pub fn net(&self) -> Money {
        Money(self.realised + self.unrealised - self.fees)
    }
}

/// The reader of what a running engine shows; as slow as it likes.
#[derive(Debug)]
pub struct Watch {
    market: Consumer<MarketView>,
    symbols: Producer<WatchedSymbols>,
    money: Consumer<MoneyView>,
    meters: Vec<(&'static str, LiveReader)>,
}

impl Watch {
    /// Asks for the books of these symbols; whether the wish was taken down, else ask again later.
    pub fn ask_for(&mut self, symbols: WatchedSymbols) -> bool {
        give(&mut self.symbols, || symbols)
    }

    /// The next view of the market; `None` when matching has not made another yet.
    pub fn market(&mut self) -> Option<MarketView> {
        taken(&mut self.market)
    }

    /// The next view of the positions; `None` when the portfolio has not made another yet.
    pub fn money(&mut self) -> Option<MoneyView> {
        taken(&mut self.money)
    }

    /// The stages and what their latencies were since the last look.
    pub fn latencies(&mut self) -> impl Iterator<Item = (&'static str, Recent)> {
        self.meters.iter_mut().map(|(name, reader)| (*name, reader.recent()))
    }
}

/// The agents' ends.
#[derive(Default)]
pub(super) struct Watched {
    market: Option<Box<MarketShow>>,
    money: Option<MoneyShow>,
    meters: Vec<(&'static str, LiveMeter)>,
    trail: (Option<Trail>, Option<TrailBehind>),
}

impl Watched {
    /// The agents' ends and the reader's; empty ones when nobody watches. Hashes along the way are
    /// told too, if they are wanted.
    pub(super) fn new(
        is_watched: bool,
        hash_every: Option<NonZeroU64>,
    ) -> Result<(Self, Option<Watch>)> {
        let trail = hash_every.map(|every| trail(every.get())).unzip();
        if !is_watched {
            return Ok((Self { trail, ..Self::default() }, None));
        }
        let (views, market) = pipe("market views")?;
        let (symbols, wanted) = pipe("watched symbols")?;
        let (money_views, money) = pipe("money views")?;
        let (meters, readers) = STAGES
            .map(|name| {
                let (meter, reader) = LiveMeter::new();
                ((name, meter), (name, reader))
            })
            .into_iter()
            .unzip();
        let show = MarketShow { views, wanted, symbols: Zeroable::zeroed(), ids: vec![], known: 0 };
        let money_show = MoneyShow { views: money_views };
        let watched = Self { market: Some(Box::new(show)), money: Some(money_show), meters, trail };
        Ok((watched, Some(Watch { market, symbols, money, meters: readers })))
    }

    /// What matching tells beside its executions.
    pub(super) fn by_matching(&mut self) -> ToldByMatching {
        let [meter, tick_to_order] = [MATCHING, TICK_TO_ORDER].map(|stage| self.meter(stage));
        ToldByMatching {
            meter,
            tick_to_order,
            show: self.market.take(),
            trail: self.trail.0.take(),
        }
    }

    /// What the portfolio tells beside its outcome.
    pub(super) fn by_portfolio(&mut self) -> ToldByPortfolio {
        let trail = self.trail.1.take();
        ToldByPortfolio { meter: self.meter(PORTFOLIO), show: self.money.take(), trail }
    }

    /// The meter of a stage, which is told live if anybody watches.
    pub(super) fn meter(&self, stage: &str) -> StageMeter {
        let live = self.meters.iter().find(|(name, _)| *name == stage);
        StageMeter::new().telling(live.map(|(_, meter)| meter.clone()))
    }
}

/// What matching tells beside its executions; each part but the meters only where it is wanted.
pub(super) struct ToldByMatching {
    pub(super) meter: StageMeter,
    pub(super) tick_to_order: StageMeter,
    pub(super) show: Option<Box<MarketShow>>,
    pub(super) trail: Option<Trail>,
}

/// What the portfolio tells beside its outcome; each part but the meter only where it is wanted.
pub(super) struct ToldByPortfolio {
    pub(super) meter: StageMeter,
    pub(super) show: Option<MoneyShow>,
    pub(super) trail: Option<TrailBehind>,
}

/// Matching's end.
pub(super) struct MarketShow {
    views: Producer<MarketView>,
    wanted: Consumer<WatchedSymbols>,
    symbols: WatchedSymbols,
    /// The instruments of `symbols`, as far as they were defined among the first `known`.
    ids: Vec<Option<InstrumentId>>,
    known: usize,
}

impl MarketShow {
    /// Shows the market if the reader has room for a view; an error when the reader has gone.
    #[inline]
    pub(super) fn show(&mut self, market: &Market, last: u32, executions: u64) -> Result<()> {
        if self.views.free_slots()? > 0 {
            self.look(market, InstrumentId(last), executions);
        }
        Ok(())
    }

    #[cold]
    fn look(&mut self, market: &Market, last: InstrumentId, executions: u64) {
        let instruments = market.instruments();
        self.find_wanted(instruments);
        let symbol_of = |id| instruments.get(id).map(|instrument: &Instrument| instrument.symbol);
        let counts = market.trades();
        let (unknown_orders, crossed) = market.faults();
        let books = std::array::from_fn(|at| {
            let id = self.ids.get(at).copied().flatten();
            let known = id.and_then(|id| Some((id, instruments.get(id)?)));
            known.map_or_else(Zeroable::zeroed, |(id, instrument)| market.book(id, instrument))
        });
        give(&mut self.views, || MarketView {
            last_symbol: symbol_of(last).unwrap_or_else(Zeroable::zeroed),
            instruments: instruments.len() as u64,
            live_orders: market.live_orders() as u64,
            unknown_orders,
            crossed,
            executions,
            submitted: counts.submitted,
            rejected: counts.rejected,
            fills: counts.fills,
            books,
        });
    }

    /// Finds the instruments of the wanted symbols, when others are wanted or more are defined.
    fn find_wanted(&mut self, instruments: &InstrumentTable) {
        let mut is_stale = self.known != instruments.len();
        while let Some(symbols) = taken(&mut self.wanted) {
            self.symbols = symbols;
            is_stale = true;
        }
        if is_stale {
            self.known = instruments.len();
            self.ids.clear();
            self.ids.extend(self.symbols.iter().map(|symbol| instruments.find(symbol.as_str())));
        }
    }
}

impl Market {
    fn instruments(&self) -> &InstrumentTable {
        match &self.exchange {
            Some(exchange) => exchange.matcher().instruments(),
            None => self.books.replica().instruments(),
        }
    }

    fn live_orders(&self) -> usize {
        match &self.exchange {
            Some(exchange) => exchange.matcher().live_orders(),
            None => self.books.replica().live_orders(),
        }
    }

    fn faults(&self) -> (u64, u64) {
        let counts = self.books.replica().counts();
        (counts.unknown_orders.count, counts.crossed.count)
    }

    fn book(&self, id: InstrumentId, instrument: &Instrument) -> BookView {
        let (replica, exchange) = (self.books.replica(), self.exchange.as_ref());
        let [bids, asks] = [Side::Buy, Side::Sell].map(|side| match exchange {
            Some(exchange) => best(exchange.matcher().levels(id, side)),
            None => best(replica.levels(id, side)),
        });
        let (is_trading, last_price) = match exchange.map(|exchange| exchange.matcher()) {
            Some(matcher) => (!matcher.is_halted(id), matcher.last_price(id)),
            None => (replica.is_trading(id), replica.last_price(id)),
        };
        BookView {
            symbol: instrument.symbol,
            price_increment: instrument.price_increment,
            is_trading: u64::from(is_trading),
            last_price: last_price.map_or(0, |price| price.0),
            bids,
            asks,
        }
    }
}

/// The first levels of a side.
fn best(levels: impl Iterator<Item = LevelView>) -> [WatchedLevel; WATCHED_LEVELS_MAX] {
    let mut best = [WatchedLevel::default(); WATCHED_LEVELS_MAX];
    for (place, level) in best.iter_mut().zip(levels) {
        let LevelView { price, qty, orders } = level;
        *place = WatchedLevel { price: price.0, qty: qty.0, orders: u64::from(orders) };
    }
    best
}

/// The portfolio's end.
pub(super) struct MoneyShow {
    views: Producer<MoneyView>,
}

impl MoneyShow {
    /// Shows the positions if the reader has room for a view; an error when the reader has gone.
    #[inline]
    pub(super) fn show(&mut self, portfolio: &Portfolio) -> Result<()> {
        if self.views.free_slots()? > 0 {
            give(&mut self.views, || money_view(portfolio));
        }
        Ok(())
    }
}

#[cold]
fn money_view(portfolio: &Portfolio) -> MoneyView {
    let mut view = MoneyView::zeroed();
    if let Some((_, currency, equity)) = portfolio.equities().next() {
        (view.currency, view.equity) = (currency, equity.0);
    }
    let positions = portfolio.positions();
    view.count = positions.len() as u64;
    for (place, (account, instrument, position)) in view.positions.iter_mut().zip(positions) {
        let Some(listing) = portfolio.listing(instrument) else { continue };
        let AccountId(account) = account;
        *place = PositionView {
            realised: position.realised.0,
            unrealised: portfolio.unrealised(AccountId(account), instrument).0,
            fees: position.fees.0,
            symbol: listing.symbol,
            qty: position.qty,
            fills: position.fills,
            account,
            currency: listing.currency,
        };
    }
    view
}

/// A small ring from one thread to another.
fn pipe<T: Pod>(name: &str) -> Result<(Producer<T>, Consumer<T>)> {
    let mut builder = RingBuilder::new(name, VIEWS)?;
    let stage = builder.stage("reader", &[])?;
    let (producer, mut consumers) = builder.build()?;
    Ok((producer, consumers.take(stage)?))
}

/// Puts a record on a ring if there is room; whether there was.
fn give<T: Pod>(ring: &mut Producer<T>, make: impl FnOnce() -> T) -> bool {
    // A reader who has gone is nobody's failure.
    let Ok(Some(mut claim)) = ring.try_claim(1) else { return false };
    claim.set(0, make());
    claim.commit_all();
    true
}

/// The next record of a ring, if there is one.
fn taken<T: Pod>(ring: &mut Consumer<T>) -> Option<T> {
    ring.poll(1).ok()?.iter().next().copied()
}
