//! A bad line between a run and a venue: connections that are cut at any byte, split and held up.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Bytes that go on at a time, at most.
const PIECE_MAX: u64 = 200;

/// How long a piece is held up, at most.
const DELAY_MAX_US: u64 = 300;

/// A line that is cut so many times and is good from then on.
pub(crate) struct Proxy {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn start(venue: SocketAddr, seed: u64, cuts: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let (is_over, count) = (stop.clone(), connections.clone());
        let thread = std::thread::spawn(move || {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            while !is_over.load(Ordering::Relaxed) {
                let Ok((door, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                let number = count.fetch_add(1, Ordering::Relaxed);
                let bytes = match number {
                    good if good >= cuts => i64::MAX,
                    // Within the login, within what follows it at once, and while it trades.
                    number => (random.next_u64() % [150, 900, 6_000][number % 3]) as i64,
                };
                connect(&door, venue, bytes, random.next_u64());
            }
        });
        Self { address, stop, connections, thread }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it; how many connections there were.
    pub(crate) fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
        self.connections.load(Ordering::Relaxed)
    }
}

/// Joins two connections until so many bytes went over them, both ways together.
fn connect(door: &TcpStream, venue: SocketAddr, bytes: i64, seed: u64) {
    door.set_nonblocking(false).expect("a stream that waits");
    let Ok(venue) = TcpStream::connect(venue) else { return };
    let left = Arc::new(AtomicI64::new(bytes));
    let ways = [(door, &venue, seed), (&venue, door, !seed)];
    for (from, to, seed) in ways {
        let ends = [from, to].map(|stream| stream.try_clone().expect("a stream"));
        let left = left.clone();
        std::thread::spawn(move || carry(ends, &left, seed));
    }
}

/// Carries bytes one way; the end of either way is that of both.
fn carry([mut from, mut to]: [TcpStream; 2], left: &AtomicI64, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut room = [0; PIECE_MAX as usize];
    loop {
        let piece = 1 + (random.next_u64() % PIECE_MAX) as usize;
        let Ok(count @ 1..) = from.read(&mut room[..piece]) else { break };
        let before = left.fetch_sub(count as i64, Ordering::Relaxed).max(0);
        let passed = count.min(usize::try_from(before).unwrap_or(usize::MAX));
        if random.next_u64().is_multiple_of(4) {
            std::thread::sleep(Duration::from_micros(random.next_u64() % DELAY_MAX_US));
        }
        if to.write_all(&room[..passed]).is_err() || passed < count {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
