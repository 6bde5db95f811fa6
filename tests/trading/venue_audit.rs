//! The books of an account that sends orders of every kind.
//!
//! Would catch: a fill of a new kind that the portfolio does not add up, own accounts that differ
//! from what the executions alone make, a run that differs the second time.

use proptest::prelude::*;
use ringtape::error::Result;
use ringtape::event::{Event, ExecutionKind, TimeInForce};
use ringtape::matching::NewOrder;
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::strategy::{Desk, Strategy as Trading, Trader};
use ringtape::units::{InstrumentId, Nanos, Price, Qty, Side};

use crate::venue_tape::run::{Run, config};
use crate::venue_tape::{add, cross_of, d, execute, hidden_trade, status};

/// Sends an order of a random kind after each exchange event.
struct Sender;

impl Trading for Sender {
    fn name(&self) -> &str {
        "sender"
    }
    fn on_exchange_event(&mut self, instrument: InstrumentId, desk: &mut Desk<'_>) {
        let side = if desk.random_below(2) == 0 { Side::Buy } else { Side::Sell };
        let price = d(1000 + desk.random_below(8) as i64);
        let qty = Qty(1 + desk.random_below(200));
        let limit = NewOrder::limit(instrument, side, price, qty);
        let market = NewOrder::market(instrument, side, qty);
        let kinds = [
            limit,
            limit.hidden(),
            limit.repriced(),
            limit.iceberg(Qty(7)),
            limit.until(Nanos(desk.now().0 + 5_000)),
            limit.with_time_in_force(TimeInForce::Opening),
            limit.stop_at(d(1004)),
            limit.trailing(Price(100)),
            market,
            market.with_time_in_force(TimeInForce::Closing),
            market.stop_at(d(1003)).on_bidask(),
            market.trailing(Price(200)),
        ];
        let pick = desk.random_below(kinds.len() as u64) as usize;
        desk.submit(kinds[pick]);
    }
    fn save(&self, _: &mut StateWriter) {}
    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..9u8, any::<bool>(), 0..8i64, 1..300u64, 1..40u64).prop_map(
        |(what, is_buy, level, qty, id)| {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            let price = d(1000 + level);
            match what {
                0..=2 => add(1_000 * id + qty, side, price, qty),
                3 | 4 => execute(1_000 * id + qty, qty.div_ceil(2)),
                5 | 6 => hidden_trade(price, qty),
                7 => cross_of(if is_buy { b'O' } else { b'C' }, price, qty),
                _ => status(if id % 3 == 0 { b'H' } else { b'T' }),
            }
        },
    );
    prop::collection::vec(event, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_fill_of_every_kind_adds_up(events in events()) {
        let play = || {
            let mut run = Run::new(Trader::with_strategy(Box::new(Sender), config(1_500)));
            for &event in &events {
                run.play(event).expect("it plays");
            }
            run.end();
            run
        };
        let run = play();
        let audit = PortfolioConfig { audit: true, ..PortfolioConfig::default() };
        let mut portfolio = Portfolio::new(audit);
        for execution in &run.out {
            prop_assert!(portfolio.apply(execution).is_ok(), "{execution:?}");
        }
        prop_assert_eq!(portfolio.hash(), run.trader.account().hash());
        let signed = run.out.iter().filter(|e| e.kind() == Some(ExecutionKind::Filled)).map(|e| {
            let qty = e.qty as i64;
            if e.side() == Some(Side::Buy) { qty } else { -qty }
        });
        prop_assert_eq!(signed.sum::<i64>(), run.position());
        prop_assert_eq!(&play().out, &run.out);
    }
}
