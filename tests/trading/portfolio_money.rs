//! The portfolio against a table worked out by hand and against an oracle in fractions.
//!
//! Would catch: a rounded average, a flip that keeps old cost, a fee with the wrong sign, a
//! multiplier applied once too often, a mark that reaches realised profit, state lost by a save.

use num_rational::BigRational;
use proptest::prelude::*;
use ringtape::event::kinds::Text;
use ringtape::event::{Execution, ExecutionKind, Instrument, Liquidity, Listing, Quote};
use ringtape::portfolio::{MarkSource, Portfolio, PortfolioConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::{AccountId, InstrumentId, Money, Price, Qty, Side};

const INSTRUMENT: u32 = 13;

fn listing(multiplier: u32) -> Listing {
    Listing { multiplier, ..Instrument::us_equity("AAPL").listing() }
}

fn audited(multiplier: u32, initial: i64) -> Portfolio {
    let mut portfolio = Portfolio::new(PortfolioConfig {
        initial_cash: vec![(Text::new("USD"), Money(i128::from(initial) * 1_000_000_000))],
        audit: true,
        ..PortfolioConfig::default()
    });
    let listed = Execution::from_listing(0, INSTRUMENT, &listing(multiplier));
    portfolio.apply(&listed).expect("a listing");
    portfolio
}

fn fill(account: u32, side: Side, price: i64, qty: u64, fee: i64) -> Execution {
    Execution {
        side: side as u8,
        price,
        qty,
        fee,
        account,
        liquidity: Liquidity::Maker as u8,
        ..Execution::new(ExecutionKind::Filled, 1, INSTRUMENT)
    }
}

fn quote(bid: i64, ask: i64) -> Execution {
    let quote = Quote {
        bid_price: Price(bid),
        bid_qty: Qty(100),
        ask_price: Price(ask),
        ask_qty: Qty(100),
        trading: true,
        ..Quote::default()
    };
    Execution::from_quote(1, INSTRUMENT, &quote)
}

/// A decimal as exact money.
fn money(text: &str) -> Money {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let scaled: i128 = format!("{whole}{places:0<9}").parse().expect(text);
    Money(sign * scaled)
}

#[test]
fn every_row_of_a_hand_computed_session_is_equal() {
    // what, price or bid/offer in dollars, shares, fee -> position, cost, realised, unrealised,
    // fees, cash. Initial cash 100,000; prices in 0.0001; mid of the last quote is the mark.
    #[rustfmt::skip]
    let table = [
        ("buy",  "10.00",       100, "0.30",  ( 100,  "1000.00",   "0.00",     "0.00", "0.30",  "98999.70")),
        ("mark", "10.00/10.02",   0, "",      ( 100,  "1000.00",   "0.00",     "1.00", "0.30",  "98999.70")),
        ("buy",  "10.03",         50, "0.15", ( 150,  "1501.50",   "0.00",     "0.00", "0.45",  "98498.05")),
        ("sell", "10.05",         50, "-0.10",( 100,  "1001.00",   "2.00",     "0.00", "0.35",  "99000.65")),
        ("mark", "10.03/10.05",   0, "",      ( 100,  "1001.00",   "2.00",     "3.00", "0.35",  "99000.65")),
        ("sell", "9.99",          30, "-0.06",(  70,   "700.70",   "1.40",     "2.10", "0.29",  "99300.41")),
        ("sell", "10.00",        100, "0.30", ( -30,  "-300.00",   "0.70",    "-1.20", "0.59", "100300.11")),
        ("mark", "9.90/9.94",     0, "",      ( -30,  "-300.00",   "0.70",     "2.40", "0.59", "100300.11")),
        ("sell", "9.93",          10, "-0.02",( -40,  "-399.30",   "0.70",     "2.50", "0.57", "100399.43")),
        ("buy",  "9.90",          15, "-0.03",( -25,  "-249.5625", "1.9375",   "1.5625","0.54","100250.96")),
        ("mark", "10.01/10.01",   0, "",      ( -25,  "-249.5625", "1.9375",  "-0.6875","0.54","100250.96")),
        ("buy",  "10.02",         60, "0.18", (  35,   "350.70",   "1.00",    "-0.35", "0.72",  "99649.58")),
        ("sell", "10.02",         35, "0",    (   0,     "0.00",   "1.00",     "0.00", "0.72", "100000.28")),
        ("mark", "9.00/9.01",     0, "",      (   0,     "0.00",   "1.00",     "0.00", "0.72", "100000.28")),
        ("buy",  "9.0001",         3, "0",    (   3,    "27.0003", "1.00",     "0.0147","0.72", "99973.2797")),
        ("buy",  "9.0002",         4, "0",    (   7,    "63.0011", "1.00",     "0.0339","0.72", "99937.2789")),
        // 63.0011 x 2 / 7 = 18.000314285(7..), rounded toward zero; the rest stays.
        ("sell", "9.0100",         2, "0",    (   5,    "45.000785715", "1.019685715", "0.024214285", "0.72", "99955.2989")),
        ("sell", "9.0100",         5, "0",    (   0,     "0.00",   "1.0689",   "0.00", "0.72", "100000.3489")),
        ("sell", "9.00",           1, "0.01", (  -1,    "-9.00",   "1.0689",  "-0.005","0.73", "100009.3389")),
        ("buy",  "9.00",           1, "0.01", (   0,     "0.00",   "1.0689",   "0.00", "0.74", "100000.3289")),
    ];
    let mut portfolio = audited(1, 100_000);
    let increments = |text: &str| (money(text).0 / 100_000) as i64;
    for (line, (what, price, qty, fee, expected)) in table.into_iter().enumerate() {
        let execution = match (what, price.split_once('/')) {
            ("mark", Some((bid, ask))) => quote(increments(bid), increments(ask)),
            ("buy", _) => fill(0, Side::Buy, increments(price), qty, money(fee).0 as i64),
            _ => fill(0, Side::Sell, increments(price), qty, money(fee).0 as i64),
        };
        portfolio.apply(&execution).unwrap_or_else(|error| panic!("line {line}: {error}"));
        let row = &portfolio.rows()[0];
        let total = &portfolio.totals()[0];
        let (position, cost, realised, unrealised, fees, cash) = expected;
        let got = (row.position, row.cost, row.realised, row.unrealised, row.fees, total.cash);
        let expected =
            (position, money(cost), money(realised), money(unrealised), money(fees), money(cash));
        assert_eq!(got, expected, "line {line}: {what} {qty} at {price}");
        assert_eq!(total.equity, total.initial_cash + row.equity, "line {line}");
    }
    let row = &portfolio.rows()[0];
    assert_eq!((row.fills, row.volume), (15, 466));
    portfolio.audit().expect("the audit holds at the end");
}

#[test]
fn a_multiplier_applies_to_value_and_mark_but_not_to_fees() {
    let mut portfolio = audited(50, 0);
    portfolio.apply(&fill(0, Side::Buy, 40_000_000, 2, 2_500_000_000)).expect("a fill");
    portfolio.apply(&quote(40_002_500, 40_005_000)).expect("a quote");
    let row = &portfolio.rows()[0];
    assert_eq!(row.cost, money("400000"));
    // The mid is 4000.375: 0.375 x 2 x 50.
    assert_eq!(row.unrealised, money("37.5"));
    assert_eq!((row.fees, row.mark), (money("2.5"), Some(money("4000.375"))));
}

#[test]
fn accounts_and_currencies_have_cash_of_their_own() {
    let mut portfolio = audited(1, 1_000);
    let euro = Listing { currency: Text::new("EUR"), symbol: Text::new("SAP"), ..listing(1) };
    portfolio.apply(&Execution::from_listing(0, 14, &euro)).expect("a listing");
    portfolio.apply(&fill(1, Side::Buy, 10_000, 5, 0)).expect("a fill");
    portfolio.apply(&fill(0, Side::Sell, 10_000, 5, 0)).expect("a fill");
    let in_euro = Execution { instrument: 14, ..fill(0, Side::Buy, 20_000, 1, 0) };
    portfolio.apply(&in_euro).expect("a fill");
    let cash: Vec<(u32, String, String)> = portfolio
        .totals()
        .iter()
        .map(|t| (t.account.0, t.currency.as_str().to_owned(), t.cash.to_string()))
        .collect();
    let expected = [(0, "EUR", "-2.00"), (0, "USD", "1005.00"), (1, "USD", "995.00")];
    assert_eq!(cash, expected.map(|(a, c, m)| (a, c.to_owned(), m.to_owned())));
    let symbols: Vec<String> = portfolio.rows().into_iter().map(|row| row.symbol).collect();
    assert_eq!(symbols, ["AAPL", "SAP", "AAPL"]);
}

#[test]
fn an_unpriced_position_is_carried_at_cost_and_says_so() {
    let mut portfolio = audited(1, 0);
    portfolio.apply(&fill(0, Side::Buy, 10_000, 5, 0)).expect("a fill");
    let row = &portfolio.rows()[0];
    assert_eq!((row.priced, row.mark, row.unrealised), (false, None, Money(0)));
    let wide = Execution::from_quote(
        1,
        INSTRUMENT,
        &Quote {
            last_price: Some(Price(12_000)),
            ..quote(1, 90_000).quote().expect("it is a quote")
        },
    );
    portfolio.apply(&wide).expect("a quote");
    let row = &portfolio.rows()[0];
    assert_eq!((row.priced, row.unrealised), (true, money("1")));
    let mark = portfolio.mark_of(InstrumentId(INSTRUMENT)).expect("a mark");
    assert_eq!(mark.source, MarkSource::Last);
}

#[test]
fn a_record_that_cannot_be_names_the_market_event_that_caused_it() {
    let mut portfolio = audited(1, 0);
    let bad = [
        Execution { instrument: 99, ..fill(0, Side::Buy, 1, 1, 0) },
        Execution { side: 0, ..fill(0, Side::Buy, 1, 1, 0) },
        Execution { qty: u64::MAX, ..fill(0, Side::Buy, i64::MAX, 1, 0) },
        Execution { instrument: 99, ..quote(1, 2) },
    ];
    for execution in bad {
        let error = portfolio
            .apply(&Execution { cause: 4_711, ..execution })
            .expect_err("the record cannot be");
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("market sequence 4711"), "{error}");
    }
    assert!(portfolio.rows().iter().all(|row| row.fills == 0));
}

#[derive(Clone, Debug)]
enum Step {
    Fill { buy: bool, price: i64, qty: u64, fee: i64 },
    Mark { bid: i64, spread: i64 },
    SaveAndLoad,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<bool>(), 1..2_000_000i64, 1..500u64, -1_000_000..1_000_000i64)
            .prop_map(|(buy, price, qty, fee)| Step::Fill { buy, price, qty, fee }),
        3 => (1..2_000_000i64, -2..200_000i64).prop_map(|(bid, spread)| Step::Mark { bid, spread }),
        1 => Just(Step::SaveAndLoad),
    ];
    prop::collection::vec(step, 1..120)
}

/// A total cost as a rational number, never rounded.
struct ExactCost {
    cost: BigRational,
    closes: u32,
}

impl ExactCost {
    /// Lets `part` of `whole` stay.
    fn keep(&mut self, part: i128, whole: i128) {
        self.cost *= BigRational::new(part.into(), whole.into());
        self.closes += 1;
    }

    fn add(&mut self, value: i128) {
        self.cost += BigRational::from_integer(value.into());
    }

    /// Whether `cost` is this cost, give or take one unit a partial close.
    fn is_near(&self, cost: Money) -> bool {
        let difference = BigRational::from_integer(cost.0.into()) - &self.cost;
        let most = BigRational::from_integer((self.closes + 1).into());
        difference <= most.clone() && difference >= -most
    }
}

proptest! {
    #[test]
    fn random_fills_agree_with_fractions_and_the_audit_holds_throughout(
        steps in steps(),
        multiplier in 1..100u32,
    ) {
        let mut portfolio = audited(multiplier, 1_000_000);
        let (mut held, mut signed_value, mut fees) = (0i128, 0i128, 0i128);
        let mut exact = ExactCost { cost: BigRational::from_integer(0.into()), closes: 0 };
        let mut mid = None;
        for step in &steps {
            match *step {
                Step::Fill { buy, price, qty, fee } => {
                    let side = if buy { Side::Buy } else { Side::Sell };
                    portfolio.apply(&fill(0, side, price, qty, fee))?;
                    let unit = i128::from(price) * 100_000 * i128::from(multiplier);
                    let signed = i128::from(qty) * if buy { 1 } else { -1 };
                    let closed = if held * signed < 0 { held.abs().min(signed.abs()) } else { 0 };
                    if closed > 0 {
                        exact.keep(held.abs() - closed, held.abs());
                    }
                    exact.add((signed + closed * held.signum()) * unit);
                    held += signed;
                    signed_value += signed * unit;
                    fees += i128::from(fee);
                }
                Step::Mark { bid, spread } => {
                    portfolio.apply(&quote(bid, bid + spread))?;
                    let double = 2 * bid + spread;
                    if spread >= 0 && spread * 40 <= double {
                        mid = Some(i128::from(double));
                    }
                }
                Step::SaveAndLoad => {
                    let mut writer = StateWriter::default();
                    portfolio.save(&mut writer);
                    let bytes = writer.into_bytes();
                    let before = (portfolio.rows(), portfolio.totals(), portfolio.hash());
                    portfolio = audited(multiplier, 1_000_000);
                    let mut reader = StateReader::new("portfolio", &bytes);
                    portfolio.load(&mut reader)?;
                    reader.finish()?;
                    prop_assert_eq!(
                        before,
                        (portfolio.rows(), portfolio.totals(), portfolio.hash())
                    );
                }
            }
            let Some(position) = portfolio.position(AccountId(0), InstrumentId(INSTRUMENT)) else {
                continue;
            };
            prop_assert_eq!(i128::from(position.qty), held);
            prop_assert!(exact.is_near(position.cost), "{} {}", position.cost, exact.closes);
            prop_assert_eq!(position.realised.0, position.cost.0 - signed_value);
            prop_assert_eq!(position.cash().0, -signed_value - fees);
            let row = &portfolio.rows()[0];
            let value =
                mid.map_or(position.cost.0, |m| m * held * 50_000 * i128::from(multiplier));
            prop_assert_eq!(row.equity.0, row.cash.0 + value);
        }
        portfolio.audit()?;
    }

    #[test]
    fn cut_state_is_an_error_and_leaves_the_portfolio_as_it_was(steps in steps()) {
        let mut portfolio = audited(1, 0);
        for step in steps {
            if let Step::Fill { buy, price, qty, fee } = step {
                let side = if buy { Side::Buy } else { Side::Sell };
                portfolio.apply(&fill(0, side, price, qty, fee))?;
            }
        }
        let mut writer = StateWriter::default();
        portfolio.save(&mut writer);
        let bytes = writer.into_bytes();
        let hash = portfolio.hash();
        for cut in (0..bytes.len()).step_by(7) {
            let mut reader = StateReader::new("portfolio", &bytes[..cut]);
            prop_assert!(portfolio.load(&mut reader).is_err());
            prop_assert_eq!(portfolio.hash(), hash);
        }
    }
}
