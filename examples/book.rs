//! The books alone: every order of a recorded session, up to noon, without ring or threads.
//!
//! `cargo run --example book -- [FEED [SYMBOL]]` prints the best levels of a symbol, and what an
//! order sent at that moment would have had ahead of it.

use std::path::Path;

use ringtape::book::Replica;
use ringtape::error::Result;
use ringtape::event::Event;
use ringtape::feed::{self, Feed, Fill, Moment, OpenOptions, Until};
use ringtape::units::Side;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "feeds/sample.itch.gz".to_owned());
    let symbol = arguments.next().unwrap_or_else(|| "ACME".to_owned());

    // A feed is pulled, a batch of records at a time; this one ends at noon of its own clock.
    let recorded = feed::open(Path::new(&path), &OpenOptions::default())?;
    let noon = Moment { time: "12:00".parse()?, zone: recorded.description().zone };
    let mut morning = Until::new(recorded, noon);
    let mut books = Replica::new();
    let mut events = [Event::default(); 256];
    while let Fill::Records(count) = morning.fill(&mut events)? {
        for event in &events[..count] {
            books.apply(event);
        }
    }

    let Some(id) = books.instruments().find(&symbol) else {
        println!("{symbol} is not in {path}");
        return Ok(());
    };
    let instrument = books.instruments().get(id).expect("just found");
    for (name, side) in [("bid", Side::Buy), ("ask", Side::Sell)] {
        for level in books.levels(id, side).take(3) {
            let (price, qty, orders) = (level.price, level.qty, level.orders);
            println!("{name} {} {qty} in {orders} orders", instrument.format_price(price));
        }
    }
    println!("ahead {}", books.touch(id).bid_qty);
    println!(
        "of {} messages, {} live orders",
        morning.checks().messages,
        books.totals().live_orders
    );
    Ok(())
}
