//! What the dashboard knows: the latest of everything, and a little of the past.

use std::collections::VecDeque;

use ringtape::engine::{
    Engine, Gauges, MarketView, MoneyView, Reading, WATCHED_BOOKS_MAX, Watch, WatchedSymbols,
};
use ringtape::event::kinds::Text;
use ringtape::feed::Description;
use ringtape::runtime::Recent;

/// ns over which latencies are summed up.
const LATENCY_WINDOW: u64 = 1_000_000_000;

/// Pictures over which rates are taken.
const RATE_READINGS: usize = 8;

/// Points of a curve that are kept.
const HISTORY: usize = 240;

/// Pictures between two points of a curve.
const HISTORY_STEP: u32 = 2;

/// Pictures between two orderings of the symbols by how busy they are.
const ORDER_STEP: u32 = 24;

/// A symbol's name on its way through the engine.
pub(super) type Symbol = Text<24>;

/// Everything that is shown.
pub(super) struct Board {
    gauges: Gauges,
    watch: Option<Watch>,
    pub(super) feed: Description,
    pub(super) pace: String,
    pub(super) runners: usize,
    pub(super) is_stopping: bool,
    pub(super) now: Reading,
    readings: VecDeque<Reading>,
    pub(super) stages: Vec<Stage>,
    pub(super) market: Option<MarketView>,
    pub(super) money: Option<MoneyView>,
    pub(super) rates: VecDeque<u64>,
    pub(super) depths: VecDeque<u64>,
    pub(super) equities: VecDeque<i128>,
    latencies_at: u64,
    pictures: u32,
    pub(super) books: Books,
}

/// A row of the table of stages.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    /// Records or messages a second; `None` for what is no stage of its own.
    pub(super) rate: Option<u64>,
    /// Records published and not yet handled; `None` for the feed handler.
    pub(super) lag: Option<u64>,
    pub(super) latency: Option<Recent>,
}

/// Which books are shown.
pub(super) struct Books {
    /// Symbols that may be shown, and how often each was seen; chosen ones never change place.
    candidates: Vec<(Symbol, u64)>,
    chosen: usize,
    /// The first candidate that is shown.
    first: usize,
    /// Whether the user moved.
    is_held: bool,
    /// What was asked for last.
    asked: WatchedSymbols,
}

impl Board {
    pub(super) fn new(
        engine: &mut Engine,
        feed: Description,
        symbols: &[String],
        pace: String,
    ) -> Self {
        let gauges = engine.handle().gauges();
        let now = gauges.read();
        Self {
            runners: engine.plan().runners.len(),
            watch: engine.take_watch(),
            stages: stages(&gauges),
            gauges,
            feed,
            pace,
            is_stopping: false,
            now: now.clone(),
            readings: VecDeque::from([now]),
            market: None,
            money: None,
            rates: VecDeque::new(),
            depths: VecDeque::new(),
            equities: VecDeque::new(),
            latencies_at: 0,
            pictures: 0,
            books: Books::new(symbols),
        }
    }

    /// Takes what the engine shows.
    pub(super) fn look(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        while let Some(view) = watch.market() {
            if view.live_orders > 0 {
                self.books.note(view.last_symbol, 1);
            }
            self.market = Some(view);
        }
        while let Some(view) = watch.money() {
            for position in view.positions.iter().take_while(|position| position.fills > 0) {
                self.books.note(position.symbol, 0);
            }
            self.money = Some(view);
        }
        let wanted = self.books.shown();
        if wanted != self.books.asked && watch.ask_for(wanted) {
            self.books.asked = wanted;
        }
    }

    /// Makes rates and percentiles for the next picture.
    pub(super) fn sum_up(&mut self, is_stopping: bool) {
        self.is_stopping = is_stopping;
        self.now = self.gauges.read();
        self.readings.push_back(self.now.clone());
        while self.readings.len() > RATE_READINGS {
            self.readings.pop_front();
        }
        self.sum_up_stages();
        self.pictures += 1;
        if self.pictures.is_multiple_of(HISTORY_STEP) {
            let rate = self.stages[0].rate.unwrap_or(0);
            remember(&mut self.rates, rate);
            remember(&mut self.depths, self.now.rings[0].depth);
            if let Some(money) = self.money.filter(|money| money.count > 0) {
                remember(&mut self.equities, money.equity);
            }
        }
        if self.pictures.is_multiple_of(ORDER_STEP) {
            self.books.order();
        }
    }

    fn sum_up_stages(&mut self) {
        let (first, last) = (&self.readings[0], &self.now);
        let ns = u128::from(last.at.0.saturating_sub(first.at.0).max(1));
        let rate = |more: u64| (u128::from(more) * 1_000_000_000 / ns) as u64;
        self.stages[0].rate = Some(rate(last.messages.saturating_sub(first.messages)));
        let rings = self.gauges.rings().iter().zip(first.rings.iter().zip(&last.rings));
        for (ring, (before, now)) in rings {
            for (at, name) in ring.stages.iter().enumerate() {
                let more = now.handled_by(at).saturating_sub(before.handled_by(at));
                if let Some(stage) = self.stages.iter_mut().find(|stage| stage.name == *name) {
                    (stage.rate, stage.lag) = (Some(rate(more)), Some(now.lags[at]));
                }
            }
        }
        // The first picture of a run is not to wait a second for its percentiles.
        let is_due = last.at.0 - self.latencies_at >= LATENCY_WINDOW || self.pictures == 1;
        let Some(watch) = self.watch.as_mut().filter(|_| is_due) else { return };
        self.latencies_at = last.at.0;
        for (name, recent) in watch.latencies() {
            let shown = shown_name(name);
            let found = self.stages.iter().position(|stage| stage.name == shown);
            match found {
                Some(at) => self.stages[at].latency = Some(recent),
                None if recent.count > 0 => {
                    let stage = Stage {
                        name: shown.to_owned(),
                        rate: None,
                        lag: None,
                        latency: Some(recent),
                    };
                    self.stages.push(stage);
                }
                None => {}
            }
        }
    }

    /// Depth and slots of both rings.
    pub(super) fn rings(&self) -> impl Iterator<Item = (&str, u64, usize)> {
        let readings = self.gauges.rings().iter().zip(&self.now.rings);
        readings.map(|(ring, now)| (ring.name.as_str(), now.depth, ring.slots))
    }

    /// Part of the feed that was read, in thousandths; `None` for a stream.
    pub(super) fn permille(&self) -> Option<u64> {
        let total = self.feed.stored_bytes.filter(|&bytes| bytes > 0)?;
        Some((self.now.stored_bytes * 1000 / total).min(1000))
    }

    /// Time that is left at the speed so far, in ns; `None` when nothing tells it.
    pub(super) fn left_ns(&self) -> Option<u64> {
        let permille = self.permille().filter(|&permille| permille > 0)?;
        Some(self.now.at.0 / permille * (1000 - permille))
    }

    /// Shows other books.
    pub(super) fn turn_pages(&mut self, by: isize) {
        self.books.turn_pages(by);
    }
}

impl Books {
    fn new(symbols: &[String]) -> Self {
        let chosen: Vec<_> = symbols.iter().map(|symbol| (Text::new(symbol), 0)).collect();
        Self {
            chosen: chosen.len(),
            candidates: chosen,
            first: 0,
            is_held: false,
            asked: [Text::new(""); WATCHED_BOOKS_MAX],
        }
    }

    fn note(&mut self, symbol: Symbol, times: u64) {
        if symbol.as_str().is_empty() {
            return;
        }
        match self.candidates.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, seen)) => *seen += times,
            None => self.candidates.push((symbol, times)),
        }
    }

    /// Puts the busiest first, as long as the user does not look at some.
    fn order(&mut self) {
        if !self.is_held {
            self.candidates[self.chosen..].sort_by_key(|&(_, seen)| std::cmp::Reverse(seen));
        }
    }

    fn turn_pages(&mut self, by: isize) {
        let count = self.candidates.len().max(1);
        self.first = (self.first + count).saturating_add_signed(by) % count;
        self.is_held = self.first > 0;
    }

    /// The symbols whose books are to be shown.
    fn shown(&self) -> WatchedSymbols {
        let count = self.candidates.len();
        std::array::from_fn(|at| match at < count.min(WATCHED_BOOKS_MAX) {
            true => self.candidates[(self.first + at) % count].0,
            false => Text::new(""),
        })
    }

    /// Number of the first symbol that is shown, and how many there are.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.first + 1, self.candidates.len())
    }
}

/// The rows of the table, before anything is known of them.
fn stages(gauges: &Gauges) -> Vec<Stage> {
    let of_rings = gauges.rings().iter().flat_map(|ring| ring.stages.iter().cloned());
    std::iter::once("feed".to_owned())
        .chain(of_rings)
        .map(|name| Stage { name, rate: None, lag: None, latency: None })
        .collect()
}

/// The row in which the latency of a stage stands.
fn shown_name(stage: &str) -> &str {
    match stage {
        "ring" => "feed",
        "journal" => "market journal",
        "tick_to_order" => "tick to order",
        same => same,
    }
}

fn remember<T>(history: &mut VecDeque<T>, value: T) {
    if history.len() == HISTORY {
        history.pop_front();
    }
    history.push_back(value);
}
