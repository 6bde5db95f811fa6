//! Streams of commands for a matcher: new orders, cancels and replacements in a stated mix.
//!
//! | flow | passive add | cancel | replace | aggressive | sizes unless set otherwise |
//! |---|---|---|---|---|---|
//! | `nasdaq` | 46 % | 43 % | 8 % | 3 % | 8,900 symbols, 1.9 M live |
//! | `active` | 40 % | 30 % | 10 % | 20 % | 100 symbols, 10 k live |
//! | `rich` | 40 % | 30 % | 10 % | 20 % | 100 symbols, 10 k live |
//!
//! A quarter of the aggressive orders sweep two or more levels. In `rich`, 10 % of the commands
//! each are passive icebergs, stops and post-only orders, and aggressive fill-or-kill orders and
//! orders with self-trade prevention that meet one of their own group; what is left is plain.
//!
//! Symbols come by the activity of a real day, limits and lifetimes too: of new passive orders 14 %
//! improve the touch and 21 % join it, half of all lie 2 ticks away or nearer, a quarter more than
//! 8; half of the cancels and replacements are of the youngest thousand orders.
//!
//! The number of live orders stays: while fewer live than at first, aggressive orders take small
//! parts, sweeps look for thin levels and stops lie far away; otherwise whole orders go.
//!
//! The generator keeps a matcher of its own and looks at its books, so that a passive order is
//! passive and a sweep sweeps. The same profile gives the same commands on every machine.

use super::flow_orders::{Draft, Maker};
use super::symbols::SYMBOLS_MAX;
use crate::error::{Error, Result};
use crate::event::Event;

/// Which mix of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The mix of a whole day of a large exchange.
    Nasdaq,
    /// Much trading.
    Active,
    /// [`Flow::Active`] with all that orders may carry.
    Rich,
}

/// A stream of commands that is to be made.
///
/// ```
/// use ringtape::engine::generate::{Flow, FlowProfile};
/// use ringtape::matching::{Matcher, MatcherConfig};
///
/// let profile = FlowProfile { commands: 2_000, symbols: 4, live: 500, ..Flow::Active.profile() };
/// let stream = profile.generate()?;
/// assert_eq!(stream.commands, 2_000);
///
/// let mut matcher = Matcher::new(MatcherConfig::default());
/// let mut out = Vec::new();
/// for event in stream.setup.iter().chain(&stream.events) {
///     matcher.apply(event, &mut out);
/// }
/// assert_eq!(matcher.counts().rejects().count(), 0);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowProfile {
    /// The mix.
    pub flow: Flow,
    /// Commands after the setup.
    pub commands: u64,
    /// Instruments.
    pub symbols: u32,
    /// Orders that live after the setup, and about as many from then on.
    pub live: u64,
    /// Seed of all randomness.
    pub seed: u64,
}

/// The commands of a flow, as records of the market ring.
#[derive(Clone, Debug, Default)]
pub struct CommandFlow {
    /// Definitions of the instruments, and new orders that fill the books.
    pub setup: Vec<Event>,
    /// The commands; terms come before their new order.
    pub events: Vec<Event>,
    /// How many commands there are, terms not counted.
    pub commands: u64,
}

impl Flow {
    /// Every flow.
    pub const ALL: [Self; 3] = [Self::Nasdaq, Self::Active, Self::Rich];

    /// The name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nasdaq => "nasdaq",
            Self::Active => "active",
            Self::Rich => "rich",
        }
    }

    /// The flow with the sizes of the module's table and a million commands.
    pub fn profile(self) -> FlowProfile {
        let (symbols, live) = match self {
            Self::Nasdaq => (8_900, 1_900_000),
            Self::Active | Self::Rich => (100, 10_000),
        };
        FlowProfile { flow: self, commands: 1_000_000, symbols, live, seed: 42 }
    }

    /// Per cent of passive adds, cancels and replacements; what is left is aggressive.
    fn mix(self) -> [u32; 3] {
        match self {
            Self::Nasdaq => [46, 43, 8],
            Self::Active | Self::Rich => [40, 30, 10],
        }
    }

    /// What a passive order may be instead of plain.
    fn passive(self, drawn: u32) -> Draft {
        match (self, drawn % 4) {
            (Self::Rich, 0) => Draft::Iceberg,
            (Self::Rich, 1) => Draft::Stop,
            (Self::Rich, 2) => Draft::PostOnly,
            _ => Draft::Passive,
        }
    }

    /// What an aggressive order may be instead of plain.
    fn aggressive(self, drawn: u32) -> Draft {
        match (self, drawn % 2) {
            (Self::Rich, 0) => Draft::FillOrKill,
            (Self::Rich, _) => Draft::SelfTrade,
            _ => Draft::Aggressive,
        }
    }
}

impl FlowProfile {
    /// Makes the commands.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for no symbols or too many, and for fewer than ten live orders a symbol.
    pub fn generate(&self) -> Result<CommandFlow> {
        if self.symbols == 0 || self.symbols > SYMBOLS_MAX {
            let what = format!("cannot make commands for {} symbols", self.symbols);
            return Err(Error::usage(what, format!("ask for 1 to {SYMBOLS_MAX}")));
        }
        if self.live < 10 * u64::from(self.symbols) {
            let what = format!("{} live orders are few for {} symbols", self.live, self.symbols);
            return Err(Error::usage(what, "ask for ten a symbol or more"));
        }
        let mut maker = Maker::new(self);
        let setup = maker.set_up(self.live);
        let [adds, cancels, replacements] = self.flow.mix();
        for _ in 0..self.commands {
            let drawn = maker.random.below(100);
            let kind = maker.random.below(1 << 16);
            if drawn < adds {
                maker.add(self.flow.passive(kind));
            } else if drawn < adds + cancels {
                maker.cancel();
            } else if drawn < adds + cancels + replacements {
                maker.replace();
            } else {
                maker.take(self.flow.aggressive(kind));
            }
        }
        Ok(CommandFlow { setup, events: maker.events, commands: self.commands })
    }
}
