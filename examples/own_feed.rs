//! A feed of your own, run by the whole engine: books, a strategy, portfolio, hashes.
//!
//! `cargo run --example own_feed`

use ringtape::event::fields::Text;
use ringtape::event::{Event, Flags, Instrument, InstrumentTable, payload};
use ringtape::feed::{Checks, Description, Feed, Fill, Position};
use ringtape::prelude::{Engine, InstrumentId, OrderId, Price, Qty, Result, Side};
use ringtape::strategy::StrategySpec;
use ringtape::units::MatchId;

const COIN: InstrumentId = InstrumentId(1);
const MESSAGES: u64 = 3_001;

/// A bid, an offer, and the bid that came first is hit; again and again.
#[derive(Default)]
struct Carousel {
    description: Description,
    checks: Checks,
}

impl Feed for Carousel {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        let message = self.checks.messages;
        let ts = message * 1_000_000;
        if message == MESSAGES {
            return Ok(Fill::End);
        }
        self.checks.messages += 1;
        if message == 0 {
            // What the prices mean comes first, in two records that belong together.
            let coin = InstrumentTable::events(ts, COIN, &Instrument::us_equity("COIN"));
            out[..2].copy_from_slice(&coin);
            return Ok(Fill::Records(2));
        }
        let (round, step) = ((message - 1) / 3, (message - 1) % 3);
        let order = |id, side, price, shares| {
            let (order_id, qty, attribution) = (OrderId(id), Qty(shares), Text::new(""));
            let add = payload::Add { order_id, price: Price(price), qty, attribution, pad: 0 };
            Event::new(ts, COIN.0, add).with_side(side)
        };
        let event = match step {
            0 => order(2 * round, Side::Buy, 99_900, if round == 0 { 200 } else { 100 }),
            1 => order(2 * round + 1, Side::Sell, 100_100, 100),
            _ => {
                let order_id = OrderId(2 * round.saturating_sub(1));
                let match_id = MatchId(round);
                let hit = payload::Execute { order_id, pad: 0, qty: Qty(100), match_id };
                Event::new(ts, COIN.0, hit)
            }
        };
        out[0] = event.with_flags(Flags::LAST);
        Ok(Fill::Records(1))
    }

    fn position(&self) -> Position {
        Position { message: self.checks.messages, ..Position::default() }
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.checks
    }
}

fn main() -> Result<()> {
    let maker = StrategySpec::parse("maker:symbols=COIN,lots=1,limit=500")?;
    let report =
        Engine::builder(Box::new(Carousel::default())).strategy(maker.build()).start()?.join();
    println!("messages {} fills {}", report.checks.messages, report.trades.fills);
    println!("position {}", report.portfolio[0].position);
    println!("state hash {:016x}", report.hashes.state());
    Ok(())
}
