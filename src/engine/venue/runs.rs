//! What a venue knows of each run that trades there, all of it counted from its journals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::used::Used;
use crate::error::Result;
use crate::event::{Event, EventView, Execution, ExecutionKind};
use crate::gateway::RunId;
use crate::gateway::message::ORDER_NUMBER_MAX;
use crate::journal::{Read, Reader};
use crate::limits::BATCH_RECORDS_MAX;

/// Bits of an order's number that the client chooses.
const ORDER_BITS: u32 = ORDER_NUMBER_MAX.trailing_zeros();

/// Bits of an account's number that the client chooses.
const ACCOUNT_BITS: u32 = 8;

/// The account of an echo.
pub(super) const NOBODY: u32 = u32::MAX;

/// An order that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) instrument: u32,
    pub(super) price: i64,
    pub(super) leaves: u64,
    pub(super) account: u32,
}

/// A run that trades at the venue.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) id: RunId,
    /// Its number, from 1.
    pub(super) number: u64,
    /// Commands that were taken.
    pub(super) commands: u64,
    /// Reports that were made.
    pub(super) reports: u64,
    /// By the client's number.
    pub(super) open: BTreeMap<u64, Open>,
    /// Instruments of orders that the matcher has not answered, by the client's number.
    pub(super) sent: BTreeMap<u64, u32>,
    /// Numbers that orders of the client have or had.
    pub(super) used: Used,
    /// The client's accounts that have sent orders.
    pub(super) accounts: BTreeSet<u32>,
    /// Whether it has a session, and what is done when that ends.
    pub(super) is_up: bool,
    pub(super) cancel_on_disconnect: bool,
}

impl Run {
    /// The number of an order in the venue's journals.
    pub(super) fn order(&self, own: u64) -> u64 {
        self.number << ORDER_BITS | own
    }

    /// The number of an account there.
    pub(super) fn account(&self, own: u32) -> u32 {
        (self.number as u32) << ACCOUNT_BITS | own
    }

    /// The instrument of an order that is open or on its way to the matcher.
    pub(super) fn instrument_of(&self, own: u64) -> Option<u32> {
        let open = self.open.get(&own).map(|open| open.instrument);
        open.or_else(|| self.sent.get(&own).copied())
    }

    /// Takes in what became of an order.
    fn note(&mut self, execution: &Execution) {
        self.reports += 1;
        let order = client_order(execution.order_id);
        self.sent.remove(&order);
        self.sent.remove(&client_order(execution.new_order_id));
        match execution.kind() {
            Some(ExecutionKind::Replaced) => {
                self.open.remove(&order);
                self.open.insert(client_order(execution.new_order_id), open_of(execution));
            }
            // A rejected change leaves the order as it was.
            Some(ExecutionKind::Rejected) => {}
            _ if execution.leaves == 0 => _ = self.open.remove(&order),
            Some(ExecutionKind::Filled) => {
                if let Some(open) = self.open.get_mut(&order) {
                    open.leaves = execution.leaves;
                }
            }
            _ => _ = self.open.insert(order, open_of(execution)),
        }
    }
}

fn open_of(execution: &Execution) -> Open {
    let &Execution { instrument, price, leaves, account, .. } = execution;
    Open { instrument, price, leaves, account: client_account(account) }
}

/// The client's number of an order.
pub(super) fn client_order(order_id: u64) -> u64 {
    order_id & (ORDER_NUMBER_MAX - 1)
}

/// The client's number of an account.
pub(super) fn client_account(account: u32) -> u32 {
    account & ((1 << ACCOUNT_BITS) - 1)
}

/// Whether a client may use an account.
pub(super) fn is_client_account(account: u32) -> bool {
    account >> ACCOUNT_BITS == 0
}

/// The runs of a venue, by ascending number.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    /// Instruments that the matcher knows.
    pub(super) listings: usize,
    /// Orders of the opening book that were sent.
    pub(super) opened: u64,
    /// Echoes that were sent, and those that were heard.
    pub(super) echoes_sent: u64,
    pub(super) echoes: u64,
    /// Rejections of the venue's own commands: of echoes, and of mass cancels that found no order.
    pub(super) own_rejects: u64,
}

impl Runs {
    /// Counts what a market journal holds.
    pub(super) fn of_journal(market: &Path) -> Result<Self> {
        let mut runs = Self::default();
        let mut reader = Reader::<Event>::open(market)?;
        let mut events = [Event::default(); BATCH_RECORDS_MAX];
        while let Read::Records(count) = reader.read(&mut events)? {
            events[..count].iter().for_each(|event| runs.recount(event));
        }
        Ok(runs)
    }

    fn recount(&mut self, event: &Event) {
        let order_id = match event.view() {
            EventView::Session(session) => {
                let index = self.login(RunId(session.run.0));
                let run = &mut self.runs[index];
                run.is_up = session.is_up != 0;
                run.cancel_on_disconnect = session.cancel_on_disconnect != 0;
                return;
            }
            EventView::NewOrder(new) => {
                if let Some(run) = self.run_of(new.order_id.0) {
                    self.runs[run].used.note(client_order(new.order_id.0));
                    self.runs[run].accounts.insert(client_account(new.account.0));
                } else {
                    self.opened += 1;
                }
                new.order_id
            }
            EventView::MassCancel(mass) => {
                self.echoes_sent += u64::from(mass.account.0 == NOBODY);
                return;
            }
            EventView::CancelOrder(cancel) => cancel.order_id,
            EventView::ReduceOrder(reduce) => reduce.order_id,
            EventView::ReplaceOrder(replace) => {
                if let Some(run) = self.run_of(replace.order_id.0) {
                    self.runs[run].used.note(client_order(replace.new_order_id.0));
                }
                replace.order_id
            }
            _ => return,
        };
        if let Some(run) = self.run_of(order_id.0) {
            self.runs[run].commands += 1;
        }
    }

    /// Takes in an execution; the run that is to hear of it, if one is.
    pub(super) fn note(&mut self, execution: &Execution) -> Option<usize> {
        self.echoes += u64::from(is_echo(execution));
        self.own_rejects += u64::from(is_of_own_command(execution));
        self.listings += usize::from(execution.listing().is_some());
        let run = self.concerned(execution)?;
        self.runs[run].note(execution);
        Some(run)
    }

    /// The run that an execution tells something of an order of.
    pub(super) fn concerned(&self, execution: &Execution) -> Option<usize> {
        let is_told = !matches!(
            execution.kind(),
            None | Some(ExecutionKind::Quote | ExecutionKind::Status | ExecutionKind::SnapshotMark)
        );
        self.run_of(execution.order_id).filter(|_| is_told)
    }

    fn run_of(&self, order_id: u64) -> Option<usize> {
        let index = (order_id >> ORDER_BITS).checked_sub(1)? as usize;
        (index < self.runs.len()).then_some(index)
    }

    /// The place of a run, which is a new one if it never was here.
    pub(super) fn login(&mut self, id: RunId) -> usize {
        if let Some(index) = self.runs.iter().position(|run| run.id == id) {
            return index;
        }
        let number = self.runs.len() as u64 + 1;
        self.runs.push(Run { id, number, ..Run::default() });
        self.runs.len() - 1
    }

    pub(super) fn get(&self, index: usize) -> &Run {
        &self.runs[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Run {
        &mut self.runs[index]
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }
}

fn is_echo(execution: &Execution) -> bool {
    is_of_own_command(execution) && execution.account == NOBODY
}

/// Whether a mass cancel is rejected, which no client sends.
fn is_of_own_command(execution: &Execution) -> bool {
    execution.kind() == Some(ExecutionKind::Rejected) && execution.order_id == 0
}
