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
//! fees = "maker=-0.0020/share,taker=0.0030/share"   # in place of --fees
//! stp-group = 7   # of orders that name no self-trade group
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ringtape::error::{Error, Result};
use ringtape::event::kinds::Text;
use ringtape::event::{InstrumentOverride, InstrumentOverrides, TickBands};
use ringtape::portfolio::FeeSchedule;
use ringtape::units::Qty;
use serde::{Deserialize, Serialize};

use super::{parse, toml_file};

/// Decimal places of 1e-9.
const PLACES: u32 = 9;

/// What the file says, by symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Instruments(BTreeMap<String, Entry>);

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
}

/// Reads the file of a flag.
pub(super) fn read(path: &str) -> Result<Instruments> {
    let cure = "write a table for each symbol, such as `[ACME]` with `lot = 10`";
    let instruments: Instruments = toml_file::read(Path::new(path), cure)?;
    instruments.overrides()?;
    instruments.fees()?;
    Ok(instruments)
}

impl Instruments {
    /// The overrides that the engine takes.
    pub(super) fn overrides(&self) -> Result<Arc<InstrumentOverrides>> {
        let overrides = self.0.iter().map(|(symbol, entry)| {
            let own = entry.to_override().map_err(|(name, what)| {
                Error::usage(
                    format!("`{name}` of [{symbol}]: {what}"),
                    "prices are decimals in quotes above 0, quantities whole numbers above 0",
                )
            })?;
            Ok((symbol.clone(), own))
        });
        Ok(Arc::new(InstrumentOverrides::new(overrides.collect::<Result<Vec<_>>>()?)))
    }

    /// Fees of the symbols that have their own.
    pub(super) fn fees(&self) -> Result<BTreeMap<String, FeeSchedule>> {
        let own = self.0.iter().filter_map(|(symbol, entry)| Some((symbol, entry.fees.as_ref()?)));
        let parsed = own.map(|(symbol, text)| match text.parse() {
            Ok(fees) => Ok((symbol.clone(), fees)),
            Err(Error::Usage { what, cure }) => {
                Err(Error::usage(format!("`fees` of [{symbol}]: {what}"), cure))
            }
            Err(other) => Err(other),
        });
        parsed.collect()
    }

    /// Refuses price increments where the feed has its own.
    pub(super) fn check_recorded(&self) -> Result<()> {
        match self.0.iter().find(|(_, entry)| entry.price_increment.is_some()) {
            Some((symbol, _)) => Err(Error::usage(
                format!("`price-increment` of [{symbol}]: a recorded feed's prices are in its own"),
                "leave it out; it is for order files",
            )),
            None => Ok(()),
        }
    }
}

impl Entry {
    /// The override; else the name of a field and what is wrong with it.
    fn to_override(&self) -> Result<InstrumentOverride, (&'static str, String)> {
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
            currency: short("currency", self.currency.as_deref())?,
            price_increment: increment,
            round_lot: positive("round-lot", self.round_lot)?,
            multiplier: positive("multiplier", self.multiplier)?,
            lot: positive("lot", self.lot)?.map(Qty),
            qty_min: positive("min-qty", self.min_qty)?.map(Qty),
            qty_max: positive("max-qty", self.max_qty)?.map(Qty),
            price_max: on_tick("max-price", &self.max_price)?,
            collar: on_tick("collar", &self.collar)?,
            previous_close: on_tick("previous-close", &self.previous_close)?,
            ticks: self.ticks.as_ref().map(|bands| ticks(bands, increment)).transpose()?,
            self_trade_group: positive("stp-group", self.stp_group)?,
        };
        if own.qty_min.zip(own.qty_max).is_some_and(|(min, max)| min > max) {
            return Err(("min-qty", "it is above `max-qty`".to_owned()));
        }
        Ok(own)
    }
}

/// A tick schedule in 1e-9, of steps that are multiples of the increment if there is one.
fn ticks(
    bands: &BTreeMap<String, String>,
    increment: Option<u64>,
) -> Result<TickBands, (&'static str, String)> {
    const NAME: &str = "ticks";
    let scaled = |text: &str| {
        parse::decimal(text, PLACES).ok_or_else(|| (NAME, format!("`{text}` is no price")))
    };
    let bands = bands.iter().map(|(from, step)| Ok((scaled(from)?, scaled(step)?)));
    let mut bands = bands.collect::<Result<Vec<_>, _>>()?;
    bands.sort_unstable();
    let bands = TickBands::new(&bands).map_err(|what| (NAME, what))?;
    match increment.map(|increment| bands.in_steps_of(increment)) {
        Some(None) => Err((NAME, "they are no multiples of the price increment".to_owned())),
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
        let overrides = parsed(text).overrides().expect("valid rules");
        let own = overrides.get("ACME").expect("the symbol");
        assert_eq!((own.lot, own.collar), (Some(Qty(10)), Some(2_500_000_000)));
        for (text, named) in [
            ("[A]\nlot = 0", "`lot` of [A]: it is 0"),
            ("[A]\nmin-qty = 5\nmax-qty = 4", "`min-qty` of [A]: it is above"),
            ("[A]\ncollar = \"-1\"", "`collar` of [A]: `-1` is no price"),
            ("[A]\nprice-increment = \"0.05\"\ncollar = \"0.01\"", "no multiple"),
            ("[A]\ncurrency = \"DOLLARS\"", "1 to 4 letters"),
            ("[A]\nstp-group = 0", "`stp-group` of [A]: it is 0"),
            ("[A.ticks]\n\"1\" = \"0.01\"", "`ticks` of [A]: the first band does not begin at 0"),
            ("[A]\nprice-increment = \"0.05\"\nticks = { \"0\" = \"0.01\" }", "no multiples"),
        ] {
            let told = parsed(text).overrides().expect_err("a fault").to_string();
            assert!(told.contains(named), "{text}: {told}");
        }
        assert!(toml::from_str::<Instruments>("[A]\ntik = 1").is_err());
    }
}
