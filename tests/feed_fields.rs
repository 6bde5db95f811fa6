//! Every field of every ITCH message, by hand and against the `itchy` crate.
//!
//! Would catch a field that is read at a wrong offset, with a wrong width, or lost.

mod common;
mod feed_common;

use bytemuck::Zeroable;
use feed_common::{Message, events_of, messages, start, valid_message};
use itchy::{Body, MessageStream, Side as ItchySide};
use proptest::prelude::*;
use ringtape::event::kinds::{Letter, Price32, Raw, Text};
use ringtape::event::{Event, EventView, Flags, Kind, Payload, payload};
use ringtape::feed::itch::{ItchFeed, MESSAGES};
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::units::{MatchId, OrderId, Price, Qty, Side};

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

fn is_assumed(event: &Event) -> bool {
    matches!(event.view(), EventView::InstrumentTerms(terms) if terms.assumed == 1)
}

/// The message's own records, without the introduction of its instrument.
fn own(chain: &[Event]) -> &[Event] {
    match chain {
        [_, terms, own @ ..] if is_assumed(terms) => own,
        own => own,
    }
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
    let options = OpenOptions { midnight_ns: 1_580_360_400_000_000_000 };
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

fn text(padded: &str) -> &str {
    padded.trim_end_matches(' ')
}

fn side_of(side: ItchySide) -> Option<Side> {
    Some(if side == ItchySide::Buy { Side::Buy } else { Side::Sell })
}

fn notice_is(event: &Event, fields: &[&[u8]]) -> bool {
    let EventView::Notice(notice) = event.view() else { return false };
    let body = fields.concat();
    usize::from(notice.body_bytes) >= body.len() && notice.body.0.starts_with(&body)
}

/// Whether a message as `itchy` reads it and the records made of it say the same.
fn agree(theirs: &itchy::Message, chain: &[Event]) -> bool {
    let event = own(chain).first().expect("a record");
    let same_header = chain.iter().all(|record| {
        record.ts_event == theirs.timestamp && record.instrument == u32::from(theirs.stock_locate)
    });
    let printable = event.has(Flags::PRINTABLE);
    same_header
        && agree_order(&theirs.body, event, printable)
            .unwrap_or_else(|| agree_state(&theirs.body, event, own(chain)))
}

/// Compares messages about orders and trades; `None` for others.
fn agree_order(theirs: &Body, event: &Event, printable: bool) -> Option<bool> {
    let price = |price: itchy::Price4| Price(i64::from(price.raw()));
    Some(match (theirs, event.view()) {
        (Body::AddOrder(t), EventView::Add(o)) => {
            (OrderId(t.reference), price(t.price), qty(t.shares)) == (o.order_id, o.price, o.qty)
                && event.side() == side_of(t.side)
                && o.attribution.as_str() == t.mpid.as_ref().map_or("", |mpid| text(mpid))
        }
        (Body::OrderExecuted { reference, executed, match_number }, EventView::Execute(o)) => {
            (*reference, *executed, *match_number) == (o.order_id.0, o.qty.0 as u32, o.match_id.0)
                && printable
        }
        (
            Body::OrderExecutedWithPrice {
                reference,
                executed,
                match_number,
                printable: t_printable,
                price: at,
            },
            EventView::ExecuteAt(o),
        ) => {
            (*reference, u64::from(*executed), *match_number, price(*at), *t_printable)
                == (o.order_id.0, o.qty.0, o.match_id.0, o.price, printable)
        }
        (Body::OrderCancelled { reference, cancelled }, EventView::Reduce(o)) => {
            (*reference, u64::from(*cancelled)) == (o.order_id.0, o.qty.0)
        }
        (Body::DeleteOrder { reference }, EventView::Delete(o)) => *reference == o.order_id.0,
        (Body::ReplaceOrder(t), EventView::Replace(o)) => {
            (t.old_reference, t.new_reference) == (o.order_id.0, o.new_order_id.0)
                && (qty(t.shares), price(t.price)) == (o.qty, o.price)
        }
        (Body::NonCrossTrade(t), EventView::Trade(o)) => {
            (t.reference, t.match_number) == (o.order_id.0, o.match_id.0)
                && (qty(t.shares), price(t.price)) == (o.qty, o.price)
                && event.side() == side_of(t.side)
                && printable
        }
        _ => return None,
    })
}

/// Compares all other messages.
fn agree_state(theirs: &Body, event: &Event, own: &[Event]) -> bool {
    let raw = |price: itchy::Price4| price.raw();
    match (theirs, event.view()) {
        (Body::CrossTrade(t), EventView::Cross(o)) => {
            (t.shares, t.match_number) == (o.qty.0, o.match_id.0)
                && Price(i64::from(t.cross_price.raw())) == o.price
                && event.has(Flags::PRINTABLE) == (t.shares > 0)
        }
        (Body::BrokenTrade { match_number }, EventView::Broken(o)) => *match_number == o.match_id.0,
        (Body::Imbalance(t), EventView::Imbalance(o)) => {
            (t.paired_shares, t.imbalance_shares) == (o.paired_qty.0, o.imbalance_qty.0)
                && (raw(t.far_price), raw(t.near_price), raw(t.current_ref_price))
                    == (o.far_price.0, o.near_price.0, o.reference_price.0)
                && t.price_variation_indicator == char::from(o.price_variation.0)
        }
        (
            Body::LULDAuctionCollar { ref_price, upper_price, lower_price, extension, .. },
            EventView::Collar(o),
        ) => {
            [*ref_price, *upper_price, *lower_price].map(|p| Price(i64::from(p.raw())))
                == [o.reference_price, o.upper_price, o.lower_price]
                && u64::from(*extension) == o.extension
        }
        (Body::TradingAction { reason, .. }, EventView::Status(o)) => {
            o.reason.as_str() == text(reason)
        }
        (Body::SystemEvent { .. }, EventView::Phase(_)) => true,
        (Body::StockDirectory(t), EventView::Instrument(o)) => {
            let (EventView::InstrumentTerms(terms), EventView::InstrumentListing(listing)) =
                (own[1].view(), own[2].view())
            else {
                return false;
            };
            o.symbol.as_str() == text(&t.stock)
                && terms.round_lot == t.round_lot_size
                && listing.etp_leverage == t.etp_leverage_factor
                && (listing.round_lots_only.0 == b'Y') == t.round_lots_only
                && (listing.authenticity.0 == b'P') == t.authenticity
                && (listing.inverse.0 == b'Y') == t.inverse_indicator
        }
        (Body::RegShoRestriction { stock, .. }, _) => notice_is(event, &[stock.as_bytes()]),
        (Body::RetailPriceImprovementIndicator(t), _) => notice_is(event, &[t.stock.as_bytes()]),
        (Body::ParticipantPosition(t), _) => {
            notice_is(event, &[t.mpid.as_bytes(), t.stock.as_bytes()])
        }
        (Body::IpoQuotingPeriod(t), _) => {
            notice_is(event, &[t.stock.as_bytes(), &t.release_time.to_be_bytes()])
        }
        (Body::MwcbDeclineLevel { level1, level2, level3 }, _) => {
            let levels = [level1, level2, level3].map(|level| level.raw().to_be_bytes());
            notice_is(event, &[&levels[0], &levels[1], &levels[2]])
        }
        (Body::Breach(_), _) => notice_is(event, &[]),
        _ => false,
    }
}

/// Compares all messages of some bytes; how many there were.
fn compare(bytes: &[u8]) -> usize {
    let events = events_of(bytes.to_vec());
    let mut theirs = MessageStream::from_reader(bytes);
    let mut count = 0;
    for chain in messages(&events) {
        let message = theirs.next().expect("as many messages").expect("a message");
        assert!(agree(&message, chain), "message {count}: {message:?}\n{chain:?}");
        count += 1;
    }
    assert!(theirs.next().is_none(), "itchy found more messages");
    count
}

#[test]
fn the_aapl_recording_reads_the_same_as_with_itchy() {
    let Some(folder) = common::shared_feeds() else { return };
    let path = folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50");
    assert_eq!(compare(&std::fs::read(path).expect("a readable recording")), 10_000);
}

proptest! {
    #[test]
    fn random_messages_read_the_same_as_with_itchy(
        given in prop::collection::vec((0..MESSAGES.len(), any::<[[u8; 32]; 2]>()), 1..60),
    ) {
        let mut bytes = start();
        let mut sent = 1;
        for (choice, noise) in given {
            // Types that itchy does not know, and panics on.
            if matches!(MESSAGES[choice].letter, b'h' | b'O') {
                continue;
            }
            bytes.extend(valid_message(choice, bytemuck::cast_ref(&noise)).frame());
            sent += 1;
        }
        prop_assert_eq!(compare(&bytes), sent);
    }
}

#[test]
fn kinds_of_the_table_are_those_of_the_decoder() {
    for (index, row) in MESSAGES.iter().enumerate() {
        let events = events_of(valid_message(index, &[1; 64]).frame());
        assert_eq!(own(&events)[0].kind(), Some(row.kind), "{}", row.name);
        assert_ne!(row.kind, Kind::NoticeMore);
    }
}
