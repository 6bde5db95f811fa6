//! What is measured of the busiest stock, a liquid name: times, sizes and distances.

use std::collections::{HashMap, VecDeque};

use hdrhistogram::Histogram;

use crate::units::OrderId;

/// The instrument of the busiest stock.
pub(super) const BUSIEST: u32 = 1;

/// A burst is what happens within so many ns.
const BURST_NS: u64 = 100_000;

/// Longest time that is told from longer ones, in ns: a day.
const LONGEST_NS: u64 = 86_400_000_000_000;

/// Furthest distance that is told from further ones, in ticks.
const TICKS_MAX: u64 = 1 << 31;

/// Where a new order lies, before it is in the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Ticks behind the touch of its side; negative before it, `None` where the side was empty.
    pub(super) behind: Option<i64>,
    /// Ticks between the best bid and the best offer.
    pub(super) spread: Option<u64>,
}

/// What a session's busiest stock was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidName {
    /// Its messages.
    pub messages: u64,
    /// Most of them within 100 us.
    pub burst_messages: u64,
    /// Time between its messages in ns: median and 99th percentile.
    pub gap_ns: [u64; 2],
    /// How long deleted orders had rested in ns: 10th percentile, median, 90th percentile.
    pub lifetime_ns: [u64; 3],
    /// Ticks of new orders behind the touch, 0 at it and before it: median, 75th and 99th
    /// percentile.
    pub distance_ticks: [u64; 3],
    /// Ticks between bid and offer when orders come: 10th percentile, median, 90th percentile.
    pub spread_ticks: [u64; 3],
    /// New orders, by adds and replaces.
    pub orders: u64,
    /// Those of them that better the touch.
    pub improving: u64,
    /// Those of them that join the touch.
    pub joining: u64,
    /// Those of them with 100 shares.
    pub of_100: u64,
    /// Those of them with less than 100 shares.
    pub odd_lots: u64,
}

/// Gathers what a [`LiquidName`] tells.
#[derive(Clone, Debug)]
pub(super) struct Liquid {
    /// When each order that rests was entered.
    entered: HashMap<OrderId, u64>,
    /// Times of the latest messages, a burst long.
    burst: VecDeque<u64>,
    gaps: Histogram<u64>,
    lifetimes: Histogram<u64>,
    distances: Histogram<u64>,
    spreads: Histogram<u64>,
    /// What needs no more than counting.
    counts: LiquidName,
}

impl Liquid {
    pub(super) fn new() -> Self {
        let up_to = |max| Histogram::new_with_bounds(1, max, 3).expect("constant bounds");
        Self {
            entered: HashMap::new(),
            burst: VecDeque::new(),
            gaps: up_to(LONGEST_NS),
            lifetimes: up_to(LONGEST_NS),
            distances: up_to(TICKS_MAX),
            spreads: up_to(TICKS_MAX),
            counts: LiquidName {
                messages: 0,
                burst_messages: 0,
                gap_ns: [0; 2],
                lifetime_ns: [0; 3],
                distance_ticks: [0; 3],
                spread_ticks: [0; 3],
                orders: 0,
                improving: 0,
                joining: 0,
                of_100: 0,
                odd_lots: 0,
            },
        }
    }

    pub(super) fn name(&self) -> LiquidName {
        LiquidName {
            gap_ns: [0.5, 0.99].map(|q| self.gaps.value_at_quantile(q)),
            lifetime_ns: [0.1, 0.5, 0.9].map(|q| self.lifetimes.value_at_quantile(q)),
            distance_ticks: [0.5, 0.75, 0.99].map(|q| self.distances.value_at_quantile(q)),
            spread_ticks: [0.1, 0.5, 0.9].map(|q| self.spreads.value_at_quantile(q)),
            ..self.counts
        }
    }

    #[inline]
    pub(super) fn note_message(&mut self, instrument: u32, ts: u64) {
        if instrument == BUSIEST {
            self.note_time(ts);
        }
    }

    fn note_time(&mut self, ts: u64) {
        self.counts.messages += 1;
        if let Some(&before) = self.burst.back() {
            self.gaps.saturating_record(ts - before);
        }
        self.burst.push_back(ts);
        while self.burst.front().is_some_and(|&first| ts - first > BURST_NS) {
            self.burst.pop_front();
        }
        self.counts.burst_messages = self.counts.burst_messages.max(self.burst.len() as u64);
    }

    /// A new order of the busiest stock, by an add or a replace.
    pub(super) fn note_order(&mut self, (id, qty): (u64, u32), ts: u64, at: Place) {
        let Place { behind, spread } = at;
        self.entered.insert(OrderId(id), ts);
        let counts = &mut self.counts;
        counts.orders += 1;
        counts.of_100 += u64::from(qty == 100);
        counts.odd_lots += u64::from(qty < 100);
        if let Some(behind) = behind {
            self.distances.saturating_record(behind.max(0) as u64);
            counts.improving += u64::from(behind < 0);
            counts.joining += u64::from(behind == 0);
        }
        if let Some(spread) = spread {
            self.spreads.saturating_record(spread);
        }
    }

    /// An order that leaves without having been executed wholly.
    #[inline]
    pub(super) fn note_delete(&mut self, instrument: u32, id: u64, ts: u64) {
        if instrument == BUSIEST
            && let Some(entered) = self.entered.remove(&OrderId(id))
        {
            self.lifetimes.saturating_record(ts - entered);
        }
    }
}
