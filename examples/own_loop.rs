//! An engine inside a loop that is there already: the loop polls a consumer of its own, looks at
//! the gauges, and pauses and resumes the run. It never waits for the engine.
//!
//! `cargo run --example own_loop -- [FEED]`

use std::path::Path;
use std::thread;
use std::time::Duration;

use ringtape::feed;
use ringtape::prelude::{Engine, EventView, OpenOptions, Result};

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "feeds/sample.itch.gz".to_owned());
    let feed = feed::open(Path::new(&path), &OpenOptions::default())?;
    let mut engine = Engine::builder(feed).polled_market("service").start()?;
    let mut market = engine.take_market("service")?;
    let handle = engine.handle();

    let (mut records, mut trades, mut turns) = (0, 0, 0);
    while !market.is_finished() {
        let batch = market.poll(usize::MAX)?;
        records += batch.len() as u64;
        for event in batch.iter() {
            let is_trade = matches!(event.view(), EventView::Execute(_) | EventView::Trade(_));
            trades += u64::from(is_trade);
        }
        drop(batch);
        turns += 1;
        match turns {
            20 => handle.pause(),
            40 => {
                println!("paused {}", handle.is_paused());
                handle.resume();
            }
            _ => {}
        }
        // Where the rest of the service has its turn: sockets, timers, screens.
        thread::sleep(Duration::from_micros(50));
    }
    println!("lag {}", handle.lag("service").expect("a stage of the engine"));
    let report = engine.join();
    println!("records {records} of {}", report.records);
    println!("trades {trades} in {} messages", report.checks.messages);
    Ok(())
}
