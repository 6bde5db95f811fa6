//! The file of `--instruments`: a table for each symbol.
//!
//! ```toml
//! [ACME]
//! currency = "EUR"
//! price-increment = "0.005"   # of order files only
//! lot = 10
//! max-price = "5000"
//! collar = "2.50"
//! ticks = { "0" = "0.0001", "1" = "0.01" }   # from each price on
//! fees = "maker=-0.0020/share,taker=0.0030/share"   # of a strategy's fills, in place of --fees
//! stp-group = 7   # of orders that name no self-trade group
//! open = "09:30"   # the hours of its session, in the feed's clock
//! close = "16:01"   # day orders end then, so after the closing cross if they are to take part;
//!                   # before `open`: on the next day; the same: it never stops, its days end then
//! zone = "eastern"   # or "utc": the clock of the hours where it is another
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringtape::engine::JOURNAL_FORMAT;
use ringtape::error::{Error, Result};
use ringtape::event::kinds::Text;
use ringtape::event::{InstrumentOverride, InstrumentOverrides, TickBands, TradingHours};
use ringtape::feed::{Description, TimeOfDay, Zone};
use ringtape::portfolio::FeeSchedule;
use ringtape::units::Qty;
use serde::{Deserialize, Serialize};

use super::{parse, toml_file};

/// Decimal places of 1e-9.
const PLACES: u32 = 9;

// Keys that are told of in more than one place.
const CURRENCY: &str = "currency";
const FEES: &str = "fees";
const TICKS: &str = "ticks";
const MAX_PRICE: &str = "max-price";
const COLLAR: &str = "collar";
const PREVIOUS_CLOSE: &str = "previous-close";
const OPEN: &str = "open";
const CLOSE: &str = "close";
const ZONE: &str = "zone";

/// What the file says, by symbol.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Instruments {
    entries: BTreeMap<String, Entry>,
    /// The file that says it, for errors; what was recorded in a journal needs none.
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl PartialEq for Instruments {
    /// Where it is said shapes nothing.
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Instruments {}

/// What the file says of one symbol; prices are decimals in text, so that none is rounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    venue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_increment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_lot: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multiplier: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_qty: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_qty: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_close: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stp_group: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fees: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticks: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
}

/// Reads the file of a flag.
pub(super) fn read(path: &str) -> Result<Instruments> {
    let cure = "write a table for each symbol, such as `[ACME]` with `lot = 10`";
    let instruments: Instruments = toml_file::read(Path::new(path), cure)?;
    let instruments = instruments.of_file(Path::new(path));
    instruments.overrides(Zone::default())?;
    instruments.fees()?;
    Ok(instruments)
}

impl Instruments {
    /// The same as a file says it.
    pub(super) fn of_file(self, path: &Path) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }

    /// The overrides that the engine takes; hours are in the feed's clock where they name no other.
    pub(super) fn overrides(&self, clock: Zone) -> Result<Arc<InstrumentOverrides>> {
        let overrides = self.entries.iter().map(|(symbol, entry)| {
            let own = entry
                .to_override(clock)
                .map_err(|(key, what)| Error::usage(self.told(symbol, key, &what), cure_of(key)))?;
            Ok((symbol.clone(), own))
        });
        let overrides = InstrumentOverrides::new(overrides.collect::<Result<Vec<_>>>()?);
        let places = self.entries.iter().flat_map(|(symbol, entry)| {
            let prices = [
                (TICKS, entry.ticks.is_some()),
                (MAX_PRICE, entry.max_price.is_some()),
                (COLLAR, entry.collar.is_some()),
                (PREVIOUS_CLOSE, entry.previous_close.is_some()),
            ];
            let given = prices.into_iter().filter(|(_, is_given)| *is_given);
            given
                .filter_map(move |(key, _)| Some(((symbol.clone(), key), self.place(symbol, key)?)))
        });
        Ok(Arc::new(overrides.with_places(places)))
    }

    /// Fees of the symbols that have their own.
    pub(super) fn fees(&self) -> Result<BTreeMap<String, FeeSchedule>> {
        let own =
            self.entries.iter().filter_map(|(symbol, entry)| Some((symbol, entry.fees.as_ref()?)));
        let parsed = own.map(|(symbol, text)| match text.parse() {
            Ok(fees) => Ok((symbol.clone(), fees)),
            Err(Error::Usage { what, cure }) => {
                Err(Error::usage(self.told(symbol, FEES, &what), cure))
            }
            Err(other) => Err(other),
        });
        parsed.collect()
    }

    /// Refuses fees where nothing is charged, because of `why`.
    pub(super) fn check_no_fees(&self, why: &str) -> Result<()> {
        match self.entries.iter().find(|(_, entry)| entry.fees.is_some()) {
            Some((symbol, _)) => Err(Error::usage(
                self.told(symbol, FEES, &format!("they do nothing: {why}")),
                "leave them out, or replay a recorded feed with --strategy",
            )),
            None => Ok(()),
        }
    }

    /// Refuses what a recorded feed has of its own, and hours in a clock that is none of it.
    pub(super) fn check_recorded(&self, feed: &Description) -> Result<()> {
        const INCREMENT: &str = "price-increment";
        if let Some((symbol, _)) =
            self.entries.iter().find(|(_, entry)| entry.price_increment.is_some())
        {
            return Err(Error::usage(
                self.told(symbol, INCREMENT, "a recorded feed's prices are in its own"),
                "leave it out; it is for order files",
            ));
        }
        self.check_clock(feed)
    }

    /// Refuses hours in another clock than that of a feed whose times have no date.
    pub(super) fn check_clock(&self, feed: &Description) -> Result<()> {
        let has_date = feed.is_dated || feed.midnight_ns > 0;
        let is_other = |zone: &String| *zone != feed.zone.code();
        let mut others = self.entries.iter().filter(|(_, entry)| entry.zone.iter().any(is_other));
        match others.next().filter(|_| !has_date) {
            Some((symbol, _)) => Err(Error::usage(
                self.told(
                    symbol,
                    ZONE,
                    &format!("the feed's times are {} without a date", feed.zone.name()),
                ),
                match feed.format {
                    JOURNAL_FORMAT => {
                        "give the hours in the feed's clock, or record the feed again with --date"
                    }
                    _ => {
                        "name the session's date with --date, or give the hours in the feed's clock"
                    }
                },
            )),
            None => Ok(()),
        }
    }

    /// What is wrong with a key of a symbol's table, and where that is.
    fn told(&self, symbol: &str, key: &str, what: &str) -> String {
        let place = self.place(symbol, key).map_or_else(String::new, |place| format!("{place}: "));
        format!("{place}`{key}` of [{symbol}]: {what}")
    }

    /// The file and line of a key of a symbol's table; `None` for what no file says.
    fn place(&self, symbol: &str, key: &str) -> Option<String> {
        self.path.as_deref().map(|path| toml_file::place(path, symbol, key))
    }
}

/// What to write for a key.
fn cure_of(key: &str) -> &'static str {
    match key {
        OPEN | CLOSE | ZONE => {
            "write open = \"09:30\" and close = \"16:00\", and zone = \"eastern\" or \"utc\" where \
             that is not the feed's own clock"
        }
        CURRENCY => "write its code in capital letters, such as \"USD\"",
        _ => "prices are decimals in quotes above 0, quantities whole numbers above 0",
    }
}

impl Entry {
    /// The override; else the name of a field and what is wrong with it.
    fn to_override(&self, clock: Zone) -> Result<InstrumentOverride, (&'static str, String)> {
        let increment = amount("price-increment", self.price_increment.as_deref())?;
        let on_tick = |name, text: &Option<String>| {
            let price = amount(name, text.as_deref())?;
            match (price, increment) {
                (Some(price), Some(increment)) if !price.is_multiple_of(increment) => {
                    Err((name, "it is no multiple of the price increment".to_owned()))
                }
                _ => Ok(price),
            }
        };
        let own = InstrumentOverride {
            venue: short("venue", self.venue.as_deref())?,
            currency: currency(self.currency.as_deref())?,
            price_increment: increment,
            round_lot: positive("round-lot", self.round_lot)?,
            multiplier: positive("multiplier", self.multiplier)?,
            lot: positive("lot", self.lot)?.map(Qty),
            qty_min: positive("min-qty", self.min_qty)?.map(Qty),
            qty_max: positive("max-qty", self.max_qty)?.map(Qty),
            price_max: on_tick(MAX_PRICE, &self.max_price)?,
            collar: on_tick(COLLAR, &self.collar)?,
            previous_close: on_tick(PREVIOUS_CLOSE, &self.previous_close)?,
            ticks: self.ticks.as_ref().map(|bands| ticks(bands, increment)).transpose()?,
            self_trade_group: positive("stp-group", self.stp_group)?,
            hours: self.hours(clock)?,
        };
        if own.qty_min.zip(own.qty_max).is_some_and(|(min, max)| min > max) {
            return Err(("min-qty", "it is above `max-qty`".to_owned()));
        }
        Ok(own)
    }

    /// The hours of its session, in `clock` unless it names another.
    fn hours(&self, clock: Zone) -> Result<Option<TradingHours>, (&'static str, String)> {
        let zone = match self.zone.as_deref() {
            None => clock,
            Some(code) => {
                Zone::from_code(code).ok_or_else(|| (ZONE, format!("`{code}` is no clock")))?
            }
        };
        let time = |key, text: &str| {
            let time = text.parse::<TimeOfDay>().ok().filter(|time| !time.is_utc());
            time.map(TimeOfDay::since_midnight).ok_or_else(|| (key, format!("`{text}` is no time")))
        };
        match (&self.open, &self.close) {
            (Some(open), Some(close)) => {
                let (open, close) = (time(OPEN, open)?, time(CLOSE, close)?);
                Ok(Some(TradingHours { open, close, zone }))
            }
            (Some(_), None) => Err((OPEN, "there is no `close`".to_owned())),
            (None, Some(_)) => Err((CLOSE, "there is no `open`".to_owned())),
            (None, None) if self.zone.is_some() => Err((ZONE, "there are no hours".to_owned())),
            (None, None) => Ok(None),
        }
    }
}

/// A tick schedule in 1e-9, of steps that are multiples of the increment if there is one.
fn ticks(
    bands: &BTreeMap<String, String>,
    increment: Option<u64>,
) -> Result<TickBands, (&'static str, String)> {
    let scaled = |text: &str| {
        parse::decimal(text, PLACES).ok_or_else(|| (TICKS, format!("`{text}` is no price")))
    };
    let bands = bands.iter().map(|(from, step)| Ok((scaled(from)?, scaled(step)?)));
    let mut bands = bands.collect::<Result<Vec<_>, _>>()?;
    bands.sort_unstable();
    let bands = TickBands::new(&bands).map_err(|what| (TICKS, what))?;
    match increment.map(|increment| bands.in_steps_of(increment)) {
        Some(None) => Err((TICKS, "they are no multiples of the price increment".to_owned())),
        _ => Ok(bands),
    }
}

/// A decimal in 1e-9.
fn amount(name: &'static str, text: Option<&str>) -> Result<Option<u64>, (&'static str, String)> {
    let Some(text) = text else { return Ok(None) };
    match parse::decimal(text, PLACES) {
        Some(amount) if amount > 0 => Ok(Some(amount)),
        _ => Err((name, format!("`{text}` is no price"))),
    }
}

fn short<const N: usize>(
    name: &'static str,
    text: Option<&str>,
) -> Result<Option<Text<N>>, (&'static str, String)> {
    match text {
        Some(text) if text.is_empty() || text.len() > N || !text.is_ascii() => {
            Err((name, format!("`{text}` is not 1 to {N} letters")))
        }
        text => Ok(text.map(Text::new)),
    }
}

fn currency(text: Option<&str>) -> Result<Option<Text<4>>, (&'static str, String)> {
    match text {
        Some(text) if !text.bytes().all(|letter| letter.is_ascii_uppercase()) => {
            Err((CURRENCY, format!("`{text}` is not 1 to 4 capital letters")))
        }
        text => short(CURRENCY, text),
    }
}

fn positive<T: Default + PartialEq>(
    name: &'static str,
    value: Option<T>,
) -> Result<Option<T>, (&'static str, String)> {
    match value {
        Some(value) if value == T::default() => Err((name, "it is 0".to_owned())),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_overrides_and_its_faults_name_symbol_and_field() {
        let parsed = |text: &str| -> Instruments { toml::from_str(text).expect("a table") };
        let text = "[ACME]\nlot = 10\ncollar = \"2.50\"\n";
        let overrides = parsed(text).overrides(Zone::Utc).expect("valid rules");
        let own = overrides.get("ACME").expect("the symbol");
        assert_eq!((own.lot, own.collar), (Some(Qty(10)), Some(2_500_000_000)));
        for (text, named) in [
            ("[A]\nlot = 0", "`lot` of [A]: it is 0"),
            ("[A]\nmin-qty = 5\nmax-qty = 4", "`min-qty` of [A]: it is above"),
            ("[A]\ncollar = \"-1\"", "`collar` of [A]: `-1` is no price"),
            ("[A]\nprice-increment = \"0.05\"\ncollar = \"0.01\"", "no multiple"),
            ("[A]\ncurrency = \"DOLLARS\"", "1 to 4 letters"),
            ("[A]\ncurrency = \"\"", "1 to 4 letters"),
            ("[A]\ncurrency = \"-1\"", "`-1` is not 1 to 4 capital letters: write its code"),
            ("[A]\ncurrency = \"A=B\"", "`A=B` is not 1 to 4 capital letters"),
            ("[A]\ncurrency = \"usd\"", "`usd` is not 1 to 4 capital letters"),
            ("[A]\nstp-group = 0", "`stp-group` of [A]: it is 0"),
            ("[A.ticks]\n\"1\" = \"0.01\"", "`ticks` of [A]: the first band does not begin at 0"),
            ("[A]\nopen = \"09:30\"", "`open` of [A]: there is no `close`"),
            ("[A]\nzone = \"utc\"", "`zone` of [A]: there are no hours"),
            ("[A]\nopen = \"09:30Z\"\nclose = \"16:00\"", "`open` of [A]: `09:30Z` is no time"),
            ("[A]\nopen = \"9\"\nclose = \"16:00\"", "`open` of [A]: `9` is no time"),
            ("[A]\nopen = \"09:30\"\nclose = \"16:00\"\nzone = \"CET\"", "`CET` is no clock"),
            ("[A]\nprice-increment = \"0.05\"\nticks = { \"0\" = \"0.01\" }", "no multiples"),
        ] {
            let told = parsed(text).overrides(Zone::Utc).expect_err("a fault").to_string();
            assert!(told.contains(named), "{text}: {told}");
        }
        assert!(toml::from_str::<Instruments>("[A]\ntik = 1").is_err());
    }
}
