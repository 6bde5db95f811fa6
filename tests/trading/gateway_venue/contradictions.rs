//! A venue that says what cannot be.
//!
//! Would catch a report that is booked though it contradicts its order, a session that begins with
//! numbers that neither side has, a list that does not count what it tells, and a goodbye that
//! nobody asked for and that ends all trading without a word.

use std::net::{SocketAddr, TcpListener};

use ringtape::event::{ExecutionKind, Liquidity};
use ringtape::gateway::{
    Accepted, Goodbye, Message, NewOrder, OpenOrder, OrdersListed, RefusalReason, Refused, Report,
};
use ringtape::report::warnings;
use ringtape::units::{AccountId, MatchId, OrderId, Side};

use super::differences::rester;
use super::inside::{executions, try_trade};
use super::peer::{Peer, accepted};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// What came of a login that was answered with `answer`.
fn told_at_login(answer: impl Into<Message>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (listener, at) = listener();
    let answer = answer.into();
    let venue = std::thread::spawn(move || {
        let mut peer = Peer::accept(&listener);
        assert!(matches!(peer.next(), Message::Login(_)));
        peer.send(answer);
        peer
    });
    let report = try_trade(folder.path(), at, 6_000, rester);
    venue.join().expect("what the venue awaited");
    let error = report.error.expect("no session");
    assert_eq!(error.exit_code(), 4, "{error}");
    error.to_string()
}

#[test]
fn a_session_that_begins_with_numbers_that_nobody_has_is_none() {
    let accepted = |next_command, next_report| Accepted { next_command, next_report };
    for (next_command, next_report) in [(5, 1), (0, 1), (1, 0)] {
        let told = told_at_login(accepted(next_command, next_report));
        let named = format!("takes command {next_command} next and makes report {next_report}");
        assert!(told.contains(&named), "{told}");
    }
    let refused = Refused { reason: RefusalReason::Version, next_command: 0, next_report: 0 };
    let told = told_at_login(refused);
    assert!(told.contains("another version than 1: run both of one version"), "{told}");
}

/// Takes an order and fills it in a way.
fn fill(listener: &TcpListener, change: fn(&mut Report, &NewOrder)) -> Peer {
    let mut peer = Peer::admit(listener, 1);
    peer.send(OrdersListed { count: 0, next_report: 1 });
    let Message::NewOrder(new) = peer.next() else { panic!("an order was awaited") };
    let accepted = accepted(1, &new);
    peer.send(accepted);
    let mut filled = Report {
        report: 2,
        leaves: 0,
        match_id: MatchId(1),
        kind: ExecutionKind::Filled,
        liquidity: Some(Liquidity::Taker),
        ..accepted
    };
    change(&mut filled, &new);
    peer.send(filled);
    peer
}

#[test]
fn a_report_that_contradicts_its_order_is_not_booked() {
    type Change = fn(&mut Report, &NewOrder);
    let changes: [(Change, &str); 9] = [
        (|report, new| report.qty = 2 * new.qty, "18 were filled of 9"),
        (|report, _| report.qty = 0, "0 were filled of 9"),
        (|report, new| report.leaves = new.qty, "9 stayed open when 9 of 9 were filled"),
        (|report, _| report.price = -5_000_000_000, "it was filled at -50000"),
        (|report, _| report.price = 0, "it was filled at 0"),
        (|report, new| report.price = 2 * new.price, "is worse than its limit"),
        (|report, _| report.side = Some(Side::Sell), "it is of the other side"),
        (|report, _| report.account = AccountId(7), "account 7 has it there"),
        (|report, _| report.liquidity = None, "which side of the match"),
    ];
    for (change, named) in changes {
        let folder = tempfile::tempdir().expect("a folder");
        let (listener, at) = listener();
        let venue = std::thread::spawn(move || fill(&listener, change));
        let report = try_trade(folder.path(), at, 6_000, rester);
        venue.join().expect("what the venue awaited");
        let error = report.error.unwrap_or_else(|| panic!("{named}: booked"));
        let told = error.to_string();
        assert!(told.contains("cannot be booked") && told.contains(named), "{named}: {told}");
        assert_eq!(error.exit_code(), 4, "{told}");
        let is_fill = |kind| kind == Some(ExecutionKind::Filled);
        assert!(!executions(folder.path()).iter().any(|one| is_fill(one.kind())), "{named}");
    }
}

#[test]
fn a_session_that_ends_unasked_or_lists_what_it_does_not_count_is_told_and_begun_again() {
    type Opening = fn(&mut Peer);
    let openings: [(Opening, &str); 3] = [
        (|peer| peer.send(Goodbye { next_command: 1, next_report: 1 }), "said goodbye"),
        (|peer| peer.send(OrdersListed { count: 5, next_report: 1 }), "counts 5 orders"),
        (|peer| peer.send(OrdersListed { count: 0, next_report: 3 }), "before report 3"),
    ];
    for (opening, named) in openings {
        let folder = tempfile::tempdir().expect("a folder");
        let (listener, at) = listener();
        let venue = std::thread::spawn(move || {
            let mut first = Peer::admit(&listener, 1);
            opening(&mut first);
            let mut peer = Peer::admit(&listener, 1);
            peer.send(OpenOrder {
                order_id: OrderId(77),
                price: 400_000_000,
                leaves: 5_000_000_000,
                account: AccountId(0),
            });
            peer.send(OrdersListed { count: 1, next_report: 1 });
            while peer.next() != Message::Logout(ringtape::gateway::Logout {}) {}
            peer.send(Goodbye { next_command: 3, next_report: 1 });
        });
        let report = try_trade(folder.path(), at, 6_000, rester);
        venue.join().expect("what the venue awaited");
        assert!(report.error.is_none(), "{named}: {:?}", report.error);
        let counts = &report.gateway.as_ref().expect("a gateway").counts;
        assert_eq!(counts.sessions, 2, "{named}");
        assert!(counts.breaks[0].contains(named), "{named}: {:?}", counts.breaks);
        let warnings = warnings(&report).join("\n");
        assert!(warnings.contains(named), "{named}: {warnings}");
    }
}
