//! The portfolio against a session worked out by hand, row by row.
//!
//! Would catch: a lot closed out of turn, a rounded average, old cost kept through zero, a fee with
//! the wrong sign, a multiplier on fees, cash of one currency in the other, sums of an account that
//! are not those of its positions.

use std::collections::BTreeMap;

use ringtape::event::kinds::Text;
use ringtape::event::{Execution, ExecutionKind, Instrument, Liquidity, Listing, Quote};
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::units::{InstrumentId, MONEY_SCALE, Money, Price, Qty, Side};

const TABLE: &str = include_str!("portfolio_session.csv");

/// Symbol, instrument, currency, multiplier.
const INSTRUMENTS: [(&str, u32, &str, u32); 3] =
    [("AAPL", 1, "USD", 1), ("ES", 2, "USD", 50), ("SAP", 3, "EUR", 1)];

/// A decimal as exact money.
fn money(text: &str) -> Money {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let scaled: i128 = format!("{whole}{places:0<9}").parse().expect(text);
    Money(sign * scaled)
}

fn portfolio() -> Portfolio {
    let cash = |code, amount: i128| (Text::new(code), Money(amount * MONEY_SCALE));
    let mut portfolio = Portfolio::new(PortfolioConfig {
        initial_cash: vec![cash("USD", 100_000), cash("EUR", 50_000)],
        rates: "base=USD,EUR=1.1000".parse().expect("rates"),
        audit: true,
        ..PortfolioConfig::default()
    });
    for (symbol, id, currency, multiplier) in INSTRUMENTS {
        let equity = Instrument::us_equity(symbol).listing();
        let listing = Listing { currency: Text::new(currency), multiplier, ..equity };
        portfolio.apply(&Execution::from_listing(0, id, &listing)).expect("a listing");
    }
    portfolio
}

/// The event of a row: a fill, or a quote whose middle is the price.
fn event(row: &BTreeMap<&str, &str>, id: u32, ts_event: u64) -> Execution {
    let price = Price((money(row["price"]).0 / 100_000) as i64);
    if row["what"] == "mark" {
        let quote = Quote {
            bid_price: Price(price.0 - 50),
            bid_qty: Qty(1),
            ask_price: Price(price.0 + 50),
            ask_qty: Qty(1),
            trading: true,
            ..Quote::default()
        };
        return Execution::from_quote(ts_event, id, &quote);
    }
    let side = if row["what"] == "buy" { Side::Buy } else { Side::Sell };
    Execution {
        side: side as u8,
        price: price.0,
        qty: row["qty"].parse().expect("a quantity"),
        fee: money(row["fee"]).0 as i64,
        liquidity: Liquidity::Maker as u8,
        ..Execution::new(ExecutionKind::Filled, ts_event, id)
    }
}

#[test]
fn every_row_of_the_session_is_equal_by_average_cost_and_by_lots() {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let (mut live, mut rows) = (portfolio(), 0);
    let mut session = vec![];
    for line in lines {
        rows += 1;
        let row: BTreeMap<&str, &str> = names.iter().copied().zip(line.split(',')).collect();
        let (_, id, currency, _) =
            INSTRUMENTS.into_iter().find(|one| one.0 == row["symbol"]).expect("an instrument");
        let execution = event(&row, id, rows);
        session.push(execution);
        live.apply(&execution).unwrap_or_else(|error| panic!("row {rows}: {error}"));

        let held = live.rows();
        let held = held.iter().find(|held| held.instrument == InstrumentId(id)).expect("a row");
        let totals = live.totals();
        let total =
            totals.iter().find(|total| total.currency.as_str() == currency).expect("a total");
        let got = [
            held.position.to_string(),
            held.cost.to_string(),
            held.realised.to_string(),
            held.unrealised.to_string(),
            held.fees.to_string(),
            total.cash.to_string(),
            held.lots.to_string(),
            held.lots_cost.to_string(),
            held.lots_realised.to_string(),
        ];
        let expected: Vec<&str> = names[5..14].iter().map(|name| row[name]).collect();
        assert_eq!(got.each_ref().map(String::as_str)[..], expected, "row {rows}: {line}");
        let gain = |total: &ringtape::portfolio::AccountTotal| total.equity - total.initial_cash;
        let rows_of = live.rows();
        let sum = rows_of
            .iter()
            .filter(|one| one.currency == total.currency)
            .fold(Money(0), |sum, one| sum + one.equity);
        assert_eq!(gain(total), sum, "row {rows}");
    }
    assert_eq!(rows, 32);
    live.audit().expect("the audit holds at the end");

    // In euros 55 realised, 10 unrealised, a rebate of 0.01: 50,065.01 x 1.1.
    let totals = live.totals();
    let euro = totals.iter().find(|total| total.currency.as_str() == "EUR").expect("a total");
    assert_eq!(euro.equity, money("50065.01"));
    assert_eq!(euro.equity_in_base, Some(money("55071.511")));
    assert_eq!((euro.gross_exposure, euro.net_exposure), (money("1180"), money("-1180")));
    // The highest value held: 40 at 121.00, or at the mark of 120.50, which stood then.
    assert_eq!(euro.gross_exposure_max, money("4820"));
    let dollar = totals.iter().find(|total| total.currency.as_str() == "USD").expect("a total");
    assert_eq!(dollar.equity, money("101207.4985"));
    assert_eq!(dollar.equity_in_base, Some(dollar.equity));

    // The same records make the same portfolio again.
    let mut again = portfolio();
    session.iter().for_each(|execution| again.apply(execution).expect("as before"));
    assert_eq!((again.rows(), again.totals(), again.hash()), (live.rows(), totals, live.hash()));
}

#[test]
fn drawdown_is_the_largest_fall_from_the_highest_equity_so_far() {
    let mut portfolio = portfolio();
    let row = |what, price, qty| {
        BTreeMap::from([("what", what), ("price", price), ("qty", qty), ("fee", "0")])
    };
    // Equity after each: 0, +10, -5, +40, +15, +20, with 10 held.
    let steps = [
        ("buy", "100.00", "10", "0"),
        ("mark", "101.00", "", "0"),
        ("mark", "99.50", "", "15"),
        ("mark", "104.00", "", "15"),
        ("mark", "101.50", "", "25"),
        ("mark", "102.00", "", "25"),
    ];
    for (number, (what, price, qty, drawdown)) in (1..).zip(steps) {
        portfolio.apply(&event(&row(what, price, qty), 1, number)).expect("a step");
        assert_eq!(portfolio.totals()[0].drawdown, money(drawdown), "step {number}");
    }
}

#[test]
fn markouts_take_the_mark_that_stood_when_their_time_came() {
    const MS: u64 = 1_000_000;
    let mut portfolio = portfolio();
    let row = |what, price, qty| {
        BTreeMap::from([("what", what), ("price", price), ("qty", qty), ("fee", "0")])
    };
    for (time, what, price, qty) in [
        (1_000, "buy", "100.00", "10"),
        // Right after the fill: 0.02 captured a share.
        (1_000, "mark", "100.02", ""),
        (1_050, "mark", "100.05", ""),
        // Comes after 100 ms: those saw 100.05.
        (1_101, "mark", "99.00", ""),
        // At exactly one second: of two the last one counts.
        (2_000, "mark", "80.00", ""),
        (2_000, "mark", "99.90", ""),
        (2_500, "sell", "99.95", "10"),
        (2_500, "mark", "99.90", ""),
        (11_500, "mark", "101.00", ""),
        (30_000, "mark", "90.00", ""),
    ] {
        portfolio.apply(&event(&row(what, price, qty), 1, time * MS)).expect("a step");
    }
    let quality = portfolio.rows()[0].quality;
    let values = |measured: ringtape::portfolio::Measured| (measured.fills, measured.value);
    // The sale at 99.95 captured 0.05, and its marks were 99.90, 99.90, 101.00.
    assert_eq!(values(quality.capture()), (2, money("0.7")));
    let [at_100ms, at_1s, at_10s] = quality.markouts().map(values);
    assert_eq!(at_100ms, (2, money("1.0")));
    assert_eq!(at_1s, (2, money("-0.5")));
    // The purchase's mark after ten seconds was 99.90, the sale's 101.00.
    assert_eq!(at_10s, (2, money("-11.5")));
    assert_eq!(values(quality.adverse), (2, money("1.2")));
}

#[test]
fn the_two_fills_of_a_match_must_leave_nothing_but_fees() {
    let mut portfolio = portfolio();
    let row =
        |what| BTreeMap::from([("what", what), ("price", "100.00"), ("qty", "10"), ("fee", "0.5")]);
    let of = |what, match_id, account| Execution { match_id, account, ..event(&row(what), 1, 1) };
    portfolio.apply(&of("sell", 7, 0)).expect("the maker");
    portfolio.apply(&of("buy", 7, 1)).expect("the taker");
    portfolio.apply(&of("sell", 8, 0)).expect("the maker");
    let broken = Execution { qty: 9, ..of("buy", 8, 1) };
    let message = portfolio.apply(&broken).expect_err("one share is missing").to_string();
    assert!(message.contains("match 8 leave"), "{message}");
}
