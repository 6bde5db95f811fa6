//! What a user knows of instruments better than the feed does.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::{EventView, Text, payload};
use super::{Event, Instrument, TickBands, TradingHours, format_price};
use crate::error::{Error, Result};
use crate::units::{Price, Qty};

/// Terms and rules of one instrument that take the place of a feed's; `None` leaves the feed's.
///
/// Amounts of money are in 1e-9 of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrumentOverride {
    /// Venue that lists it.
    pub venue: Option<Text<8>>,
    /// Currency of its prices.
    pub currency: Option<Text<4>>,
    /// Price increment of an order file; a recorded feed's prices are in the feed's own.
    pub price_increment: Option<u64>,
    /// Quantity increments of a round lot.
    pub round_lot: Option<u32>,
    /// Currency units that one point of price is worth.
    pub multiplier: Option<u32>,
    /// What quantities of new orders are multiples of.
    pub lot: Option<Qty>,
    /// The smallest quantity of a new order.
    pub qty_min: Option<Qty>,
    /// The largest quantity of a new order.
    pub qty_max: Option<Qty>,
    /// The highest price of a new order.
    pub price_max: Option<u64>,
    /// How far from the last trade a market order without a cap trades.
    pub collar: Option<u64>,
    /// The close of the session before.
    pub previous_close: Option<u64>,
    /// The smallest steps of prices of new orders; the feed's own rule without.
    pub ticks: Option<TickBands>,
    /// Self-trade group of orders that name none; their account without.
    pub self_trade_group: Option<u64>,
    /// When it trades; whenever the feed lets it without.
    pub hours: Option<TradingHours>,
}

/// Overrides by symbol, and which of them a feed has met.
///
/// ```
/// use ringtape::event::{Instrument, InstrumentOverride, InstrumentOverrides, InstrumentTable};
/// use ringtape::event::kinds::Text;
/// use ringtape::units::InstrumentId;
///
/// let euro = InstrumentOverride { currency: Some(Text::new("EUR")), ..Default::default() };
/// let mut overrides = InstrumentOverrides::new([("ACME".to_owned(), euro)]);
/// let mut records = InstrumentTable::events(0, InstrumentId(1), &Instrument::us_equity("ACME"));
/// overrides.rewrite(&mut records)?;
///
/// let mut table = InstrumentTable::default();
/// records.iter().for_each(|record| _ = table.apply(record));
/// let acme = table.get(InstrumentId(1)).expect("just defined");
/// assert_eq!(acme.currency.as_str(), "EUR");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstrumentOverrides {
    by_symbol: BTreeMap<String, InstrumentOverride>,
    /// Where the user wrote a price of a symbol, such as `FILE, line 7`, by symbol and key.
    places: BTreeMap<(String, &'static str), String>,
    met: BTreeSet<String>,
    /// Whose terms come next.
    at_hand: Option<InstrumentOverride>,
}

impl InstrumentOverrides {
    /// The overrides of these symbols.
    pub fn new(by_symbol: impl IntoIterator<Item = (String, InstrumentOverride)>) -> Self {
        Self { by_symbol: by_symbol.into_iter().collect(), ..Self::default() }
    }

    /// The same with where the user wrote prices, for errors: by symbol and by `ticks`,
    /// `max-price`, `collar` or `previous-close`.
    pub fn with_places(
        self,
        places: impl IntoIterator<Item = ((String, &'static str), String)>,
    ) -> Self {
        Self { places: places.into_iter().collect(), ..self }
    }

    /// Refuses what cannot be of an instrument as it is defined.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for ticks and prices that are no multiples of the price increment: no price
    /// of an order could lie on them.
    pub fn check(&self, symbol: &str, price_increment: u64) -> Result<()> {
        let Some(own) = self.get(symbol) else { return Ok(()) };
        let ticks = own.ticks.iter().flat_map(|ticks| ticks.bands());
        let prices = [
            ("max-price", "highest price", own.price_max),
            ("collar", "collar", own.collar),
            ("previous-close", "previous close", own.previous_close),
        ];
        let prices = prices.into_iter().filter_map(|(key, name, price)| Some((key, name, price?)));
        let all = ticks.map(|&(_, step)| ("ticks", "tick", step)).chain(prices);
        let mut off = all.filter(|(.., amount)| !amount.is_multiple_of(price_increment.max(1)));
        let Some((key, name, amount)) = off.next() else { return Ok(()) };
        let place = self.places.get(&(symbol.to_owned(), key));
        let place = place.map_or_else(String::new, |at| format!("{at}: "));
        let [amount, increment] =
            [amount, price_increment].map(|amount| format_price(Price(1), amount));
        Err(Error::usage(
            format!(
                "{place}the {name} {amount} of [{symbol}] is no multiple of {increment}, in which \
                 its prices are"
            ),
            format!("write multiples of {increment}"),
        ))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_symbol.is_empty()
    }

    /// The override of a symbol.
    pub fn get(&self, symbol: &str) -> Option<&InstrumentOverride> {
        self.by_symbol.get(symbol)
    }

    /// All symbols with their overrides.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &InstrumentOverride)> {
        self.by_symbol.iter().map(|(symbol, own)| (symbol.as_str(), own))
    }

    /// The terms of an instrument with what takes their place.
    pub fn applied_to(&self, instrument: &Instrument) -> Instrument {
        let Some(own) = self.get(instrument.symbol.as_str()) else { return *instrument };
        Instrument {
            price_increment: own.price_increment.unwrap_or(instrument.price_increment),
            venue: own.venue.unwrap_or(instrument.venue),
            currency: own.currency.unwrap_or(instrument.currency),
            round_lot: own.round_lot.unwrap_or(instrument.round_lot),
            multiplier: own.multiplier.unwrap_or(instrument.multiplier),
            ..*instrument
        }
    }

    /// Puts overrides into the definitions among a feed's records.
    ///
    /// The price increment stays: the feed's prices are in it.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn rewrite(&mut self, records: &mut [Event]) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        for record in records {
            match record.view() {
                EventView::Instrument(defined) => {
                    let symbol = defined.symbol.as_str();
                    self.check(symbol, defined.price_increment)?;
                    self.at_hand = self.by_symbol.get(symbol).copied();
                    if self.at_hand.is_some() && !self.met.contains(symbol) {
                        self.met.insert(symbol.to_owned());
                    }
                }
                EventView::InstrumentTerms(terms) => {
                    let Some(own) = self.at_hand.take() else { continue };
                    let terms = payload::InstrumentTerms {
                        venue: own.venue.unwrap_or(terms.venue),
                        currency: own.currency.unwrap_or(terms.currency),
                        round_lot: own.round_lot.unwrap_or(terms.round_lot),
                        multiplier: own.multiplier.unwrap_or(terms.multiplier),
                        ..*terms
                    };
                    record.payload = bytemuck::cast(terms);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Symbols that no definition named.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.by_symbol.keys().filter(|symbol| !self.met.contains(*symbol)).map(String::as_str)
    }
}
