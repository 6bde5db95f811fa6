//! What a venue opens with, and rules of its own for an instrument.

use std::fs;

use ringtape::event::{Execution, ExecutionKind, Reason};
use ringtape::gateway::{Cancel, NewOrder, Replace, RunId};
use ringtape::units::{AccountId, OrderId};

use super::inside::{Inside, executions};
use super::peer::{Peer, buy};
use crate::common::program::run;
use crate::common::venue::Venue;

/// Cents and shares in 1e-9.
const CENT: i64 = 10_000_000;
const SHARE: u64 = 1_000_000_000;

const RULES: &str = "[ACME]\nprice-increment = \"0.05\"\nlot = 10\nmin-qty = 20\nmax-qty = 1000\n\
                     max-price = \"100\"\n";

#[test]
fn a_venue_opens_with_every_order_however_soon_it_is_asked() {
    let rows: String = (1..=2_000).map(|id| format!("new,{id},S{id},sell,1.00,100\n")).collect();
    for _ in 0..5 {
        let folder = tempfile::tempdir().expect("a folder");
        let venue = Inside::open(folder.path(), &rows);
        // Nobody gets in before the book is open.
        Peer::log_in(&venue.address().to_string(), RunId([7; 16]));
        venue.close();
        let all = executions(folder.path());
        let count = |kind| {
            let of_kind = |one: &&Execution| one.kind() == Some(kind) && one.order_id != 0;
            all.iter().filter(of_kind).count()
        };
        let [accepted, rejected] = [ExecutionKind::Accepted, ExecutionKind::Rejected].map(count);
        assert_eq!((accepted, rejected), (2_000, 0));
    }
}

#[test]
fn a_venue_rejects_what_its_rules_do_not_allow_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [orders, rules, other] = ["orders.csv", "rules.toml", "other.toml"].map(path);
    let rows = "action,order_id,symbol,side,price,qty\nnew,1,ACME,sell,50.05,100\n";
    fs::write(&orders, rows).expect("written");
    fs::write(&rules, RULES).expect("written");
    fs::write(&other, RULES.replace("lot = 10", "lot = 5")).expect("written");
    let venue = Venue::open(folder.path(), &[&orders, "--instruments", &rules], "127.0.0.1:0");
    let mut peer = Peer::log_in(&venue.address, RunId([7; 16]));
    let fine = |number| buy(number, "ACME", 1_000 * CENT, 20 * SHARE);
    let orders_sent: [(NewOrder, Reason); 9] = [
        (fine(1), Reason::None),
        (NewOrder { price: 1_001 * CENT, ..fine(2) }, Reason::BadPrice),
        (NewOrder { price: 10_005 * CENT, ..fine(3) }, Reason::BadPrice),
        (NewOrder { qty: 25 * SHARE, ..fine(4) }, Reason::OffLot),
        (NewOrder { qty: 10 * SHARE, ..fine(5) }, Reason::BadQuantity),
        (NewOrder { qty: 1_010 * SHARE, ..fine(6) }, Reason::BadQuantity),
        (NewOrder { qty: 20 * SHARE + 1, ..fine(7) }, Reason::BadQuantity),
        (buy(8, "NONE", 1_000 * CENT, 20 * SHARE), Reason::UnknownInstrument),
        (NewOrder { order_id: OrderId(1), ..fine(9) }, Reason::DuplicateOrder),
    ];
    for (order, reason) in orders_sent {
        peer.send(order);
        let report = peer.report();
        let kind = match reason {
            Reason::None => ExecutionKind::Accepted,
            _ => ExecutionKind::Rejected,
        };
        assert_eq!((report.kind, report.reason), (kind, reason), "{order:?}");
    }
    let told = venue.close();
    assert_eq!(told["venue"]["commands"], 9);
    // Its rules are part of what it is.
    let dir = path("venue");
    let at = ["--listen", "127.0.0.1:0", "--journal", &dir, "--resume"];
    let again = run([&["venue", &orders, "--instruments", &other], &at[..]].concat());
    assert_eq!(again.code, 2, "{}", again.all());
    let recorded = ["venue", "feeds/sample.itch.gz", "--instruments", &rules];
    let refused = run([&recorded[..], &at].concat());
    assert!(refused.stderr.contains("`price-increment` of [ACME]"), "{}", refused.all());
}

/// Would catch a number that two orders have had, a rejection with values of no order, and the
/// venue's own commands among those that it rejected.
#[test]
fn a_number_is_taken_once_and_a_rejection_tells_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let orders = folder.path().join("orders.csv").display().to_string();
    let rows = "action,order_id,symbol,side,price,qty\nnew,1,ACME,sell,50.05,100\n";
    fs::write(&orders, rows).expect("written");
    let (run, account) = (RunId([7; 16]), AccountId(0));
    let mut venue = Venue::open(folder.path(), &[&orders], "127.0.0.1:0");
    let mut peer = Peer::log_in(&venue.address, run);
    let new = |command, id| NewOrder {
        order_id: OrderId(id),
        ..buy(command, "ACME", 1_000 * CENT, 20 * SHARE)
    };
    let replace = |command, id, new_id| Replace {
        command,
        order_id: OrderId(id),
        new_order_id: OrderId(new_id),
        price: 1_001 * CENT,
        qty: 0,
        account,
    };
    let told = |peer: &mut Peer| {
        let report = peer.report();
        (report.kind, report.reason)
    };
    let accepted = (ExecutionKind::Accepted, Reason::None);
    let duplicate = (ExecutionKind::Rejected, Reason::DuplicateOrder);
    peer.send(new(1, 50));
    assert_eq!(told(&mut peer), accepted);
    peer.send(Cancel { command: 2, order_id: OrderId(50), account });
    assert_eq!(told(&mut peer), (ExecutionKind::Cancelled, Reason::Requested));
    peer.send(new(3, 50));
    assert_eq!(told(&mut peer), duplicate);
    peer.send(new(4, 1));
    assert_eq!(told(&mut peer), accepted);
    peer.send(replace(5, 1, 1));
    assert_eq!(told(&mut peer), duplicate);
    peer.send(replace(6, 1, 2));
    assert_eq!(told(&mut peer), (ExecutionKind::Replaced, Reason::Requested));
    peer.send(replace(7, 2, 1));
    assert_eq!(told(&mut peer), duplicate);
    // A venue that was killed has not forgotten them.
    venue.kill();
    venue = Venue::open(folder.path(), &[&orders], "127.0.0.1:0");
    peer = Peer::log_in_at(&venue.address, run, 8, 8);
    for (command, number) in [(8, 50), (9, 1), (10, 2)] {
        peer.send(new(command, number));
        assert_eq!(told(&mut peer), duplicate, "{number}");
    }
    peer.send(Replace { account: AccountId(3), ..replace(11, 2, 4) });
    let report = peer.report();
    assert_eq!((report.reason, report.account), (Reason::UnknownOrder, AccountId(3)));
    peer.send(NewOrder { price: 1_000 * CENT + 1, ..new(12, 5) });
    let report = peer.report();
    assert_eq!((report.reason, report.price, report.qty), (Reason::BadPrice, 0, 20 * SHARE));
    peer.send(Replace { qty: SHARE + 1, ..replace(13, 2, 6) });
    let report = peer.report();
    assert_eq!((report.reason, report.qty), (Reason::BadQuantity, 0));
    let told = venue.close();
    let rejects = serde_json::json!({
        "duplicate_order": 6, "unknown_order": 1, "bad_price": 1, "bad_quantity": 1
    });
    assert_eq!(told["orders"]["rejects"], rejects, "{}", told["orders"]);
    assert_eq!(told["orders"]["rejected"], 9);
}
