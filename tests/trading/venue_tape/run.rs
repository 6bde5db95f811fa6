//! A replica with a trader at it.

use std::sync::Arc;

use ringtape::book::Replica;
use ringtape::error::Result;
use ringtape::event::{
    Event, Execution, Instrument, InstrumentOverride, InstrumentOverrides, InstrumentTable,
};
use ringtape::matching::{OrderState, VenueConfig};
use ringtape::strategy::{StrategySpec, Trader, TraderConfig};
use ringtape::units::{AccountId, Nanos, Side};

use super::X;

pub(crate) fn config(latency: u64) -> TraderConfig {
    let venue = VenueConfig { latency: Nanos(latency).into(), ..VenueConfig::default() };
    TraderConfig { venue, ..TraderConfig::default() }
}

pub(crate) fn maker(text: &str, latency: u64) -> Trader {
    Trader::new(&StrategySpec::parse(text).expect(text), config(latency))
}

/// The same without latency, where `own` is known of X.
pub(crate) fn maker_of(text: &str, own: InstrumentOverride) -> Trader {
    let instruments = Arc::new(InstrumentOverrides::new([("X".to_owned(), own)]));
    let config = config(0);
    let venue = VenueConfig { instruments, ..config.venue };
    Trader::new(&StrategySpec::parse(text).expect(text), TraderConfig { venue, ..config })
}

/// A replica with a trader at it; event `n` is at `n` microseconds unless it says when.
pub(crate) struct Run {
    pub(crate) replica: Replica,
    pub(crate) trader: Trader,
    pub(crate) out: Vec<Execution>,
    pub(crate) events: u64,
}

impl Run {
    pub(crate) fn new(trader: Trader) -> Self {
        let mut run = Self { replica: Replica::new(), trader, out: vec![], events: 0 };
        run.trader.start(&run.replica, &mut run.out).expect("it starts");
        for event in InstrumentTable::events(0, X, &Instrument::us_equity("X")) {
            run.play(event).expect("a listing");
        }
        run
    }

    /// Plays an event and returns what it caused.
    pub(crate) fn play(&mut self, event: Event) -> Result<Vec<Execution>> {
        self.events += 1;
        let ts_event = if event.ts_event == 0 { self.events * 1_000 } else { event.ts_event };
        let event = Event { ts_event, ..event };
        let first = self.out.len();
        self.trader.before(&event, &self.replica, &mut self.out)?;
        let change = self.replica.apply(&event);
        self.trader.after(&event, &change, &self.replica, &mut self.out)?;
        Ok(self.out[first..].to_vec())
    }

    pub(crate) fn play_all(&mut self, events: &[Event]) {
        for &event in events {
            self.play(event).expect("it plays");
        }
    }

    /// Plays events and returns what they caused.
    pub(crate) fn play_all_and_tell(&mut self, events: &[Event]) -> Vec<Execution> {
        let first = self.out.len();
        self.play_all(events);
        self.out[first..].to_vec()
    }

    pub(crate) fn end(&mut self) -> Vec<Execution> {
        let first = self.out.len();
        self.trader.end(&self.replica, &mut self.out).expect("it ends");
        self.out[first..].to_vec()
    }

    /// Own resting orders: side, price in cents, open quantity.
    pub(crate) fn resting(&self) -> Vec<(Side, i64, u64)> {
        self.trader
            .venue()
            .expect("a simulated one")
            .open_orders(X)
            .filter(|order| order.state == OrderState::Resting)
            .map(|order| (order.terms.side, order.terms.price.0 / 100, order.leaves.0))
            .collect()
    }

    pub(crate) fn position(&self) -> i64 {
        self.trader.account().position(AccountId(0), X).map_or(0, |position| position.qty)
    }
}
