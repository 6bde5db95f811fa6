//! Scalper: a strategy of 25 lines, run by the whole engine over a recorded feed.
//!
//! `cargo run --example scalper -- [FEED [SYMBOL [JOURNAL]]]` replays a feed, the sample in `feeds`
//! unless another is named, keeps a journal where one is asked for, and prints what came of it. A
//! journal's directory is a feed like any other, and gives the same.

use std::path::Path;

use ringtape::engine::JournalFeed;
use ringtape::feed;
use ringtape::prelude::*;

/// Buys 100 at the best bid when it has nothing, sells what it has at the best offer.
struct Scalper;

impl Strategy for Scalper {
    fn name(&self) -> &str {
        "scalper"
    }
    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let touch = desk.books().touch(instrument);
        let (side, price, qty) = match desk.position(instrument) {
            0 => (Side::Buy, touch.bid_price, 100),
            held => (Side::Sell, touch.ask_price, held.unsigned_abs()),
        };
        let open = desk.open_orders(instrument).next();
        match open {
            Some(order) if order.terms.price != price => desk.cancel(order.order_id),
            None if touch.is_two_sided() && !touch.is_crossed() => {
                desk.submit(NewOrder::limit(instrument, side, price, Qty(qty)).post_only());
            }
            _ => {}
        }
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "feeds/sample.itch.gz".to_owned());
    let symbol = arguments.next().unwrap_or_else(|| "ACME".to_owned());
    let path = Path::new(&path);
    let feed: Box<dyn Feed> = match path.is_dir() {
        true => Box::new(JournalFeed::open(path)?),
        false => feed::open(path, &OpenOptions::default())?,
    };
    let mut engine = Engine::builder(feed).symbols([symbol]).strategy(Box::new(Scalper)).audit();
    if let Some(dir) = arguments.next() {
        engine = engine.journal(dir);
    }
    let report = engine.start()?.join();
    if let Some(error) = report.error {
        return Err(error);
    }
    println!("orders {} fills {}", report.trades.submitted, report.trades.fills);
    for row in &report.portfolio {
        println!(
            "{} position {} realised {} unrealised {} equity {}",
            row.symbol, row.position, row.realised, row.unrealised, row.equity
        );
    }
    println!("audits {}", report.audits);
    println!("state hash {:016x}", report.hashes.state());
    Ok(())
}
