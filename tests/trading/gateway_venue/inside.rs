//! A run and a venue in one process, with what a test puts between them.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{
    EXECUTIONS_DIR, Engine, EngineConfig, Gate, JournalConfig, JournalFeed, OpeningBook, RunReport,
    TcpGateway, VenueCounts, VenueServer,
};
use ringtape::error::Result;
use ringtape::event::{Execution, ExecutionKind, Instrument, TimeInForce};
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::orders::OrderFeed;
use ringtape::feed::{Feed, OpenOptions, Pace};
use ringtape::journal::{Read, Reader};
use ringtape::matching::{MatcherConfig, NewOrder};
use ringtape::ring::Wait;
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy, Trader, TraderConfig};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

/// Cents in the increment of the feed's prices.
const fn cents(cents: i64) -> Price {
    Price(cents * 100)
}

/// Sends one command an exchange event: orders that trade at once, and one that rests and is
/// changed until it is cancelled.
#[derive(Default)]
pub(crate) struct Fidget {
    step: u64,
    instrument: Option<InstrumentId>,
    resting: OrderId,
}

impl Strategy for Fidget {
    fn name(&self) -> &str {
        "fidget"
    }
    fn on_instrument(&mut self, id: InstrumentId, _: &Instrument) -> Result<bool> {
        Ok(*self.instrument.get_or_insert(id) == id)
    }
    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        // A line that is slow or down gets no pile of commands.
        if desk.open_orders(instrument).count() > 12 {
            return;
        }
        let step = self.step % 8;
        self.step += 1;
        let order = |side, price, qty| NewOrder::limit(instrument, side, price, Qty(qty));
        let immediate = |order: NewOrder| order.with_time_in_force(TimeInForce::Ioc);
        match step {
            0 => _ = desk.submit(immediate(order(Side::Buy, cents(60), 3))),
            1 => _ = desk.submit(immediate(order(Side::Sell, cents(50), 2))),
            2 => self.resting = desk.submit(order(Side::Buy, cents(40), 9)),
            3 => self.resting = desk.replace(self.resting, cents(41), Qty(0)),
            4 => desk.reduce(self.resting, Qty(1)),
            5 => desk.cancel(self.resting),
            6 => _ = desk.submit(immediate(order(Side::Sell, cents(70), 1))),
            // The very first order is over for long.
            _ => desk.cancel(OrderId(OrderId::OWN | 1)),
        }
    }
    fn can_save(&self) -> bool {
        false
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// A session of one instrument, and its symbol.
fn session() -> (Vec<u8>, String) {
    let profile = Profile { messages: 6_000, symbols: 1, live: 200, seed: 42 };
    let mut generator = Generator::new(&profile).expect("a profile");
    let mut bytes = Vec::new();
    while generator.fill(&mut bytes) > 0 {}
    (bytes, "ACME".to_owned())
}

/// A venue in this process.
pub(crate) struct Inside {
    engine: Engine,
    server: VenueServer,
}

impl Inside {
    /// One that takes and gives all that is wanted in the session's symbol: bids at 0.50, offers at
    /// 0.60.
    pub(crate) fn start(dir: &Path) -> Self {
        let symbol = session().1;
        let row = |id: u32, side: &str, price: &str| {
            format!("new,{id},{symbol},{side},{price},100000000\n")
        };
        Self::open(dir, &(row(1, "buy", "0.50") + &row(2, "sell", "0.60")))
    }

    /// One that opens with rows of an order file.
    pub(crate) fn open(dir: &Path, rows: &str) -> Self {
        let rows = format!("action,order_id,symbol,side,price,qty\n{rows}");
        let orders = OrderFeed::from_bytes("opening", rows, &OpenOptions::default());
        let rules = MatcherConfig::default();
        let feed: Box<dyn Feed> = Box::new(orders.expect("orders"));
        let book = OpeningBook::of(feed, rules, &Arc::default()).expect("a book");
        let config = EngineConfig {
            exchange: Some(rules),
            journal: Some(JournalConfig::new(dir, "")),
            runners: Some(1),
            ..EngineConfig::default()
        };
        let engine = Engine::start(book.feed(), config).expect("an engine");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = VenueServer::start(listener, &engine, dir, &book, Wait::Auto);
        Self { engine, server: server.expect("a server") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn close(self) -> VenueCounts {
        let counts = self.server.stop().expect("a sound end");
        self.engine.handle().stop();
        let report = self.engine.join();
        assert!(report.error.is_none(), "{:?}", report.error);
        counts
    }
}

/// Makes a strategy.
pub(crate) type Make = fn() -> Box<dyn Strategy>;

pub(crate) fn fidget() -> Box<dyn Strategy> {
    Box::<Fidget>::default()
}

fn away(make: Make) -> Trader {
    Trader::with_strategy(make(), TraderConfig::default()).through_gateway()
}

/// Trades the session at whoever listens at an address, at so many messages a second; goes on with
/// what an earlier run left of it.
pub(crate) fn trade(dir: &Path, at: SocketAddr, rate: u64, make: Make) -> RunReport {
    let report = try_trade(dir, at, rate, make);
    assert!(report.error.is_none(), "{:?}", report.error);
    report
}

/// The same, of a run that may fail.
pub(crate) fn try_trade(dir: &Path, at: SocketAddr, rate: u64, make: Make) -> RunReport {
    let gateway = TcpGateway::new(format!("tcp://{at}?heartbeat=200ms").parse().expect("one"));
    let feed = ItchFeed::from_bytes("session", session().0, &OpenOptions::default());
    let config = EngineConfig {
        trader: Some(away(make)),
        gateway: Some(Box::new(gateway)),
        journal: Some(JournalConfig { resume: true, ..JournalConfig::new(dir, "") }),
        gate: Gate::Journaled,
        runners: Some(1),
        pace: Pace::per_second(rate).expect("a rate"),
        ..EngineConfig::default()
    };
    Engine::start(Box::new(feed.expect("a session")), config).expect("a run").join()
}

/// The same run once more, from its journal alone.
pub(crate) fn repeat(dir: &Path, make: Make) -> RunReport {
    let feed: Box<dyn Feed> = Box::new(JournalFeed::open(dir).expect("a journal"));
    let config = EngineConfig { trader: Some(away(make)), ..EngineConfig::default() };
    Engine::start(feed, config).expect("a run").join()
}

/// The execution journal of a run or venue.
pub(crate) fn executions(dir: &Path) -> Vec<Execution> {
    let mut reader = Reader::<Execution>::open(&dir.join(EXECUTIONS_DIR)).expect("a journal");
    let mut room = vec![Execution::new(ExecutionKind::Status, 0, 0); 256];
    let mut all = Vec::new();
    while let Read::Records(count) = reader.read(&mut room).expect("sound records") {
        all.extend_from_slice(&room[..count]);
    }
    all
}

/// What a fill comes to: the client's number of the order, side, price in cents, quantity, filled so
/// far.
pub(crate) type Fill = (u64, u8, i64, u64, u64);

/// The fills of the run in a journal whose prices are in so many steps a cent.
pub(crate) fn fills(dir: &Path, steps: i64, is_ours: impl Fn(u64) -> bool) -> Vec<Fill> {
    let fill = |one: &Execution| {
        let order = one.order_id & ((1 << 40) - 1);
        (order, one.side, one.price / steps, one.qty, one.cum)
    };
    let of_run =
        |one: &&Execution| one.kind() == Some(ExecutionKind::Filled) && is_ours(one.order_id);
    executions(dir).iter().filter(of_run).map(fill).collect()
}
