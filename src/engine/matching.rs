//! The matching agent: books, own orders and strategy on one thread, or the matching engine for a
//! feed of orders; and the single writer of the execution ring.

use super::exchange::Exchange;
use super::explain::Story;
use super::follower::Follower;
use super::stats::{Handover, MatchingOutcome, StrategyReport, hand_over};
use crate::book::LOOK_AHEAD_EVENTS;
use crate::clock::Clock;
use crate::error::Result;
use crate::event::{Event, Execution, ExecutionKind, Flags, Kind};
use crate::feed::Begin;
use crate::hash::RunningHash;
use crate::limits::BATCH_RECORDS_MAX;
use crate::ring::{Consumer, Producer};
use crate::runtime::{Agent, StageMeter};
use crate::strategy::Trader;
use crate::units::Nanos;

/// Name of the agent.
pub(super) const MATCHING: &str = "matching";

/// The matching agent.
///
/// It takes the next event only when everything the last one caused is on the execution ring, so
/// it needs no more than one slot there and never blocks.
pub(super) struct Matching {
    market: Consumer<Event>,
    outlet: Outlet,
    books: Follower,
    trader: Option<Trader>,
    /// For a feed of orders, in place of books and trader.
    exchange: Option<Exchange>,
    /// When the strategy begins.
    begin: Begin,
    state: State,
    meter: StageMeter,
    clock: Clock,
    /// `None` unless an order is to be explained.
    story: Option<Story>,
    /// From the intended time of the record that completed an exchange event to the publication of
    /// what the strategies sent in answer.
    tick_to_order: StageMeter,
    handover: Handover<MatchingOutcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Following,
    /// The market is over; what the end caused is still to be published.
    Ending,
    Done,
}

/// Executions on their way to the ring.
struct Outlet {
    /// `None` once the stream is closed.
    ring: Option<Producer<Execution>>,
    pending: Vec<Execution>,
    /// Those of `pending` before this one are published.
    published: usize,
    /// Those of `pending` before this one are stamped and hashed.
    stamped: usize,
    hash: RunningHash,
    count: u64,
}

impl Matching {
    pub(super) fn new(
        market: Consumer<Event>,
        executions: Producer<Execution>,
        books: Follower,
        trader: Option<Trader>,
        exchange: Option<Exchange>,
        clock: Clock,
        handover: Handover<MatchingOutcome>,
    ) -> Self {
        let outlet = Outlet {
            ring: Some(executions),
            pending: Vec::with_capacity(BATCH_RECORDS_MAX),
            published: 0,
            stamped: 0,
            hash: RunningHash::default(),
            count: 0,
        };
        Self {
            market,
            outlet,
            books,
            trader,
            exchange,
            begin: Begin::at(None),
            state: State::Starting,
            meter: StageMeter::new(),
            clock,
            story: None,
            tick_to_order: StageMeter::new(),
            handover,
        }
    }

    /// The same with a strategy that begins later.
    pub(super) fn beginning(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }

    /// The agent that also gathers the story of an order.
    pub(super) fn explaining(self, order_id: Option<u64>) -> Self {
        Self { story: order_id.map(Story::of), ..self }
    }

    /// Applies the next batch to the books alone.
    fn follow_books(&mut self) -> Result<usize> {
        let batch = self.market.poll(BATCH_RECORDS_MAX)?;
        let (first, second) = batch.slices();
        for events in [first, second] {
            self.books.apply_each(events, |event| event, |event| self.meter.note(event.ts_ingest));
        }
        Ok(batch.len())
    }

    /// Applies events to books, own orders and strategy until their executions fill the ring.
    fn follow_trading(&mut self) -> Result<usize> {
        let Self {
            market, outlet, books, trader, begin, meter, clock, story, tick_to_order, ..
        } = self;
        let Some(trader) = trader else { return Ok(0) };
        let batch = market.poll(BATCH_RECORDS_MAX)?;
        let first_sequence = batch.first_sequence();
        let mut done = 0;
        let (first, second) = batch.slices();
        'batch: for chunk in first.chunks(LOOK_AHEAD_EVENTS).chain(second.chunks(LOOK_AHEAD_EVENTS))
        {
            books.replica().look_ahead(chunk, |event| event);
            for event in chunk {
                if matches!(event.kind(), Some(Kind::Kill | Kind::Limits)) {
                    trader.command(event, books.replica(), &mut outlet.pending)?;
                }
                if !begin.has_come() {
                    if !begin.look(event)? {
                        books.apply(event);
                        done += 1;
                        continue;
                    }
                    trader.start(books.replica(), &mut outlet.pending)?;
                }
                trader.before(event, books.replica(), &mut outlet.pending)?;
                let change = books.apply(event);
                let sent = trader.orders_sent();
                trader.after(event, &change, books.replica(), &mut outlet.pending)?;
                meter.note(event.ts_ingest);
                let sequence = first_sequence + done as u64;
                done += 1;
                let is_all_out = outlet.hand_on(sequence, event, story)?;
                if trader.orders_sent() != sent && event.has(Flags::LAST) {
                    tick_to_order.note(event.ts_ingest);
                    tick_to_order.complete(clock.now());
                }
                if !is_all_out {
                    break 'batch;
                }
            }
        }
        batch.end_at(done);
        Ok(done)
    }

    /// Lets the exchange take commands until its executions fill the ring.
    fn follow_orders(&mut self) -> Result<usize> {
        let Self { market, outlet, exchange: Some(exchange), meter, story, .. } = self else {
            return Ok(0);
        };
        let batch = market.poll(BATCH_RECORDS_MAX)?;
        let first_sequence = batch.first_sequence();
        let mut done = 0;
        for event in batch.iter() {
            exchange.apply(event, &mut outlet.pending);
            meter.note(event.ts_ingest);
            let sequence = first_sequence + done as u64;
            done += 1;
            if !outlet.hand_on(sequence, event, story)? {
                break;
            }
        }
        batch.end_at(done);
        Ok(done)
    }

    /// Lets strategy and orders come to their end.
    fn end(&mut self) -> Result<()> {
        if let Some(trader) = self.trader.as_mut().filter(|_| self.begin.has_come()) {
            trader.end(self.books.replica(), &mut self.outlet.pending)?;
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.end(&mut self.outlet.pending);
        }
        // Behind the last record: a run that goes on from there does not come to this end.
        self.outlet.stamp(self.market.position(), 0, None, &mut self.story);
        Ok(())
    }
}

impl Outlet {
    fn is_empty(&self) -> bool {
        self.published == self.pending.len()
    }

    /// Completes and publishes what the event at `cause` gave rise to; `false` when not all of it
    /// fits on the ring yet.
    #[inline]
    fn hand_on(&mut self, cause: u64, event: &Event, story: &mut Option<Story>) -> Result<bool> {
        if self.is_empty() {
            return Ok(true);
        }
        self.stamp(cause, event.ts_ingest, Some(event), story);
        self.publish()
    }

    /// Completes the executions that the event at `cause` gave rise to, and hashes them.
    fn stamp(
        &mut self,
        cause: u64,
        ts_ingest: u64,
        event: Option<&Event>,
        story: &mut Option<Story>,
    ) {
        for execution in &mut self.pending[self.stamped..] {
            if execution.kind() != Some(ExecutionKind::SnapshotMark) {
                self.hash.update(bytemuck::bytes_of(&execution.canonical()));
            }
            execution.cause = cause;
            execution.ts_ingest = ts_ingest;
            self.count += 1;
        }
        if let Some(story) = story {
            story.note(event, &self.pending[self.stamped..]);
        }
        self.stamped = self.pending.len();
    }

    /// Publishes what fits; whether that was all.
    fn publish(&mut self) -> Result<bool> {
        let Some(ring) = &mut self.ring else { return Ok(true) };
        while self.published < self.pending.len() {
            let left = &self.pending[self.published..];
            let count = left.len().min(ring.free_slots()?);
            if count == 0 {
                return Ok(false);
            }
            let Some(mut claim) = ring.try_claim(count)? else { return Ok(false) };
            for (index, execution) in left[..count].iter().enumerate() {
                claim.set(index, *execution);
            }
            claim.commit_all();
            self.published += count;
        }
        self.pending.clear();
        self.published = 0;
        self.stamped = 0;
        Ok(true)
    }
}

impl Agent for Matching {
    fn name(&self) -> &str {
        MATCHING
    }

    fn do_work(&mut self) -> Result<usize> {
        let before = self.outlet.published;
        if !self.outlet.is_empty() && !self.outlet.publish()? {
            return Ok(self.outlet.published - before);
        }
        match self.state {
            State::Starting => {
                if let Some(trader) = self.trader.as_mut().filter(|_| self.begin.has_come()) {
                    trader.start(self.books.replica(), &mut self.outlet.pending)?;
                }
                self.outlet.stamp(0, 0, None, &mut self.story);
                self.state = State::Following;
                Ok(1)
            }
            State::Following if self.market.is_finished() => {
                self.end()?;
                self.state = State::Ending;
                Ok(1)
            }
            State::Following if self.exchange.is_some() => self.follow_orders(),
            State::Following if self.trader.is_some() => self.follow_trading(),
            State::Following => self.follow_books(),
            State::Ending => {
                self.outlet.ring = None;
                self.state = State::Done;
                Ok(1)
            }
            State::Done => Ok(0),
        }
    }

    fn completed(&mut self, started: Nanos, now: Nanos) {
        self.meter.complete_since(started, now);
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn fail(&mut self, cause: &str) {
        let position = self.market.position();
        self.market.fail(position, cause);
        if let Some(ring) = &mut self.outlet.ring {
            ring.fail();
        }
    }

    fn finish(&mut self) {
        let (trader, exchange) = (self.trader.as_ref(), self.exchange.as_ref());
        let trades = match (trader, exchange) {
            (_, Some(exchange)) => exchange.counts(),
            (Some(trader), None) => trader.counts(),
            (None, None) => Default::default(),
        };
        let mut warnings = trader.map(Trader::warnings).unwrap_or_default();
        warnings.extend(exchange.iter().flat_map(|exchange| exchange.warnings()));
        let check = self.books.finish_check(&mut warnings);
        let replica = self.books.replica();
        let outcome = MatchingOutcome {
            totals: exchange.map_or_else(|| replica.totals(), Exchange::totals),
            counts: replica.counts().clone(),
            books_hash: exchange.map_or_else(|| replica.books_hash(), Exchange::books_hash),
            orders_hash: self.outlet.hash.value(),
            trades,
            executions: self.outlet.count,
            check,
            warnings,
            latency: std::mem::take(&mut self.meter),
            strategies: trader.map_or(vec![], |trader| {
                let report = |(account, name, counts): (_, &str, _)| StrategyReport {
                    account,
                    name: name.to_owned(),
                    counts,
                };
                trader.strategies().map(report).collect()
            }),
            story: self.story.as_mut().map(Story::take),
            tick_to_order: trader.map(|_| std::mem::take(&mut self.tick_to_order)),
        };
        hand_over(&self.handover, outcome);
    }
}
