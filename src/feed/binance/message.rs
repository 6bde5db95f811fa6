//! The messages of a recording, read from JSON.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::decimal::scaled;
use crate::feed::lines::LineFault;
use crate::units::{Price, Qty, Side};

/// Decimal places of prices and quantities.
pub(super) const PLACES: u32 = 8;

/// ns in one ms.
const MS: u64 = 1_000_000;

/// A line: when it was received, and what it says.
pub(super) struct Line {
    pub(super) local_ns: u64,
    pub(super) message: Message,
}

/// What a line says.
pub(super) enum Message {
    Snapshot(Snapshot),
    Depth(Depth),
    Ticker(Ticker),
    Trade(Trade),
    /// A stream that is not read here.
    Other,
}

/// A price level: side, price, and what rests there from now on.
pub(super) type Level = (Side, Price, Qty);

/// The whole book as of an update.
pub(super) struct Snapshot {
    pub(super) last_id: u64,
    pub(super) levels: Vec<Level>,
}

/// Levels that changed in the updates from `first_id` to `last_id`.
pub(super) struct Depth {
    pub(super) symbol: String,
    pub(super) ts: u64,
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    /// The last update of the diff before, where the venue tells it (futures).
    pub(super) previous_id: Option<u64>,
    pub(super) levels: Vec<Level>,
}

/// The venue's best bid and offer as of an update: price and quantity each.
pub(super) struct Ticker {
    pub(super) symbol: String,
    pub(super) id: u64,
    pub(super) bid: (Price, Qty),
    pub(super) ask: (Price, Qty),
}

/// A trade, with the side of the order that rested.
pub(super) struct Trade {
    pub(super) symbol: String,
    pub(super) ts: u64,
    pub(super) id: u64,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) resting: Side,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    stream: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    e: Option<&'a str>,
    #[serde(rename = "lastUpdateId")]
    last_id: Option<u64>,
}

/// Levels as the venue writes them: price and quantity as text.
type RawLevels<'a> = Vec<[&'a str; 2]>;

#[derive(Deserialize)]
struct RawSnapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    last_id: u64,
    #[serde(borrow)]
    bids: RawLevels<'a>,
    asks: RawLevels<'a>,
}

#[derive(Deserialize)]
struct RawDepth<'a> {
    s: &'a str,
    #[serde(rename = "E")]
    time_ms: u64,
    #[serde(rename = "U")]
    first_id: u64,
    u: u64,
    pu: Option<u64>,
    #[serde(borrow)]
    b: RawLevels<'a>,
    a: RawLevels<'a>,
}

#[derive(Deserialize)]
struct RawTicker<'a> {
    s: &'a str,
    u: u64,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

#[derive(Deserialize)]
struct RawTrade<'a> {
    s: &'a str,
    #[serde(rename = "E")]
    time_ms: u64,
    /// Of an aggregate trade `a`.
    #[serde(alias = "a")]
    t: u64,
    p: &'a str,
    q: &'a str,
    m: bool,
}

impl Line {
    pub(super) fn parse(line: &[u8]) -> Result<Self, LineFault> {
        let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let local_ns = scaled(&line[..space], 0)
            .ok_or_else(|| LineFault::new(0, "it does not begin with a time in ns"))?;
        let json = std::str::from_utf8(&line[space..])
            .map_err(|error| LineFault::new(space + error.valid_up_to(), "it is no text"))?;
        let message =
            Message::parse(json).map_err(|fault| LineFault { at: space + fault.at, ..fault })?;
        Ok(Self { local_ns, message })
    }
}

impl Message {
    fn parse(json: &str) -> Result<Self, LineFault> {
        let envelope: Envelope<'_> = read(json)?;
        if envelope.last_id.is_some() {
            return RawSnapshot::take(json).map(Self::Snapshot);
        }
        let (body, kind) = match (envelope.data, envelope.stream, envelope.e) {
            (Some(data), Some(stream), _) => (data.get(), stream),
            (_, _, Some(event)) => (json, event),
            _ => return Ok(Self::Other),
        };
        // A stream is `btcusdt@depth@100ms`; the levels of `@depth5` are no diffs.
        let kind = kind.split('@').nth(1).unwrap_or(kind);
        match kind {
            "depth" | "depthUpdate" => RawDepth::take(body).map(Self::Depth),
            "bookTicker" => RawTicker::take(body).map(Self::Ticker),
            "trade" | "aggTrade" => RawTrade::take(body).map(Self::Trade),
            _ => Ok(Self::Other),
        }
    }
}

/// Reads JSON; a fault is placed by its column, as a line has no others.
fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, LineFault> {
    serde_json::from_str(json)
        .map_err(|error| LineFault::new(error.column().saturating_sub(1), error.to_string()))
}

impl RawSnapshot<'_> {
    fn take(json: &str) -> Result<Snapshot, LineFault> {
        let raw: RawSnapshot<'_> = read(json)?;
        Ok(Snapshot { last_id: raw.last_id, levels: levels(&raw.bids, &raw.asks)? })
    }
}

impl RawDepth<'_> {
    fn take(json: &str) -> Result<Depth, LineFault> {
        let raw: RawDepth<'_> = read(json)?;
        Ok(Depth {
            symbol: raw.s.to_owned(),
            ts: raw.time_ms.saturating_mul(MS),
            first_id: raw.first_id,
            last_id: raw.u,
            previous_id: raw.pu,
            levels: levels(&raw.b, &raw.a)?,
        })
    }
}

impl RawTicker<'_> {
    fn take(json: &str) -> Result<Ticker, LineFault> {
        let raw: RawTicker<'_> = read(json)?;
        Ok(Ticker {
            symbol: raw.s.to_owned(),
            id: raw.u,
            bid: (price(raw.b)?, qty(raw.bid_qty)?),
            ask: (price(raw.a)?, qty(raw.ask_qty)?),
        })
    }
}

impl RawTrade<'_> {
    fn take(json: &str) -> Result<Trade, LineFault> {
        let raw: RawTrade<'_> = read(json)?;
        Ok(Trade {
            symbol: raw.s.to_owned(),
            ts: raw.time_ms.saturating_mul(MS),
            id: raw.t,
            price: price(raw.p)?,
            qty: qty(raw.q)?,
            resting: if raw.m { Side::Buy } else { Side::Sell },
        })
    }
}

fn levels(bids: &RawLevels<'_>, asks: &RawLevels<'_>) -> Result<Vec<Level>, LineFault> {
    let bids = bids.iter().map(|level| (Side::Buy, level));
    let asks = asks.iter().map(|level| (Side::Sell, level));
    bids.chain(asks).map(|(side, [p, q])| Ok((side, price(p)?, qty(q)?))).collect()
}

fn price(text: &str) -> Result<Price, LineFault> {
    let price = scaled(text.as_bytes(), PLACES).and_then(|price| i64::try_from(price).ok());
    price.map(Price).ok_or_else(|| {
        LineFault::new(0, format!("`{text}` is no price of at most {PLACES} places"))
    })
}

fn qty(text: &str) -> Result<Qty, LineFault> {
    scaled(text.as_bytes(), PLACES).map(Qty).ok_or_else(|| {
        LineFault::new(0, format!("`{text}` is no quantity of at most {PLACES} places"))
    })
}
