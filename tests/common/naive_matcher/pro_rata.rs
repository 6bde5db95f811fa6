//! Pro-rata: all displayed orders of a price level trade, each by its share.

use ringtape::units::{OrderId, Price};

use super::book::Market;
use super::continuous::Traded;
use super::order::Order;
use super::tape::Tape;

impl Market {
    /// Lets an incoming order meet a price level once; hidden orders come one by one after the
    /// displayed ones.
    pub fn match_shares(
        &mut self,
        order: &mut Order,
        price: Price,
        top: bool,
        traded: &mut Traded,
        tape: &mut Tape,
    ) {
        while order.leaves > 0 {
            let queue = self.queue(order.side.opposite(), price);
            let own = queue.iter().find(|resting| !resting.is_hidden && order.refuses(resting));
            let Some(own) = own.map(|own| own.id) else { break };
            self.prevent_self_trade(order, own, tape);
        }
        if order.leaves == 0 {
            return;
        }
        let displayed = self.displayed_queue(order, price);
        if displayed.is_empty() {
            if !self.queue(order.side.opposite(), price).is_empty() {
                self.match_front(order, price, traded, tape);
            }
            return;
        }
        let shown: Vec<u64> = displayed.iter().map(|(_, shown)| *shown).collect();
        let shares = shares(order.leaves, &shown, top, self.rules.lot);
        for (&(id, _), &share) in displayed.iter().zip(&shares).filter(|(_, share)| **share > 0) {
            self.trade(order, id, share, traded, tape);
        }
        for (id, _) in displayed {
            self.refill_or_remove(id);
        }
    }

    /// The displayed orders at a price that an incoming order meets, and what each shows.
    fn displayed_queue(&self, order: &Order, price: Price) -> Vec<(OrderId, u64)> {
        self.queue(order.side.opposite(), price)
            .into_iter()
            .filter(|resting| !resting.is_hidden)
            .map(|resting| (resting.id, resting.shown))
            .collect()
    }
}

/// What each of the displayed quantities trades with an incoming one.
fn shares(mut incoming: u64, shown: &[u64], top: bool, lot: u64) -> Vec<u64> {
    let mut shares = vec![0; shown.len()];
    let first = usize::from(top);
    if top {
        shares[0] = incoming.min(shown[0]);
        incoming -= shares[0];
    }
    let total: u64 = shown[first..].iter().sum();
    if incoming >= total {
        shares[first..].copy_from_slice(&shown[first..]);
        return shares;
    }
    let mut left = incoming;
    for (share, &shown) in shares[first..].iter_mut().zip(&shown[first..]) {
        let exact = u128::from(incoming) * u128::from(shown) / u128::from(total);
        *share = exact as u64 / lot * lot;
        left -= *share;
    }
    for (share, &shown) in shares[first..].iter_mut().zip(&shown[first..]) {
        let more = left.min(shown - *share);
        *share += more;
        left -= more;
    }
    shares
}
