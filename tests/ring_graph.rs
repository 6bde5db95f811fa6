//! Random acyclic graphs on one thread in random interleavings: would catch a record lost, seen
//! twice or out of order, a stage that overtakes one before it, a writer that overtakes a reader,
//! and an arithmetic slip at the end of the ring.

#[path = "common/stream.rs"]
mod stream;

use proptest::prelude::*;
use ringtape::ring::{Consumer, Producer, RingBuilder, StageCursor};
use stream::{Record, is_whole, record};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Claim some slots and commit some of them.
    Produce { claim: usize, commit: usize },
    /// Claim and drop the claim.
    Abandon { claim: usize },
    /// Poll at one stage.
    Poll { stage: usize, max: usize, end: End },
}

/// How a batch ends, with counts taken modulo its length.
#[derive(Clone, Copy, Debug)]
enum End {
    Drop,
    At(usize),
    EarlyThenAt(usize, usize),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        3 => Just(End::Drop),
        1 => any::<usize>().prop_map(End::At),
        1 => any::<(usize, usize)>().prop_map(|(a, b)| End::EarlyThenAt(a, b)),
        1 => Just(End::Forget),
    ];
    let max = prop_oneof![0..5_usize, Just(usize::MAX)];
    prop_oneof![
        6 => (1..9_usize, any::<usize>()).prop_map(|(claim, commit)| Step::Produce { claim, commit }),
        1 => (1..9_usize).prop_map(|claim| Step::Abandon { claim }),
        12 => (any::<usize>(), max, end).prop_map(|(stage, max, end)| Step::Poll { stage, max, end }),
    ]
}

/// A ring with the model that it must agree with: how far each side has come.
struct Bench {
    producer: Producer<Record>,
    consumers: Vec<Consumer<Record>>,
    cursors: Vec<StageCursor>,
    upstreams: Vec<Vec<usize>>,
    published: u64,
    released: Vec<u64>,
}

impl Bench {
    /// Bit `j` of `edges[i]` says that stage `i` follows the earlier stage `j`.
    fn new(capacity: usize, edges: &[u8]) -> Self {
        let upstreams: Vec<Vec<usize>> =
            (0..edges.len()).map(|i| (0..i).filter(|j| edges[i] >> j & 1 == 1).collect()).collect();
        let mut builder = RingBuilder::new("random", capacity).unwrap();
        let mut ids = Vec::new();
        for (i, upstreams) in upstreams.iter().enumerate() {
            let upstreams: Vec<_> = upstreams.iter().map(|&j| ids[j]).collect();
            ids.push(builder.stage(format!("stage {i}"), &upstreams).unwrap());
        }
        let (producer, mut consumers) = builder.build().unwrap();
        Self {
            producer,
            cursors: ids.iter().map(|&id| consumers.cursor(id).unwrap()).collect(),
            consumers: ids.iter().map(|&id| consumers.take(id).unwrap()).collect(),
            upstreams,
            published: 0,
            released: vec![0; edges.len()],
        }
    }

    fn free(&self) -> usize {
        let slowest = self.released.iter().min().unwrap();
        self.producer.capacity() - (self.published - slowest) as usize
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Produce { claim, commit } => self.produce(claim, commit % (claim + 1)),
            Step::Abandon { claim } => self.produce(claim, 0),
            Step::Poll { stage, max, end } => self.poll(stage % self.consumers.len(), max, end),
        }
    }

    fn produce(&mut self, count: usize, commit: usize) {
        let free = self.free();
        assert_eq!(self.producer.free_slots().unwrap(), free);
        if count > self.producer.capacity() {
            assert!(self.producer.try_claim(count).is_err());
            return;
        }
        let Some(mut claim) = self.producer.try_claim(count).unwrap() else {
            assert!(free < count);
            return;
        };
        assert!(free >= count);
        assert_eq!((claim.len(), claim.first_sequence()), (count, self.published));
        claim.for_each_mut(|i, slot| *slot = record(self.published + i as u64));
        claim.commit(commit);
        self.published += commit as u64;
        assert_eq!(self.producer.next_sequence(), self.published);
    }

    fn poll(&mut self, stage: usize, max: usize, end: End) {
        let until = self.upstreams[stage].iter().map(|&j| self.released[j]).min();
        let until = until.unwrap_or(self.published);
        let consumer = &mut self.consumers[stage];
        let first = self.released[stage];
        assert_eq!((consumer.position(), consumer.lag()), (first, self.published - first));

        let mut batch = consumer.poll(max).unwrap();
        let len = batch.len();
        assert_eq!(batch.first_sequence(), first);
        assert!(len <= max && batch.depth() >= len && first + batch.depth() as u64 <= until);
        assert_eq!(len == 0, max == 0 || first == until, "it sees something when there is some");
        let expected: Vec<Record> = (first..first + len as u64).map(record).collect();
        assert!(batch.iter().eq(&expected) && batch.iter().all(is_whole));
        let (head, tail) = batch.slices();
        assert!(head.iter().chain(tail).map(|record| **record).eq(expected));

        let cursor = &self.cursors[stage];
        let released = match end {
            End::Drop => {
                drop(batch);
                len
            }
            End::At(k) => {
                batch.end_at(k % (len + 1));
                k % (len + 1)
            }
            End::EarlyThenAt(early, late) => {
                let early = early % (len + 1);
                batch.release(early);
                assert_eq!((batch.len(), cursor.sequence()), (len - early, first + early as u64));
                assert!(
                    batch
                        .iter()
                        .copied()
                        .eq((first + early as u64..).map(record).take(len - early))
                );
                let late = late % (len - early + 1);
                batch.end_at(late);
                early + late
            }
            End::Forget => {
                std::mem::forget(batch);
                0
            }
        };
        self.released[stage] += released as u64;
        assert_eq!(cursor.sequence(), self.released[stage]);
    }

    /// Closes the ring and lets every stage read to the end.
    fn drain(mut self) {
        self.producer.close();
        for stage in 0..self.consumers.len() {
            while !self.consumers[stage].is_finished() {
                assert!(self.released[stage] < self.published);
                self.poll(stage, usize::MAX, End::Drop);
            }
            assert_eq!(self.released[stage], self.published);
            self.poll(stage, usize::MAX, End::Drop);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_stage_sees_every_record_once_in_order_and_never_before_its_upstreams(
        capacity in prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)],
        edges in prop::collection::vec(any::<u8>(), 1..6),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut bench = Bench::new(capacity, &edges);
        for step in steps {
            bench.take(step);
        }
        bench.drain();
    }
}
