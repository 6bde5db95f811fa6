//! The rounds: what is timed, and what it came to.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringtape::book::{Replica, Totals};
use ringtape::error::Result;
use ringtape::event::Event;
use ringtape::feed::itch::ItchFeed;
use ringtape::feed::{Feed, Fill, OpenOptions};
use ringtape::limits::BATCH_RECORDS_MAX;
use ringtape::units::Side;

use super::plain::PlainBooks;
use super::streams::Stream;
use crate::cli::bench::yardstick::Looks;

/// What the rounds of a row came to.
pub(super) struct Figures {
    pub(super) name: String,
    pub(super) messages: u64,
    /// Time of each round, ascending.
    pub(super) rounds: Vec<Duration>,
    /// Times of plain books over the same messages, ascending; none where they took none.
    pub(super) plain: Vec<Duration>,
    /// The longest time of one message, where that was looked for: the least of the rounds.
    pub(super) longest: Option<Duration>,
    /// Sizes and hash at the end, where books were built.
    pub(super) books: Option<(Totals, u64)>,
    /// Whether all rounds ended with the same hash.
    pub(super) is_deterministic: bool,
    /// How fast the machine was between them.
    pub(super) looks: Looks,
}

impl Figures {
    fn new(name: &str, messages: u64) -> Self {
        Self {
            name: name.to_owned(),
            messages,
            rounds: Vec::new(),
            plain: Vec::new(),
            longest: None,
            books: None,
            is_deterministic: true,
            looks: Looks::default(),
        }
    }

    /// Takes note of a round that built books.
    fn note_books(&mut self, replica: &Replica) {
        let hash = replica.books_hash();
        self.is_deterministic &= self.books.is_none_or(|(_, before)| before == hash);
        self.books = Some((replica.totals(), hash));
    }

    /// Takes note of a round of plain books, which must end as the replica did.
    fn note_plain(&mut self, elapsed: Duration, plain: &PlainBooks, replica: &Replica) {
        self.plain.push(elapsed);
        let instruments = replica.instruments().iter().map(|(id, _)| id);
        let sides = instruments.flat_map(|id| [Side::Buy, Side::Sell].map(|side| (id, side)));
        let levels = sides.flat_map(|(id, side)| replica.levels(id, side));
        let qty = levels.map(|level| level.qty.0).sum();
        let totals = replica.totals();
        self.is_deterministic &= plain.totals() == (totals.live_orders, totals.levels, qty);
    }
}

/// Times a session: decoded alone, or into books as well, which have room for what a round before,
/// which is not counted, found to be the peak.
pub(super) fn measure_stream(
    name: &str,
    session: &Arc<[u8]>,
    rounds: usize,
    has_books: bool,
) -> Result<Figures> {
    let mut figures = Figures::new(name, 0);
    let mut batch = vec![Event::default(); BATCH_RECORDS_MAX];
    let mut peak = 0;
    for round in 0..=rounds {
        let mut feed = ItchFeed::from_bytes(name, session.clone(), &OpenOptions::default())?;
        let mut replica = has_books.then(|| Replica::with_capacity(peak));
        let elapsed = match &mut replica {
            Some(replica) => drive(&mut feed, &mut batch, |events| replica.apply_all(events))?,
            None => drive(&mut feed, &mut batch, |events| {
                black_box(events);
            })?,
        };
        peak = replica.as_ref().map_or(0, |replica| replica.totals().peak_live_orders);
        if round == 0 {
            continue;
        }
        figures.rounds.push(elapsed);
        figures.looks.look();
        figures.messages = feed.checks().messages;
        if let Some(replica) = &replica {
            figures.note_books(replica);
            let mut feed = ItchFeed::from_bytes(name, session.clone(), &OpenOptions::default())?;
            let mut plain = PlainBooks::with_capacity(peak);
            let elapsed = drive(&mut feed, &mut batch, |events| plain.apply_all(events))?;
            figures.note_plain(elapsed, &plain, replica);
        }
    }
    figures.rounds.sort_unstable();
    figures.plain.sort_unstable();
    Ok(figures)
}

/// Decodes a session, hands its events on in batches, and says how long that took.
fn drive(
    feed: &mut ItchFeed,
    batch: &mut [Event],
    mut take: impl FnMut(&[Event]),
) -> Result<Duration> {
    let start = Instant::now();
    while let Fill::Records(count) = feed.fill(batch)? {
        take(&batch[..count]);
    }
    Ok(start.elapsed())
}

/// Times a stream of events that is hard on books; and once more message by message.
pub(super) fn measure_worst(stream: &Stream, rounds: usize) -> Figures {
    let mut figures = Figures::new(stream.name, stream.timed.len() as u64);
    for _ in 0..rounds {
        let mut replica = filled(stream);
        let start = Instant::now();
        replica.apply_all(&stream.timed);
        figures.rounds.push(start.elapsed());
        figures.looks.look();
        figures.note_books(&replica);

        let mut replica = filled(stream);
        let mut longest = Duration::ZERO;
        for event in &stream.timed {
            let start = Instant::now();
            replica.apply(event);
            longest = longest.max(start.elapsed());
        }
        figures.note_books(&replica);
        // The machine interrupts now and then, at another message in each round.
        figures.longest = Some(figures.longest.map_or(longest, |least| least.min(longest)));
    }
    figures.rounds.sort_unstable();
    figures
}

fn filled(stream: &Stream) -> Replica {
    let mut replica = Replica::new();
    replica.apply_all(&stream.fill);
    replica
}
