//! Every field of every ITCH message, from bytes built by hand.
//!
//! Would catch a field that is read at a wrong offset, with a wrong width, or lost.

use bytemuck::Zeroable;
use ringtape::event::kinds::{Letter, Price32, Raw, Text};
use ringtape::event::{Event, EventView, Flags, Kind, Payload, payload};
use ringtape::feed::itch::{ItchFeed, MESSAGES};
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::units::{MatchId, OrderId, Price, Qty, Side};

use crate::feed_common::{Message, events_of, messages, own, valid_message};

const TS: u64 = 0x0102_0304_0506;
const LOCATE: u16 = 0xfffe;
const A: u64 = 0x8182_8384_8586_8788;
const B: u64 = 0x9192_9394_9596_9798;
const C: u64 = 0xa1a2_a3a4_a5a6_a7a8;
const X: u32 = 0xc1c2_c3c4;
const Y: u32 = 0xd1d2_d3d4;
const Z: u32 = 0xe1e2_e3e4;

fn message(letter: char) -> Message {
    Message::new(letter as u8, LOCATE, 7, TS)
}

fn event<P: Payload>(payload: P, flags: u16) -> Event {
    Event::new(TS, u32::from(LOCATE), payload).with_flags(flags)
}

/// A record that is all of its message.
fn single<P: Payload>(payload: P) -> Vec<Event> {
    vec![event(payload, Flags::LAST)]
}

fn price(value: u32) -> Price {
    Price(i64::from(value))
}

fn qty(value: u32) -> Qty {
    Qty(u64::from(value))
}

fn pad<const N: usize>() -> Raw<N> {
    Raw([0; N])
}

fn raw<const N: usize>(bytes: &[u8]) -> Raw<N> {
    let mut raw = [0; N];
    raw[..bytes.len()].copy_from_slice(bytes);
    Raw(raw)
}

fn letter(letter: char) -> Letter {
    Letter(letter as u8)
}

/// Orders and trades, and what they become.
fn order_cases() -> Vec<(Message, Vec<Event>)> {
    let add = |attribution: &str| payload::Add {
        order_id: OrderId(A),
        price: price(Y),
        qty: qty(X),
        attribution: Text::new(attribution),
        pad: 0,
    };
    let execute_at = payload::ExecuteAt {
        order_id: OrderId(A),
        price: price(Y),
        qty: qty(X),
        match_id: MatchId(B),
    };
    let executed_at = |flag| message('C').u64(A).u32(X).u64(B).text(flag).u32(Y);
    vec![
        (
            message('A').u64(A).text("B").u32(X).text("ABCDEFGH").u32(Y),
            vec![event(add(""), Flags::LAST).with_side(Side::Buy)],
        ),
        (
            message('F').u64(A).text("S").u32(X).text("ABC     ").u32(Y).text("MPI "),
            vec![event(add("MPI"), Flags::LAST).with_side(Side::Sell)],
        ),
        (
            message('E').u64(A).u32(X).u64(B),
            vec![event(
                payload::Execute {
                    order_id: OrderId(A),
                    pad: 0,
                    qty: qty(X),
                    match_id: MatchId(B),
                },
                Flags::LAST | Flags::PRINTABLE,
            )],
        ),
        (executed_at("Y"), vec![event(execute_at, Flags::LAST | Flags::PRINTABLE)]),
        (executed_at("N"), single(execute_at)),
        (
            message('X').u64(A).u32(X),
            single(payload::Reduce { order_id: OrderId(A), pad: 0, qty: qty(X), pad2: 0 }),
        ),
        (message('D').u64(A), single(payload::Delete { order_id: OrderId(A), pad: pad() })),
        (
            message('U').u64(A).u64(B).u32(X).u32(Y),
            single(payload::Replace {
                order_id: OrderId(A),
                price: price(Y),
                qty: qty(X),
                new_order_id: OrderId(B),
            }),
        ),
        (
            message('P').u64(A).text("S").u32(X).text("A       ").u32(Y).u64(B),
            vec![
                event(
                    payload::Trade {
                        order_id: OrderId(A),
                        price: price(Y),
                        qty: qty(X),
                        match_id: MatchId(B),
                    },
                    Flags::LAST | Flags::PRINTABLE,
                )
                .with_side(Side::Sell),
            ],
        ),
    ]
}

/// Crosses, imbalances and states, and what they become.
fn state_cases() -> Vec<(Message, Vec<Event>)> {
    let cross = |qty| payload::Cross {
        cross_type: letter('C'),
        pad: pad(),
        price: price(X),
        qty: Qty(qty),
        match_id: MatchId(B),
    };
    let crossed = |qty| message('Q').u64(qty).text("ABC     ").u32(X).u64(B).text("C");
    let none = Price(0);
    vec![
        (crossed(A), vec![event(cross(A), Flags::LAST | Flags::PRINTABLE)]),
        (crossed(0), single(cross(0))),
        (message('B').u64(A), single(payload::Broken { pad: pad(), match_id: MatchId(A) })),
        (
            message('I').u64(A).u64(B).text("NABC     ").u32(X).u32(Y).u32(Z).text("OL"),
            single(payload::Imbalance {
                paired_qty: Qty(A),
                imbalance_qty: Qty(B),
                far_price: Price32(X),
                near_price: Price32(Y),
                reference_price: Price32(Z),
                direction: letter('N'),
                cross_type: letter('O'),
                price_variation: letter('L'),
                pad: 0,
            }),
        ),
        (
            message('J').text("ABC     ").u32(X).u32(Y).u32(Z).u32(3),
            single(payload::Collar {
                reference_price: price(X),
                upper_price: price(Y),
                lower_price: price(Z),
                extension: 3,
            }),
        ),
        (
            message('H').text("ABC     QrIPO1"),
            single(payload::Status {
                state: letter('Q'),
                market: Letter(0),
                reserved: letter('r'),
                pad: 0,
                reason: Text::new("IPO1"),
                pad2: pad(),
            }),
        ),
        (
            message('h').text("ABC     XH"),
            single(payload::Status {
                state: letter('H'),
                market: letter('X'),
                reserved: Letter(0),
                pad: 0,
                reason: Text::new(""),
                pad2: pad(),
            }),
        ),
        (
            message('S').text("M"),
            single(payload::Phase {
                code: letter('M'),
                auction: 0,
                pad: pad(),
                reference_price: none,
                lower_price: none,
                upper_price: none,
            }),
        ),
    ]
}

/// Messages that are kept as they are.
fn notice_cases() -> Vec<(Message, Vec<Event>)> {
    let kept = |message: Message| {
        let body = message.0[11..].to_vec();
        let (first, more) = body.split_at(body.len().min(28));
        let mut chain = single(payload::Notice {
            message_type: Letter(message.0[0]),
            pad: 0,
            body_bytes: body.len() as u16,
            body: raw(first),
        });
        if !more.is_empty() {
            chain[0].flags = Flags::CONTINUED;
            chain.extend(single(payload::NoticeMore { body: raw(more) }));
        }
        (message, chain)
    };
    vec![
        kept(message('Y').text("ABC     2")),
        kept(message('L').text("MPIDABC     YRW")),
        kept(message('V').u64(A).u64(B).u64(C)),
        kept(message('W').text("3")),
        kept(message('K').text("ABC     ").u32(X).text("A").u32(Y)),
        kept(message('N').text("ABC     S")),
        kept(message('O').text("ABC     Y").u32(X).u32(Y).u32(Z).u64(A).u32(X).u32(Y)),
    ]
}

fn directory_case() -> (Message, Vec<Event>) {
    let sent = message('R').text("ABCDEFGHQD").u32(X).text("YCZ PNY1Y").u32(Z).text("N");
    let instrument =
        payload::Instrument { symbol: Text::new("ABCDEFGH"), price_increment: 100_000 };
    let terms = payload::InstrumentTerms {
        venue: Text::new("NASDAQ"),
        currency: Text::new("USD"),
        round_lot: X,
        qty_increment: 1_000_000_000,
        multiplier: 1,
        assumed: 0,
    };
    let listing = payload::InstrumentListing {
        etp_leverage: Z,
        market_category: letter('Q'),
        financial_status: letter('D'),
        round_lots_only: letter('Y'),
        issue_class: letter('C'),
        issue_subtype: Text::new("Z"),
        authenticity: letter('P'),
        short_sale_threshold: letter('N'),
        ipo: letter('Y'),
        luld_tier: letter('1'),
        etp: letter('Y'),
        inverse: letter('N'),
        pad: pad(),
    };
    let chain = vec![
        event(instrument, Flags::CONTINUED),
        event(terms, Flags::CONTINUED),
        event(listing, Flags::LAST),
    ];
    (sent, chain)
}

#[test]
fn every_field_of_every_message_arrives() {
    let mut cases = [order_cases(), state_cases(), notice_cases()].concat();
    cases.push(directory_case());
    let covered = |letter| cases.iter().any(|(message, _)| message.0[0] == letter);
    assert!(MESSAGES.iter().all(|row| covered(row.letter)), "a type without a case");
    for (message, expected) in &cases {
        let events = events_of(message.frame());
        assert_eq!(own(&events), expected, "type {}", char::from(message.0[0]));
        let row = ringtape::feed::itch::message(message.0[0]).expect("a known letter");
        assert_eq!(own(&events)[0].kind(), Some(row.kind), "{}", row.name);
    }
}

#[test]
fn midnight_is_added_to_every_time() {
    let options = OpenOptions::on("2020-01-30".parse().expect("a date"));
    for (message, _) in [order_cases(), state_cases(), vec![directory_case()]].concat() {
        let mut feed = ItchFeed::from_bytes("test", message.frame(), &options).expect("ITCH");
        let mut batch = [Event::zeroed(); 8];
        let Fill::Records(count) = feed.fill(&mut batch).expect("a message") else { panic!() };
        assert!(batch[..count].iter().all(|e| e.ts_event == options.midnight_ns + TS));
        assert_eq!(feed.checks().first_ts, Some(options.midnight_ns + TS));
        assert_eq!(feed.checks().last_ts, Some(options.midnight_ns + TS));
    }
}

#[test]
fn an_instrument_is_introduced_once_and_defined_anew_by_its_directory_message() {
    let add = message('A').u64(A).text("B").u32(X).text("ABC     ").u32(Y);
    let (directory, defined) = directory_case();
    let bytes = [add.frame(), add.frame(), directory.frame(), add.frame()].concat();
    let events = events_of(bytes);
    let kinds: Vec<_> = events.iter().map(|e| e.kind().expect("a kind").name()).collect();
    assert_eq!(
        kinds,
        [
            "instrument",
            "instrument_terms",
            "add",
            "add",
            "instrument",
            "instrument_terms",
            "instrument_listing",
            "add",
        ]
    );
    let EventView::Instrument(assumed) = events[0].view() else { panic!() };
    assert_eq!(assumed.symbol.as_str(), "ABC");
    let EventView::InstrumentTerms(terms) = events[1].view() else { panic!() };
    assert_eq!((terms.assumed, terms.round_lot, terms.multiplier), (1, 100, 1));
    assert_eq!(events[4..7], defined);
    assert_eq!(messages(&events).count(), 4);
}

#[test]
fn messages_of_no_instrument_introduce_none() {
    let halt = Message::new(b'H', 0, 0, TS).text("ABC     T     ");
    assert_eq!(events_of(halt.frame()).len(), 1);
    let delete = Message::new(b'D', 5, 0, TS).u64(1);
    assert_eq!(events_of(delete.frame()).len(), 1, "a delete names no stock");
}

#[test]
fn kinds_of_the_table_are_those_of_the_decoder() {
    for (index, row) in MESSAGES.iter().enumerate() {
        let events = events_of(valid_message(index, &[1; 64]).frame());
        assert_eq!(own(&events)[0].kind(), Some(row.kind), "{}", row.name);
        assert_ne!(row.kind, Kind::NoticeMore);
    }
}

#[test]
fn a_space_within_a_symbol_is_of_it_and_the_spaces_behind_it_are_not() {
    let add = message('A').u64(A).text("B").u32(X).text("a b     ").u32(Y);
    let told = events_of(add.frame()).into_iter().find_map(|event| match event.view() {
        EventView::Instrument(defined) => Some(defined.symbol),
        _ => None,
    });
    assert_eq!(told, Some(Text::new("a b")));
}
