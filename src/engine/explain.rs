//! The story of one order: what became of it, and the events that did it.

use std::collections::BTreeMap;

use crate::event::kinds::Text;
use crate::event::{Event, Execution, ExecutionKind, Listing};
use crate::portfolio::Portfolio;

/// One thing that happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// What happened.
    pub execution: Execution,
    /// Symbol of the order's instrument; empty where the run went on behind its listing.
    pub symbol: Text<24>,
    /// Price increment in 1e-9 of the currency; 0 where the symbol is empty.
    pub price_increment: u64,
    /// The market event that caused it; `None` when the start or the end of the run did.
    pub event: Option<Event>,
    /// Whether the market journal no longer holds that event.
    pub is_event_lost: bool,
}

/// Gathers the story of an order and of those that replaced it.
#[derive(Debug)]
pub(super) struct Story {
    /// The order and its replacements so far.
    orders: Vec<u64>,
    listings: BTreeMap<u32, Listing>,
    chapters: Vec<Chapter>,
}

impl Story {
    pub(super) fn of(order_id: u64) -> Self {
        Self { orders: vec![order_id], listings: BTreeMap::new(), chapters: vec![] }
    }

    /// The same, which knows instruments that were listed before.
    pub(super) fn knowing(mut self, portfolio: &Portfolio) -> Self {
        let listings = portfolio.listings();
        self.listings.extend(listings.map(|(instrument, listing)| (instrument.0, *listing)));
        self
    }

    /// Takes in executions; `event` gives what caused one, and whether it is lost.
    pub(super) fn note(
        &mut self,
        executions: &[Execution],
        mut event: impl FnMut(&Execution) -> (Option<Event>, bool),
    ) {
        for execution in executions {
            if let Some(listing) = execution.listing() {
                self.listings.insert(execution.instrument, listing);
            }
            let is_replaced = execution.kind() == Some(ExecutionKind::Replaced);
            // An order that took another's place begins with that.
            let orders = [execution.order_id, execution.new_order_id];
            let own = orders.iter().take(1 + usize::from(is_replaced));
            let is_of_order = !matches!(
                execution.kind(),
                Some(ExecutionKind::Quote | ExecutionKind::Status | ExecutionKind::SnapshotMark)
            );
            if !is_of_order || !own.into_iter().any(|order| self.orders.contains(order)) {
                continue;
            }
            if is_replaced {
                self.orders.push(execution.new_order_id);
            }
            let listing = self.listings.get(&execution.instrument);
            let (event, is_event_lost) = event(execution);
            self.chapters.push(Chapter {
                execution: *execution,
                symbol: listing.map_or(Text::new(""), |listing| listing.symbol),
                price_increment: listing.map_or(0, |listing| listing.price_increment),
                event,
                is_event_lost,
            });
        }
    }

    pub(super) fn take(&mut self) -> Vec<Chapter> {
        std::mem::take(&mut self.chapters)
    }
}
