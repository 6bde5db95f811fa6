//! Hashes along the way: at every so many messages, so that two runs show where they part.
//!
//! Matching counts the messages, hashes books and orders, and tells the portfolio the sequence;
//! the portfolio hashes itself before it takes an execution that a later event caused. Only runs
//! that ask for this pay for it: each point walks all resting orders.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::hashes::{HashPoint, Hashes};
use super::run_state::{Market, Tally};
use crate::event::kinds::Group;
use crate::event::{Event, Kind};
use crate::portfolio::Portfolio;

/// Matching's end.
pub(super) struct Trail {
    every: u64,
    messages: u64,
    /// Without the portfolio's part.
    points: Vec<HashPoint>,
    sequences: Sender<u64>,
}

/// The portfolio's end.
pub(super) struct TrailBehind {
    sequences: Receiver<u64>,
    /// The point that comes next: the sequence of its last event.
    next: Option<u64>,
    hashes: Vec<u64>,
}

/// Both ends of a trail with a point every so many messages.
pub(super) fn trail(every: u64) -> (Trail, TrailBehind) {
    let (sender, receiver) = channel();
    let trail = Trail { every, messages: 0, points: Vec::new(), sequences: sender };
    (trail, TrailBehind { sequences: receiver, next: None, hashes: Vec::new() })
}

impl Trail {
    /// Takes note of the event at `sequence`, which has been applied and whose executions are
    /// counted.
    pub(super) fn note(&mut self, sequence: u64, event: &Event, market: &Market, tally: Tally) {
        if !is_counted(event) {
            return;
        }
        self.messages += 1;
        if self.messages.is_multiple_of(self.every) {
            let hashes = Hashes {
                books: market.books_hash(),
                orders: tally.hash.value(),
                ..Hashes::default()
            };
            self.points.push(HashPoint { messages: self.messages, hashes });
            // A portfolio that has gone has failed, which is told elsewhere.
            let _ = self.sequences.send(sequence);
        }
    }

    /// The points, to be completed by the portfolio's hashes.
    pub(super) fn take(&mut self) -> Vec<HashPoint> {
        std::mem::take(&mut self.points)
    }
}

impl TrailBehind {
    /// Hashes the portfolio at all points before what the event at `cause` did.
    pub(super) fn before(&mut self, cause: u64, portfolio: &Portfolio) {
        while self.upcoming().is_some_and(|point| cause > point) {
            self.hashes.push(portfolio.hash());
            self.next = None;
        }
    }

    /// The portfolio's hashes at all points.
    pub(super) fn finish(mut self, portfolio: &Portfolio) -> Vec<u64> {
        while self.upcoming().is_some() {
            self.hashes.push(portfolio.hash());
            self.next = None;
        }
        self.hashes
    }

    fn upcoming(&mut self) -> Option<u64> {
        self.next = self.next.or_else(|| self.sequences.try_recv().ok());
        self.next
    }
}

/// Whether an event counts as a message.
fn is_counted(event: &Event) -> bool {
    let is_definition = matches!(
        event.kind(),
        Some(Kind::Instrument | Kind::InstrumentTerms | Kind::InstrumentListing)
    );
    let is_engine = event.kind().is_some_and(|kind| kind.info().group == Group::Engine);
    !is_definition && !is_engine && !event.is_continued()
}

/// The points with the portfolio's hashes.
pub(super) fn completed(points: Vec<HashPoint>, portfolio: &[u64]) -> Vec<HashPoint> {
    let with = |(point, &portfolio): (HashPoint, &u64)| HashPoint {
        hashes: Hashes { portfolio, ..point.hashes },
        ..point
    };
    points.into_iter().zip(portfolio).map(with).collect()
}
