//! The matching agent: books, own orders and strategy on one thread, or the matching engine for a
//! feed of orders; and the single writer of the execution ring.

use super::exchange::Exchange;
use super::explain::Story;
use super::gateway::Errands;
use super::names::MATCHING;
use super::outcomes::{Handover, MatchingOutcome, StrategyReport, hand_over};
use super::run_state::{Market, Tally};
use super::saver::Saver;
use super::trail::Trail;
use super::watch::{MarketShow, ToldByMatching};
use crate::book::LOOK_AHEAD_EVENTS;
use crate::clock::Clock;
use crate::error::Result;
use crate::event::{Event, Execution};
use crate::limits::BATCH_RECORDS_MAX;
use crate::ring::{Consumer, Producer, Published};
use crate::runtime::{Agent, StageMeter};
use crate::strategy::Trader;
use crate::units::Nanos;

/// The matching agent.
///
/// It takes the next event only when everything the last one caused is on the execution ring, so
/// it needs no more than one slot there and never blocks.
pub(super) struct Matching {
    ring: Consumer<Event>,
    /// The sequence in the journal of the ring's first record.
    origin: u64,
    outlet: Outlet,
    market: Market,
    saver: Saver,
    state: State,
    meter: StageMeter,
    clock: Clock,
    /// From the intended time of the record that completed an exchange event to the publication of
    /// what the strategies sent in answer.
    tick_to_order: StageMeter,
    /// The way to a real venue; `None` where orders go to a simulated one.
    errands: Option<Errands>,
    /// What is shown to a watcher; `None` unless there is one.
    show: Option<Box<MarketShow>>,
    /// Hashes along the way; `None` unless they are wanted.
    trail: Option<Trail>,
    /// Instrument of the last record.
    last_instrument: u32,
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
    tally: Tally,
    /// `None` unless an order is to be explained.
    story: Option<Story>,
}

/// What matching is made of.
pub(super) struct MatchingParts {
    pub(super) ring: Consumer<Event>,
    pub(super) executions: Producer<Execution>,
    /// The sequence in the journal of the ring's first record; behind a snapshot it is not 0.
    pub(super) origin: u64,
    pub(super) market: Market,
    pub(super) tally: Tally,
    pub(super) saver: Saver,
    pub(super) clock: Clock,
    /// The story of an order, with what was before a snapshot; `None` unless it is to be told.
    pub(super) story: Option<Story>,
    /// The way to a real venue.
    pub(super) errands: Option<Errands>,
    pub(super) told: ToldByMatching,
    pub(super) handover: Handover<MatchingOutcome>,
}

impl Matching {
    pub(super) fn new(parts: MatchingParts) -> Self {
        let outlet = Outlet {
            ring: Some(parts.executions),
            pending: Vec::with_capacity(BATCH_RECORDS_MAX),
            published: 0,
            stamped: 0,
            tally: parts.tally,
            story: parts.story,
        };
        let ToldByMatching { meter, tick_to_order, show, trail } = parts.told;
        Self {
            ring: parts.ring,
            origin: parts.origin,
            outlet,
            market: parts.market,
            saver: parts.saver,
            // What starts a run is in a snapshot.
            state: if parts.origin > 0 { State::Following } else { State::Starting },
            meter,
            clock: parts.clock,
            errands: parts.errands,
            tick_to_order,
            show,
            trail,
            last_instrument: 0,
            handover: parts.handover,
        }
    }

    /// Applies the next batch to the books alone, up to a mark.
    fn follow_books(&mut self) -> Result<usize> {
        let Self { ring, origin, outlet, market, saver, trail, meter, .. } = self;
        let batch = ring.poll(BATCH_RECORDS_MAX)?;
        let mut sequence = *origin + batch.first_sequence();
        let (first, second) = batch.slices();
        self.last_instrument = last_instrument(first, self.last_instrument);
        let mark = saver.mark_in(batch.iter());
        let done = mark.map_or(batch.len(), |index| index + 1);
        let mut left = done;
        for events in [first, second] {
            let events = &events[..left.min(events.len())];
            left -= events.len();
            if saver.is_saving() || trail.is_some() {
                for chunk in events.chunks(LOOK_AHEAD_EVENTS) {
                    market.books.replica().look_ahead(chunk, |event| event);
                    for event in chunk {
                        saver.before(event, market.books.replica());
                        market.books.apply(event);
                        meter.note(event.ts_ingest);
                        if let Some(trail) = trail {
                            trail.note(sequence, event, market, outlet.tally);
                        }
                        sequence += 1;
                    }
                }
            } else {
                market.books.apply_each(events, |event| event, |event| meter.note(event.ts_ingest));
            }
        }
        if let Some((index, mark)) = mark.and_then(|index| Some((index, batch.iter().nth(index)?)))
        {
            let sequence = *origin + batch.first_sequence() + index as u64;
            saver.after(sequence, mark, market, outlet.tally, &mut outlet.pending);
            outlet.hand_on(sequence, mark)?;
        }
        batch.end_at(done);
        Ok(done)
    }

    /// Applies events to books, own orders and strategy until their executions fill the ring.
    fn follow_trading(&mut self) -> Result<usize> {
        let Self {
            ring,
            origin,
            outlet,
            market,
            saver,
            trail,
            meter,
            clock,
            tick_to_order,
            errands,
            ..
        } = self;
        let batch = ring.poll(BATCH_RECORDS_MAX)?;
        let first_sequence = *origin + batch.first_sequence();
        let mut done = 0;
        let (first, second) = batch.slices();
        self.last_instrument = last_instrument(first, self.last_instrument);
        'batch: for chunk in first.chunks(LOOK_AHEAD_EVENTS).chain(second.chunks(LOOK_AHEAD_EVENTS))
        {
            market.books.replica().look_ahead(chunk, |event| event);
            for event in chunk {
                saver.before(event, market.books.replica());
                let has_answered = market.trade(event, &mut outlet.pending)?;
                meter.note(event.ts_ingest);
                let sequence = first_sequence + done as u64;
                done += 1;
                let has_fill = errands.as_mut().is_some_and(|errands| {
                    market.send(sequence, event, errands, &outlet.pending[outlet.stamped..])
                });
                saver.after(sequence, event, market, outlet.tally, &mut outlet.pending);
                let mut is_all_out = outlet.hand_on(sequence, event)?;
                if let Some(errands) = errands {
                    is_all_out &= errands.flush();
                    if has_fill {
                        errands.complete(clock.now());
                    }
                }
                if let Some(trail) = trail {
                    trail.note(sequence, event, market, outlet.tally);
                }
                if has_answered {
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
        let Self { ring, origin, outlet, market, saver, trail, meter, .. } = self;
        let batch = ring.poll(BATCH_RECORDS_MAX)?;
        let first_sequence = *origin + batch.first_sequence();
        let mut done = 0;
        self.last_instrument = last_instrument(batch.slices().0, self.last_instrument);
        for event in batch.iter() {
            market.apply(event, &mut outlet.pending)?;
            meter.note(event.ts_ingest);
            let sequence = first_sequence + done as u64;
            done += 1;
            saver.after(sequence, event, market, outlet.tally, &mut outlet.pending);
            let is_all_out = outlet.hand_on(sequence, event)?;
            if let Some(trail) = trail {
                trail.note(sequence, event, market, outlet.tally);
            }
            if !is_all_out {
                break;
            }
        }
        batch.end_at(done);
        Ok(done)
    }

    /// Hands commands on to the gateway, which is opened once the run has caught up; whether all
    /// are out.
    fn flush_errands(&mut self) -> bool {
        let Some(errands) = &mut self.errands else { return true };
        if self.state == State::Following {
            errands.catch_up(self.origin + self.ring.position(), self.market.trader.as_ref());
        }
        errands.flush()
    }

    /// Shows a watcher how things stand.
    #[inline]
    fn show(&mut self) {
        let Some(show) = &mut self.show else { return };
        let shown = show.show(&self.market, self.last_instrument, self.outlet.tally.count);
        if shown.is_err() {
            self.show = None;
        }
    }

    /// Lets strategy and orders come to their end.
    fn end(&mut self) -> Result<()> {
        self.saver.finish(self.market.books.replica());
        self.market.end(&mut self.outlet.pending)?;
        // Behind the last record: a run that goes on from there does not come to this end.
        self.outlet.stamp(self.origin + self.ring.position(), 0, None);
        Ok(())
    }
}

/// The instrument of the last record of a batch; that of the one before when there is none.
#[inline]
fn last_instrument(batch: &[Published<Event>], before: u32) -> u32 {
    batch.last().map_or(before, |event| event.instrument)
}

impl Outlet {
    fn is_empty(&self) -> bool {
        self.published == self.pending.len()
    }

    /// Completes and publishes what the event at `cause` gave rise to; `false` when not all of it
    /// fits on the ring yet.
    #[inline]
    fn hand_on(&mut self, cause: u64, event: &Event) -> Result<bool> {
        if self.is_empty() {
            return Ok(true);
        }
        self.stamp(cause, event.ts_ingest, Some(event));
        self.publish()
    }

    /// Completes the executions that the event at `cause` gave rise to, and hashes them.
    fn stamp(&mut self, cause: u64, ts_ingest: u64, event: Option<&Event>) {
        for execution in &mut self.pending[self.stamped..] {
            self.tally.note(execution);
            execution.cause = cause;
            execution.ts_ingest = ts_ingest;
        }
        if let Some(story) = &mut self.story {
            story.note(&self.pending[self.stamped..], |_| (event.copied(), false));
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
        if !self.flush_errands() {
            return Ok(0);
        }
        match self.state {
            State::Starting => {
                self.market.start(&mut self.outlet.pending)?;
                self.outlet.stamp(0, 0, None);
                self.state = State::Following;
                Ok(1)
            }
            State::Following if self.ring.is_finished() => {
                self.end()?;
                self.state = State::Ending;
                Ok(1)
            }
            State::Following => {
                let is_saving = self.saver.advance(self.market.books.replica());
                let done = match &self.market {
                    Market { exchange: Some(_), .. } => self.follow_orders(),
                    Market { trader: Some(_), .. } => self.follow_trading(),
                    Market { .. } => self.follow_books(),
                }?;
                self.show();
                Ok(if done > 0 { done } else { usize::from(is_saving) })
            }
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
        let position = self.ring.position();
        self.ring.fail(position, cause);
        if let Some(ring) = &mut self.outlet.ring {
            ring.fail();
        }
    }

    fn finish(&mut self) {
        let (trades, books_hash) = (self.market.trades(), self.market.books_hash());
        let Market { books, trader, exchange, .. } = &mut self.market;
        let (trader, exchange) = (trader.as_ref(), exchange.as_ref());
        let mut warnings = trader.map(Trader::warnings).unwrap_or_default();
        warnings.extend(exchange.iter().flat_map(|exchange| exchange.warnings()));
        let check = books.finish_check(&mut warnings);
        let replica = books.replica();
        let (longest_pause_ns, snapshots_skipped) = self.saver.outcome();
        let outcome = MatchingOutcome {
            totals: exchange.map_or_else(|| replica.totals(), Exchange::totals),
            counts: replica.counts().clone(),
            books_hash,
            trail: self.trail.as_mut().map(Trail::take).unwrap_or_default(),
            orders_hash: self.outlet.tally.hash.value(),
            trades,
            executions: self.outlet.tally.count,
            check,
            warnings,
            strategies: trader.map_or(vec![], |trader| {
                let report = |(account, name, counts): (_, &str, _)| StrategyReport {
                    account,
                    name: name.to_owned(),
                    counts,
                };
                trader.strategies().map(report).collect()
            }),
            story: self.outlet.story.as_mut().map(Story::take),
            tick_to_order: trader.map(|_| std::mem::take(&mut self.tick_to_order)),
            tick_to_fill: self.errands.as_mut().map(Errands::take_meter),
            differences: trader.map_or(0, Trader::differences),
            longest_pause_ns,
            snapshots_skipped,
            latency: std::mem::take(&mut self.meter),
        };
        hand_over(&self.handover, outcome);
    }
}
