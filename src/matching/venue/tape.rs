//! What a record of the tape means for own orders that rest.

use super::lane::{Lane, LaneFill, Reach};
use crate::book::{Change, ChangeKind, OrderView, Replica};
use crate::event::{Event, EventView, Flags, Kind, payload};
use crate::units::{OrderId, Qty, Side};

impl Lane {
    /// Fills own orders from a record that came while trading.
    pub(super) fn trade(
        &mut self,
        event: &Event,
        change: &Change,
        replica: &Replica,
        is_conservative: bool,
        fills: &mut Vec<LaneFill>,
    ) {
        if !self.pending.is_empty() {
            self.note_print(event, change);
        }
        match change.kind {
            ChangeKind::Executed => {
                let is_at = event.kind == Kind::ExecuteAt as u8;
                if !is_at || event.has(Flags::PRINTABLE) {
                    let reach = Reach::Order(change.order);
                    self.fill_passively(reach, change.qty, OrderId(0), replica, fills);
                }
            }
            ChangeKind::None => {
                if let EventView::Trade(trade) = event.view() {
                    self.meet_trade(event.side(), trade, replica, is_conservative, fills);
                }
            }
            _ if is_conservative => {}
            ChangeKind::Added => self.meet_crossing_order(&change.order, replica, fills),
            ChangeKind::Replaced | ChangeKind::Modified => {
                if let Some(new) = change.new.filter(|new| new.priority != change.order.priority) {
                    self.meet_crossing_order(&new, replica, fills);
                }
            }
            ChangeKind::LevelSet => self.meet_crossing_level(change, replica, fills),
            _ => {}
        }
    }

    /// A trade without an order: a hidden one, or of a feed that tells levels any.
    fn meet_trade(
        &mut self,
        resting: Option<Side>,
        trade: &payload::Trade,
        replica: &Replica,
        is_conservative: bool,
        fills: &mut Vec<LaneFill>,
    ) {
        let mut left = trade.qty;
        for side in [Side::Buy, Side::Sell] {
            let used = if !self.is_of_levels {
                // The side of a hidden trade means nothing.
                if is_conservative {
                    return;
                }
                let reach = Reach::Hidden(side, trade.price);
                self.fill_passively(reach, left, OrderId(0), replica, fills)
            } else if resting.is_none_or(|resting| resting == side) {
                self.fill_from_print(side, trade.price, left, replica, fills)
            } else {
                Qty(0)
            };
            left.0 -= used.0;
        }
    }

    /// A real order came to rest on the other side of own orders that it crosses.
    fn meet_crossing_order(
        &mut self,
        real: &OrderView,
        replica: &Replica,
        fills: &mut Vec<LaneFill>,
    ) {
        let shares = self.taken.visible(real.order_id, real.qty);
        let reach = Reach::UpTo(real.side.opposite(), real.price);
        let used = self.fill_passively(reach, shares, real.order_id, replica, fills);
        self.taken.add(real.order_id, used);
    }
}
