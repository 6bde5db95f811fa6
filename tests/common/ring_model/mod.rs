//! A ring beside a naive model of it: what is published, how far each stage is, who holds the
//! producer back. Each step is made on both, and both must agree.

mod come_and_go;

use std::collections::BTreeMap;

use ringtape::error::{Error, Result};
use ringtape::ring::{
    Consumer, ExclusiveConsumer, Observer, Producer, Ring, RingBuilder, StageCursor, StageId,
    StageState, Wait,
};

use crate::stream::{Record, is_whole, record};

/// A ring as it is declared; bit `j` of a stage's `edges` says that it follows the earlier stage
/// `j`, if that can be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) capacity: usize,
    pub(crate) is_observable: bool,
    pub(crate) seats: usize,
    pub(crate) stages: Vec<Declared>,
}

#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) edges: u8,
    pub(crate) wants_detach: bool,
    pub(crate) wants_exclusive: bool,
}

/// How a batch ends, with counts taken modulo its length.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Drop,
    At(usize),
    EarlyThenAt(usize, usize),
    Forget,
}

enum Reader {
    Shared(Consumer<Record>),
    Exclusive(ExclusiveConsumer<Record>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    /// It was told to go and has not looked yet.
    Leaving,
    Cut,
    Failed,
}

struct Stage {
    name: String,
    upstreams: Vec<usize>,
    is_detachable: bool,
    is_exclusive: bool,
    has_seat: bool,
    released: u64,
    state: State,
    /// Until it is dropped or leaves.
    reader: Option<Reader>,
    cursor: StageCursor,
}

impl Stage {
    /// Whether it holds the producer back.
    fn holds(&self) -> bool {
        matches!(self.state, State::Live | State::Leaving)
    }
}

struct Watcher {
    observer: Observer<Record>,
    begun_at: u64,
    seen: u64,
}

/// How often something that is worth testing came up.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

pub(crate) struct Bench<'a> {
    producer: Producer<Record>,
    ring: Ring<Record>,
    is_observable: bool,
    ids: Vec<StageId>,
    /// The declared stages, then those that came later; a stage never leaves this list.
    stages: Vec<Stage>,
    watchers: Vec<Watcher>,
    /// Every record that was published, as it is now.
    tape: Vec<Record>,
    dropped: u64,
    vacant_seats: usize,
    is_closed: bool,
    tally: &'a mut Tally,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(plan: &Plan, tally: &'a mut Tally) -> Self {
        let mut builder = RingBuilder::new("random", plan.capacity).unwrap();
        if plan.is_observable {
            builder.observable().unwrap();
        }
        builder.spare_stages(plan.seats);
        let is_detachable = |i: usize| plan.is_observable && plan.stages[i].wants_detach;
        let follows = |i: usize, j: usize| plan.stages[i].edges >> j & 1 == 1 && !is_detachable(j);
        let upstreams = |i| (0..i).filter(|&j| follows(i, j)).collect();
        let upstreams: Vec<Vec<usize>> = (0..plan.stages.len()).map(upstreams).collect();
        let is_apart = |i, j| !is_behind(&upstreams, i, j) && !is_behind(&upstreams, j, i);
        let is_alone = |i| (0..upstreams.len()).all(|j| i == j || !is_apart(i, j));
        let is_exclusive =
            |i: usize| !plan.is_observable && plan.stages[i].wants_exclusive && is_alone(i);
        let mut ids: Vec<StageId> = Vec::new();
        for (i, upstreams) in upstreams.iter().enumerate() {
            let (name, before) = (stage_name(i), upstreams.iter().map(|&j| ids[j]));
            let before: Vec<_> = before.collect();
            ids.push(match (is_detachable(i), is_exclusive(i)) {
                (true, _) => builder.detachable(name, &before).unwrap(),
                (_, true) => builder.exclusive(name, &before).unwrap(),
                _ => builder.stage(name, &before).unwrap(),
            });
        }
        let (producer, mut consumers) = builder.build().unwrap();
        let stages = upstreams.iter().enumerate().map(|(i, upstreams)| Stage {
            name: stage_name(i),
            upstreams: upstreams.clone(),
            is_detachable: is_detachable(i),
            is_exclusive: is_exclusive(i),
            has_seat: false,
            released: 0,
            state: State::Live,
            cursor: consumers.cursor(ids[i]).unwrap(),
            reader: Some(match is_exclusive(i) {
                true => Reader::Exclusive(consumers.take_exclusive(ids[i]).unwrap()),
                false => Reader::Shared(consumers.take(ids[i]).unwrap()),
            }),
        });
        Self {
            stages: stages.collect(),
            ring: producer.ring(),
            producer,
            is_observable: plan.is_observable,
            ids,
            watchers: Vec::new(),
            tape: Vec::new(),
            dropped: 0,
            vacant_seats: plan.seats,
            is_closed: false,
            tally,
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(crate) fn stages(&self) -> usize {
        self.stages.len()
    }

    pub(crate) fn watchers(&self) -> usize {
        self.watchers.len()
    }

    fn published(&self) -> u64 {
        self.tape.len() as u64
    }

    /// The lowest position of those of the first `count` stages that hold the producer back.
    fn slowest(&self, count: usize) -> u64 {
        let holding = self.stages[..count].iter().filter(|stage| stage.holds());
        holding.map(|stage| stage.released).min().unwrap_or(self.published())
    }

    fn free(&self) -> usize {
        let in_use = self.published() - self.slowest(self.stages.len());
        self.producer.capacity() - in_use as usize
    }

    pub(crate) fn produce(&mut self, count: usize, commit: usize, or_drop: bool) {
        let (capacity, first) = (self.producer.capacity(), self.published());
        if count > capacity {
            assert!(matches!(self.producer.try_claim(count), Err(Error::Usage { .. })));
            assert!(matches!(self.producer.claim_or_drop(count), Err(Error::Usage { .. })));
            return;
        }
        if self.free() < count {
            self.cut_laggards(first + count as u64 - capacity as u64);
        }
        let has_room = self.free() >= count;
        let claim = match or_drop {
            true => self.producer.claim_or_drop(count).unwrap(),
            false => self.producer.try_claim(count).unwrap(),
        };
        assert_eq!(claim.is_some(), has_room);
        if let Some(mut claim) = claim {
            assert_eq!((claim.len(), claim.first_sequence()), (count, first));
            claim.for_each_mut(|i, slot| *slot = record(first + i as u64));
            claim.commit(commit);
            self.tape.extend((first..first + commit as u64).map(record));
        } else if or_drop {
            self.dropped += count as u64;
            self.count("claims dropped");
        }
    }

    /// Cuts the stages below `needed`, if all of them are detachable.
    fn cut_laggards(&mut self, needed: u64) {
        let is_lagging = |stage: &Stage| stage.holds() && stage.released < needed;
        if self.stages.iter().filter(|stage| is_lagging(stage)).all(|stage| stage.is_detachable) {
            let lagging = self.stages.iter_mut().filter(|stage| is_lagging(stage));
            lagging.for_each(|stage| stage.state = State::Cut);
            self.count("laggards cut");
        }
    }

    pub(crate) fn poll(&mut self, i: usize, max: usize, end: End) {
        let Some(mut reader) = self.stages[i].reader.take() else { return };
        let outcome = match &mut reader {
            Reader::Shared(consumer) => self.poll_shared(i, consumer, max, end),
            Reader::Exclusive(consumer) => self.poll_exclusive(i, consumer, max, end),
        };
        let published = self.published();
        let is_over = matches!(self.stages[i].state, State::Leaving | State::Cut);
        let stage = &mut self.stages[i];
        match outcome {
            Ok(released) => {
                assert!(!is_over, "it was cut and reads on");
                stage.released += released as u64;
            }
            Err(Error::StageCut { name, sequence }) => {
                assert!(is_over, "nobody cut it");
                assert_eq!((name, sequence), (stage.name.clone(), stage.released));
                stage.state = State::Cut;
            }
            Err(error) => panic!("{error}"),
        }
        let cursor = &stage.cursor;
        assert_eq!(cursor.sequence(), stage.released);
        assert_eq!(cursor.lag(), published - stage.released);
        stage.reader = Some(reader);
    }

    /// How far the stage may read.
    fn readable_until(&self, i: usize) -> u64 {
        let upstreams = self.stages[i].upstreams.iter().map(|&j| self.stages[j].released);
        upstreams.min().unwrap_or(self.published())
    }

    fn poll_shared(
        &self,
        i: usize,
        consumer: &mut Consumer<Record>,
        max: usize,
        end: End,
    ) -> Result<usize> {
        let (first, until) = (self.stages[i].released, self.readable_until(i));
        assert_eq!((consumer.position(), consumer.lag()), (first, self.published() - first));
        let mut batch = consumer.poll(max)?;
        let len = batch.len();
        assert_eq!(batch.first_sequence(), first);
        assert!(len <= max && batch.depth() >= len && first + batch.depth() as u64 <= until);
        assert_eq!(len == 0, max == 0 || first == until, "it sees something when there is some");
        let expected = &self.tape[first as usize..][..len];
        assert!(batch.iter().eq(expected) && batch.iter().all(is_whole));
        let (head, tail) = batch.slices();
        assert!(head.iter().chain(tail).map(|record| &**record).eq(expected));
        match end {
            End::Drop => {
                drop(batch);
                Ok(len)
            }
            End::At(k) => {
                batch.end_at(k % (len + 1));
                Ok(k % (len + 1))
            }
            End::EarlyThenAt(early, late) => {
                let early = early % (len + 1);
                batch.release(early);
                let cursor = &self.stages[i].cursor;
                assert_eq!((batch.len(), cursor.sequence()), (len - early, first + early as u64));
                assert!(batch.iter().eq(&expected[early..]));
                let late = late % (len - early + 1);
                batch.end_at(late);
                Ok(early + late)
            }
            End::Forget => {
                std::mem::forget(batch);
                Ok(0)
            }
        }
    }

    fn poll_exclusive(
        &mut self,
        i: usize,
        consumer: &mut ExclusiveConsumer<Record>,
        max: usize,
        end: End,
    ) -> Result<usize> {
        let (first, until) = (self.stages[i].released, self.readable_until(i));
        let mut batch = consumer.poll(max)?;
        let len = batch.len();
        assert_eq!(batch.first_sequence(), first);
        assert!(len <= max && first + len as u64 <= until);
        assert_eq!(len == 0, max == 0 || first == until, "it sees something when there is some");
        let tape = &mut self.tape[first as usize..];
        batch.for_each_mut(|offset, found| {
            assert_eq!((*found, is_whole(found)), (tape[offset], true));
            // Another whole record, which depends on who changed it and on what it was.
            *found = record(found[0].wrapping_mul(3).wrapping_add(i as u64 + 1));
            tape[offset] = *found;
        });
        if len > 0 {
            *self.tally.entry("batches changed").or_default() += 1;
        }
        match end {
            End::Drop => {
                drop(batch);
                Ok(len)
            }
            End::At(k) | End::EarlyThenAt(k, _) => {
                batch.release(k % (len + 1));
                std::mem::forget(batch);
                Ok(k % (len + 1))
            }
            End::Forget => {
                std::mem::forget(batch);
                Ok(0)
            }
        }
    }

    pub(crate) fn observe(&mut self) {
        let observer = self.ring.observe("watch");
        if !self.is_observable {
            assert!(matches!(observer, Err(Error::Usage { .. })));
            return;
        }
        let (observer, begun_at) = (observer.unwrap(), self.published());
        assert_eq!((observer.position(), observer.missed()), (begun_at, 0));
        self.watchers.push(Watcher { observer, begun_at, seen: 0 });
    }

    pub(crate) fn poll_watcher(&mut self, i: usize, max: usize, end: End) {
        let (published, capacity) = (self.tape.len() as u64, self.producer.capacity() as u64);
        let Watcher { observer, begun_at, seen } = &mut self.watchers[i];
        let (first, missed_before) = (observer.position(), observer.missed());
        let batch = observer.poll(max).unwrap();
        let (found_at, len) = (batch.first_sequence(), batch.len());
        assert!(len <= max && batch.iter().all(is_whole));
        assert!(batch.iter().eq(&self.tape[found_at as usize..][..len]));
        let released = match end {
            End::At(k) | End::EarlyThenAt(k, _) => k % (len + 1),
            End::Drop | End::Forget => len,
        };
        batch.end_at(released);
        *seen += released as u64;
        assert_eq!(observer.position(), found_at + released as u64);
        assert_eq!(*begun_at + *seen + observer.missed(), observer.position());
        let missed = observer.missed() - missed_before;
        assert_eq!(found_at, first + missed, "what it misses is right before what it sees");
        if missed > 0 {
            assert!(first + capacity < published, "it was all there still");
            assert_eq!((len, found_at), (0, published - capacity / 2));
            self.count("observers lapped");
        } else {
            assert_eq!(len == 0, max == 0 || first == published);
        }
    }

    /// Compares everything that can be seen from outside.
    pub(crate) fn check_gauges(&self) {
        let published = self.published();
        assert_eq!((self.ring.published(), self.producer.next_sequence()), (published, published));
        assert_eq!(self.ring.fill(), published - self.slowest(self.stages.len()));
        assert_eq!((self.ring.dropped(), self.producer.dropped()), (self.dropped, self.dropped));
        let statuses = self.ring.stages();
        for status in &statuses {
            let stage = self.stages.iter().find(|stage| stage.name == status.name).unwrap();
            let lag = published - stage.released;
            assert_eq!((status.sequence, status.lag), (stage.released, lag), "{}", stage.name);
            let state = match stage.state {
                State::Failed => StageState::Failed,
                _ if self.is_closed && lag == 0 => StageState::Finished,
                State::Live => StageState::Live,
                State::Leaving => StageState::Leaving,
                State::Cut => StageState::Cut,
            };
            assert_eq!(status.state, state, "{}", stage.name);
        }
        for stage in &self.stages {
            assert_eq!(stage.cursor.sequence(), stage.released, "{}", stage.name);
            let is_listed = statuses.iter().any(|status| status.name == stage.name);
            assert!(is_listed || stage.reader.is_none());
        }
    }

    pub(crate) fn check_free(&mut self) {
        assert_eq!(self.producer.free_slots().unwrap(), self.free());
    }

    /// Closes the ring and lets every stage and observer read to the end.
    pub(crate) fn drain(mut self) {
        self.producer.close();
        self.is_closed = true;
        let published = self.published();
        for i in 0..self.stages.len() {
            while self.stages[i].reader.is_some() && self.stages[i].state != State::Cut {
                self.poll(i, usize::MAX, End::Drop);
                let is_finished = match self.stages[i].reader.as_mut().expect("it was there") {
                    Reader::Shared(consumer) => consumer.is_finished(),
                    Reader::Exclusive(consumer) => consumer.consumer().is_finished(),
                };
                assert_eq!(is_finished, self.stages[i].released == published);
                if is_finished {
                    break;
                }
            }
        }
        for i in 0..self.watchers.len() {
            while !self.watchers[i].observer.is_finished() {
                assert!(self.watchers[i].observer.position() < published);
                self.poll_watcher(i, usize::MAX, End::Drop);
            }
            assert_eq!(self.watchers[i].observer.position(), published);
        }
        self.check_gauges();
        assert!(self.producer.claim(1, Wait::Park).is_err());
    }
}

fn stage_name(i: usize) -> String {
    format!("stage {i}")
}

/// Whether stage `i` follows stage `before`, however far.
fn is_behind(upstreams: &[Vec<usize>], i: usize, before: usize) -> bool {
    upstreams[i].iter().any(|&up| up == before || is_behind(upstreams, up, before))
}
