//! What the risk gate costs an order: nothing limited, and every limit set.
//!
//! Stream: 64 orders of one account in one instrument, alternately bids and offers, each let pass
//! and then told as cancelled; the checksum is the number of orders that passed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringtape::book::Replica;
use ringtape::event::{Execution, ExecutionKind, Instrument, InstrumentTable, Reason};
use ringtape::matching::NewOrder;
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::strategy::risk::{Circumstances, RiskGate};
use ringtape::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};

const ORDERS: u64 = 64;
const X: InstrumentId = InstrumentId(13);

const ALL: &str = "order-qty=1000,position=100000,gross-notional=100000000,\
    net-notional=100000000,price-collar=50%,message-rate=1000000,open-orders=1000,\
    order-to-trade=1000000000000,loss=1000000,cancel-on-disconnect=yes";

/// Lets the stream through and says how many orders passed.
fn play(gate: &mut RiskGate, books: &Replica, account: &Portfolio, first: u64) -> u64 {
    let mut passed = 0;
    for number in first..first + ORDERS {
        let side = if number % 2 == 0 { Side::Buy } else { Side::Sell };
        let order = NewOrder::limit(X, side, Price(100_000), Qty(100));
        let at = Circumstances { now: Nanos(number * 10_000), books, account };
        let id = OrderId(OrderId::OWN | number);
        passed += u64::from(gate.pass_new(AccountId(0), id, black_box(&order), at).is_ok());
        gate.note(&Execution {
            order_id: id.0,
            reason: Reason::Requested as u16,
            ..Execution::new(ExecutionKind::Cancelled, number, X.0)
        });
    }
    passed
}

fn gate(criterion: &mut Criterion) {
    let mut books = Replica::new();
    for event in InstrumentTable::events(0, X, &Instrument::us_equity("X")) {
        books.apply(&event);
    }
    let account = Portfolio::new(PortfolioConfig::default());
    let mut group = criterion.benchmark_group("gate");
    group.throughput(Throughput::Elements(ORDERS));
    for (name, limits) in [("no limits", ""), ("every limit", ALL)] {
        let mut gate = RiskGate::new(limits.parse().expect("limits"));
        let mut first = 1;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                assert_eq!(play(&mut gate, &books, &account, first), ORDERS);
                first += ORDERS;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, gate);
criterion_main!(benches);
