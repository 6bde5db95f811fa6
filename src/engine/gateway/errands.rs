//! Matching's end of the way to a gateway.

use std::collections::VecDeque;

use crate::book::Replica;
use crate::event::{Event, Execution, ExecutionKind, Flags};
use crate::gateway::{Request, RunId, Standing};
use crate::limits::INBOX_CAPACITY;
use crate::matching::Command;
use crate::ring::{InboxReceiver, InboxSender, inbox};
use crate::runtime::StageMeter;
use crate::strategy::Trader;
use crate::units::{Nanos, OrderId};

/// Orders whose ticks are remembered at a time.
const TICKS: usize = 4096;

/// What matching asks of the gateway agent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Errand {
    /// The run has caught up with its journal.
    Open(Standing),
    /// A command is to be sent.
    Send(Request),
}

/// Where matching leaves its commands.
///
/// What records before `new_from` give rise to was sent by the run that recorded them.
pub(in crate::engine) struct Errands {
    to_gateway: InboxSender<Errand>,
    backlog: VecDeque<Errand>,
    requests: Vec<Request>,
    new_from: u64,
    run: RunId,
    is_open: bool,
    /// By an order's number: the number, and the intended time of the record that it answered.
    ticks: Box<[(u64, u64)]>,
    /// From that time until its first fill was published.
    tick_to_fill: StageMeter,
}

/// The gateway agent's end of the way from matching.
pub(in crate::engine) struct Inward {
    pub(super) errands: InboxReceiver<Errand>,
    /// Closes it, so that matching does not wait for an agent that is gone.
    pub(super) closer: InboxSender<Errand>,
}

/// Both ends of the way, for a run whose new records begin at `new_from`.
pub(in crate::engine) fn errands(run: RunId, new_from: u64) -> (Errands, Inward) {
    let (to_gateway, from_matching) = inbox(INBOX_CAPACITY);
    let errands = Errands {
        to_gateway: to_gateway.clone(),
        backlog: VecDeque::new(),
        requests: Vec::new(),
        new_from,
        run,
        is_open: false,
        ticks: vec![(0, 0); TICKS].into(),
        tick_to_fill: StageMeter::new(),
    };
    (errands, Inward { errands: from_matching, closer: to_gateway })
}

impl Errands {
    /// Opens the gateway once every record that was there when the run was taken up is behind
    /// `position`.
    pub(in crate::engine) fn catch_up(&mut self, position: u64, trader: Option<&Trader>) {
        if self.is_open || position < self.new_from {
            return;
        }
        self.is_open = true;
        if let Some(standing) = trader.and_then(Trader::standing) {
            self.backlog.push_back(Errand::Open(Standing { run: self.run, ..standing }));
        }
    }

    /// Takes the commands that the record at `sequence` gave rise to, and notes what it filled in
    /// `executions`; whether there was a fill whose tick is known.
    pub(in crate::engine) fn take(
        &mut self,
        sequence: u64,
        event: &Event,
        trader: &mut Trader,
        books: &Replica,
        executions: &[Execution],
    ) -> bool {
        if trader.has_requests() {
            trader.take_requests(books, &mut self.requests);
            let is_new = sequence >= self.new_from;
            for request in self.requests.drain(..).filter(|_| is_new) {
                if let Command::New { order_id, .. } = request.command
                    && event.has(Flags::LAST)
                {
                    self.ticks[slot(order_id)] = (order_id.0, event.ts_ingest);
                }
                self.backlog.push_back(Errand::Send(request));
            }
        }
        let mut has_fill = false;
        for fill in executions.iter().filter(|one| one.kind() == Some(ExecutionKind::Filled)) {
            let tick = &mut self.ticks[slot(fill.order_id())];
            if tick.0 == fill.order_id {
                self.tick_to_fill.note(tick.1);
                *tick = (0, 0);
                has_fill = true;
            }
        }
        has_fill
    }

    /// The fills that [`take`](Self::take) noted are published.
    pub(in crate::engine) fn complete(&mut self, now: Nanos) {
        self.tick_to_fill.complete(now);
    }

    /// Hands on what there is room for; whether that was all.
    pub(in crate::engine) fn flush(&mut self) -> bool {
        if self.to_gateway.is_closed() {
            self.backlog.clear();
        }
        while let Some(errand) = self.backlog.pop_front() {
            if self.to_gateway.len() >= INBOX_CAPACITY || self.to_gateway.post(errand).is_err() {
                self.backlog.push_front(errand);
                return false;
            }
        }
        true
    }

    /// The time from ticks to fills.
    pub(in crate::engine) fn take_meter(&mut self) -> StageMeter {
        std::mem::take(&mut self.tick_to_fill)
    }
}

fn slot(order_id: OrderId) -> usize {
    order_id.number() as usize % TICKS
}
