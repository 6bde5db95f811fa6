//! How long orders and reports are on their way.

use std::sync::Arc;

use crate::hash::SplitMix64;
use crate::units::Nanos;

/// Time from a strategy's decision to the order's arrival, unless set otherwise: 50 us.
pub const LATENCY_DEFAULT: Nanos = Nanos(50_000);

/// A model of the way to the venue and back.
///
/// Orders arrive in the order in which they were sent, reports in the order of what they report: a
/// connection keeps its order, so a short way behind a long one waits.
///
/// ```
/// use ringtape::matching::LatencyModel;
/// use ringtape::units::Nanos;
///
/// let constant = LatencyModel::from(Nanos(50_000));
/// assert!(!constant.is_zero());
/// let jittered = LatencyModel { jitter: Nanos(5_000), seed: 1, ..constant };
/// assert_ne!(jittered, LatencyModel::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyModel {
    /// From a decision to the order's arrival.
    pub order: Nanos,
    /// From what happened at the venue to the strategy's knowledge of it.
    pub report: Nanos,
    /// Each way takes up to this longer, every value as likely.
    pub jitter: Nanos,
    /// Seed of the jitter.
    pub seed: u64,
    /// Recorded ways, orders' and reports', that are used one after another and again from the
    /// start; they go before `order` and `report`.
    pub recorded: Option<Arc<[[Nanos; 2]]>>,
}

impl LatencyModel {
    /// Whether an order arrives at once.
    pub fn is_zero(&self) -> bool {
        match &self.recorded {
            Some(ways) => ways.iter().all(|[order, _]| order.0 == 0),
            None => self.order.0 + self.jitter.0 == 0,
        }
    }

    /// Whether strategies hear of what happened at once.
    pub fn tells_at_once(&self) -> bool {
        match &self.recorded {
            Some(ways) => ways.iter().all(|[_, report]| report.0 == 0),
            None => self.report.0 == 0,
        }
    }
}

impl From<Nanos> for LatencyModel {
    /// Orders take `order`, reports no time.
    fn from(order: Nanos) -> Self {
        Self { order, report: Nanos(0), jitter: Nanos(0), seed: 1, recorded: None }
    }
}

impl Default for LatencyModel {
    fn default() -> Self {
        LATENCY_DEFAULT.into()
    }
}

/// The ways drawn so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) random: SplitMix64,
    /// Ways used so far: orders', reports'.
    pub(super) used: [u64; 2],
}

const ORDER: usize = 0;
const REPORT: usize = 1;

impl Ways {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: SplitMix64::new(seed), used: [0; 2] }
    }

    /// How long the next order takes.
    pub(super) fn order(&mut self, model: &LatencyModel) -> Nanos {
        self.draw(model, ORDER, model.order)
    }

    /// How long the next report takes.
    pub(super) fn report(&mut self, model: &LatencyModel) -> Nanos {
        if model.tells_at_once() {
            return Nanos(0);
        }
        self.draw(model, REPORT, model.report)
    }

    fn draw(&mut self, model: &LatencyModel, which: usize, base: Nanos) -> Nanos {
        let base = match &model.recorded {
            Some(ways) if !ways.is_empty() => {
                let next = self.used[which] % ways.len() as u64;
                self.used[which] += 1;
                ways[next as usize][which]
            }
            _ => base,
        };
        if model.jitter.0 == 0 {
            return base;
        }
        Nanos(base.0.saturating_add(self.random.below(model.jitter.0.saturating_add(1))))
    }
}
