//! A generated session is one that an exchange could have published.
//!
//! The checker below reads the bytes with its own few lines and keeps its own plain books. It would
//! catch an execution out of price-time priority, a crossed book while trading, a wrong tracking
//! number, a dangling or repeated reference, a missing message type and a drifting mix.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use flate2::read::MultiGzDecoder;
use ringtape::engine::generate::{Generator, Profile};
use ringtape::feed::itch::{MESSAGES, message};

const PROFILE: Profile = Profile { messages: 150_000, symbols: 24, live: 3_000, seed: 42 };

/// A profile of many quiet symbols and a high peak.
const WIDE: Profile = Profile { messages: 120_000, symbols: 2_000, live: 20_000, seed: 7 };

fn session(profile: Profile) -> (Vec<u8>, Generator) {
    let mut generator = Generator::new(&profile).expect("the profile is valid");
    let mut bytes = Vec::new();
    generator.write_itch(&mut bytes).expect("memory takes everything");
    (bytes, generator)
}

fn shared_session() -> &'static (Vec<u8>, Generator) {
    static SESSION: OnceLock<(Vec<u8>, Generator)> = OnceLock::new();
    SESSION.get_or_init(|| session(PROFILE))
}

fn number(field: &[u8]) -> u64 {
    field.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// A message's type, header fields and body with offsets as in the specification.
#[derive(Clone, Copy)]
struct Message<'a> {
    letter: u8,
    locate: u64,
    tracking: u64,
    ts: u64,
    bytes: &'a [u8],
}

impl Message<'_> {
    fn at(&self, offset: usize, bytes: usize) -> u64 {
        number(&self.bytes[offset..offset + bytes])
    }

    fn continues(&self, before: &Message<'_>) -> bool {
        (self.locate, self.ts) == (before.locate, before.ts) && self.tracking > before.tracking
    }
}

fn messages(mut bytes: &[u8]) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at(2);
        let (bytes_of_message, rest) = rest.split_at(number(head) as usize);
        bytes = rest;
        messages.push(Message {
            letter: bytes_of_message[0],
            locate: number(&bytes_of_message[1..3]),
            tracking: number(&bytes_of_message[3..5]),
            ts: number(&bytes_of_message[5..11]),
            bytes: bytes_of_message,
        });
    }
    messages
}

#[derive(Clone, Copy, Debug)]
struct Order {
    locate: u64,
    is_buy: bool,
    price: u64,
    shares: u64,
}

/// Queues of references by price, for bids and for offers of one instrument.
#[derive(Default)]
struct Book {
    bids: BTreeMap<u64, VecDeque<u64>>,
    asks: BTreeMap<u64, VecDeque<u64>>,
    state: u8,
}

impl Book {
    fn side(&mut self, is_buy: bool) -> &mut BTreeMap<u64, VecDeque<u64>> {
        if is_buy { &mut self.bids } else { &mut self.asks }
    }

    fn touch(&self) -> (Option<u64>, Option<u64>) {
        (self.bids.keys().next_back().copied(), self.asks.keys().next().copied())
    }

    /// The queue of the best price of a side.
    fn front(&self, is_buy: bool) -> (u64, &VecDeque<u64>) {
        let best = if is_buy { self.bids.last_key_value() } else { self.asks.first_key_value() };
        let (&price, queue) = best.expect("an execution needs an order");
        (price, queue)
    }
}

#[derive(Default)]
struct Checker {
    orders: HashMap<u64, Order>,
    books: HashMap<u64, Book>,
    seen: HashSet<u64>,
    live_peak: usize,
    matches: HashSet<u64>,
    /// The last match number of each partition, which is known by the locate.
    last_match: [u64; 4],
    instrument_of_match: HashMap<u64, u64>,
    executions: u64,
    with_company: u64,
    levels_swept: u64,
    remainders: u64,
    refills: u64,
    hidden_after_displayed: u64,
    hidden_only: u64,
    crossed_while_quoting: u64,
    /// Resting side and last price of the executions in the open exchange event.
    executed: Option<(bool, u64)>,
}

impl Checker {
    fn add(&mut self, reference: u64, order: Order) {
        assert!(self.seen.insert(reference), "reference {reference} is used twice");
        assert!(order.shares > 0 && order.price > 0, "{order:?}");
        let is_legal_tick = order.price < 10_000 || order.price.is_multiple_of(100);
        assert!(is_legal_tick, "{order:?} is off tick");
        let book = self.books.entry(order.locate).or_default();
        assert!(book.state == b'T' || book.state == b'Q', "an add while halted");
        book.side(order.is_buy).entry(order.price).or_default().push_back(reference);
        self.orders.insert(reference, order);
        self.live_peak = self.live_peak.max(self.orders.len());
    }

    fn remove(&mut self, reference: u64) -> Order {
        let order = self.orders.remove(&reference).expect("the reference is known");
        let side = self.books.get_mut(&order.locate).expect("it has a book").side(order.is_buy);
        let queue = side.get_mut(&order.price).expect("it has a level");
        queue.retain(|&other| other != reference);
        if queue.is_empty() {
            side.remove(&order.price);
        }
        order
    }

    fn take_off(&mut self, locate: u64, reference: u64, shares: u64) {
        let order = self.orders.get_mut(&reference).expect("the reference is known");
        assert_eq!(order.locate, locate);
        assert!((1..=order.shares).contains(&shares), "{shares} of {order:?}");
        order.shares -= shares;
        if order.shares == 0 {
            self.remove(reference);
        }
    }

    /// An execution takes the first order of the best price.
    fn execute(&mut self, message: &Message<'_>) -> Order {
        let reference = message.at(11, 8);
        let order = *self.orders.get(&reference).expect("the reference is known");
        let (price, queue) = self.books[&message.locate].front(order.is_buy);
        assert_eq!(price, order.price, "not the best price at {}", message.ts);
        assert_eq!(queue[0], reference, "not the first in its queue at {}", message.ts);
        if message.letter == b'E' {
            self.executions += 1;
            self.with_company += u64::from(queue.len() > 1);
        }
        self.note_match(message.locate, message.at(23, 8));
        self.instrument_of_match.insert(message.at(23, 8), message.locate);
        self.take_off(message.locate, reference, message.at(19, 4));
        order
    }

    fn note_match(&mut self, locate: u64, match_number: u64) {
        let last = &mut self.last_match[locate as usize % 4];
        assert!(match_number > *last, "match numbers go up");
        *last = match_number;
        assert!(self.matches.insert(match_number), "match numbers are the day's own");
    }

    fn apply(&mut self, message: &Message<'_>, before: Option<&Message<'_>>, is_last: bool) {
        let row = MESSAGES.iter().find(|row| row.letter == message.letter).expect("a known type");
        assert_eq!(message.bytes.len(), row.bytes);
        let before = before.filter(|before| message.continues(before));
        if before.is_none() {
            self.executed = None;
        }
        let number_before = before.map_or(0, |before| before.tracking);
        let step = match message.letter {
            b'E' | b'P' => 2,
            b'C' if message.bytes[31] == b'Y' => 2,
            b'C' | b'Q' => 1,
            _ => u64::from(before.is_some()),
        };
        assert_eq!(message.tracking, number_before + step, "{}", char::from(message.letter));
        self.apply_by_type(message, before.is_some());
        if is_last {
            self.check_touch(message);
        }
    }

    fn apply_by_type(&mut self, message: &Message<'_>, is_continued: bool) {
        let locate = message.locate;
        match message.letter {
            b'A' | b'F' => {
                let order = Order {
                    locate,
                    is_buy: message.bytes[19] == b'B',
                    shares: message.at(20, 4),
                    price: message.at(32, 4),
                };
                if is_continued {
                    self.check_rest(order);
                }
                self.add(message.at(11, 8), order);
            }
            b'E' => {
                assert_eq!(self.books[&locate].state, b'T', "an execution while halted");
                let order = self.execute(message);
                if let Some((is_buy, price)) = self.executed {
                    assert_eq!(is_buy, order.is_buy, "one aggressor, one resting side");
                    self.levels_swept += u64::from(price != order.price);
                }
                self.executed = Some((order.is_buy, order.price));
            }
            b'C' => {
                self.execute(message);
            }
            b'P' => self.check_hidden(message, is_continued),
            b'Q' => self.note_match(message.locate, message.at(31, 8)),
            b'X' => self.take_off(locate, message.at(11, 8), message.at(19, 4)),
            b'D' => {
                self.remove(message.at(11, 8));
            }
            b'U' => {
                let old = self.remove(message.at(11, 8));
                let (shares, price) = (message.at(27, 4), message.at(31, 4));
                assert_eq!(old.locate, locate);
                self.add(message.at(19, 8), Order { shares, price, ..old });
            }
            b'H' => self.books.entry(locate).or_default().state = message.bytes[19],
            b'h' => self.books.entry(locate).or_default().state = message.bytes[20],
            b'B' => {
                let broken = self.instrument_of_match.remove(&message.at(11, 8));
                assert_eq!(broken, Some(locate), "a trade that was, and was not broken");
            }
            _ => {}
        }
    }

    /// An add in an execution's event is a remainder at its price, or a refill behind.
    fn check_rest(&mut self, order: Order) {
        let (is_buy, price) = self.executed.expect("only executions are followed by adds");
        assert_eq!(order.price, price);
        if is_buy == order.is_buy {
            self.refills += 1;
            return;
        }
        self.remainders += 1;
        let (bid, ask) = self.books[&order.locate].touch();
        let is_beyond = match is_buy {
            true => bid.is_none_or(|bid| bid < price),
            false => ask.is_none_or(|ask| ask > price),
        };
        assert!(is_beyond, "a remainder rests only when its limit is exhausted");
    }

    /// A hidden print lies inside the spread or at a price whose displayed orders are gone.
    fn check_hidden(&mut self, message: &Message<'_>, is_continued: bool) {
        let price = message.at(32, 4);
        self.note_match(message.locate, message.at(36, 8));
        let (bid, ask) = self.books[&message.locate].touch();
        assert!(bid.is_none_or(|bid| bid < price) && ask.is_none_or(|ask| price < ask));
        match self.executed {
            Some((_, executed)) => {
                assert_eq!(price, executed);
                self.hidden_after_displayed += 1;
            }
            None => self.hidden_only += u64::from(!is_continued),
        }
    }

    fn check_touch(&mut self, message: &Message<'_>) {
        let Some(book) = self.books.get(&message.locate) else { return };
        let (Some(bid), Some(ask)) = book.touch() else { return };
        if book.state == b'T' {
            assert!(bid < ask, "{bid} x {ask} of {} at {}", message.locate, message.ts);
        } else {
            self.crossed_while_quoting += u64::from(bid >= ask);
        }
    }
}

fn check(bytes: &[u8]) -> Checker {
    let messages = messages(bytes);
    let mut checker = Checker::default();
    for (index, message) in messages.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &messages[index]);
        assert!(before.is_none_or(|before| before.ts <= message.ts), "time goes on");
        let is_last = messages.get(index + 1).is_none_or(|next| !next.continues(message));
        checker.apply(message, before, is_last);
    }
    checker
}

#[test]
fn the_same_profile_gives_the_same_bytes_and_another_seed_gives_others() {
    let profile = Profile { messages: 20_000, symbols: 8, live: 500, seed: 1 };
    let (first, generator) = session(profile);
    assert_eq!(first, session(profile).0);
    assert_ne!(first, session(Profile { seed: 2, ..profile }).0);
    assert_eq!(generator.summary().bytes, first.len() as u64);
}

#[test]
fn the_number_of_messages_is_met_exactly() {
    for profile in [
        Profile { messages: 4_144, symbols: 2, live: 10, seed: 3 },
        Profile { messages: 5_000, symbols: 1, live: 900, seed: 3 },
        Profile { messages: 52_096, symbols: 2_000, live: 4_000, seed: 3 },
        Profile { messages: 60_000, symbols: 100, live: 12_000, seed: 3 },
    ] {
        let (bytes, generator) = session(profile);
        assert_eq!(messages(&bytes).len() as u64, profile.messages, "{profile:?}");
        assert_eq!(generator.summary().messages(), profile.messages);
        check(&bytes);
    }
}

#[test]
fn records_and_bytes_are_one_session() {
    let profile = Profile { messages: 20_000, symbols: 8, live: 500, seed: 1 };
    let mut generator = Generator::new(&profile).expect("the profile is valid");
    let mut encoder = ringtape::feed::itch::Encoder::new(0);
    let mut records = [bytemuck::Zeroable::zeroed(); 8];
    let mut bytes = Vec::new();
    loop {
        let count = generator.next_message(&mut records);
        if count == 0 {
            break;
        }
        assert!(encoder.encode(&records[..count], &mut bytes));
    }
    assert_eq!(bytes, session(profile).0);
}

#[test]
fn every_message_type_occurs() {
    let (bytes, generator) = shared_session();
    let mut counts = [0_u64; 256];
    for message in messages(bytes) {
        counts[usize::from(message.letter)] += 1;
    }
    for row in MESSAGES {
        assert!(
            counts[usize::from(row.letter)] > 0,
            "no {} ({})",
            char::from(row.letter),
            row.name
        );
    }
    assert_eq!(counts, generator.summary().by_type);
    assert!(message(b'?').is_none());
}

#[test]
fn the_session_has_the_mix_of_a_real_day() {
    let (bytes, generator) = shared_session();
    let summary = generator.summary();
    let expected: [(u8, u64, u64); 9] = [
        (b'A', 436_000, 10_000),
        (b'D', 426_000, 10_000),
        (b'U', 80_500, 1_000),
        (b'E', 21_000, 1_000),
        (b'I', 15_000, 500),
        (b'X', 10_000, 500),
        (b'F', 5_500, 300),
        (b'P', 4_500, 300),
        (b'L', 800, 50),
    ];
    for (letter, ppm, tolerance) in expected {
        let found = summary.count(&[letter]) * 1_000_000 / PROFILE.messages;
        assert!(found.abs_diff(ppm) <= tolerance, "{}: {found} ppm", char::from(letter));
    }
    let mean_bytes_x100 = bytes.len() as u64 * 100 / PROFILE.messages;
    assert!((3_000..3_150).contains(&mean_bytes_x100), "{mean_bytes_x100}");
    let same_time = summary.same_time * 1000 / PROFILE.messages;
    assert!((80..180).contains(&same_time), "{same_time} per mille");
    let down = summary.references_down * 1000 / summary.references;
    assert!((150..450).contains(&down), "{down} per mille of the references go down");
}

#[test]
fn executions_respect_price_time_priority_and_books_never_cross_while_trading() {
    let (bytes, generator) = shared_session();
    let checker = check(bytes);
    let summary = generator.summary();
    assert_eq!(checker.executions, summary.count(b"E"));
    assert_eq!(checker.with_company, summary.with_company);
    assert_eq!(checker.remainders, summary.remainders);
    assert_eq!(checker.refills, summary.refills);
    assert_eq!(checker.hidden_only, summary.hidden_only);
    assert_eq!(checker.orders.len() as u64, summary.live);
    assert!(checker.with_company * 5 >= checker.executions, "at least 20 % have company");
    assert!(checker.levels_swept > 50 && checker.hidden_after_displayed > 20);
    assert!(checker.remainders > 20 && checker.refills > 20);
    assert!(checker.crossed_while_quoting > 0);
}

#[test]
fn a_wide_session_holds_the_same_rules() {
    let (bytes, generator) = session(WIDE);
    let checker = check(&bytes);
    let summary = generator.summary();
    assert!(checker.with_company * 5 >= checker.executions, "at least 20 % have company");
    let share = summary.messages_of_busiest(200) * 1000 / WIDE.messages;
    assert!((350..700).contains(&share), "busiest tenth: {share} per mille");
    let down = summary.references_down * 1000 / summary.references;
    assert!((250..450).contains(&down), "{down} per mille of the references go down");
}

#[test]
fn the_peak_of_live_orders_is_the_wanted_one_and_they_are_gone_at_the_end() {
    for profile in [PROFILE, WIDE] {
        let checker = check(&session(profile).0);
        let peak = checker.live_peak as u64;
        assert!(peak.abs_diff(profile.live) * 100 <= profile.live * 15, "{peak}: {profile:?}");
        let left = checker.orders.len() as u64;
        assert!(left * 20 <= peak, "{left} orders are left");
    }
}

#[test]
fn what_cannot_be_generated_is_refused_with_what_can() {
    let good = Profile::default();
    for (profile, cure) in [
        (Profile { symbols: 0, ..good }, "ask for 1 to 65000"),
        (Profile { symbols: 70_000, ..good }, "ask for 1 to 65000"),
        (Profile { messages: 1_000, ..good }, "ask for at least 4672"),
        (Profile { live: 100_000, ..good }, "ask for 48 to 80000"),
        (Profile { live: 10, ..good }, "ask for 48 to 80000"),
    ] {
        let error = Generator::new(&profile).expect_err("it is refused");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().ends_with(cure), "{error}");
    }
}

#[test]
fn the_bytes_are_the_same_on_every_machine_and_change_on_purpose_only() {
    // The sample in feeds/ and every published figure name a stream by such a checksum.
    let profile = Profile { messages: 20_000, symbols: 8, live: 500, seed: 1 };
    let (bytes, generator) = session(profile);
    let checksum = generator.summary().checksum;
    assert_eq!(checksum, xxhash_rust::xxh3::xxh3_64(&bytes));
    assert_eq!(format!("{checksum:016x}"), "f943eef60d454033");
}

#[test]
fn the_default_profile_is_the_sample_that_feeds_describes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    let (bytes, generator) = session(Profile::default());
    let checksum = format!("\n{:016x}\n", generator.summary().checksum);
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("feeds has a README");
    assert!(readme.contains(&checksum), "feeds/README.md does not name {checksum}");

    let Ok(sample) = File::open(folder.join("sample.itch.gz")) else {
        eprintln!("skipped: feeds/sample.itch.gz is not there to compare with");
        return;
    };
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(sample).read_to_end(&mut unpacked).expect("the sample unpacks");
    assert!(unpacked == bytes, "feeds/sample.itch.gz is not what the generator makes");
}
