//! What is open of an account, as far as it was told, and what replacements on their way could make
//! of it.
//!
//! Until a replacement is answered either it or the order trades. The quantity of a replacement
//! includes what is filled, so an order and all replacements that were sent in its place can add to
//! the position the largest of their quantities less what is filled.

use crate::error::Result;
use crate::event::{Execution, ExecutionKind, Reason};
use crate::matching::NewOrder;
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, OrderId, Side};

/// The open orders of an account, those on their way included.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenOrders {
    /// By ascending number.
    orders: Vec<Open>,
    /// Replacements that were not answered, in the order in which they were sent.
    moves: Vec<Move>,
}

/// An order; one that is over stays as long as replacements of it are on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    order_id: OrderId,
    instrument: InstrumentId,
    side: Side,
    leaves: u64,
    cum: u64,
}

/// A replacement on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    new_id: OrderId,
    /// The order that it replaces, which may be a replacement on its way itself.
    old_id: OrderId,
    /// The order in whose place it comes in the end.
    order_id: OrderId,
    /// Its quantity, what is filled included.
    total: u64,
}

/// How much more, or less, may be added to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) before: u64,
    pub(super) after: u64,
}

impl OpenOrders {
    /// Orders, each with its replacements counted once.
    pub(super) fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether a number is that of an order or of a replacement on its way.
    pub(super) fn has(&self, order_id: OrderId) -> bool {
        self.place_of(order_id).is_some()
    }

    /// How much a new order could add to the position, or a replacement beyond what the order that
    /// it replaces could.
    pub(super) fn added_by(&self, old_id: Option<OrderId>, total: u64) -> u64 {
        let Some(place) = old_id.and_then(|old_id| self.place_of(old_id)) else { return total };
        total.saturating_sub(self.orders[place].cum).saturating_sub(self.reserved(place))
    }

    /// Counts an order, in the place of an old one if that is known.
    pub(super) fn insert(&mut self, order_id: OrderId, old_id: Option<OrderId>, terms: &NewOrder) {
        let old = old_id.and_then(|old_id| Some((old_id, self.place_of(old_id)?)));
        if let Some((old_id, place)) = old {
            let (order_id, new_id) = (self.orders[place].order_id, order_id);
            self.moves.push(Move { new_id, old_id, order_id, total: terms.qty.0 });
        } else if let Err(place) = self.find(order_id) {
            let (instrument, side, leaves) = (terms.instrument, terms.side, terms.qty.0);
            self.orders.insert(place, Open { order_id, instrument, side, leaves, cum: 0 });
        }
    }

    /// Follows what became of an order; `None` when that changes nothing.
    pub(super) fn note(&mut self, execution: &Execution) -> Option<Shift> {
        let new_id = OrderId(execution.new_order_id);
        let is_move = new_id.0 != 0;
        let place = match execution.kind()? {
            ExecutionKind::Rejected if is_move => self.place_of(new_id)?,
            ExecutionKind::Replaced => {
                self.find(execution.order_id()).ok().or_else(|| self.place_of(new_id))?
            }
            _ => self.find(execution.order_id()).ok()?,
        };
        let Open { order_id, instrument, side, .. } = self.orders[place];
        let before = self.reserved(place);
        let order = &mut self.orders[place];
        match execution.kind()? {
            ExecutionKind::Filled => {
                order.cum = order.cum.saturating_add(execution.qty);
                order.leaves = execution.leaves;
            }
            ExecutionKind::Reduced => order.leaves = execution.leaves,
            ExecutionKind::Cancelled | ExecutionKind::Expired => {
                order.leaves = 0;
                if execution.reason() == Reason::ReplacedBelowCum {
                    self.answer(|one| one.old_id == order_id);
                }
            }
            ExecutionKind::Replaced => {
                order.leaves = execution.leaves;
                self.answer(|one| one.new_id == new_id);
            }
            ExecutionKind::Rejected if is_move => {
                if new_id == order_id {
                    order.leaves = 0;
                }
                self.answer(|one| one.new_id == new_id);
            }
            // An unknown order is none of ours, or its end was told; the answer to a command about
            // an order that is open has its open quantity.
            ExecutionKind::Rejected
                if execution.leaves == 0 && execution.reason() != Reason::UnknownOrder =>
            {
                order.leaves = 0;
            }
            _ => return None,
        }
        let after = self.reserved(place);
        if execution.kind() == Some(ExecutionKind::Replaced) {
            self.rename(place, new_id);
        } else if self.orders[place].leaves == 0 && self.moves_of(order_id).next().is_none() {
            self.orders.remove(place);
        }
        Some(Shift { instrument, side, before, after })
    }

    fn find(&self, order_id: OrderId) -> Result<usize, usize> {
        self.orders.binary_search_by_key(&order_id, |order| order.order_id)
    }

    /// The place of an order, or of the one that a replacement on its way comes in the place of.
    fn place_of(&self, order_id: OrderId) -> Option<usize> {
        let replaced = || {
            let sent = self.moves.iter().find(|one| one.new_id == order_id)?;
            self.find(sent.order_id).ok()
        };
        self.find(order_id).ok().or_else(replaced)
    }

    fn moves_of(&self, order_id: OrderId) -> impl Iterator<Item = &Move> {
        self.moves.iter().filter(move |one| one.order_id == order_id)
    }

    /// What an order and its replacements may still add to the position.
    fn reserved(&self, place: usize) -> u64 {
        let Open { order_id, leaves, cum, .. } = self.orders[place];
        self.moves_of(order_id).fold(leaves, |most, one| most.max(one.total.saturating_sub(cum)))
    }

    /// Takes out the first replacement that is meant.
    fn answer(&mut self, is_meant: impl FnMut(&Move) -> bool) {
        if let Some(place) = self.moves.iter().position(is_meant) {
            self.moves.remove(place);
        }
    }

    /// A replacement has taken an order's place.
    fn rename(&mut self, place: usize, new_id: OrderId) {
        let old = self.orders.remove(place);
        for sent in self.moves.iter_mut().filter(|one| one.order_id == old.order_id) {
            sent.order_id = new_id;
        }
        if let Err(place) = self.find(new_id) {
            self.orders.insert(place, Open { order_id: new_id, ..old });
        }
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_len(self.orders.len());
        for order in &self.orders {
            writer.put_u64(order.order_id.0);
            writer.put_u32(order.instrument.0);
            writer.put_u8(order.side as u8);
            writer.put_u64(order.leaves);
            writer.put_u64(order.cum);
        }
        writer.put_len(self.moves.len());
        for sent in &self.moves {
            writer.put_u64(sent.new_id.0);
            writer.put_u64(sent.old_id.0);
            writer.put_u64(sent.order_id.0);
            writer.put_u64(sent.total);
        }
    }

    pub(super) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut open = Self::default();
        for _ in 0..reader.len(8)? {
            let (order_id, instrument) = (OrderId(reader.u64()?), InstrumentId(reader.u32()?));
            let code = reader.u8()?;
            let side =
                Side::from_code(code).ok_or_else(|| reader.bad(format!("no side is {code}")))?;
            let (leaves, cum) = (reader.u64()?, reader.u64()?);
            open.orders.push(Open { order_id, instrument, side, leaves, cum });
        }
        for _ in 0..reader.len(8)? {
            let [new_id, old_id, order_id] =
                [reader.u64()?, reader.u64()?, reader.u64()?].map(OrderId);
            open.moves.push(Move { new_id, old_id, order_id, total: reader.u64()? });
        }
        Ok(open)
    }
}
