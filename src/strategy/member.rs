//! A strategy with its seat, and how the trader calls it.

use super::counts::TraderCounts;
use super::desk::{Desk, Seat};
use super::trader::{Told, Trader};
use super::{Strategy, TimerId};
use crate::book::Replica;
use crate::error::Result;
use crate::event::{Event, Execution, ExecutionKind};
use crate::hash::SplitMix64;
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, InstrumentId};

/// A strategy at its seat.
pub(super) struct Member {
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) seat: Seat,
    /// By instrument: whether it is called for its events.
    watched: Vec<bool>,
}

/// What a strategy is called for.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    Start,
    Event(&'a Event),
    Complete(InstrumentId),
    Told(&'a Execution),
    Timer(TimerId),
    End,
}

impl Member {
    pub(super) fn new(
        strategy: Box<dyn Strategy>,
        number: u32,
        first: AccountId,
        seed: u64,
    ) -> Self {
        // A stream of its own for each strategy of a run.
        let seed = SplitMix64::new(seed.wrapping_add(u64::from(number))).next();
        let seat = Seat {
            number,
            account: AccountId(first.0 + number),
            random: SplitMix64::new(seed),
            counts: TraderCounts::default(),
        };
        Self { strategy, seat, watched: vec![] }
    }

    #[inline]
    pub(super) fn watches(&self, instrument: InstrumentId) -> bool {
        self.watched.get(instrument.0 as usize).copied().unwrap_or(false)
    }

    pub(super) fn watch(&mut self, instrument: InstrumentId) {
        let index = instrument.0 as usize;
        if self.watched.len() <= index {
            self.watched.resize(index + 1, false);
        }
        self.watched[index] = true;
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_u64(self.seat.random.state());
        self.seat.counts.save(writer);
        writer.put_len(self.watched.len());
        self.watched.iter().for_each(|&is_watched| writer.put_bool(is_watched));
        self.strategy.save(writer);
    }

    pub(super) fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.seat.random = SplitMix64::new(reader.u64()?);
        self.seat.counts = TraderCounts::load(reader)?;
        self.watched = (0..reader.len(1)?).map(|_| reader.bool()).collect::<Result<_>>()?;
        self.strategy.load(reader)
    }
}

impl Trader {
    /// Calls a strategy, then settles what gate and venue answered at once.
    #[inline]
    pub(super) fn call(
        &mut self,
        index: usize,
        call: Call<'_>,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let Member { strategy, seat, .. } = &mut self.members[index];
        let desk = &mut Desk::new(&mut self.office, seat, replica);
        match call {
            Call::Start => strategy.on_start(desk),
            Call::Event(event) => strategy.on_event(event, desk),
            Call::Complete(instrument) => strategy.on_exchange_event(instrument, desk),
            Call::Told(execution) if execution.kind() == Some(ExecutionKind::Filled) => {
                strategy.on_fill(execution, desk);
            }
            Call::Told(execution) => strategy.on_order_update(execution, desk),
            Call::Timer(timer) => strategy.on_timer(timer, desk),
            Call::End => strategy.on_end(desk),
        }
        self.settle(replica, out)
    }

    /// Calls every strategy.
    pub(super) fn call_all(
        &mut self,
        call: Call<'_>,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        (0..self.members.len()).try_for_each(|index| self.call(index, call, replica, out))
    }

    /// Calls every strategy that watches an instrument.
    pub(super) fn call_watchers(
        &mut self,
        instrument: InstrumentId,
        call: Call<'_>,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        for index in 0..self.members.len() {
            if self.members[index].watches(instrument) {
                self.call(index, call, replica, out)?;
            }
        }
        Ok(())
    }

    /// Tells strategies what became of their orders once the report has arrived, unless the
    /// exchange event is still open; says how many reports that were.
    ///
    /// What they send in answer and the gate refuses is told the next time.
    pub(super) fn tell(&mut self, replica: &Replica, out: &mut Vec<Execution>) -> Result<usize> {
        let (mut waiting, mut left, mut told) = (0, self.untold.len(), 0);
        while left > waiting {
            let Told { due, execution } = self.untold[waiting];
            if due > self.office.now {
                break;
            }
            if replica.is_event_open(InstrumentId(execution.instrument)) {
                waiting += 1;
                continue;
            }
            left -= 1;
            told += 1;
            self.untold.remove(waiting);
            self.tell_owner(&execution, replica, out)?;
        }
        Ok(told)
    }

    pub(super) fn tell_owner(
        &mut self,
        execution: &Execution,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        if !self.tells_at_once {
            self.office.gate.note(execution);
        }
        if !self.tells_at_once && execution.kind() == Some(ExecutionKind::Filled) {
            self.office.account.apply(execution)?;
            self.look_again(InstrumentId(execution.instrument));
            self.guard_losses();
        }
        match self.member_of(execution.account()) {
            Some(index) => self.call(index, Call::Told(execution), replica, out),
            None => self.settle(replica, out),
        }
    }

    /// The strategy of an account: accounts are numbered in the order of the strategies.
    pub(super) fn member_of(&self, account: AccountId) -> Option<usize> {
        let index = account.0.checked_sub(self.config.account.0)? as usize;
        (index < self.members.len()).then_some(index)
    }
}
