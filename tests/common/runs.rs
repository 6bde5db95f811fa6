//! Whole runs over generated sessions, with journals that go on.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringtape::engine::generate::{Generator, Profile};
use ringtape::engine::{Engine, EngineConfig, JournalConfig, MARKET_DIR, RunReport};
use ringtape::error::Result;
use ringtape::event::Event;
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{self, Feed};
use ringtape::journal::{Durability, Writer};
use ringtape::limits::SEGMENT_BYTES_MIN;
use ringtape::strategy::{StrategySpec, Trader, TraderConfig};

pub const STRATEGY: &str = "maker:symbols=ACME,BOLTX,lots=1,limit=500";

/// A folder in memory where there is one: a slow disk lets marks of snapshots go by.
pub fn folder() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// A generated session of ITCH.
pub fn session(messages: u64, seed: u64) -> Arc<[u8]> {
    let profile = Profile { messages, symbols: 300, live: 1_500, seed };
    let mut generator = Generator::new(&profile).expect("a valid profile");
    let mut session = Vec::new();
    while generator.fill(&mut session) > 0 {}
    session.into()
}

pub fn feed(session: &Arc<[u8]>) -> Box<dyn Feed> {
    let feed = ItchFeed::from_bytes("session", session.clone(), &feed::OpenOptions::default());
    Box::new(feed.expect("a valid session"))
}

/// A market maker, as a run has it.
pub fn trader() -> Trader {
    let spec: StrategySpec = STRATEGY.parse().expect("a valid strategy");
    Trader::new(&spec, TraderConfig::default())
}

/// Runs a feed with a market maker to its end.
pub fn start(
    feed: Box<dyn Feed>,
    journal: Option<JournalConfig>,
    symbols: &[&str],
) -> Result<RunReport> {
    let config = EngineConfig {
        trader: Some(trader()),
        symbols: symbols.iter().map(ToString::to_string).collect(),
        journal,
        ..EngineConfig::default()
    };
    Ok(Engine::start(feed, config)?.join())
}

/// Journals in `dir` with short segments, which go on if they are there.
pub fn resuming(dir: &Path) -> JournalConfig {
    let config = JournalConfig::new(dir, "");
    JournalConfig { resume: true, segment_bytes: SEGMENT_BYTES_MIN, ..config }
}

/// Cuts the market journal as if the run had been killed there.
pub fn cut_market(dir: &Path, at: u64) {
    drop(
        Writer::<Event>::resume(&dir.join(MARKET_DIR), Durability::PageCache, Some(at))
            .expect("a journal"),
    );
}

/// The segments of a journal, in order.
pub fn tapes(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("one").path());
    let mut tapes: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "tape")).collect();
    tapes.sort();
    tapes
}

/// Makes the segments of a journal those of a machine that has been started again since.
pub fn reboot(dir: &Path) {
    for path in tapes(dir) {
        let file = OpenOptions::new().read(true).write(true).open(path).expect("a segment");
        let mut head = vec![0; 4096];
        file.read_exact_at(&mut head, 0).expect("a header");
        head[128] ^= 0xff;
        let crc = crc32c::crc32c(&head[..4084]);
        head[4084..4088].copy_from_slice(&crc.to_le_bytes());
        file.write_all_at(&head, 0).expect("space");
    }
}

/// Flips a bit of a file.
pub fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("a byte");
    file.write_all_at(&[byte[0] ^ 4], offset).expect("space");
}
