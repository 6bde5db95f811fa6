//! When the whole market rests: a session that has fewer messages than the real day keeps to that
//! day's pace for a while, and then rests.

use super::partition::BURST;
use super::phases::{BURST_NS, Plan};
use super::profile::{Profile, in_proportion};
use super::random::Random;

/// Messages of the real day.
const DAY_MESSAGES: u64 = 268_744_780;

/// Lulls of a session, about: few, so that few orders live through one.
const LULLS: u64 = 128;

/// Bursts between two lulls at least.
const BURSTS_MIN: u64 = 16;

/// A time in which nothing happens but what has its fixed time.
#[derive(Clone, Copy, Debug)]
struct Rest {
    from: u64,
    until: u64,
    /// How long the market has rested before.
    rested: u64,
}

/// The rests of a day, and the place of the clock among them.
#[derive(Clone, Debug)]
pub(super) struct Lulls {
    /// Soonest first; the last never comes.
    rests: Vec<Rest>,
    /// The first rest that is not over.
    at: usize,
}

impl Lulls {
    /// A day without rests.
    pub(super) fn none() -> Self {
        Self { rests: vec![Rest { from: u64::MAX, until: u64::MAX, rested: 0 }], at: 0 }
    }

    /// The rests that leave the messages of a session the pace of the real day. Each phase begins
    /// and ends awake.
    pub(super) fn new(profile: &Profile, plan: &Plan, random: &mut Random) -> Self {
        let mut lulls = Self::none();
        for (from, until, messages) in plan.stretches() {
            let span = until - from;
            let paced = u128::from(span) * u128::from(profile.messages) / u128::from(DAY_MESSAGES);
            let awake = (paced as u64).max(messages * BURST_NS).min(span);
            let count = (messages * LULLS / profile.messages).min(messages / BURST / BURSTS_MIN);
            let count = count.max(1);
            let waking = divide(awake, count + 1, random);
            let resting = divide(span - awake, count, random);
            let mut now = from;
            for (waking, resting) in waking.into_iter().zip(resting) {
                now += waking;
                lulls.plan(now, now + resting);
                now += resting;
            }
        }
        lulls
    }

    /// Adds a rest behind the others.
    fn plan(&mut self, from: u64, until: u64) {
        let Some(never) = self.rests.last_mut().filter(|_| from < until) else { return };
        let rested = never.rested;
        never.rested += until - from;
        let index = self.rests.len() - 1;
        self.rests.insert(index, Rest { from, until, rested });
    }

    /// How long the market has been awake at a time, since midnight. Times go up from call to call.
    #[inline]
    pub(super) fn awake(&mut self, now: u64) -> u64 {
        while self.rests[self.at].until <= now {
            self.at += 1;
        }
        self.awake_beside(self.at, now)
    }

    /// The same of a time still to come.
    pub(super) fn awake_at(&self, ts: u64) -> u64 {
        let at = self.rests.partition_point(|rest| rest.until <= ts);
        self.awake_beside(at, ts)
    }

    #[inline]
    fn awake_beside(&self, at: usize, ts: u64) -> u64 {
        let Rest { from, rested, .. } = self.rests[at];
        ts.min(from) - rested
    }

    /// The time when the market will have been awake for another `gap` ns after `now`, which is the
    /// time that [`Lulls::awake`] was last asked for.
    #[inline]
    pub(super) fn after(&self, now: u64, gap: u64) -> u64 {
        let awake = self.awake_beside(self.at, now) + gap;
        let mut rests = self.rests[self.at..].iter();
        let next = rests.find(|rest| awake <= rest.from - rest.rested);
        next.map_or(now, |next| (awake + next.rested).max(now))
    }
}

/// A whole in parts whose sizes are exponentially distributed.
fn divide(whole: u64, count: u64, random: &mut Random) -> Vec<u64> {
    let sizes: Vec<u64> = (0..count).map(|_| 1 + random.exponential()).collect();
    in_proportion(whole, &sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lulls(rests: &[(u64, u64)]) -> Lulls {
        let mut lulls = Lulls::none();
        rests.iter().for_each(|&(from, until)| lulls.plan(from, until));
        lulls
    }

    #[test]
    fn time_goes_on_while_awake_only() {
        let mut lulls = lulls(&[(100, 150), (200, 300), (400, 400)]);
        for (now, awake) in [(0, 0), (99, 99), (100, 100), (120, 100), (150, 100), (250, 150)] {
            assert_eq!(lulls.awake_at(now), awake, "at {now}");
            assert_eq!(lulls.awake(now), awake, "at {now}");
        }
        assert_eq!(lulls.awake_at(500), 350);
    }

    #[test]
    fn a_gap_is_as_long_as_it_is_without_its_rests() {
        let mut lulls = lulls(&[(100, 150), (200, 300)]);
        for (now, gap, then) in [
            (0, 100, 100),
            (0, 101, 151),
            (90, 60, 200),
            (90, 61, 301),
            (120, 0, 120),
            (120, 1, 151),
            (310, 5, 315),
        ] {
            lulls.awake(now);
            assert_eq!(lulls.after(now, gap), then, "{gap} after {now}");
        }
    }

    #[test]
    fn a_day_without_rests_is_awake_all_the_time() {
        let mut lulls = Lulls::none();
        assert_eq!((lulls.awake(7), lulls.after(7, 5)), (7, 12));
    }
}
