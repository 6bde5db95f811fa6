//! A book at a moment: levels or orders of both sides, who leans which way, what was traded.

use ringtape::book::{LevelView, Replica};
use ringtape::error::Result;
use ringtape::event::Instrument;
use ringtape::feed::Zone;
use ringtape::report::format::{thousands, time_of_day};
use ringtape::units::{InstrumentId, Price, Side};
use serde_json::{Value, json};

use crate::cli::term;

/// What to show of which book.
pub(super) struct Depth<'a> {
    pub(super) replica: &'a Replica,
    pub(super) instrument: InstrumentId,
    pub(super) levels: usize,
    pub(super) has_orders: bool,
    pub(super) messages: u64,
    /// Time of the last message, what the feed counts times from, and its clock.
    pub(super) ts_event: u64,
    pub(super) midnight_ns: u64,
    pub(super) zone: Zone,
}

impl Depth<'_> {
    fn terms(&self) -> Option<&Instrument> {
        self.replica.instruments().get(self.instrument)
    }

    fn price(&self, price: Price) -> String {
        self.terms().map_or_else(|| format!("{price}"), |terms| terms.format_price(price))
    }

    fn levels(&self, side: Side) -> impl Iterator<Item = LevelView> {
        self.replica.levels(self.instrument, side).take(self.levels)
    }

    pub(super) fn print(&self) -> Result<()> {
        let mut out = term::Stdout::lock();
        let symbol = self.replica.instruments().symbol(self.instrument);
        let (messages, time) = (thousands(self.messages), time_of_day(self.ts_event, self.zone));
        let zone = self.zone.name();
        out.line(format_args!("{symbol} after {messages} messages, at {time} {zone}"))?;
        if self.has_orders {
            self.print_orders(&mut out)?;
        } else {
            self.print_levels(&mut out)?;
        }
        let imbalance = self.replica.imbalance(self.instrument, self.levels);
        let [bids, asks] = [Side::Buy, Side::Sell].map(|side| self.levels(side).count());
        out.line(format_args!(
            "imbalance {:+} %, {} bid and {} offered on {bids} and {asks} levels",
            imbalance.ppm() / 10_000,
            thousands(imbalance.bid_qty.0),
            thousands(imbalance.ask_qty.0)
        ))?;
        let stats = self.replica.stats(self.instrument);
        let average = self.replica.turnover(self.instrument).vwap();
        out.line(format_args!(
            "volume {} in {} trades, average price {}",
            thousands(stats.volume.0),
            thousands(stats.trades),
            average.map_or_else(|| "none".to_owned(), |price| self.price(price))
        ))?;
        out.finish()
    }

    fn print_levels(&self, out: &mut term::Stdout) -> Result<()> {
        out.line(format_args!(
            "{:>7} {:>12} {:>14}   {:<14} {:<12} {}",
            "orders", "qty", "bid", "ask", "qty", "orders"
        ))?;
        let mut bids = self.levels(Side::Buy);
        let mut asks = self.levels(Side::Sell);
        loop {
            let (bid, ask) = (bids.next(), asks.next());
            if bid.is_none() && ask.is_none() {
                return Ok(());
            }
            let left = bid.map_or_else(String::new, |level| {
                let qty = thousands(level.qty.0);
                format!("{:>7} {qty:>12} {:>14}", level.orders, self.price(level.price))
            });
            let right = ask.map_or_else(String::new, |level| {
                let qty = thousands(level.qty.0);
                format!("{:<14} {qty:<12} {}", self.price(level.price), level.orders)
            });
            out.line(format_args!("{left:>35}   {right}"))?;
        }
    }

    /// The offers from the worst to the best, then the bids: each queue front first.
    fn print_orders(&self, out: &mut term::Stdout) -> Result<()> {
        out.line(format_args!(
            "side {:>14} {:>5} {:>12} {:>20}",
            "price", "place", "qty", "order"
        ))?;
        for side in [Side::Sell, Side::Buy] {
            let mut levels: Vec<LevelView> = self.levels(side).collect();
            if side == Side::Sell {
                levels.reverse();
            }
            for level in levels {
                let price = self.price(level.price);
                let queue = self.replica.queue(self.instrument, side, level.price);
                for (place, order) in queue.enumerate() {
                    out.line(format_args!(
                        "{:<4} {price:>14} {:>5} {:>12} {:>20}",
                        side.name(),
                        place + 1,
                        thousands(order.qty.0),
                        order.order_id.0
                    ))?;
                }
            }
        }
        Ok(())
    }

    /// The same as JSON; prices are decimals as text.
    pub(super) fn to_json(&self) -> Value {
        let stats = self.replica.stats(self.instrument);
        let turnover = self.replica.turnover(self.instrument);
        let imbalance = self.replica.imbalance(self.instrument, self.levels);
        json!({
            "schema": 1,
            "symbol": self.replica.instruments().symbol(self.instrument),
            "messages": self.messages,
            "ts_ns": self.ts_event.saturating_sub(self.midnight_ns),
            "clock": self.zone.code(),
            "trading": self.replica.is_trading(self.instrument),
            "bids": self.side_to_json(Side::Buy),
            "asks": self.side_to_json(Side::Sell),
            "imbalance_ppm": imbalance.ppm(),
            "last_price": self.replica.last_price(self.instrument).map(|last| self.price(last)),
            "volume": stats.volume.0,
            "trades": stats.trades,
            "vwap": turnover.vwap().map(|average| self.price(average)),
        })
    }

    fn side_to_json(&self, side: Side) -> Vec<Value> {
        self.levels(side)
            .map(|level| {
                let mut shown = json!({
                    "price": self.price(level.price),
                    "qty": level.qty.0,
                    "orders": level.orders,
                });
                if self.has_orders {
                    let queue = self.replica.queue(self.instrument, side, level.price);
                    let orders = queue
                        .map(|order| json!({ "order_id": order.order_id.0, "qty": order.qty.0 }));
                    shown["queue"] = orders.collect();
                }
                shown
            })
            .collect()
    }
}
