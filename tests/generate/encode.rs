//! The encoder is the inverse of the decoder, for every message type.
//!
//! It would catch a field at a wrong offset, a lost flag, a wrong tracking number, a type that the
//! encoder forgot, and a message that is written although ITCH cannot say it.

use bytemuck::Zeroable;
use proptest::prelude::*;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::event::kinds::{Letter, Raw, Text};
use ringtape::event::{Event, Flags, Instrument, InstrumentTable, KINDS, Kind, payload};
use ringtape::feed::itch::{Encoder, ItchFeed, MESSAGES, MessageInfo, message};
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::units::{InstrumentId, OrderId, Price, Qty, Side};

/// A message of `letter` with nothing but zeros and blanks in it, stock `WXYZ`.
fn blank_message(info: &MessageInfo) -> Vec<u8> {
    let mut bytes = vec![0; info.bytes];
    bytes[0] = info.letter;
    bytes[2] = 7;
    if let Some(stock) = stock_at(info.letter) {
        bytes[stock..stock + 8].copy_from_slice(b"WXYZ    ");
    }
    for &(offset, len) in texts(info.letter) {
        bytes[offset..offset + len].fill(b' ');
    }
    bytes
}

/// Where a type has letters and text beside its stock.
fn texts(letter: u8) -> &'static [(usize, usize)] {
    match letter {
        b'R' => &[(19, 2), (25, 9), (38, 1)],
        b'H' => &[(19, 6)],
        b'h' => &[(19, 2)],
        b'A' | b'P' => &[(19, 1)],
        b'F' => &[(19, 1), (36, 4)],
        b'C' => &[(31, 1)],
        b'Q' => &[(39, 1)],
        b'I' => &[(27, 1), (48, 2)],
        b'S' => &[(11, 1)],
        _ => &[],
    }
}

/// Whether a byte stays as it is when a message is filled at random: type, locate, tracking number,
/// the upper half of the time, the stock.
fn is_fixed(letter: u8, offset: usize) -> bool {
    offset < 8 || stock_at(letter).is_some_and(|stock| (stock..stock + 8).contains(&offset))
}

/// Where a type names its stock.
fn stock_at(letter: u8) -> Option<usize> {
    match letter {
        b'R' | b'H' | b'h' | b'Y' | b'J' | b'K' | b'N' | b'O' => Some(11),
        b'L' => Some(15),
        b'Q' => Some(19),
        b'A' | b'F' | b'P' => Some(24),
        b'I' => Some(28),
        _ => None,
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

/// Decodes a recording, and hands each message's records to `each`.
fn decode(bytes: &[u8], mut each: impl FnMut(&[Event])) {
    let options = OpenOptions::default();
    let mut feed = ItchFeed::from_bytes("test", bytes.to_vec(), &options).expect("it is ITCH");
    let mut batch = vec![Event::zeroed(); 1024];
    while let Fill::Records(count) = feed.fill(&mut batch).expect("it decodes") {
        let mut records = &batch[..count];
        while !records.is_empty() {
            let length = 1 + records.iter().take_while(|r| r.has(Flags::CONTINUED)).count();
            each(&records[..length]);
            records = &records[length..];
        }
    }
}

fn decoded_and_encoded(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(0);
    let mut out = Vec::with_capacity(bytes.len());
    decode(bytes, |records| assert!(encoder.encode(records, &mut out), "{records:?}"));
    out
}

/// The message's letters and texts are made printable, the allowed ones where only some are.
fn made_valid(bytes: &mut [u8]) {
    let letter = bytes[0];
    for &(offset, len) in texts(letter) {
        for byte in &mut bytes[offset..offset + len] {
            *byte = b'A' + *byte % 26;
        }
    }
    match letter {
        b'A' | b'F' | b'P' => bytes[19] = b"BS"[usize::from(bytes[19] % 2)],
        b'C' => bytes[31] = b"YN"[usize::from(bytes[31] % 2)],
        b'S' => bytes[11] = b"OSQMEC"[usize::from(bytes[11] % 6)],
        _ => {}
    }
    bytes[4] = match letter {
        b'E' | b'P' => 2,
        b'C' if bytes[31] == b'Y' => 2,
        b'C' | b'Q' => 1,
        _ => 0,
    };
}

proptest! {
    #[test]
    fn every_type_survives_decoding_and_encoding(
        row in 0..MESSAGES.len(),
        noise in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let info = &MESSAGES[row];
        let mut bytes = blank_message(info);
        for (offset, byte) in bytes.iter_mut().enumerate() {
            if !is_fixed(info.letter, offset) {
                *byte = noise[offset];
            }
        }
        made_valid(&mut bytes);
        let recording = framed(&bytes);
        prop_assert_eq!(decoded_and_encoded(&recording), recording);
    }
}

#[test]
fn every_row_of_the_table_is_encoded() {
    for info in MESSAGES {
        let mut bytes = blank_message(info);
        made_valid(&mut bytes);
        let recording = framed(&bytes);
        assert_eq!(decoded_and_encoded(&recording), recording, "{}", char::from(info.letter));
    }
}

#[test]
fn a_generated_session_decodes_to_its_records_and_encodes_to_its_bytes() {
    let profile = Profile { messages: 60_000, symbols: 24, live: 2_000, seed: 11 };
    let mut bytes = Vec::new();
    let mut generator = Generator::new(&profile).expect("the profile is valid");
    generator.write_itch(&mut bytes).expect("memory takes everything");
    assert_eq!(decoded_and_encoded(&bytes), bytes);

    let mut generator = Generator::new(&profile).expect("the profile is valid");
    let mut expected = [Event::zeroed(); 8];
    let mut messages = 0;
    decode(&bytes, |records| {
        let count = generator.next_message(&mut expected);
        assert_eq!(records, &expected[..count]);
        messages += 1;
    });
    assert_eq!(messages, profile.messages);
}

#[test]
fn a_real_recording_encodes_to_its_bytes() {
    let Some(folder) = crate::common::shared_feeds() else { return };
    let path = folder.join("itch/AAPL_20200130_premarket_10k.NASDAQ_ITCH50");
    let bytes = std::fs::read(path).expect("the recording is readable");
    assert_eq!(decoded_and_encoded(&bytes), bytes);
}

#[test]
fn times_since_the_epoch_lose_the_day() {
    const MIDNIGHT: u64 = 1_580_360_400_000_000_000;
    let delete = payload::Delete { order_id: OrderId(1), pad: Raw::zeroed() };
    let event = Event::new(MIDNIGHT + 77, 1, delete).with_flags(Flags::LAST);
    let mut out = Vec::new();
    assert!(Encoder::new(MIDNIGHT).encode(&[event], &mut out));
    assert_eq!(out[7..13], [0, 0, 0, 0, 0, 77]);
    assert!(!Encoder::new(MIDNIGHT + 78).encode(&[event], &mut out), "before the day");
    assert!(!Encoder::new(0).encode(&[event], &mut out), "more than 48 bits");
}

#[test]
fn what_itch_cannot_say_is_not_written() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(0);
    let itch = MESSAGES.iter().map(|info| info.kind as u8).collect::<Vec<_>>();
    for info in KINDS.iter().filter(|info| !itch.contains(&(info.kind as u8))) {
        let event = Event { kind: info.kind as u8, flags: Flags::LAST, ..Event::zeroed() };
        assert!(!encoder.encode(&[event], &mut out), "{}", info.name);
    }
    let add = payload::Add {
        order_id: OrderId(1),
        price: Price(100),
        qty: Qty(100),
        attribution: Text::new(""),
        pad: 0,
    };
    let bad_price = payload::Add { price: Price(-1), ..add };
    let bad_qty = payload::Add { qty: Qty(1 << 32), ..add };
    let phase = payload::Phase { code: Letter(b'u'), ..Zeroable::zeroed() };
    for event in [
        Event::new(0, 1, bad_price).with_side(Side::Buy),
        Event::new(0, 1, bad_qty).with_side(Side::Buy),
        Event::new(0, 1, add),
        Event::new(0, 1 << 16, add).with_side(Side::Buy),
        Event::new(0, 0, phase),
    ] {
        assert!(!encoder.encode(&[event], &mut out), "{event:?}");
    }
    assert!(!encoder.encode(&[], &mut out));
    assert!(out.is_empty());
}

#[test]
fn an_assumed_instrument_lends_its_symbol_and_is_not_written() {
    let assumed = Instrument { assumed: true, ..Instrument::us_equity("WXYZ") };
    let mut records = InstrumentTable::events(5, InstrumentId(7), &assumed).to_vec();
    let mut encoder = Encoder::new(0);
    let mut out = Vec::new();
    assert!(!encoder.encode(&records, &mut out));
    let add = payload::Add {
        order_id: OrderId(1),
        price: Price(100),
        qty: Qty(100),
        attribution: Text::new(""),
        pad: 0,
    };
    let event = Event::new(5, 7, add).with_side(Side::Sell).with_flags(Flags::LAST);
    assert!(encoder.encode(&[event], &mut out));
    assert_eq!(out[2 + 24..2 + 32], *b"WXYZ    ");

    records[1].flags |= Flags::CONTINUED;
    records.push(event);
    let mut again = Vec::new();
    assert!(encoder.encode(&records, &mut again));
    assert_eq!(again, out);
}

#[test]
fn tracking_numbers_follow_the_exchange_event() {
    let order_id = OrderId(1);
    let execute = payload::Execute { order_id, ..Zeroable::zeroed() };
    let trade = payload::Trade { order_id, ..Zeroable::zeroed() };
    let cross = payload::Cross { ..Zeroable::zeroed() };
    let execute_at = payload::ExecuteAt { order_id, ..Zeroable::zeroed() };
    let delete = payload::Delete { order_id, pad: Raw::zeroed() };
    let add = payload::Add { order_id, attribution: Text::new(""), ..Zeroable::zeroed() };
    let last = |event: Event| event.with_flags(Flags::LAST);
    let printable = |event: Event| event.with_flags(Flags::PRINTABLE);
    let add = |ts| Event::new(ts, 1, add).with_side(Side::Buy);
    let events = [
        (last(add(0)), 0),
        (Event::new(1, 1, execute), 2),
        (Event::new(1, 1, execute), 4),
        (Event::new(1, 1, trade), 6),
        (last(add(1)), 7),
        (last(Event::new(2, 1, execute)), 2),
        (last(printable(Event::new(3, 1, execute_at))), 2),
        (Event::new(4, 1, execute_at), 1),
        (Event::new(4, 1, execute_at), 2),
        (last(Event::new(4, 1, cross)), 3),
        (last(Event::new(5, 1, cross)), 1),
        (last(Event::new(5, 1, delete)), 0),
        (last(Event::new(5, 1, execute)), 0),
        (Event::new(5, 1, execute), 0),
        (last(Event::new(5, 1, execute)), 2),
        (last(Event::new(5, 2, execute)), 2),
    ];
    let mut encoder = Encoder::new(0);
    for (event, tracking) in events {
        let mut out = Vec::new();
        assert!(encoder.encode(&[event], &mut out));
        assert_eq!(out[5..7], [0, tracking], "{event:?}");
    }
}

proptest! {
    #[test]
    fn a_reader_finds_the_exchange_events_that_were_written(
        rows in proptest::collection::vec((0..7_u8, 0..3_u64, 1..3_u32, any::<bool>()), 1..60),
    ) {
        let mut ts = 0;
        let mut events: Vec<Event> = rows
            .iter()
            .map(|&(kind, step, instrument, _)| {
                ts += step / 2;
                one_of(kind, ts, instrument)
            })
            .collect();
        // An event is of one instrument and one time.
        for at in 0..events.len() {
            let goes_on = events.get(at + 1).is_some_and(|next| {
                (next.ts_event, next.instrument) == (events[at].ts_event, events[at].instrument)
            });
            if !goes_on || rows[at].3 {
                events[at].flags |= Flags::LAST;
            }
        }
        let mut encoder = Encoder::new(0);
        let mut bytes = Vec::new();
        for event in &events {
            encoder.encode(std::slice::from_ref(event), &mut bytes);
        }
        prop_assume!(!bytes.is_empty());
        // What ITCH cannot say ends its event all the same, if not that of the message before it.
        let mut expected: Vec<bool> = Vec::new();
        for event in &events {
            if event.kind() != Some(Kind::Clear) {
                expected.push(event.has(Flags::LAST));
            } else if let Some(before) = expected.last_mut().filter(|_| event.has(Flags::LAST)) {
                *before = true;
            }
        }
        let mut found = Vec::new();
        decode(&bytes, |records| found.push(records[records.len() - 1].has(Flags::LAST)));
        prop_assert_eq!(found, expected);
    }
}

/// A message of one of seven kinds, the last of which ITCH cannot say.
fn one_of(kind: u8, ts: u64, instrument: u32) -> Event {
    let order_id = OrderId(1);
    let add = payload::Add { order_id, attribution: Text::new(""), ..Zeroable::zeroed() };
    match kind {
        0 => Event::new(ts, instrument, add).with_side(Side::Buy),
        1 => Event::new(ts, instrument, payload::Execute { order_id, ..Zeroable::zeroed() }),
        2 => Event::new(ts, instrument, payload::Trade { order_id, ..Zeroable::zeroed() }),
        3 => Event::new(ts, instrument, payload::ExecuteAt { order_id, ..Zeroable::zeroed() }),
        4 => Event::new(ts, instrument, payload::Cross::zeroed()),
        5 => Event::new(ts, instrument, payload::Delete { order_id, pad: Raw::zeroed() }),
        _ => Event::new(ts, instrument, payload::Clear { pad: Raw::zeroed() }),
    }
}

#[test]
fn lengths_are_those_of_the_table() {
    let profile = Profile { messages: 8_000, symbols: 8, live: 100, seed: 5 };
    let mut bytes = Vec::new();
    let mut generator = Generator::new(&profile).expect("the profile is valid");
    generator.write_itch(&mut bytes).expect("memory takes everything");
    let mut rest = &bytes[..];
    while let [high, low, letter, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        assert_eq!(Some(length), message(letter).map(|info| info.bytes));
        rest = &rest[2 + length..];
    }
}
