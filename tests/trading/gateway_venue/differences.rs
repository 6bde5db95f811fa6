//! A venue whose list of open orders is another than the run's own.

use std::net::TcpListener;

use ringtape::error::Result;
use ringtape::event::{ExecutionKind, Instrument, Reason};
use ringtape::gateway::{Goodbye, Message, OpenOrder, OrdersListed};
use ringtape::matching::NewOrder;
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy};
use ringtape::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

use super::inside::{executions, repeat, trade};
use super::peer::{Peer, accepted};

/// Has two bids rest, and sends no more once they do.
#[derive(Default)]
struct Rester {
    sent: usize,
}

impl Strategy for Rester {
    fn name(&self) -> &str {
        "rester"
    }
    fn on_instrument(&mut self, id: InstrumentId, _: &Instrument) -> Result<bool> {
        Ok(id == InstrumentId(1))
    }
    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let open = desk.open_orders(instrument).count();
        self.sent = self.sent.max(open);
        for _ in self.sent..2 {
            desk.submit(NewOrder::limit(instrument, Side::Buy, Price(4_000), Qty(9)));
        }
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

pub(crate) fn rester() -> Box<dyn Strategy> {
    Box::<Rester>::default()
}

/// Lets a client log in, with where both directions stand, and tells it of open orders.
fn open_session(listener: &TcpListener, next: u64, open: &[(OrderId, u64)]) -> Peer {
    let mut peer = Peer::admit(listener, next);
    for &(order_id, leaves) in open {
        peer.send(OpenOrder { order_id, price: 400_000_000, leaves, account: AccountId(0) });
    }
    peer.send(OrdersListed { count: open.len() as u64, next_report: next });
    peer
}

/// Accepts two orders, forgets the second, loses shares of the first and has one that nobody sent.
fn forgetful_venue(listener: &TcpListener) {
    let mut peer = open_session(listener, 1, &[]);
    let mut orders = vec![];
    for report in 1..=2 {
        let Message::NewOrder(new) = peer.next() else { panic!("an order was awaited") };
        assert_eq!(new.command, report);
        orders.push(new.order_id);
        peer.send(accepted(report, &new));
    }
    drop(peer);
    let listed = [(orders[0], 8_000_000_000), (OrderId(77), 5_000_000_000)];
    let mut peer = open_session(listener, 3, &listed);
    let last = peer.next();
    assert!(matches!(last, Message::Logout(_)), "{last:?} in place of a goodbye");
    peer.send(Goodbye { next_command: 3, next_report: 3 });
}

#[test]
fn open_orders_of_which_the_venue_says_something_else_are_told_and_what_it_lost_is_cancelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("run");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let venue = std::thread::spawn(move || forgetful_venue(&listener));
    let report = trade(&dir, at, 6_000, rester);
    venue.join().expect("what the venue awaited");
    let gateway = report.gateway.as_ref().expect("a gateway");
    let warnings = report.trader_warnings.join("\n");
    assert_eq!((gateway.differences, gateway.counts.sessions), (3, 2), "{warnings}");
    for told in [
        "differed 3 times from the run's",
        "it has 8 open, and 9 are open here",
        "it has order 77, which is over here",
        "it does not have order",
        "1 orders were open when the run ended",
    ] {
        assert!(warnings.contains(told), "{told}: {warnings}");
    }
    let cancelled: Vec<_> = executions(&dir)
        .into_iter()
        .filter(|one| one.kind() == Some(ExecutionKind::Cancelled))
        .map(|one| (one.qty, one.leaves, one.reason()))
        .collect();
    assert_eq!(cancelled, [(9, 0, Reason::UnknownOrder)]);
    assert_eq!(repeat(&dir, rester).hashes, report.hashes);
}
