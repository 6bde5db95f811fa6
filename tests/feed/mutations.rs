//! Recordings with bytes changed at will, of every format: read to their end or refused with a
//! sentence, and never a panic, a feed without end or memory without bound.
//!
//! A few thousand in `cargo test`; `FEED_MUTATIONS=100000` of each recording goes on longer.

use std::fs;
use std::io::Write;
use std::path::Path;

use ringtape::book::Replica;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::event::Event;
use ringtape::feed::{self, Fill, OpenOptions};

use crate::feed_common::packets::{LINE_A, PCAP, end_of_session, frame, packet};

/// Most records that a feed may make of a byte: a symbol's definition and a message.
const RECORDS_A_BYTE: usize = 8;

/// Numbers by xorshift.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// The first messages of a generated session, framed.
fn messages(count: usize) -> Vec<Vec<u8>> {
    let profile = Profile { messages: 8_000, symbols: 12, live: 900, seed: 5 };
    let mut session = Vec::new();
    let mut generator = Generator::new(&profile).expect("a valid profile");
    generator.write_itch(&mut session).expect("memory takes everything");
    let mut rest = &session[..];
    let mut frames = Vec::new();
    while frames.len() < count {
        let bytes = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        frames.push(rest[..bytes].to_vec());
        rest = &rest[bytes..];
    }
    frames
}

/// One recording of each format at least.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let frames = messages(120);
    let itch = frames.concat();
    let packets: Vec<Vec<u8>> = (1..)
        .step_by(8)
        .zip(frames.chunks(8))
        .map(|(number, chunk)| {
            let messages: Vec<&[u8]> = chunk.iter().map(Vec::as_slice).collect();
            frame(LINE_A, &packet(number, &messages), 0)
        })
        .chain([frame(LINE_A, &end_of_session(121), 0)])
        .collect();
    let soup: Vec<u8> = frames
        .iter()
        .flat_map(|bytes| {
            let length = (bytes.len() as u16 - 1).to_be_bytes();
            [&length[..], b"S", &bytes[2..]].concat()
        })
        .collect();
    let login = [&[0, 31][..], b"ASESSION001", &b"                   1"[..]].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&itch).expect("memory takes everything");
    let tardis = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
        binance,BTCUSDT,1700000000000000,1700000000000100,true,bid,37000.5,1.25\n\
        binance,BTCUSDT,1700000000000000,1700000000000100,true,ask,37001.5,0.25\n\
        binance,BTCUSDT,1700000001000000,1700000001000100,false,bid,37000.5,0\n";
    let binance = "1700000000000000001 {\"lastUpdateId\":100,\"bids\":[[\"99.5\",\"1\"]],\
        \"asks\":[[\"100.5\",\"2\"]]}\n1700000000000000002 {\"stream\":\"btcusdt@depth\",\
        \"data\":{\"e\":\"depthUpdate\",\"E\":1700000000000,\"s\":\"BTCUSDT\",\"U\":101,\
        \"u\":102,\"b\":[[\"99.6\",\"3\"]],\"a\":[]}}\n";
    let lobster = "34200.000000001,1,7,18,5853300,1\n34200.1,4,7,8,5853300,1\n\
        34200.2,2,7,3,5853300,1\n34201,5,0,1,5853400,-1\n34202,7,0,0,-1,-1\n";
    let orders = "action,order_id,account,symbol,side,type,tif,price,qty,ts\n\
        new,1,7,ACME,sell,limit,gtc,10.05,300,09:30:00\nnew,2,8,ACME,buy,market,,,100,\n\
        cancel,1,7,,,,,,,\n";
    let mut all = vec![
        ("itch".to_owned(), itch),
        ("pcap".to_owned(), PCAP.file(&packets)),
        ("pcapng".to_owned(), PCAP.next_generation(&packets)),
        ("soupbintcp".to_owned(), [login, soup].concat()),
        ("gzip".to_owned(), gzip.finish().expect("memory takes everything")),
        ("tardis".to_owned(), tardis.as_bytes().to_vec()),
        ("binance".to_owned(), binance.as_bytes().to_vec()),
        ("lobster".to_owned(), lobster.as_bytes().to_vec()),
        ("orders".to_owned(), orders.as_bytes().to_vec()),
    ];
    #[cfg(feature = "pcap")]
    all.push(("iex".to_owned(), iex()));
    let bad = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/bad");
    for entry in fs::read_dir(bad).expect("a folder").flatten() {
        let name = entry.file_name().display().to_string();
        all.push((name, fs::read(entry.path()).expect("a file")));
    }
    all.sort();
    all
}

#[cfg(feature = "pcap")]
fn iex() -> Vec<u8> {
    use crate::feed_common::iex::{DEEP, Message, TOPS, capture, segment};
    let level = |ts: i64| {
        Message::new(b'8', 1, 1_700_000_000_000_000_000 + ts, "ACME").u32(9).i64(1_002_500)
    };
    let quote = Message::new(b'Q', 0, 1_700_000_000_000_000_000, "ACME");
    let quote = quote.u32(100).i64(1_002_400).i64(1_002_600).u32(200);
    capture(&[
        segment(DEEP, 1, &[level(1), level(2)]),
        segment(DEEP, 5, &[level(3)]),
        segment(TOPS, 6, &[quote]),
    ])
}

/// A few bytes changed, cut out, doubled or cut off.
fn mutate(bytes: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=noise.below(4) {
        let at = noise.below(changed.len());
        if changed.is_empty() {
            break;
        }
        match noise.below(8) {
            0 => changed.truncate(at),
            1 => drop(changed.drain(at..(at + 1 + noise.below(16)).min(changed.len()))),
            2 => {
                let piece = changed[at..(at + 1 + noise.below(64)).min(changed.len())].to_vec();
                drop(changed.splice(at..at, piece));
            }
            3 => changed[at] = [0, 1, 0x7f, 0x80, 0xff][noise.below(5)],
            4 => {
                let end = (at + 1 + noise.below(8)).min(changed.len());
                changed[at..end].fill(0xff);
            }
            _ => changed[at] ^= 1 << noise.below(8),
        }
    }
    changed
}

/// Reads a recording through the books; panics where the program may not.
fn read(name: &str, bytes: Vec<u8>) {
    let records_max = RECORDS_A_BYTE * (bytes.len() + 512);
    let is_packed = matches!(bytes[..], [0x1f, 0x8b, ..] | [0x28, 0xb5, ..]);
    let Ok(mut feed) = feed::open_bytes(name, bytes, &OpenOptions::default()) else { return };
    let mut replica = Replica::new();
    let mut batch = vec![Event::default(); 64];
    let mut records = 0;
    while let Ok(Fill::Records(count)) = feed.fill(&mut batch) {
        assert!(count > 0, "records mean at least one");
        batch[..count].iter().for_each(|event| {
            replica.apply(event);
        });
        records += count;
        assert!(is_packed || records <= records_max, "{name}: {records} records");
    }
}

/// Found by the fuzzer: a header that reached into the last bytes of a short file in memory.
#[test]
fn captures_of_any_small_size_are_read() {
    for bytes in 0..200_u8 {
        let message = [&[0, bytes + 1, b'~'][..], &vec![0; bytes.into()]].concat();
        let frames = [frame(LINE_A, &packet(1, &[&message]), 0)];
        for file in [PCAP.file(&frames), PCAP.next_generation(&frames)] {
            for end in [file.len(), file.len().saturating_sub(1)] {
                read("capture", file[..end].to_vec());
            }
        }
    }
}

/// Found by the fuzzer: what followed was read where no record may lie, and the crate panicked.
#[test]
#[cfg(feature = "dbn")]
fn a_record_of_databento_with_a_wrong_length_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/bad/action.dbn");
    let whole = fs::read(path).expect("a file");
    assert_eq!(whole[0x80], 14, "the length of the first record, in words");
    for (words, told) in [(13, "52 bytes, no multiple of 8"), (6, "24 bytes, too few")] {
        let mut bytes = whole.clone();
        bytes[0x80] = words;
        let mut feed = feed::open_bytes("odd", bytes, &OpenOptions::default()).expect("a header");
        let mut batch = vec![Event::default(); 64];
        let error = loop {
            match feed.fill(&mut batch) {
                Ok(Fill::Records(_)) => {}
                Ok(end) => panic!("{end:?}"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn recordings_with_changed_bytes_are_read_or_refused() {
    let each = std::env::var("FEED_MUTATIONS").ok().and_then(|text| text.parse().ok());
    let each: u64 = each.unwrap_or(150);
    for (name, bytes) in recordings() {
        for number in 0..each {
            let mut noise = Noise(0x9e37_79b9_7f4a_7c15 ^ (number + 1));
            let changed = mutate(&bytes, &mut noise);
            let ended = std::panic::catch_unwind(|| read(&name, changed));
            assert!(ended.is_ok(), "{name} with the changes number {number} panicked");
        }
    }
}
