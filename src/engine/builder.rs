//! The builder: how an application asks for an engine.

use std::path::PathBuf;

use super::config::{EngineConfig, JournalConfig};
use super::guests::{Guest, Guests};
use super::wiring::Engine;
use crate::error::Result;
use crate::event::{Event, Execution};
use crate::feed::{Feed, Pace};
use crate::ring::{HandlerResult, Wait};
use crate::strategy::{Strategy, Trader, TraderConfig};

/// Says what an engine is made of, and starts it.
///
/// Every setting has a default, may be given in any order, and counts for the engine that
/// [`start`](Self::start) begins. The settings are those of [`EngineConfig`], which may also be
/// given whole; besides there are the consumers of the application itself.
///
/// ```
/// use ringtape::engine::Engine;
/// use ringtape::feed::Pace;
/// use ringtape::feed::itch::ItchFeed;
/// use ringtape::strategy::Idle;
///
/// let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
/// let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
/// let report = Engine::builder(Box::new(feed))
///     .symbols(["ACME"])
///     .strategy(Box::new(Idle { watches: true }))
///     .pace(Pace::Max)
///     .audit()
///     .start()?
///     .join();
/// assert_eq!((report.checks.messages, report.strategies[0].name.as_str()), (1, "idle"));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[must_use = "a builder does nothing until it is started"]
pub struct EngineBuilder {
    feed: Box<dyn Feed>,
    config: EngineConfig,
    strategies: Vec<Box<dyn Strategy>>,
    trading: TraderConfig,
    guests: Guests,
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("feed", &self.feed.description().origin)
            .field("config", &self.config)
            .field("guests", &self.guests)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Begins to build an engine for a feed.
    pub fn builder(feed: Box<dyn Feed>) -> EngineBuilder {
        EngineBuilder::new(feed)
    }

    /// Builds an engine from settings that are there as a whole, and starts its threads.
    ///
    /// # Errors
    ///
    /// Those of [`EngineBuilder::start`].
    pub fn start(feed: Box<dyn Feed>, config: EngineConfig) -> Result<Self> {
        Self::builder(feed).config(config).start()
    }
}

impl EngineBuilder {
    pub(super) fn new(feed: Box<dyn Feed>) -> Self {
        Self {
            feed,
            config: EngineConfig::default(),
            strategies: Vec::new(),
            trading: TraderConfig::default(),
            guests: Guests::default(),
        }
    }

    /// Replaces all settings but strategies and consumers given one by one.
    pub fn config(self, config: EngineConfig) -> Self {
        Self { config, ..self }
    }

    /// The symbols to follow; all unless given.
    pub fn symbols<S: Into<String>>(mut self, symbols: impl IntoIterator<Item = S>) -> Self {
        self.config.symbols = symbols.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a strategy, with an account of its own; accounts count from 0.
    pub fn strategy(mut self, strategy: Box<dyn Strategy>) -> Self {
        self.strategies.push(strategy);
        self
    }

    /// Venue, latency, fees and limits of the strategies added here; the clock is the feed's.
    pub fn trading(self, trading: TraderConfig) -> Self {
        Self { trading, ..self }
    }

    /// Checks after every fill and mark that independent paths to the money agree.
    pub fn audit(mut self) -> Self {
        self.config.portfolio.audit = true;
        self
    }

    /// Keeps journals of both rings in a new directory, with the defaults of [`JournalConfig`].
    pub fn journal(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.journal = Some(JournalConfig::new(dir, ""));
        self
    }

    /// When messages are due: at once unless given.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.config.pace = pace;
        self
    }

    /// The number of threads; one a core unless given.
    pub fn runners(mut self, runners: usize) -> Self {
        self.config.runners = Some(runners);
        self
    }

    /// How threads wait.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.config.wait = wait;
        self
    }

    /// Adds a consumer of the market ring that one of the engine's own threads runs.
    ///
    /// `name` is unique among the ring's stages. The handler sees every record in its order, and
    /// holds nobody up while the ring has room; its error or panic ends the run, which names it.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    ///
    /// use ringtape::engine::Engine;
    /// use ringtape::event::Event;
    /// use ringtape::feed::itch::ItchFeed;
    ///
    /// let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
    /// let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
    /// let (seen, sequences) = channel();
    /// let engine = Engine::builder(Box::new(feed))
    ///     .on_market("watch", move |sequence: u64, _event: &Event| Ok(seen.send(sequence)?))
    ///     .start()?;
    /// let report = engine.join();
    /// assert_eq!(sequences.iter().count() as u64, report.records);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn on_market(
        mut self,
        name: &'static str,
        handler: impl FnMut(u64, &Event) -> HandlerResult + Send + 'static,
    ) -> Self {
        self.guests.market.push(Guest::new(name, Some(Box::new(handler))));
        self
    }

    /// Adds a consumer of the execution ring that one of the engine's own threads runs, like
    /// [`on_market`](Self::on_market).
    pub fn on_executions(
        mut self,
        name: &'static str,
        handler: impl FnMut(u64, &Execution) -> HandlerResult + Send + 'static,
    ) -> Self {
        self.guests.executions.push(Guest::new(name, Some(Box::new(handler))));
        self
    }

    /// Adds a consumer of the market ring that the application polls in a loop of its own.
    ///
    /// [`Engine::take_market`] hands it out. The engine waits for it once the ring is full: poll
    /// until it is finished, or let it [leave](crate::ring::Consumer::leave).
    ///
    /// ```
    /// use ringtape::engine::Engine;
    /// use ringtape::feed::itch::ItchFeed;
    ///
    /// let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
    /// let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
    /// let mut engine = Engine::builder(Box::new(feed)).polled_market("mine").start()?;
    /// let mut mine = engine.take_market("mine")?;
    /// let mut records = 0;
    /// while !mine.is_finished() {
    ///     records += mine.poll(64)?.len() as u64;
    ///     // ... and whatever else the loop has to do.
    /// }
    /// assert_eq!(records, engine.join().records);
    /// # Ok::<(), ringtape::error::Error>(())
    /// ```
    pub fn polled_market(mut self, name: &'static str) -> Self {
        self.guests.market.push(Guest::new(name, None));
        self
    }

    /// Adds a consumer of the execution ring that the application polls, like
    /// [`polled_market`](Self::polled_market); [`Engine::take_executions`] hands it out.
    pub fn polled_executions(mut self, name: &'static str) -> Self {
        self.guests.executions.push(Guest::new(name, None));
        self
    }

    /// Wires the engine and starts its threads.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`](crate::error::Error::Usage) for settings that cannot be, and whatever
    /// keeps the journals from being created. Nothing has been started then.
    pub fn start(mut self) -> Result<Engine> {
        if !self.strategies.is_empty() {
            self.trading.clock = self.feed.description().zone;
            self.config.trader = Some(Trader::with_strategies(self.strategies, self.trading));
        }
        Engine::wire(self.feed, self.config, self.guests)
    }
}
