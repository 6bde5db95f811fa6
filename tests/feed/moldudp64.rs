//! MoldUDP64 in captures: every wrapping gives the events of the plain file, every loss its range.
//!
//! Would catch a message lost, doubled or out of order between two lines, a gap that passes in
//! silence or is told with a wrong range, and a wrapping (byte order, stamps, tags) that is misread.
#![cfg(feature = "pcap")]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ringtape::error::Error;
use ringtape::event::{Event, Flags};
use ringtape::feed::{self, Feed, Gap, LineCounts, OpenOptions};

use crate::common::shared_feeds;
use crate::feed_common::packets::{
    LINE_A, LINE_B, PCAP, Pcap, SESSION, end_of_session, ethernet, frame, ip, mold, packet,
};
use crate::feed_common::{drain, drain_to_fault, events_of, start, valid_message};

/// Framed messages of all types.
fn frames(count: usize) -> Vec<Vec<u8>> {
    let mut noise = [7_u8; 64];
    let mut frames = vec![start()];
    for index in 1..count {
        for byte in &mut noise {
            *byte = byte.wrapping_mul(5).wrapping_add(index as u8 | 1);
        }
        frames.push(valid_message(index, &noise).frame());
    }
    frames
}

/// Packets of three messages each, numbered from 1.
fn packets(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let numbers = (1..).step_by(3);
    let chunks = frames.chunks(3).zip(numbers);
    let packed = |(chunk, number): (&[Vec<u8>], u64)| {
        packet(number, &chunk.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    chunks.map(packed).collect()
}

fn on(line: ([u8; 4], u16), packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| frame(line, packet, 0)).collect()
}

/// Opens bytes as a user does: as a file, by its content.
fn open(bytes: &[u8]) -> Result<Box<dyn Feed>, Error> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("a writable file");
    feed::open(file.path(), &OpenOptions::default())
}

fn opened(frames: &[Vec<u8>]) -> Box<dyn Feed> {
    open(&PCAP.file(frames)).expect("a capture")
}

fn notes(feed: &dyn Feed) -> String {
    feed.description().assumptions.join("\n")
}

#[test]
fn every_wrapping_gives_the_events_of_the_plain_file() {
    let frames = frames(2_000);
    let expected = events_of(frames.concat());
    let mut packets = packets(&frames);
    packets.push(mold(SESSION, 2_001, 0, &[]));
    packets.push(end_of_session(2_001));
    let mut seen = 0;
    for (is_big_endian, is_ns) in [(false, false), (false, true), (true, false), (true, true)] {
        for tags in 0..=2 {
            let pcap = Pcap { is_big_endian, is_ns, ..PCAP };
            let framed: Vec<_> = packets.iter().map(|packet| frame(LINE_A, packet, tags)).collect();
            for (bytes, format) in
                [(pcap.file(&framed), "pcap"), (pcap.next_generation(&framed), "pcapng")]
            {
                let mut feed = open(&bytes).expect("a capture");
                let case = format!("{pcap:?} {tags} {format}");
                assert!(drain(&mut *feed) == expected, "{case}");
                assert!(feed.description().format.ends_with(format), "{case}");
                assert!(feed.checks().has_end, "{case}");
                assert_eq!(notes(&*feed), "", "{case}");
                let counts = feed.checks().packets.expect("packets");
                assert_eq!((counts.packets, counts.heartbeats), (669, 1), "{case}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 24);
}

#[test]
fn links_of_other_kinds_and_compressed_captures_are_read() {
    let frames = frames(50);
    let expected = events_of(frames.concat());
    let packets: Vec<_> = packets(&frames).iter().map(|packet| ip(LINE_A, packet, 0)).collect();
    let before = |bytes: &[u8]| -> Vec<Vec<u8>> {
        packets.iter().map(|packet| [bytes, packet].concat()).collect()
    };
    let cooked = [&[0, 0, 0, 1, 0, 6][..], &[0; 8], &[8, 0]].concat();
    let cooked2 = [&[8, 0][..], &[0; 18]].concat();
    for (link, frames) in [
        (101, before(&[])),
        (0, before(&[2, 0, 0, 0])),
        (113, before(&cooked)),
        (276, before(&cooked2)),
    ] {
        let bytes = Pcap { link, ..PCAP }.file(&frames);
        let mut feed = open(&bytes).unwrap_or_else(|error| panic!("link {link}: {error}"));
        assert!(drain(&mut *feed) == expected, "link {link}");
    }
    let plain = PCAP.file(&on(LINE_A, &self::packets(&frames)));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&plain).expect("memory");
    let packed = encoder.finish().expect("memory");
    let mut feed = open(&packed).expect("a capture");
    assert!(drain(&mut *feed) == expected);
    assert_eq!(feed.description().compression, "gzip");
    assert_eq!(feed.position().stored_bytes, packed.len() as u64);
    #[cfg(feature = "zstd")]
    {
        let mut feed = open(&zstd::encode_all(&plain[..], 1).expect("memory")).expect("a capture");
        assert!(drain(&mut *feed) == expected);
        assert_eq!(feed.description().compression, "zstd");
    }
}

#[test]
fn what_one_line_lost_comes_from_the_other() {
    let frames = frames(3_000);
    let expected = events_of(frames.concat());
    let packets = packets(&frames);
    // Each line loses every third packet, never both the same; line B is two packets late.
    let mut wire = Vec::new();
    for index in 0..packets.len() + 2 {
        if let Some(packet) = packets.get(index).filter(|_| index % 3 != 1) {
            wire.push(frame(LINE_A, packet, 0));
        }
        if let Some(packet) = index.checked_sub(2).and_then(|late| packets.get(late))
            && (index - 2) % 3 != 2
        {
            wire.push(frame(LINE_B, packet, 0));
        }
    }
    wire.push(frame(LINE_B, &end_of_session(3_001), 0));
    let mut feed = opened(&wire);
    assert!(drain(&mut *feed) == expected);
    let checks = feed.checks();
    assert_eq!(checks.gaps.count, 0);
    let counts = checks.packets.expect("packets");
    assert_eq!(counts.copies, 1_002, "334 packets came on both lines");
    assert_eq!(counts.late, 0, "each line is in order");
    // Each lost 333 packets of three messages, which the other brought; what came on both came on
    // line A first.
    let line = |line: ([u8; 4], u16), packets, copies| LineCounts {
        address: format!("{}:{}", std::net::Ipv4Addr::from(line.0), line.1).into(),
        packets,
        messages: 2_001,
        copies,
        missing: 999,
        filled: 999,
    };
    assert_eq!(checks.lines, [line(LINE_A, 667, 0), line(LINE_B, 668, 1_002)]);
    assert!(checks.has_end);
}

#[test]
fn a_loss_on_both_lines_is_told_with_its_range_and_doubt_marks_what_follows() {
    let frames = frames(300);
    let packets = packets(&frames);
    let kept: Vec<Vec<u8>> = packets
        .iter()
        .enumerate()
        .filter(|(index, _)| ![10, 11, 50].contains(index))
        .map(|(_, packet)| packet.clone())
        .collect();
    let mut feed = opened(&on(LINE_A, &kept));
    let events = drain(&mut *feed);
    let checks = feed.checks();
    assert_eq!(checks.messages, 291);
    // Where the packets behind the gaps begin in the file.
    let wire = on(LINE_A, &kept);
    let [byte, later] = [10, 48].map(|count| Some(PCAP.file(&wire[..count]).len() as u64));
    let gaps = [
        Gap { message: 30, from: 31, until: 37, byte },
        Gap { message: 144, from: 151, until: 154, byte: later },
    ];
    assert_eq!(checks.gap_ranges, gaps);
    assert_eq!((checks.gaps.count, checks.gaps.first, checks.gaps.last), (9, 30, 144));
    assert_eq!((checks.gaps.first_byte, checks.gaps.last_byte), (byte, later));
    let doubtful: Vec<_> = messages_with(&events, Flags::MAYBE_BAD);
    assert_eq!(doubtful, [30, 144]);
    // The time is that of the message behind the gap, however far the reader has read ahead.
    let time = |number| {
        let message = crate::feed_common::messages(&events).nth(number).expect("a message");
        message[0].ts_event
    };
    assert_eq!((checks.gaps.first_ts, checks.gaps.last_ts), (time(30), time(144)));
    assert!(notes(&*feed).contains("without the end of its session"), "{}", notes(&*feed));
}

/// Numbers of the messages whose records have a flag.
fn messages_with(events: &[Event], flag: u16) -> Vec<usize> {
    let marked = |message: &[Event]| message.iter().all(|event| event.has(flag));
    let messages = crate::feed_common::messages(events).enumerate();
    messages.filter(|(_, message)| marked(message)).map(|(index, _)| index).collect()
}

#[test]
fn a_loss_at_the_very_end_is_known_from_the_end_of_the_session() {
    let frames = frames(30);
    let mut packets = packets(&frames);
    packets.pop();
    packets.push(end_of_session(31));
    let mut feed = opened(&on(LINE_A, &packets));
    drain(&mut *feed);
    // The end of the session told of it.
    let byte = Some(PCAP.file(&on(LINE_A, &packets[..packets.len() - 1])).len() as u64);
    assert_eq!(feed.checks().gap_ranges, [Gap { message: 27, from: 28, until: 31, byte }]);
    assert!(feed.checks().has_end);
}

#[test]
fn reordered_and_doubled_packets_of_one_line_are_put_right() {
    let frames = frames(600);
    let expected = events_of(frames.concat());
    let mut packets = packets(&frames);
    for index in (4..packets.len() - 1).step_by(7) {
        packets.swap(index, index + 1);
    }
    for index in (0..packets.len()).rev().step_by(5) {
        packets.insert(index, packets[index].clone());
    }
    let mut feed = opened(&on(LINE_A, &packets));
    assert!(drain(&mut *feed) == expected);
    let counts = feed.checks().packets.expect("packets");
    assert_eq!((feed.checks().gaps.count, counts.copies), (0, 120));
    assert!(counts.late > 0);
}

#[test]
fn empty_messages_count_as_numbers_and_say_nothing() {
    let frames = frames(6);
    let blocks = [&frames[0][..], &[0, 0], &frames[1], &[0, 0], &frames[2]].concat();
    let wire = [mold(SESSION, 1, 5, &blocks), packet(6, &[&frames[3], &frames[4], &frames[5]])];
    let mut feed = opened(&on(LINE_A, &wire));
    assert!(drain(&mut *feed) == events_of(frames.concat()));
    assert_eq!(feed.checks().gaps.count, 0);
}

#[test]
fn other_sessions_and_other_traffic_are_left_out_and_told() {
    let frames = frames(30);
    let mut wire = on(LINE_A, &packets(&frames));
    let other = mold(b"OTHER00001", 1, 1, &frames[0]);
    wire.insert(3, frame(([233, 1, 1, 1], 9_000), &other, 0));
    wire.insert(5, frame(([10, 0, 0, 9], 53), b"a question", 0));
    wire.insert(6, frame(LINE_A, b"not a packet of the feed", 0));
    wire.push(ethernet(&[0x45, 0, 0, 20, 0, 0, 0, 0, 1, 6, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], 0));
    let mut feed = opened(&wire);
    assert!(drain(&mut *feed) == events_of(frames.concat()));
    assert_eq!(feed.checks().packets.expect("packets").foreign, 4);
    let notes = notes(&*feed);
    assert!(notes.contains("1 packets of session `OTHER00001` to 233.1.1.1:9000"), "{notes}");
    assert!(notes.contains("1 datagrams to the feed's own address"), "{notes}");
}

#[test]
fn a_session_that_follows_on_the_same_line_is_read_and_told() {
    let frames = frames(12);
    let mut wire = on(LINE_A, &packets(&frames));
    let next = mold(b"TEST000002", 1, 1, &frames[1]);
    wire.push(frame(LINE_A, &next, 0));
    let mut feed = opened(&wire);
    drain(&mut *feed);
    assert_eq!((feed.checks().messages, feed.checks().gaps.count), (13, 0));
    assert!(notes(&*feed).contains("session `TEST000002` follows session `TEST000001`"));
}

#[test]
fn numbers_that_are_damaged_in_two_sessions_are_counted_as_far_as_64_bits_go() {
    let frames = frames(4);
    let far = u64::MAX - 1;
    let wire: Vec<Vec<u8>> = [
        packet(1, &[&frames[0]]),
        packet(far, &[&frames[1]]),
        mold(b"TEST000002", 1, 1, &frames[2]),
        mold(b"TEST000002", far, 1, &frames[3]),
    ]
    .to_vec();
    let mut feed = opened(&on(LINE_A, &wire));
    drain(&mut *feed);
    let checks = feed.checks();
    assert_eq!((checks.messages, checks.gaps.count), (4, u64::MAX));
    assert_eq!((checks.lines[0].missing, checks.lines[0].filled), (u64::MAX, 0));
}

#[test]
fn fragments_are_refused_and_what_came_before_is_delivered() {
    let frames = frames(9);
    let packets = packets(&frames);
    let mut wire = on(LINE_A, &packets[..2]);
    wire.push(ethernet(&ip(LINE_A, &packets[2], 0x2000), 0));
    let mut feed = opened(&wire);
    let (events, outcome) = drain_to_fault(&mut *feed, 64);
    assert_eq!(crate::feed_common::messages(&events).count(), 6);
    let error = outcome.expect_err("a fragment");
    assert!(error.to_string().contains("IP fragments"), "{error}");
    assert!(error.to_string().contains("message 6"), "{error}");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn a_capture_that_ends_inside_a_record_is_read_up_to_there() {
    let frames = frames(9);
    let bytes = PCAP.file(&on(LINE_A, &packets(&frames)));
    let mut feed = open(&bytes[..bytes.len() - 10]).expect("a capture");
    drain(&mut *feed);
    assert_eq!(feed.checks().messages, 6);
    assert!(notes(&*feed).contains("ends inside a record"), "{}", notes(&*feed));
}

#[test]
fn captures_without_the_feed_are_refused_by_what_they_hold() {
    let tcp = ethernet(&[0x45, 0, 0, 20, 0, 0, 0, 0, 1, 6, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], 0);
    let dns = frame(([10, 0, 0, 9], 53), b"a question", 0);
    let heartbeat = frame(LINE_A, &mold(SESSION, 1, 0, &[]), 0);
    for (wire, told) in [
        (vec![], "without a UDP datagram"),
        (vec![tcp], "without a UDP datagram"),
        (vec![dns], "1 UDP datagrams, such as 10 bytes to 10.0.0.9:53"),
        (vec![heartbeat], "hold no message"),
    ] {
        let error = open(&PCAP.file(&wire)).err().expect("no feed");
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
}

#[test]
fn recorded_captures_give_their_messages_and_their_gap() {
    let Some(folder) = shared_feeds() else { return };
    let named = |name: &str| {
        let path = folder.join("moldudp64").join(format!("Nasdaq__{name}.pcap"));
        feed::open(&path, &OpenOptions::default()).expect("a capture")
    };
    let mut feed = named("Nasdaq.Equities.TotalView.Itch.v5.0__Multiple.Packets");
    let (events, outcome) = drain_to_fault(&mut *feed, 64);
    outcome.expect("a good capture");
    let checks = feed.checks();
    assert_eq!(crate::feed_common::messages(&events).count(), 39);
    let by_type = [b'D', b'A', b'F'].map(|letter| checks.by_type[usize::from(letter)]);
    assert_eq!(by_type, [1, 36, 2]);
    assert_eq!(checks.gaps.count, 4_244_620);
    let [Gap { message: 1, from: 14_764_497, until: 19_009_117, byte: Some(_) }] =
        checks.gap_ranges[..]
    else {
        panic!("{:?}", checks.gap_ranges)
    };
    for (name, letter) in [
        ("AddOrderNoMPID", b'A'),
        ("CrossTrade", b'Q'),
        ("OrderDelete", b'D'),
        ("OrderReplace", b'U'),
    ] {
        let mut feed = named(&format!("Nasdaq.Equities.TotalView.Itch.v5.0.20230822__{name}"));
        drain(&mut *feed);
        let checks = feed.checks();
        assert_eq!((checks.messages, checks.by_type[usize::from(letter)]), (5, 5), "{name}");
        assert_eq!(checks.gaps.count, 0);
        assert!(notes(&*feed).contains("5 packets have no session"), "{}", notes(&*feed));
    }
}

#[test]
fn a_capture_that_begins_out_of_order_begins_with_its_lowest_number() {
    let frames = frames(24);
    let expected = events_of(frames.concat());
    let in_order = packets(&frames);
    let heartbeat = mold(SESSION, 25, 0, &[]);
    let beginnings = [
        vec![in_order[1].clone(), in_order[0].clone()],
        vec![in_order[2].clone(), in_order[1].clone(), in_order[1].clone(), in_order[0].clone()],
        vec![heartbeat, in_order[0].clone()],
    ];
    for (nth, beginning) in beginnings.into_iter().enumerate() {
        let rest = in_order.iter().filter(|packet| !beginning.contains(packet));
        let wire: Vec<_> = beginning.iter().chain(rest).cloned().collect();
        let mut feed = opened(&on(LINE_A, &wire));
        assert!(drain(&mut *feed) == expected, "beginning {nth}");
        let counts = feed.checks().packets.expect("packets");
        let copies = if nth == 1 { 3 } else { 0 };
        assert_eq!((feed.checks().gaps.count, counts.copies), (0, copies), "beginning {nth}");
    }
    // The same at the beginning of a session that follows another.
    let mut wire = in_order.clone();
    wire.push(mold(b"TEST000002", 2, 1, &frames[1]));
    wire.push(mold(b"TEST000002", 1, 1, &frames[1]));
    let mut feed = opened(&on(LINE_A, &wire));
    drain(&mut *feed);
    assert_eq!((feed.checks().messages, feed.checks().gaps.count), (26, 0));
}

/// Frames of the file are a millisecond apart.
#[test]
fn what_comes_a_second_too_late_is_lost_and_no_copy() {
    let frames = frames(4_500);
    let in_order = packets(&frames);
    let begins_late = [&in_order[2..], &in_order[..2], &in_order[..1]].concat();
    let has_a_hole = [&in_order[..10], &in_order[11..], &in_order[10..11]].concat();
    for (wire, from, until) in [(begins_late, 1, 7), (has_a_hole, 31, 34)] {
        let mut feed = opened(&on(LINE_A, &wire));
        drain(&mut *feed);
        let checks = feed.checks();
        let copies = checks.packets.expect("packets").copies;
        assert_eq!((checks.messages, checks.gaps.count), (4_500 - (until - from), until - from));
        assert_eq!((copies, checks.lines[0].copies), (0, 0));
        let ranges: Vec<u64> = checks.gap_ranges.iter().map(Gap::count).collect();
        assert_eq!(ranges.iter().sum::<u64>(), until - from, "{ranges:?}");
        assert_eq!(checks.gap_ranges[0].from, from);
    }
}
