//! The generator: a synthetic NASDAQ session with the statistics of a real day.
//!
//! ```text
//!  4:00      9:25        9:30         10:00            15:50        16:00        20:00
//!   | sparse   | imbalance | crosses,   | regular trading  | imbalance  | crosses,   |
//!   | adds     | notices   | burst      | halts            | notices    | deletions  |
//! ```
//!
//! Each step draws an instrument by activity, moves its fair price now and then, and lets one thing
//! happen to its own lean book. Executions respect price-time priority of the displayed orders, and
//! the displayed book is never locked or crossed while trading, so that a session can be checked
//! against a matching engine. All arithmetic is on integers: the same [`Profile`] gives the same
//! bytes on every machine.
//!
//! A session of a thousand stocks or more is one of the whole market, and keeps to the real day's
//! pace: when it has fewer messages than that day, it rests between stretches of it.
//!
//! The message mix is steered by what is still owed of each type; adds and deletes by the number of
//! live orders that the time of day asks for.

mod book;
mod flow;
mod flow_export;
mod flow_orders;
mod liquid;
mod market;
mod phases;
mod profile;
mod random;
mod recent;
mod schedule;
mod style;
mod summary;
mod symbols;
mod tape;
mod trades;

use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3;

pub use flow::{CommandFlow, Flow, FlowProfile};
pub use liquid::LiquidName;
pub use profile::Profile;
pub use summary::Summary;

use crate::error::Result;
use crate::event::{Event, Flags};
use crate::feed::itch::Encoder;

use market::{Market, State};
use phases::{BURST_NS, Phase, Plan};
use profile::{Action, IMBALANCE_PPM, MIX};
use random::{Random, Weighted};
use schedule::Schedule;
use style::Style;

/// Bytes that [`Generator::fill`] appends at a time, give or take a step's.
const CHUNK_BYTES: usize = 64 << 10;

/// One message in so many begins a burst.
const BURST: u64 = 6;

/// Steps after which the weights of the actions are set anew.
const STEPS_PER_WEIGHING: u32 = 256;

/// Stocks whose bursts run into one another.
const HOT_STOCKS: usize = 4;

/// Messages before the end of a phase that hold no exchange event of several.
const LONE_MESSAGES: u64 = 64;

/// A synthetic session, made as it is asked for.
///
/// [`Generator::next_message`] gives records, [`Generator::fill`] and [`Generator::write_itch`]
/// give ITCH 5.0; a generator is used in one of these ways.
#[derive(Clone)]
pub struct Generator {
    profile: Profile,
    market: Market,
    schedule: Schedule,
    plan: Plan,
    activity: Weighted,
    /// Draws the stocks and nothing else, so that they can be drawn ahead without other effects.
    stock_random: Random,
    /// Messages made so far.
    made: u64,
    /// Position in the records of the current step.
    given: usize,
    phase: usize,
    /// The stocks that bursts are made of, and the one of the step.
    hot: [usize; HOT_STOCKS],
    stock: usize,
    /// The stock that is drawn next, and messages since that is known.
    coming: usize,
    steps_to_coming: u32,
    /// When a rest of the whole market ends, whatever is scheduled meanwhile.
    rests_until: u64,
    /// Messages left of a flurry, which is a burst of one stock as dense as can be.
    flurry: u32,
    /// The stock whose orders leave next at the end of the day.
    cleared: usize,
    /// Cumulated weights of the actions, and steps until they are set anew.
    weights: [u64; MIX.len()],
    weighing_due: u32,
    /// Resting orders wanted, as of the last weighing.
    live_wanted: u64,
    encoder: Encoder,
    hasher: Xxh3,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Generator");
        shown.field("profile", &self.profile).field("made", &self.made).finish_non_exhaustive()
    }
}

impl Generator {
    /// A generator at the start of its session.
    ///
    /// # Errors
    ///
    /// Those of [`Profile::check`].
    pub fn new(profile: &Profile) -> Result<Self> {
        profile.check()?;
        let mut random = Random::new(profile.seed);
        let schedule = Schedule::new(profile, &mut random);
        let weights = symbols::weights(profile.symbols);
        let style = Style::of(profile);
        Ok(Self {
            profile: *profile,
            activity: Weighted::new(&weights),
            stock_random: Random::new(!profile.seed),
            plan: Plan::new(profile, style.phases, share_of(profile, IMBALANCE_PPM)),
            market: Market::new(profile, &weights, style, random),
            schedule,
            made: 0,
            given: 0,
            phase: 0,
            hot: [0; HOT_STOCKS],
            stock: 0,
            coming: 0,
            steps_to_coming: 0,
            rests_until: 0,
            flurry: 0,
            cleared: 0,
            weights: [0; MIX.len()],
            weighing_due: 0,
            live_wanted: 0,
            encoder: Encoder::new(0),
            hasher: Xxh3::new(),
        })
    }

    /// What the session is to be like.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What was generated so far.
    pub fn summary(&self) -> &Summary {
        &self.market.tape.summary
    }

    /// Copies the records of the next message to the front of `out` and says how many they are; 0
    /// at the end of the session.
    ///
    /// Times are in ns since midnight, US Eastern.
    ///
    /// # Panics
    ///
    /// When `out` is shorter than [`MESSAGE_RECORDS_MAX`](crate::limits::MESSAGE_RECORDS_MAX).
    pub fn next_message(&mut self, out: &mut [Event]) -> usize {
        if self.given == self.market.tape.records.len() && !self.step() {
            return 0;
        }
        let records = &self.market.tape.records[self.given..];
        let message = message_length(records);
        out[..message].copy_from_slice(&records[..message]);
        self.given += message;
        message
    }

    /// Appends some 64 KiB of framed ITCH 5.0 messages and says how many messages they are; 0 at
    /// the end of the session.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> u64 {
        let start = out.len();
        let made = self.made;
        while out.len() - start < CHUNK_BYTES && self.step() {
            let mut records = &self.market.tape.records[..];
            while !records.is_empty() {
                let (message, rest) = records.split_at(message_length(records));
                let is_written = self.encoder.encode(message, out);
                debug_assert!(is_written, "{message:?}");
                records = rest;
            }
            self.given = self.market.tape.records.len();
        }
        self.hasher.update(&out[start..]);
        let summary = &mut self.market.tape.summary;
        summary.bytes += (out.len() - start) as u64;
        summary.checksum = self.hasher.digest();
        self.made - made
    }

    /// Writes the rest of the session as framed ITCH 5.0 messages, and says what it was like.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_itch(&mut self, out: &mut impl Write) -> io::Result<&Summary> {
        let mut chunk = Vec::with_capacity(2 * CHUNK_BYTES);
        while self.fill(&mut chunk) > 0 {
            out.write_all(&chunk)?;
            chunk.clear();
        }
        out.flush()?;
        Ok(self.summary())
    }

    /// Makes the next messages, at least one; `false` at the end of the session.
    fn step(&mut self) -> bool {
        self.market.tape.records.clear();
        self.given = 0;
        while self.market.tape.records.is_empty() {
            if !self.act() {
                return false;
            }
        }
        self.made = self.market.tape.summary.messages();
        true
    }

    /// Lets one thing happen, which may turn out to be nothing; `false` at the end of the session.
    fn act(&mut self) -> bool {
        let Some(&phase) = self.plan.phases.get(self.phase) else {
            let has_task = self.schedule.next_ts().is_some();
            self.schedule.run_next(&mut self.market);
            return has_task;
        };
        let end = self.plan.ends[self.phase];
        let left = end.messages.saturating_sub(self.made);
        let now = self.market.tape.now.max(phase.from);
        let (ts, is_burst) = match left {
            0 => (end.ts.max(now), false),
            _ => self.next_time(now, end.ts, left),
        };
        if self.schedule.next_ts().is_some_and(|due| due <= ts) {
            self.schedule.run_next(&mut self.market);
            return true;
        }
        self.market.tape.now = ts;
        if left == 0 {
            self.phase += 1;
            self.weighing_due = 0;
            return true;
        }
        self.draw_stock(is_burst);
        if phase.is_last && self.market.stocks[self.stock].live == 0 {
            self.stock = self.next_with_orders();
        }
        self.happen(&phase, left);
        true
    }

    /// The time of the next message, and whether it belongs to the burst of the one before.
    ///
    /// One message in six begins a burst, after a gap that is exponential around what keeps the
    /// phase on time; the others follow within microseconds, some at the same time.
    #[inline]
    fn next_time(&mut self, now: u64, end: u64, left: u64) -> (u64, bool) {
        const CLOSE_NS: u64 = 20_000;
        const FLURRY_NS: u64 = 2_000;
        let random = &mut self.market.random;
        if self.rests_until > now {
            return (self.rests_until.min(end.max(now)), false);
        }
        let rest = end.saturating_sub(now);
        let mean = rest / left;
        if self.flurry == 0 && random.below(BURST as u32) == 0 {
            let gap = match &self.market.style.lulls {
                None => mean * BURST * random.exponential() / 1024,
                Some(lulls) => {
                    let gap = lulls.gap(mean * BURST, BURST_NS * BURST, rest, random);
                    self.rests_until = now + gap;
                    gap
                }
            };
            return ((now + gap).min(end.max(now)), false);
        }
        let close = if self.flurry > 0 { FLURRY_NS } else { CLOSE_NS };
        let same_time = random.chance(150);
        let gap = if same_time { 0 } else { random.below_wide((mean / 2).min(close) + 1) };
        ((now + gap).min(end.max(now)), true)
    }

    /// The stock of the next message: one of those that a burst is made of, or one more.
    #[inline]
    fn draw_stock(&mut self, is_burst: bool) {
        const FLURRIES: u32 = 2_048;
        self.market.prefetch(self.coming, self.steps_to_coming);
        self.steps_to_coming = self.steps_to_coming.saturating_add(1);
        if self.flurry > 0 {
            self.flurry -= 1;
            return;
        }
        let slot = self.stock_random.below(HOT_STOCKS as u32) as usize;
        if !is_burst {
            self.hot[slot] = self.coming;
            self.coming = self.activity.draw(&mut self.stock_random);
            self.steps_to_coming = 0;
            if self.stock_random.below(FLURRIES) == 0 {
                self.flurry = self.stock_random.between(20, 90);
            }
        }
        self.stock = self.hot[slot];
    }

    /// A stock that has orders left, for the end of the day; the current one when none has.
    fn next_with_orders(&mut self) -> usize {
        let stocks = &self.market.stocks;
        for _ in 0..stocks.len() {
            if stocks[self.cleared].live > 0 {
                return self.cleared;
            }
            self.cleared = (self.cleared + 1) % stocks.len();
        }
        self.stock
    }

    /// One action of the current stock.
    fn happen(&mut self, phase: &Phase, left: u64) {
        if self.weighing_due == 0 {
            self.weigh(phase);
            self.weighing_due = STEPS_PER_WEIGHING;
        }
        self.weighing_due -= 1;
        let stock = self.stock;
        let total = self.weights[MIX.len() - 1];
        let drawn = self.market.random.below_wide(total);
        let index = self.weights.iter().position(|&weight| drawn < weight).unwrap_or(0);
        let action = if left > LONE_MESSAGES { MIX[index].0 } else { Action::Churn };

        let market = &mut self.market;
        market.drift(stock);
        let is_halted = market.stocks[stock].state == State::Halted;
        let is_done = match action {
            Action::Imbalance => {
                market.imbalance(stock, phase.cross_type);
                true
            }
            _ if is_halted => {
                market.delete(stock, false);
                true
            }
            Action::Churn => false,
            Action::Attributed => {
                market.add(stock, true);
                true
            }
            Action::Replace => market.replace(stock),
            Action::Reduce => market.reduce(stock),
            Action::Aggress => market.aggress(stock),
            Action::Hidden => market.trade_hidden(stock),
            Action::Priced => market.execute_priced(stock),
        };
        if !is_done {
            self.churn(phase);
        }
        self.market.prefetch_next(stock);
    }

    /// An add or a delete, whichever brings the live orders nearer to their target: those of the
    /// stock, or all of them when the books empty.
    #[inline]
    fn churn(&mut self, phase: &Phase) {
        const LEAN_MAX: i64 = 480;
        let market = &mut self.market;
        let stock = &market.stocks[self.stock];
        let lean = if phase.is_last {
            (self.live_wanted as i64 - market.tape.summary.live as i64) * 64
        } else {
            let wanted = ((self.live_wanted * stock.share) >> 32).max(2) as i64;
            (wanted - i64::from(stock.live)) * 1024 / (wanted / 4 + 4)
        };
        let adds = market.random.chance((512 + lean.clamp(-LEAN_MAX, LEAN_MAX)) as u32);
        if adds || !market.delete(self.stock, phase.is_last) {
            market.add(self.stock, false);
        }
    }

    /// Sets the weights of the actions by what is still owed of their messages.
    fn weigh(&mut self, phase: &Phase) {
        self.live_wanted = self.plan.live_at(self.phase, self.made);
        let summary = &self.market.tape.summary;
        let mut sum = 0;
        for (index, &(action, letters, ppm)) in MIX.iter().enumerate() {
            let made = summary.count(letters);
            let owed = share_of(&self.profile, ppm).saturating_sub(made);
            let weight = match action {
                // The deletions after the close are not to be had before it.
                Action::Churn if !phase.is_last => owed.saturating_sub(self.plan.last_messages()),
                Action::Churn => owed,
                Action::Aggress => {
                    owed * (summary.aggressors + 1) / (made + 1) * phase.trading / 16
                }
                Action::Hidden => owed / 2 * phase.trading / 16,
                Action::Priced => owed * phase.trading / 16,
                Action::Imbalance => self.plan.imbalance_weight(self.phase, (self.made, made), sum),
                Action::Replace | Action::Reduce if phase.is_last => owed / 4,
                Action::Attributed | Action::Replace | Action::Reduce => owed,
            };
            sum += weight;
            self.weights[index] = sum;
        }
        if sum == 0 {
            self.weights = [1; MIX.len()];
        }
    }
}

/// Messages of a type that has `ppm` parts in a million.
fn share_of(profile: &Profile, ppm: u64) -> u64 {
    (u128::from(profile.messages) * u128::from(ppm) / 1_000_000) as u64
}

/// Records of the message at the front of `records`.
#[inline]
fn message_length(records: &[Event]) -> usize {
    1 + records.iter().take_while(|record| record.has(Flags::CONTINUED)).count()
}
