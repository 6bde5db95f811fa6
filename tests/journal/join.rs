//! A stage that comes late reads the journal first and then the live ring, over rolls.
//!
//! Catches: a record that is lost or seen twice where journal and ring meet, whatever the writer,
//! the producer and the rolls do meanwhile.

use bytemuck::{Pod, Zeroable};
use ringtape::journal::{
    JournalOptions, Reader, Record, Writer, records_per_segment, schema_hash, verify,
};
use ringtape::ring::{CatchUp, Consumer, Policy, Producer, Ring, RingBuilder};

/// A record that fills a slot of 4,096 bytes, so that a segment holds few.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Page {
    sequence: u64,
    rest: [u64; 510],
}

impl Record for Page {
    const NAME: &'static str = "page";
    const SCHEMA: u64 = schema_hash("0 sequence u64, 8 rest [u64; 510]");

    fn time(&self) -> u64 {
        self.sequence
    }
}

impl Page {
    fn new(sequence: u64) -> Self {
        Self { sequence, rest: [sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15); 510] }
    }
}

const SEGMENT_BYTES: u64 = 16 << 20;
const RING_SLOTS: usize = 8;

/// A ring whose records go to a journal, and a stage that leaves and comes back.
struct Bench {
    dir: tempfile::TempDir,
    producer: Producer<Page>,
    ring: Ring<Page>,
    journal: Consumer<Page>,
    writer: Writer<Page>,
    policy: Policy,
    /// The next sequence that the stage is to see.
    seen: u64,
    /// Joins that came to be live.
    live: u64,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut builder = RingBuilder::<Page>::new("pages", RING_SLOTS).expect("a ring");
        builder.observable().expect("an observable ring");
        builder.spare_stages(1);
        let stage = builder.stage("journal", &[]).expect("a name");
        let (producer, mut consumers) = builder.build().expect("a graph");
        let options = JournalOptions { segment_bytes: SEGMENT_BYTES, ..JournalOptions::default() };
        let writer = Writer::create(dir.path(), &options).expect("space");
        let (ring, journal) = (producer.ring(), consumers.take(stage).expect("its own"));
        Self { dir, producer, ring, journal, writer, policy, seen: 0, live: 0 }
    }

    /// Publishes one record, once there is room.
    fn produce(&mut self) {
        if let Some(mut claim) = self.producer.try_claim(1).expect("no failure") {
            claim.set(0, Page::new(claim.first_sequence()));
            claim.commit_all();
        }
    }

    /// Appends all but the newest `lag` records to the journal.
    fn append(&mut self, lag: u64) {
        let behind = self.journal.lag().saturating_sub(lag) as usize;
        let writer = &mut self.writer;
        let keep = |_, page: &Page| writer.append(page);
        self.journal.poll_each(behind, keep).expect("space");
    }

    /// The stage comes back to where it left, by the journal.
    fn join(&self) -> CatchUp<Page, Reader<Page>> {
        let reader = Reader::open(self.dir.path()).expect("a journal");
        self.ring.attach_from("late", self.policy, self.seen, reader).expect("a seat")
    }

    /// The stage sees at most `max` records, which come as if it had never left.
    fn look(&mut self, late: &mut CatchUp<Page, Reader<Page>>, max: usize) {
        let seen = &mut self.seen;
        let look = |sequence, page: &Page| {
            assert_eq!((sequence, page.sequence), (*seen, *seen));
            assert!(page.rest == Page::new(sequence).rest, "record {sequence}");
            *seen += 1;
            Ok::<_, String>(())
        };
        late.poll_each(max, look).expect("a whole journal");
    }

    /// Everybody comes to the end.
    fn end(mut self, mut late: CatchUp<Page, Reader<Page>>) -> u64 {
        let published = self.producer.next_sequence();
        self.producer.close();
        while !late.is_finished() {
            self.append(0);
            self.look(&mut late, RING_SLOTS);
        }
        assert_eq!(self.seen, published);
        late.leave().expect("it came to its end");
        self.writer.close().expect("space");
        let found = verify::<Page>(self.dir.path()).expect("a whole journal");
        assert_eq!((found.records, found.segments), (published, 3));
        self.live
    }
}

/// Joins again at every sequence, `lag` records ahead of the journal, while the producer goes on by
/// `pace` records between two looks of `max` records.
fn join_at_every_sequence(policy: Policy, lag: u64, pace: usize, max: usize) -> u64 {
    let records = 2 * records_per_segment::<Page>(SEGMENT_BYTES) + 20;
    let mut bench = Bench::new(policy);
    while bench.producer.next_sequence() < records {
        let mut late = bench.join();
        let until = bench.seen + 1;
        while bench.seen < until {
            (0..pace).for_each(|_| bench.produce());
            bench.append(lag);
            bench.look(&mut late, max);
        }
        bench.live += u64::from(late.is_live());
        late.leave().expect("a stage that did not fail");
    }
    let late = bench.join();
    bench.end(late)
}

#[test]
fn a_stage_that_joins_at_any_sequence_sees_every_record_once_over_rolls() {
    let mut live = 0;
    for (policy, lag, pace, max) in
        [(Policy::Stop, 0, 1, 1), (Policy::Stop, 3, 2, 1), (Policy::Detach, 1, 1, 2)]
    {
        live += join_at_every_sequence(policy, lag, pace, max);
    }
    println!("{live} joins came to be live");
    assert!(live > 0);
}
