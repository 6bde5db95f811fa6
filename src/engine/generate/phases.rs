//! The phases of the day: how many messages each has, how trading goes, how many orders rest.

use super::profile::{IMBALANCE_PPM, POSITIONS_PPM, Profile};
use super::schedule::{MARKET_CLOSE, MARKET_OPEN, SYSTEM_END, SYSTEM_START, at};

/// A stretch of the day with one character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    /// Time of its beginning in ns.
    pub(super) from: u64,
    /// Its messages, per mille of those that have no fixed place.
    share: u64,
    /// Resting orders at its end, per mille of the day's peak.
    live_end: u64,
    /// How much is traded, in sixteenths of what the day's mix asks for.
    pub(super) trading: u64,
    /// Per cent of the day's imbalance messages that are published until its end.
    imbalances_end: u64,
    /// The cross that its imbalance messages announce.
    pub(super) cross_type: u8,
    /// The day's last, in which the books empty.
    pub(super) is_last: bool,
}

const fn phase(from: u64, share: u64, live_end: u64, trading: u64, imbalances_end: u64) -> Phase {
    let cross_type = if from < MARKET_OPEN { b'O' } else { b'C' };
    Phase { from, share, live_end, trading, imbalances_end, cross_type, is_last: false }
}

/// The phases of a session of few stocks; the last has the messages that the deletion of all
/// orders needs.
pub(super) const FEW_STOCKS: Phases = [
    phase(SYSTEM_START, 90, 400, 3, 0),
    phase(at(9, 25, 0), 35, 550, 3, 50),
    phase(MARKET_OPEN, 22, 600, 20, 50),
    phase(MARKET_OPEN, 190, 850, 20, 50),
    phase(at(10, 0, 0), 538, 1000, 16, 50),
    phase(at(15, 50, 0), 125, 970, 20, 100),
    Phase { is_last: true, ..phase(MARKET_CLOSE, 0, 0, 1, 100) },
];

/// The same of the whole market, where few stocks have many orders before the opening.
pub(super) const WHOLE_MARKET: Phases = [
    phase(SYSTEM_START, 12, 100, 3, 0),
    phase(at(9, 25, 0), 12, 200, 3, 50),
    phase(MARKET_OPEN, 22, 300, 20, 50),
    phase(MARKET_OPEN, 231, 900, 20, 50),
    phase(at(10, 0, 0), 574, 1000, 16, 50),
    phase(at(15, 50, 0), 149, 970, 20, 100),
    Phase { is_last: true, ..phase(MARKET_CLOSE, 0, 0, 1, 100) },
];

/// The phases of a session.
pub(super) type Phases = [Phase; 7];

/// The opening burst, in ns a message: some 420,000 messages a second.
pub(super) const BURST_NS: u64 = 2_400;

/// Messages of auctions that a stock may have in one phase, about.
const CROSS_MESSAGES: u64 = 6;

/// Where a phase ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PhaseEnd {
    /// Time in ns.
    pub(super) ts: u64,
    /// Messages of the day until then.
    pub(super) messages: u64,
    /// Resting orders then.
    live: u64,
    /// Imbalance messages until then.
    imbalances: u64,
}

/// The phases of one session.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) phases: &'static Phases,
    pub(super) ends: Vec<PhaseEnd>,
    last_messages: u64,
}

impl Plan {
    /// The phases of one of `partitions`, which has `closing` messages after the last of them.
    pub(super) fn new(
        profile: &Profile,
        phases: &'static Phases,
        closing: u64,
        partitions: u64,
    ) -> Self {
        let Profile { messages, live, .. } = *profile;
        let symbols = u64::from(profile.symbols);
        let imbalances = profile.part(IMBALANCE_PPM);
        let end = messages - closing;
        // Directory and participants precede the phases.
        let before = 3 * symbols + profile.part(POSITIONS_PPM);
        let last_messages = (messages / 20).max(live + live / 8) + CROSS_MESSAGES * symbols;
        let elastic = end - last_messages - before;

        let mut ends = Vec::with_capacity(phases.len());
        let mut shares = 0;
        for (index, phase) in phases.iter().enumerate() {
            shares += phase.share;
            let next = phases.get(index + 1).map_or(SYSTEM_END, |next| next.from);
            ends.push(PhaseEnd {
                ts: next - 1,
                messages: if phase.is_last { end } else { before + elastic * shares / 1000 },
                live: live * phase.live_end / 1000,
                imbalances: imbalances * phase.imbalances_end / 100,
            });
        }
        let burst = phases.iter().position(|phase| phase.from == MARKET_OPEN).unwrap_or(0);
        let burst_messages = ends[burst].messages - ends[burst - 1].messages;
        ends[burst].ts = MARKET_OPEN + burst_messages * partitions * BURST_NS;
        Self { phases, ends, last_messages }
    }

    /// Beginning, end and messages of each phase.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let befores = std::iter::once(PhaseEnd::default()).chain(self.ends.iter().copied());
        self.phases.iter().zip(&self.ends).zip(befores).map(|((phase, end), before)| {
            (phase.from.max(before.ts), end.ts, end.messages - before.messages)
        })
    }

    /// Messages of the last phase.
    pub(super) fn last_messages(&self) -> u64 {
        self.last_messages
    }

    /// Resting orders that are wanted in a phase when `made` messages have been made.
    pub(super) fn live_at(&self, phase: usize, made: u64) -> u64 {
        let end = self.ends[phase];
        let start = phase.checked_sub(1).map_or(PhaseEnd::default(), |before| self.ends[before]);
        let span = end.messages - start.messages;
        let done = made.saturating_sub(start.messages).min(span);
        (start.live * (span - done) + end.live * done) / span.max(1)
    }

    /// The weight of imbalance messages beside `others`, so that the phase publishes its part.
    pub(super) fn imbalance_weight(
        &self,
        phase: usize,
        (made, imbalances): (u64, u64),
        others: u64,
    ) -> u64 {
        let end = self.ends[phase];
        let owed = end.imbalances.saturating_sub(imbalances);
        let rest = end.messages.saturating_sub(made).saturating_sub(owed).max(1);
        (u128::from(others) * u128::from(owed) / u128::from(rest)) as u64
    }
}
