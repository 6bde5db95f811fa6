//! Live feeds packet by packet, over the loopback without multicast.
//!
//! Would catch messages dropped as copies that had never come, patience that is spent gap after
//! gap, what waits behind a gap lost at a stop, a session taken from somebody else's packet, and
//! counts that nobody who looks at every packet would come to.
#![cfg(feature = "udp")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ringtape::event::{Event, EventView};
use ringtape::feed::{self, Feed, Fill, OpenOptions, PacketCounts};

use crate::feed_common::packets::{end_of_session, mold, numbered as frame, numbered_packet as of};

/// Longer than any wait of a test.
const LONG: Duration = Duration::from_secs(20);

/// A listener, and who sends to its lines.
struct Live {
    feed: Box<dyn Feed>,
    sender: UdpSocket,
    lines: Vec<SocketAddr>,
    /// Numbers of the messages that were delivered.
    numbers: Vec<u64>,
}

impl Live {
    fn open(line_count: usize, options: &str) -> Self {
        let bind = || UdpSocket::bind("127.0.0.1:0").expect("a port");
        let held: Vec<_> = (0..line_count).map(|_| bind()).collect();
        let lines: Vec<_> = held.iter().map(|it| it.local_addr().expect("bound")).collect();
        drop(held);
        let second = lines.get(1).map_or_else(String::new, |line| format!("&b={line}"));
        let address = format!("udp://{}?interface=127.0.0.1{second}{options}", lines[0]);
        let feed = feed::open(address.as_ref(), &OpenOptions::default()).expect("sockets");
        Self { feed, sender: bind(), lines, numbers: Vec::new() }
    }

    fn send(&self, line: usize, packet: &[u8]) {
        self.sender.send_to(packet, self.lines[line]).expect("room in the socket");
    }

    /// Takes what the feed delivers until its end, or for so long; whether it ended.
    fn take(&mut self, time: Duration) -> bool {
        let started = Instant::now();
        let mut batch = [Event::default(); 256];
        while started.elapsed() < time {
            match self.feed.fill(&mut batch).expect("a good feed") {
                Fill::Records(count) => self.numbers.extend(batch[..count].iter().filter_map(
                    |event| match event.view() {
                        EventView::Add(_) => Some(event.ts_event - 34_200_000_000_000),
                        _ => None,
                    },
                )),
                Fill::Pending => std::thread::sleep(Duration::from_micros(50)),
                Fill::End => return true,
            }
        }
        false
    }

    fn counts(&self) -> PacketCounts {
        self.feed.checks().packets.expect("packets")
    }

    fn missing(&self) -> Vec<(u64, u64)> {
        self.feed.checks().gap_ranges.iter().map(|gap| (gap.from, gap.until)).collect()
    }

    fn notes(&self) -> String {
        self.feed.description().assumptions.join("\n")
    }
}

fn numbers(ranges: &[std::ops::Range<u64>]) -> Vec<u64> {
    ranges.iter().cloned().flatten().collect()
}

#[test]
fn a_session_that_begins_out_of_order_begins_with_its_lowest_number() {
    let mut live = Live::open(2, "&patience=500ms");
    live.send(0, &of(41..51));
    live.take(Duration::from_millis(20));
    live.send(1, &of(11..41));
    live.take(Duration::from_millis(20));
    live.send(0, &of(1..11));
    live.send(0, &end_of_session(51));
    assert!(live.take(LONG));
    assert_eq!(live.numbers, (1..51).collect::<Vec<_>>());
    assert_eq!((live.counts().copies, live.missing()), (0, vec![]));
}

#[test]
fn what_comes_below_a_session_that_has_begun_is_missing_and_no_copy() {
    let mut live = Live::open(1, "&patience=50ms");
    live.send(0, &of(11..21));
    live.take(Duration::from_millis(150));
    assert_eq!(live.numbers, (11..21).collect::<Vec<_>>(), "patience is over");
    live.send(0, &of(1..11));
    live.send(0, &of(21..51));
    live.send(0, &end_of_session(51));
    assert!(live.take(LONG));
    assert_eq!(live.numbers, (11..51).collect::<Vec<_>>());
    assert_eq!((live.counts().copies, live.missing()), (0, vec![(1, 11)]));
    assert_eq!(live.feed.checks().gaps.count, 10);
}

#[test]
fn what_is_below_the_first_message_wanted_is_skipped_and_counted_so() {
    for (from, wanted) in [(21, 21..51), (1_000, 0..0)] {
        let mut live = Live::open(1, &format!("&from={from}"));
        live.send(0, &of(1..11));
        live.send(0, &of(11..51));
        live.send(0, &end_of_session(51));
        assert!(live.take(LONG));
        let counts = live.counts();
        assert_eq!(live.numbers, wanted.collect::<Vec<_>>());
        assert_eq!((counts.copies, counts.skipped), (0, 50.min(from - 1)));
        let says_so = live.notes().contains("ended with number 50, before 1000");
        assert_eq!(says_so, from == 1_000, "{}", live.notes());
    }
}

#[test]
fn gaps_that_were_seen_together_are_given_up_together() {
    // Nobody is at the address of the server.
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let dead = format!("&request={}", nobody.local_addr().expect("bound"));
    for server in ["", &dead] {
        let mut live = Live::open(1, &format!("&patience=400ms{server}"));
        let started = Instant::now();
        for half in 0..100 {
            live.send(0, &of(1 + 2 * half..2 + 2 * half));
        }
        live.send(0, &end_of_session(200));
        assert!(live.take(LONG));
        let took = started.elapsed();
        assert_eq!((live.numbers.len(), live.missing().len()), (100, 99));
        assert!(took > Duration::from_millis(350), "{took:?}");
        assert!(took < Duration::from_secs(4), "{took:?} {server}");
    }
}

#[test]
fn a_server_that_lacks_one_gap_is_asked_for_those_behind_it() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    server.set_read_timeout(Some(Duration::from_millis(300))).expect("a time");
    let address = server.local_addr().expect("bound");
    let mut live = Live::open(1, &format!("&patience=600ms&request={address}"));
    for half in 0..20 {
        live.send(0, &of(1 + 2 * half..2 + 2 * half));
    }
    live.send(0, &end_of_session(40));
    let answering = std::thread::spawn(move || {
        let mut request = [0; 64];
        while let Ok((20, from)) = server.recv_from(&mut request) {
            let number = u64::from_be_bytes(request[10..18].try_into().expect("eight bytes"));
            if number != 2 {
                server.send_to(&of(number..number + 1), from).expect("sent");
            }
        }
    });
    assert!(live.take(LONG));
    assert_eq!(live.missing(), [(2, 3)]);
    assert_eq!(live.numbers, numbers(&[1..2, 3..40]));
    answering.join().expect("a server");
}

#[test]
fn a_stop_delivers_what_waits_behind_gaps_and_what_is_in_the_sockets() {
    let mut live = Live::open(1, "&patience=20s");
    live.send(0, &of(1..11));
    live.send(0, &of(21..31));
    live.take(Duration::from_millis(50));
    live.send(0, &of(41..51));
    assert!(live.feed.stop());
    assert!(live.take(LONG));
    assert_eq!(live.numbers, numbers(&[1..11, 21..31, 41..51]));
    assert_eq!(live.missing(), [(11, 21), (31, 41)]);
    let line = &live.feed.checks().lines[0];
    assert_eq!((live.counts().packets, line.missing, line.filled), (3, 20, 0));
    assert!(!live.feed.stop(), "it is over");
}

#[test]
fn counts_of_lines_are_right_beyond_hundreds_of_open_gaps() {
    let mut live = Live::open(2, "&patience=2s");
    live.send(0, &of(1..2));
    for half in 1..=1_000 {
        live.send(0, &of(1 + 2 * half..2 + 2 * half));
        if half % 50 == 0 {
            live.take(Duration::from_millis(2));
        }
    }
    live.send(1, &of(1..2));
    for half in 1..=1_000 {
        live.send(1, &of(2 * half + u64::from(half == 1)..2 + 2 * half));
        if half % 50 == 0 {
            live.take(Duration::from_millis(2));
        }
    }
    live.send(0, &end_of_session(2_002));
    assert!(live.take(LONG));
    assert_eq!(live.missing(), [(2, 3)]);
    let lines: Vec<_> = live.feed.checks().lines.iter().map(|it| (it.missing, it.filled)).collect();
    assert_eq!(lines, [(1_000, 999), (1, 0)]);
}

#[test]
fn a_heartbeat_of_a_damaged_number_is_none_of_the_feed() {
    for (number, foreign, missing) in [(u64::MAX, 1, vec![]), (1_000, 0, vec![])] {
        let mut live = Live::open(1, "&patience=500ms");
        live.send(0, &of(1..11));
        live.send(0, &mold(b"TEST000001", number, 0, &[]));
        live.send(0, &of(11..51));
        live.send(0, &end_of_session(51));
        assert!(live.take(LONG));
        assert_eq!((live.numbers.len(), live.missing()), (50, missing));
        let line = &live.feed.checks().lines[0];
        assert_eq!((live.counts().foreign, line.missing, line.filled), (foreign, 0, 0));
        assert_eq!(live.notes().contains("impossible number"), foreign > 0, "{}", live.notes());
    }
}

#[test]
fn the_session_is_that_of_the_first_packet_with_messages() {
    for other in [mold(b"YESTERDAY1", 999, 0, &[]), mold(b"YESTERDAY1", 999, 0xffff, &[])] {
        let mut live = Live::open(1, "");
        live.send(0, &other);
        live.take(Duration::from_millis(200));
        live.send(0, &of(1..51));
        live.send(0, &other);
        live.send(0, &end_of_session(51));
        assert!(live.take(LONG));
        assert_eq!((live.numbers.len(), live.missing()), (50, vec![]));
        assert_eq!((live.counts().packets, live.counts().foreign), (2, 2));
        let notes = live.notes();
        assert!(notes.contains("2 packets of other sessions"), "{notes}");
        assert!(notes.contains("session `YESTERDAY1`"), "{notes}");
    }
}

#[test]
fn a_session_that_had_ended_is_told() {
    let mut live = Live::open(1, "");
    live.send(0, &end_of_session(51));
    assert!(live.take(LONG));
    assert_eq!(live.counts().packets, 1);
    assert!(live.notes().contains("session `TEST000001` had ended"), "{}", live.notes());
}

#[test]
fn packets_without_a_session_and_a_number_are_counted_told_and_ended() {
    let mut live = Live::open(1, "");
    live.send(0, &mold(&[0; 10], 0, 1, &frame(1)));
    live.send(0, &mold(&[0; 10], 0, 1, &frame(2)));
    live.send(0, b"nothing of the kind");
    live.send(0, &mold(&[0; 10], 0, 0xffff, &[]));
    assert!(live.take(LONG));
    assert_eq!(live.numbers, [1, 2]);
    let line = &live.feed.checks().lines[0];
    assert_eq!((line.packets, line.messages), (3, 2));
    assert!(live.notes().contains("3 packets have no session"), "{}", live.notes());
    assert!(live.notes().contains("1 datagrams to the feed's own"), "{}", live.notes());
}
