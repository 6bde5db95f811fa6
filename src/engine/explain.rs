//! The story of one order: what became of it, and the events that did it.

use crate::event::{Event, Execution, ExecutionKind};

/// One thing that happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// What happened.
    pub execution: Execution,
    /// The market event that caused it; `None` when the end of the market did.
    pub event: Option<Event>,
}

/// Gathers the story of an order and of those that replaced it.
#[derive(Debug)]
pub(super) struct Story {
    /// The order and its replacements so far.
    orders: Vec<u64>,
    chapters: Vec<Chapter>,
}

impl Story {
    pub(super) fn of(order_id: u64) -> Self {
        Self { orders: vec![order_id], chapters: vec![] }
    }

    /// Takes in what an event caused.
    pub(super) fn note(&mut self, event: Option<&Event>, executions: &[Execution]) {
        for execution in executions {
            let is_of_order =
                !matches!(execution.kind(), Some(ExecutionKind::Quote | ExecutionKind::Status));
            if !is_of_order || !self.orders.contains(&execution.order_id) {
                continue;
            }
            if execution.kind() == Some(ExecutionKind::Replaced) {
                self.orders.push(execution.new_order_id);
            }
            self.chapters.push(Chapter { execution: *execution, event: event.copied() });
        }
    }

    pub(super) fn take(&mut self) -> Vec<Chapter> {
        std::mem::take(&mut self.chapters)
    }
}
