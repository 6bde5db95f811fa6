//! Messages of order entry: what goes in comes out, and nothing else does.
//!
//! Would catch a field that is written in one place and read in another, a code that is taken for
//! what it is not, a cut or flipped byte that passes, and a page of documentation that has drifted
//! from the table.

use ringtape::event::kinds::Text;
use ringtape::event::{ExecutionKind, Liquidity, OrderType, Reason, SelfTrade, TimeInForce};
use ringtape::gateway::message::{HEADER_BYTES, MESSAGES, Sender};
use ringtape::gateway::{
    Accepted, Cancel, Flag, Goodbye, Heartbeat, Incoming, ListOrders, Login, Logout, Message,
    NewOrder, OpenOrder, OrderBits, OrdersListed, Reduce, RefusalReason, Refused, Replace, Report,
    RunId,
};
use ringtape::units::{AccountId, MatchId, OrderId, Side};

/// One of each message, with no two bytes of a message the same where that is possible.
fn samples() -> Vec<Message> {
    vec![
        Login {
            version: 1,
            cancel_on_disconnect: Flag(true),
            heartbeat_ms: 1_000,
            run: RunId(*b"0123456789abcdef"),
            next_command: 0x1112_1314_1516_1718,
            next_report: 0x2122_2324_2526_2728,
        }
        .into(),
        Accepted { next_command: 7, next_report: 9 }.into(),
        Refused { reason: RefusalReason::UnknownReports, next_command: 3, next_report: 4 }.into(),
        NewOrder {
            command: 5,
            order_id: OrderId(6),
            account: AccountId(7),
            side: Side::Sell,
            order_type: OrderType::Trailing,
            time_in_force: TimeInForce::Fok,
            self_trade: SelfTrade::Both,
            instructions: OrderBits(5),
            symbol: Text::new("AAPL"),
            price_increment: 100_000,
            qty_increment: 1_000_000_000,
            price: -320_140_000_000,
            qty: 300_000_000_000,
            stop_price: 8,
            trail: 9,
            display_qty: 10,
            min_qty: 11,
            expire_ts: 12,
        }
        .into(),
        Cancel { command: 13, order_id: OrderId(14), account: AccountId(15) }.into(),
        Reduce { command: 16, order_id: OrderId(17), qty: 18, account: AccountId(19) }.into(),
        Replace {
            command: 20,
            order_id: OrderId(21),
            new_order_id: OrderId(22),
            price: 23,
            qty: 24,
            account: AccountId(25),
        }
        .into(),
        ListOrders {}.into(),
        Logout {}.into(),
        Heartbeat { next: 26 }.into(),
        Report {
            report: 27,
            order_id: OrderId(28),
            new_order_id: OrderId(29),
            price: 30,
            qty: 31,
            leaves: 32,
            match_id: MatchId(33),
            ts_event: 34,
            account: AccountId(35),
            kind: ExecutionKind::Filled,
            side: Some(Side::Buy),
            liquidity: Some(Liquidity::Taker),
            reason: Reason::Disconnected,
        }
        .into(),
        OpenOrder { order_id: OrderId(36), price: 37, leaves: 38, account: AccountId(39) }.into(),
        OrdersListed { count: 40, next_report: 41 }.into(),
        Goodbye { next_command: 42, next_report: 43 }.into(),
    ]
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// Bytes whose CRC is right for what they hold now.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn every_message_of_the_table_comes_back_as_it_went() {
    let samples = samples();
    let codes: Vec<u8> = samples.iter().map(|message| encoded(message)[2]).collect();
    assert_eq!(codes, MESSAGES.iter().map(|info| info.code).collect::<Vec<_>>());
    let stream: Vec<u8> = samples.iter().flat_map(encoded).collect();
    // Cut anywhere, as TCP cuts.
    for piece in [1, 3, 64, 1_000_000] {
        let mut incoming = Incoming::new("peer");
        let mut came = Vec::new();
        for bytes in stream.chunks(piece) {
            incoming.take(bytes);
            while let Some(message) = incoming.next_message().expect("good bytes") {
                came.push(message);
            }
        }
        assert_eq!(came, samples);
        incoming.finish().expect("whole messages");
    }
}

#[test]
fn each_byte_of_each_field_counts_and_stands_where_the_table_says() {
    for (message, info) in samples().iter().zip(MESSAGES) {
        let bytes = encoded(message);
        let ends = info.fields.iter().skip(1).map(|field| field.0).chain([bytes.len()]);
        for (&(start, name, ..), end) in info.fields.iter().zip(ends) {
            assert!(start >= HEADER_BYTES && end > start, "{}.{name}", info.name);
            for at in start..end {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                if let Ok(Some((other, _))) = Message::decode(&sealed(changed)) {
                    assert_ne!(other, *message, "byte {at}, {}.{name}", info.name);
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_noticed() {
    for message in samples() {
        let bytes = encoded(&message);
        for length in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..length]), Ok(None), "{message:?} to {length}");
            let mut incoming = Incoming::new("peer");
            incoming.take(&bytes[..length]);
            assert_eq!(incoming.next_message().expect("not wrong yet"), None);
            assert_eq!(incoming.finish().is_err(), length > 0);
            // And one whose length and CRC claim that it was all.
            if length >= HEADER_BYTES {
                let mut cut = bytes[..length].to_vec();
                cut[0] = length as u8;
                assert!(Message::decode(&sealed(cut)).is_err(), "{message:?} cut to {length}");
            }
        }
        let mut longer = bytes.clone();
        longer.push(0);
        longer[0] += 1;
        assert!(Message::decode(&sealed(longer)).is_err(), "{message:?} with a byte more");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for message in samples() {
        let bytes = encoded(&message);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let decoded = Message::decode(&flipped);
            // A length that has grown waits for bytes that will not come; else the CRC is wrong.
            assert!(matches!(decoded, Err(_) | Ok(None)), "{message:?}, bit {bit}: {decoded:?}");
            if bit >= 16 {
                assert!(decoded.is_err(), "{message:?}, bit {bit}");
            }
        }
    }
}

#[test]
fn bytes_that_mean_nothing_are_refused_by_name() {
    let order = encoded(&samples()[3]);
    let report = encoded(&samples()[10]);
    let login = encoded(&samples()[0]);
    let offset = |code: u8, name: &str| {
        let info = MESSAGES.iter().find(|info| info.code == code).expect("in the table");
        info.fields.iter().find(|field| field.1 == name).expect("a field").0
    };
    for (bytes, code, field, value) in [
        (&order, b'N', "side", 3),
        (&order, b'N', "side", 0),
        (&order, b'N', "order_type", 6),
        (&order, b'N', "time_in_force", 7),
        (&order, b'N', "self_trade", 5),
        (&order, b'N', "instructions", 16),
        (&order, b'N', "symbol", 0),
        (&order, b'N', "symbol", 0xff),
        (&report, b'E', "kind", 0),
        (&report, b'E', "kind", 99),
        (&report, b'E', "side", 3),
        (&report, b'E', "liquidity", 9),
        (&report, b'E', "reason", 0xff),
        (&login, b'L', "cancel_on_disconnect", 2),
    ] {
        let mut bad = bytes.clone();
        bad[offset(code, field)] = value;
        let refusal = Message::decode(&sealed(bad)).expect_err(field);
        assert!(refusal.contains(field), "{refusal}");
    }
    for (place, value, told) in [(2, b'?', "type"), (3, 1, "behind the type"), (1, 1, "bytes")] {
        let mut bad = order.clone();
        bad[place] = value;
        let refusal = Message::decode(&sealed(bad)).expect_err(told);
        assert!(refusal.contains(told), "{refusal}");
    }
    let mut incoming = Incoming::new("10.0.0.1:7001");
    incoming.take(&encoded(&samples()[1]));
    incoming.take(&[0; 8]);
    assert!(incoming.next_message().expect("a good one first").is_some());
    let error = incoming.next_message().expect_err("zeros are no message").to_string();
    assert!(error.starts_with("10.0.0.1:7001, byte 24: no message is of 0 bytes"), "{error}");
}

/// The table as the documentation shows it.
fn page() -> String {
    let mut page = String::new();
    for (message, info) in samples().iter().zip(MESSAGES) {
        let sender = match info.sender {
            Sender::Client => "client",
            Sender::Venue => "venue",
            Sender::Both => "either",
        };
        let bytes = encoded(message).len();
        page += &format!(
            "\n## {}, `{}`, from the {sender}, {bytes} bytes\n\n{}\n",
            info.name,
            char::from(info.code),
            info.summary.trim()
        );
        if !info.fields.is_empty() {
            page += "\n| byte | field | type | meaning |\n|---|---|---|---|\n";
        }
        for (offset, name, kind, meaning) in info.fields {
            let meaning: Vec<_> = meaning.split_whitespace().collect();
            page += &format!("| {offset} | {name} | {kind} | {} |\n", meaning.join(" "));
        }
    }
    page.replace("from the either", "from either")
}

#[test]
fn the_documentation_shows_the_table_and_its_example_is_what_is_sent() {
    let told = include_str!("../../src/gateway/protocol.md");
    assert!(told.ends_with(&page()), "src/gateway/protocol.md wants this:\n{}", page());
    let cancel = Cancel { command: 13, order_id: OrderId(14), account: AccountId(15) };
    let hex: Vec<String> =
        encoded(&cancel.into()).iter().map(|byte| format!("{byte:02x}")).collect();
    for line in hex.chunks(8) {
        assert!(told.contains(&line.join(" ")), "the example lacks `{}`", line.join(" "));
    }
}
