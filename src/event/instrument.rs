//! Instruments: what a symbol's integers mean, gathered from records as they pass.

use super::kinds::{EventView, Text, payload};
use super::{Event, Flags, Listing};
use crate::limits::INSTRUMENTS_MAX;
use crate::units::{InstrumentId, MONEY_SCALE, Price, Qty};

/// 1e-9 steps in one unit: the increment of whole shares and of whole currency units.
pub const UNIT_INCREMENT: u64 = MONEY_SCALE as u64;

/// An instrument's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Symbol as the venue writes it.
    pub symbol: Text<24>,
    /// Venue that lists it.
    pub venue: Text<8>,
    /// Currency of its prices.
    pub currency: Text<4>,
    /// Price increment in 1e-9 of the currency.
    pub price_increment: u64,
    /// Quantity increment in 1e-9 of a unit.
    pub qty_increment: u64,
    /// Quantity increments of a round lot.
    pub round_lot: u32,
    /// Currency units that one point of price is worth.
    pub multiplier: u32,
    /// Whether the feed named no terms and these were assumed.
    pub assumed: bool,
}

impl Instrument {
    /// The smallest step that a new order's price may have at `price`, in price increments.
    ///
    /// US equities (currency USD, increment 0.0001): 0.0001 below 1.00, 0.01 from there (Regulation
    /// NMS rule 612). Others: the price increment itself.
    pub fn tick(&self, price: Price) -> i64 {
        const ONE_DOLLAR: i64 = 10_000;
        const CENT: i64 = 100;
        let is_us_equity = self.currency.as_str() == "USD" && self.price_increment == 100_000;
        if is_us_equity && price.0 >= ONE_DOLLAR { CENT } else { 1 }
    }

    /// `price` in 1e-9 of the currency.
    #[inline]
    pub fn canonical_price(&self, price: Price) -> i64 {
        price.0.wrapping_mul(self.price_increment.cast_signed())
    }

    /// `qty` in 1e-9 of a unit, modulo 2^64.
    #[inline]
    pub fn canonical_qty(&self, qty: Qty) -> u64 {
        qty.0.wrapping_mul(self.qty_increment)
    }

    /// `price` as a decimal with the places that the increment needs.
    pub fn format_price(&self, price: Price) -> String {
        format_price(price, self.price_increment)
    }

    /// The payloads of the two records that define the instrument.
    pub fn payloads(&self) -> (payload::Instrument, payload::InstrumentTerms) {
        let named =
            payload::Instrument { symbol: self.symbol, price_increment: self.price_increment };
        let terms = payload::InstrumentTerms {
            venue: self.venue,
            currency: self.currency,
            round_lot: self.round_lot,
            qty_increment: self.qty_increment,
            multiplier: self.multiplier,
            assumed: u32::from(self.assumed),
        };
        (named, terms)
    }

    /// What the execution ring tells of the instrument.
    pub fn listing(&self) -> Listing {
        Listing {
            symbol: self.symbol,
            currency: self.currency,
            price_increment: self.price_increment,
            qty_increment: self.qty_increment,
            multiplier: self.multiplier,
        }
    }
}

/// `price`, in increments of `increment` (in 1e-9), as a decimal with the places that needs.
///
/// ```
/// use ringtape::event::format_price;
/// use ringtape::units::Price;
///
/// assert_eq!(format_price(Price(3_201_400), 100_000), "320.1400");
/// ```
pub fn format_price(price: Price, increment: u64) -> String {
    format_scaled(i128::from(price.0) * i128::from(increment), places(increment))
}

/// Decimal places that multiples of `increment` (in 1e-9) need.
fn places(increment: u64) -> usize {
    let mut places = 9;
    let mut rest = increment.max(1);
    while places > 0 && rest.is_multiple_of(10) {
        rest /= 10;
        places -= 1;
    }
    places
}

/// `scaled` (in 1e-9) as a decimal with `places` places.
fn format_scaled(scaled: i128, places: usize) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let magnitude = scaled.unsigned_abs();
    let unit = MONEY_SCALE.unsigned_abs();
    let fraction = format!("{:09}", magnitude % unit);
    match places {
        0 => format!("{sign}{}", magnitude / unit),
        _ => format!("{sign}{}.{}", magnitude / unit, &fraction[..places]),
    }
}

/// All instruments of a run, by id.
///
/// ```
/// use ringtape::event::instrument::{Instrument, InstrumentTable};
/// use ringtape::event::kinds::Text;
/// use ringtape::units::{InstrumentId, Price};
///
/// let mut table = InstrumentTable::default();
/// for event in InstrumentTable::events(0, InstrumentId(13), &Instrument::us_equity("AAPL")) {
///     table.apply(&event);
/// }
/// let aapl = table.get(InstrumentId(13)).expect("just defined");
/// assert_eq!(aapl.symbol.as_str(), "AAPL");
/// assert_eq!(aapl.format_price(Price(3_201_400)), "320.1400");
/// assert_eq!(table.find("AAPL"), Some(InstrumentId(13)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct InstrumentTable {
    by_id: Vec<Option<Instrument>>,
    count: usize,
}

impl Instrument {
    /// A US equity in the units of ITCH: prices in 0.0001 USD, quantities in shares.
    pub fn us_equity(symbol: &str) -> Self {
        Self {
            symbol: Text::new(symbol),
            venue: Text::new("NASDAQ"),
            currency: Text::new("USD"),
            price_increment: 100_000,
            qty_increment: UNIT_INCREMENT,
            round_lot: 100,
            multiplier: 1,
            assumed: false,
        }
    }
}

impl InstrumentTable {
    /// Takes note of an `instrument` or `instrument_terms` record; other records change nothing.
    ///
    /// Returns the instrument when the record defined it anew or changed it. Until its terms
    /// arrive an instrument has those of [`Instrument::us_equity`] with its own increment.
    pub fn apply(&mut self, event: &Event) -> Option<InstrumentId> {
        let index = event.instrument as usize;
        match event.view() {
            EventView::Instrument(defined) if index < INSTRUMENTS_MAX => {
                if self.by_id.len() <= index {
                    self.by_id.resize(index + 1, None);
                }
                let slot = &mut self.by_id[index];
                let before = *slot;
                let start = before.unwrap_or(Instrument::us_equity(""));
                *slot = Some(Instrument {
                    symbol: defined.symbol,
                    price_increment: defined.price_increment,
                    ..start
                });
                self.count += usize::from(before.is_none());
                (*slot != before).then_some(InstrumentId(event.instrument))
            }
            EventView::InstrumentTerms(terms) => {
                let instrument = self.by_id.get_mut(index)?.as_mut()?;
                let before = *instrument;
                *instrument = Instrument {
                    venue: terms.venue,
                    currency: terms.currency,
                    round_lot: terms.round_lot,
                    qty_increment: terms.qty_increment,
                    multiplier: terms.multiplier,
                    assumed: terms.assumed != 0,
                    ..before
                };
                (*instrument != before).then_some(InstrumentId(event.instrument))
            }
            _ => None,
        }
    }

    /// The instrument of an id.
    #[inline]
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.by_id.get(id.0 as usize)?.as_ref()
    }

    /// The id of a symbol; the lowest where several have it.
    pub fn find(&self, symbol: &str) -> Option<InstrumentId> {
        self.iter().find(|(_, instrument)| instrument.symbol.as_str() == symbol).map(|(id, _)| id)
    }

    /// The symbol of an id, or `#id` for an id without an instrument.
    pub fn symbol(&self, id: InstrumentId) -> String {
        match self.get(id) {
            Some(instrument) => instrument.symbol.as_str().to_owned(),
            None => format!("#{id}"),
        }
    }

    /// All instruments by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = (InstrumentId, &Instrument)> {
        self.by_id
            .iter()
            .enumerate()
            .filter_map(|(id, slot)| Some((InstrumentId(id as u32), slot.as_ref()?)))
    }

    /// Number of instruments.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The two records that define an instrument; the second is the last of its chain.
    pub fn events(ts_event: u64, id: InstrumentId, instrument: &Instrument) -> [Event; 2] {
        let (first, second) = instrument.payloads();
        [
            Event::new(ts_event, id.0, first).with_flags(Flags::CONTINUED),
            Event::new(ts_event, id.0, second),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_of_a_us_equity_is_a_cent_from_one_dollar_on() {
        let stock = Instrument::us_equity("X");
        assert_eq!(stock.tick(Price(9_999)), 1);
        assert_eq!(stock.tick(Price(10_000)), 100);
    }

    #[test]
    fn a_repeated_definition_changes_nothing() {
        let mut table = InstrumentTable::default();
        let events = InstrumentTable::events(0, InstrumentId(7), &Instrument::us_equity("X"));
        assert_eq!(table.apply(&events[0]), Some(InstrumentId(7)));
        for event in events {
            assert_eq!(table.apply(&event), None);
        }
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn prices_print_the_places_of_their_increment() {
        let mut instrument = Instrument::us_equity("X");
        assert_eq!(instrument.format_price(Price(-1)), "-0.0001");
        instrument.price_increment = UNIT_INCREMENT;
        assert_eq!(instrument.format_price(Price(12)), "12");
    }
}
