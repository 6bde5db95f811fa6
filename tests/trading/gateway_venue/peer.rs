//! One end of a connection of order entry, word by word: a client, or a venue that says what it is
//! told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ringtape::event::kinds::Text;
use ringtape::event::{ExecutionKind, OrderType, Reason, SelfTrade, TimeInForce};
use ringtape::gateway::message::PROTOCOL_VERSION;
use ringtape::gateway::{
    Accepted, Flag, Heartbeat, Incoming, ListOrders, Login, Message, NewOrder, OrderBits, Report,
    RunId,
};
use ringtape::units::{AccountId, MatchId, OrderId, Side};

pub(crate) struct Peer {
    stream: TcpStream,
    incoming: Incoming,
}

impl Peer {
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_nonblocking(false).expect("a stream that waits");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a stream");
        Self { stream, incoming: Incoming::new("peer") }
    }

    pub(crate) fn accept(listener: &TcpListener) -> Self {
        Self::of(listener.accept().expect("a client").0)
    }

    /// Lets a client log in, with where both directions stand; it asks for open orders.
    pub(crate) fn admit(listener: &TcpListener, next: u64) -> Self {
        let mut peer = Self::accept(listener);
        let login = match peer.next() {
            Message::Login(login) => login,
            other => panic!("{other:?}"),
        };
        assert_eq!(login.next_report, next);
        peer.send(Accepted { next_command: next, next_report: next });
        assert_eq!(peer.next(), ListOrders {}.into());
        peer
    }

    /// A client that has logged in as a new run.
    pub(crate) fn log_in(address: &str, run: RunId) -> Self {
        Self::log_in_at(address, run, 1, 1)
    }

    /// A client that has logged in and sends and needs these numbers next.
    pub(crate) fn log_in_at(
        address: &str,
        run: RunId,
        next_command: u64,
        next_report: u64,
    ) -> Self {
        let mut peer = Self::of(TcpStream::connect(address).expect("a venue"));
        peer.send(Login {
            version: PROTOCOL_VERSION,
            cancel_on_disconnect: Flag(false),
            heartbeat_ms: 1_000,
            run,
            next_command,
            next_report,
        });
        assert!(matches!(peer.next(), Message::Accepted(_)));
        peer
    }

    pub(crate) fn send(&mut self, message: impl Into<Message>) {
        let mut bytes = Vec::new();
        message.into().encode(&mut bytes);
        self.stream.write_all(&bytes).expect("a peer that reads");
    }

    /// The next message that is no heartbeat.
    pub(crate) fn next(&mut self) -> Message {
        let mut room = [0; 4096];
        loop {
            match self.incoming.next_message().expect("sound messages") {
                Some(Message::Heartbeat(_)) => self.send(Heartbeat { next: 1 }),
                Some(message) => return message,
                None => {
                    let count = self.stream.read(&mut room).expect("a peer that says something");
                    assert!(count > 0, "the peer hung up");
                    self.incoming.take(&room[..count]);
                }
            }
        }
    }

    pub(crate) fn report(&mut self) -> Report {
        match self.next() {
            Message::Report(report) => report,
            other => panic!("{other:?} in place of a report"),
        }
    }
}

/// The report of an order that was accepted.
pub(crate) fn accepted(report: u64, new: &NewOrder) -> Report {
    Report {
        report,
        order_id: new.order_id,
        new_order_id: OrderId(0),
        price: new.price,
        qty: new.qty,
        leaves: new.qty,
        match_id: MatchId(0),
        ts_event: 0,
        account: new.account,
        kind: ExecutionKind::Accepted,
        side: Some(new.side),
        liquidity: None,
        reason: Reason::None,
    }
}

/// A limit order to buy, with its number for that of the command too; prices and quantities in
/// 1e-9, counted in cents and whole shares.
pub(crate) fn buy(number: u64, symbol: &str, price: i64, qty: u64) -> NewOrder {
    NewOrder {
        command: number,
        order_id: OrderId(number),
        account: AccountId(0),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        self_trade: SelfTrade::None,
        instructions: OrderBits(0),
        symbol: Text::new(symbol),
        price_increment: 10_000_000,
        qty_increment: 1_000_000_000,
        price,
        qty,
        stop_price: 0,
        trail: 0,
        display_qty: 0,
        min_qty: 0,
        expire_ts: 0,
    }
}
