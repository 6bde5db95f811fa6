//! A part of the market with stocks, clock and random numbers of its own: what happens next, when,
//! and to which stock.

use super::batch::{Batch, Form};
use super::lulls::Lulls;
use super::market::{Market, State};
use super::phases::{Phase, Plan};
use super::profile::{Action, MIX, Profile};
use super::random::{Random, Weighted};
use super::schedule::Schedule;
use super::summary::Summary;

/// One message in so many begins a burst.
pub(super) const BURST: u64 = 6;

/// Steps after which the weights of the actions are set anew.
const STEPS_PER_WEIGHING: u32 = 256;

/// Stocks whose bursts run into one another.
const HOT_STOCKS: usize = 4;

/// Messages before the end of a phase that hold no exchange event of several.
const LONE_MESSAGES: u64 = 64;

/// Messages that a partition makes ahead.
const BATCH_MESSAGES: usize = 4_096;

/// What a partition has of the session.
pub(super) struct Share<'a> {
    /// Its messages, symbols and live orders.
    pub(super) profile: Profile,
    /// Activity of its stocks, in any unit.
    pub(super) activity: &'a [u64],
    pub(super) market: Market,
    pub(super) schedule: Schedule,
    pub(super) lulls: Lulls,
    pub(super) stock_random: Random,
}

/// A part of the market.
#[derive(Clone)]
pub(super) struct Partition {
    profile: Profile,
    market: Market,
    schedule: Schedule,
    plan: Plan,
    lulls: Lulls,
    activity: Weighted,
    /// Draws the stocks and nothing else, so that they can be drawn ahead without other effects.
    stock_random: Random,
    phase: usize,
    /// How long the market will have been awake at the end of the phase.
    awake_end: u64,
    /// The stocks that bursts are made of, and the one of the step.
    hot: [usize; HOT_STOCKS],
    stock: usize,
    /// The stock that is drawn next, and messages since that is known.
    coming: usize,
    steps_to_coming: u32,
    /// Messages left of a flurry, which is a burst of one stock as dense as can be.
    flurry: u32,
    /// The stock whose orders leave next at the end of the day.
    cleared: usize,
    /// Cumulated weights of the actions, and steps until they are set anew.
    weights: [u64; MIX.len()],
    weighing_due: u32,
    /// Resting orders wanted, as of the last weighing.
    live_wanted: u64,
    is_over: bool,
}

impl Partition {
    /// A partition at the start of its day.
    pub(super) fn new(share: Share<'_>) -> Self {
        let Share { profile, activity, market, schedule, lulls, stock_random } = share;
        let partitions = market.tape.part.of.into();
        let plan = Plan::new(&profile, market.style.phases, schedule.closing(), partitions);
        Self {
            awake_end: lulls.awake_at(plan.ends[0].ts),
            profile,
            market,
            schedule,
            plan,
            lulls,
            activity: Weighted::new(activity),
            stock_random,
            phase: 0,
            hot: [0; HOT_STOCKS],
            stock: 0,
            coming: 0,
            steps_to_coming: 0,
            flurry: 0,
            cleared: 0,
            weights: [0; MIX.len()],
            weighing_due: 0,
            live_wanted: 0,
            is_over: false,
        }
    }

    /// What was made so far.
    pub(super) fn summary(&self) -> &Summary {
        &self.market.tape.summary
    }

    /// What was made and not yet merged.
    #[inline]
    fn batch(&self) -> &Batch {
        &self.market.tape.batch
    }

    #[inline]
    pub(super) fn batch_mut(&mut self) -> &mut Batch {
        &mut self.market.tape.batch
    }

    /// Makes messages until as many as make a batch wait to be handed out.
    pub(super) fn fill(&mut self, form: Form) {
        self.batch_mut().form = form;
        while self.batch().len() < BATCH_MESSAGES && !self.is_over {
            let live = self.summary().live;
            self.is_over = !self.act();
            let change = self.summary().live.wrapping_sub(live) as i32;
            self.batch_mut().note_live(change);
        }
        self.batch_mut().is_last = self.is_over;
    }

    /// Lets one thing happen, which may turn out to be nothing; `false` at the end of the session.
    fn act(&mut self) -> bool {
        let Some(phase) = self.plan.phases.get(self.phase) else {
            let has_task = self.schedule.next_ts().is_some();
            self.schedule.run_next(&mut self.market);
            return has_task;
        };
        let end = self.plan.ends[self.phase];
        let left = end.messages.saturating_sub(self.summary().messages());
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
            let next = self.plan.ends.get(self.phase);
            self.awake_end = next.map_or(0, |end| self.lulls.awake_at(end.ts));
            return true;
        }
        self.draw_stock(is_burst);
        if phase.is_last && self.market.stocks[self.stock].live == 0 {
            self.stock = self.next_with_orders();
        }
        self.happen(phase, left);
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
        let mean = self.awake_end.saturating_sub(self.lulls.awake(now)) / left;
        if self.flurry == 0 && random.below(BURST as u32) == 0 {
            let gap = mean * BURST * random.exponential() / 1024;
            return (self.lulls.after(now, gap).min(end.max(now)), false);
        }
        let close = if self.flurry > 0 { FLURRY_NS } else { CLOSE_NS };
        let same_time = random.chance(150);
        let gap = if same_time { 0 } else { random.below_wide((mean / 2).min(close) + 1) };
        (self.lulls.after(now, gap).min(end.max(now)), true)
    }

    /// The stock of the next message: one of those that a burst is made of, or one more.
    #[inline]
    fn draw_stock(&mut self, is_burst: bool) {
        const FLURRIES: u32 = 2_048;
        self.steps_to_coming = self.steps_to_coming.saturating_add(1);
        self.market.prefetch(self.coming, self.steps_to_coming);
        if self.flurry > 0 {
            self.flurry -= 1;
            return;
        }
        let slot = self.stock_random.below(HOT_STOCKS as u32) as usize;
        if !is_burst {
            self.hot[slot] = self.coming;
            self.coming = self.activity.draw(&mut self.stock_random);
            self.steps_to_coming = 0;
            self.market.prefetch(self.coming, 0);
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
        let summary = &self.market.tape.summary;
        let all = summary.messages();
        self.live_wanted = self.plan.live_at(self.phase, all);
        let mut sum = 0;
        for (index, &(action, letters, ppm)) in MIX.iter().enumerate() {
            let made = summary.count(letters);
            let owed = self.profile.part(ppm).saturating_sub(made);
            let weight = match action {
                // The deletions after the close are not to be had before it.
                Action::Churn if !phase.is_last => owed.saturating_sub(self.plan.last_messages()),
                Action::Churn => owed,
                Action::Aggress => {
                    owed * (summary.aggressors + 1) / (made + 1) * phase.trading / 16
                }
                Action::Hidden => owed / 2 * phase.trading / 16,
                Action::Priced => owed * phase.trading / 16,
                Action::Imbalance => self.plan.imbalance_weight(self.phase, (all, made), sum),
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
