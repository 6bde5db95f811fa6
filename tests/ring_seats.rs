//! Stages that come, leave and are cut, on one thread: would catch a record overwritten before it
//! was read, a producer held back by a stage that is gone, a stage that begins at the wrong record,
//! and a miscount of missed ones.

#[path = "common/stream.rs"]
mod stream;

use proptest::prelude::*;
use ringtape::error::Error;
use ringtape::ring::{Consumer, Observer, Policy, Producer, RingBuilder, StageId};
use stream::{Record, record};

#[derive(Clone, Copy, Debug)]
enum Step {
    Produce { claim: usize, commit: usize },
    Poll { stage: usize, max: usize, release: usize },
    Observe { max: usize },
    Leave { stage: usize },
    Cut { stage: usize },
    Attach { policy: Policy, upstream: usize, back: Option<u64> },
}

fn step() -> impl Strategy<Value = Step> {
    let max = || prop_oneof![1..5_usize, Just(usize::MAX)];
    let policy = prop_oneof![Just(Policy::Stop), Just(Policy::Detach)];
    let back = prop::option::of(0..12_u64);
    prop_oneof![
        8 => (1..9_usize, 0..9_usize).prop_map(|(claim, commit)| Step::Produce { claim, commit }),
        12 => (any::<usize>(), max(), 0..5_usize)
            .prop_map(|(stage, max, release)| Step::Poll { stage, max, release }),
        3 => max().prop_map(|max| Step::Observe { max }),
        1 => any::<usize>().prop_map(|stage| Step::Leave { stage }),
        1 => any::<usize>().prop_map(|stage| Step::Cut { stage }),
        2 => (policy, any::<usize>(), back)
            .prop_map(|(policy, upstream, back)| Step::Attach { policy, upstream, back }),
    ]
}

/// A stage with what the model knows of it.
struct Stage {
    name: String,
    consumer: Consumer<Record>,
    id: Option<StageId>,
    policy: Policy,
    /// Names of the stages that it follows.
    upstreams: Vec<String>,
    /// Records that it released, and up to where it knows of some.
    position: u64,
    limit: u64,
    /// Whether it is to go, or is detachable and cut already.
    is_over: bool,
}

impl Stage {
    fn holds(&self) -> bool {
        !(self.is_over && self.policy == Policy::Detach)
    }
}

/// A ring with the model that it must agree with.
struct Bench {
    producer: Producer<Record>,
    stages: Vec<Stage>,
    observer: Observer<Record>,
    observed: u64,
    capacity: u64,
    published: u64,
    /// Up to where the producer may write without another look.
    limit: u64,
    seats: usize,
    attached: u64,
}

/// Seats of the ring for stages that come later.
const SEATS: usize = 2;

impl Bench {
    /// Bit `j` of `edges[i]` says that stage `i` follows the earlier stage `j`; the highest bit that
    /// it is detachable.
    fn new(capacity: usize, edges: &[u8]) -> Self {
        let mut builder = RingBuilder::new("seats", capacity).unwrap();
        builder.observable().unwrap();
        builder.spare_stages(SEATS);
        let mut declared: Vec<(String, StageId, Policy, Vec<String>)> = Vec::new();
        for (i, edges) in edges.iter().enumerate() {
            let follows = |j: usize| edges >> j & 1 == 1 && declared[j].2 == Policy::Stop;
            let upstreams: Vec<usize> = (0..i).filter(|&j| follows(j)).collect();
            let ids: Vec<_> = upstreams.iter().map(|&j| declared[j].1).collect();
            let names = upstreams.iter().map(|&j| declared[j].0.clone()).collect();
            let name = format!("stage {i}");
            let (id, policy) = match edges >> 7 {
                0 => (builder.stage(name.as_str(), &ids).unwrap(), Policy::Stop),
                _ => (builder.detachable(name.as_str(), &ids).unwrap(), Policy::Detach),
            };
            declared.push((name, id, policy, names));
        }
        let (producer, mut consumers) = builder.build().unwrap();
        let stages = declared.into_iter().map(|(name, id, policy, upstreams)| Stage {
            name,
            consumer: consumers.take(id).unwrap(),
            id: Some(id),
            policy,
            upstreams,
            position: 0,
            limit: 0,
            is_over: false,
        });
        let stages = stages.collect();
        let observer = producer.ring().observe("observer").unwrap();
        let capacity = capacity as u64;
        let (observed, published, limit, attached) = (0, 0, capacity, 0);
        Self {
            producer,
            stages,
            observer,
            observed,
            capacity,
            published,
            limit,
            seats: SEATS,
            attached,
        }
    }

    fn take(&mut self, step: Step) {
        let index = |stage: usize| stage.checked_rem(self.stages.len());
        match step {
            Step::Produce { claim, commit } => self.produce(claim, commit.min(claim)),
            Step::Observe { max } => self.observe(max),
            Step::Attach { policy, upstream, back } => {
                self.attach(policy, index(upstream), back);
            }
            Step::Poll { stage, .. } | Step::Leave { stage } | Step::Cut { stage } => {
                let Some(stage) = index(stage) else { return };
                match step {
                    Step::Poll { max, release, .. } => self.poll(stage, max, release),
                    Step::Leave { .. } => self.leave(stage),
                    _ => self.cut(stage),
                }
            }
        }
    }

    /// The producer's look at the gates.
    fn look(&mut self) {
        let held = self.stages.iter().filter(|stage| stage.holds()).map(|stage| stage.position);
        self.limit = self.limit.max(held.fold(self.published, u64::min) + self.capacity);
    }

    /// The producer's cut of those that alone hold it back from `needed`.
    fn cut_laggards(&mut self, needed: u64) {
        let lags = |stage: &Stage| stage.holds() && stage.position < needed;
        let is_stuck = |stage: &Stage| lags(stage) && stage.policy == Policy::Stop;
        if !self.stages.iter().any(is_stuck) {
            self.stages.iter_mut().filter(|stage| lags(stage)).for_each(|stage| stage.is_over = true);
        }
    }

    fn produce(&mut self, count: usize, commit: usize) {
        if count as u64 > self.capacity {
            return;
        }
        let end = self.published + count as u64;
        if self.limit < end {
            self.look();
        }
        if self.limit < end {
            self.cut_laggards(end - self.capacity);
            self.look();
        }
        let claim = self.producer.try_claim(count).unwrap();
        assert_eq!(claim.is_some(), self.limit >= end);
        let Some(mut claim) = claim else { return };
        claim.for_each_mut(|i, slot| *slot = record(self.published + i as u64));
        claim.commit(commit);
        self.published += commit as u64;
    }

    /// Up to where the stages called `names`, or the producer, let records through.
    fn through(&self, names: &[String]) -> u64 {
        let before = self.stages.iter().filter(|stage| names.contains(&stage.name));
        before.map(|stage| stage.position).min().unwrap_or(self.published)
    }

    fn poll(&mut self, index: usize, max: usize, release: usize) {
        let through = self.through(&self.stages[index].upstreams);
        let stage = &mut self.stages[index];
        assert_eq!(stage.consumer.position(), stage.position);
        if stage.limit == stage.position && stage.is_over {
            match stage.consumer.poll(max).map(drop) {
                Err(Error::StageCut { sequence, .. }) => assert_eq!(sequence, stage.position),
                other => panic!("{other:?}"),
            }
            return self.forget(index);
        }
        if stage.limit == stage.position {
            stage.limit = through;
        }
        let len = ((stage.limit - stage.position) as usize).min(max);
        let batch = stage.consumer.poll(max).unwrap();
        assert_eq!((batch.first_sequence(), batch.len()), (stage.position, len));
        assert!(batch.iter().copied().eq((stage.position..).map(record).take(len)));
        let released = len.saturating_sub(release);
        batch.end_at(released);
        stage.position += released as u64;
    }

    fn observe(&mut self, max: usize) {
        let missed = self.observer.missed();
        let batch = self.observer.poll(max).unwrap();
        let (first, len) = (batch.first_sequence(), batch.len());
        assert!(batch.iter().copied().eq((first..).map(record).take(len)));
        assert!(first == self.observed || len == 0 && first > self.observed);
        drop(batch);
        assert_eq!(self.observer.missed() - missed, first - self.observed);
        assert!(len > 0 || first != self.observed || first == self.published);
        self.observed = first + len as u64;
    }

    fn is_followed(&self, index: usize) -> bool {
        let name = &self.stages[index].name;
        let up = |stage: &Stage| stage.holds() && self.is_behind(stage, name);
        self.stages.iter().any(up)
    }

    /// Whether `stage` follows the one called `name`, however far.
    fn is_behind(&self, stage: &Stage, name: &String) -> bool {
        stage.upstreams.iter().any(|up| {
            up == name || self.stages.iter().any(|via| via.name == *up && self.is_behind(via, name))
        })
    }

    fn leave(&mut self, index: usize) {
        if self.is_followed(index) {
            return;
        }
        let stage = self.stages.remove(index);
        self.seats += usize::from(stage.id.is_none());
        assert_eq!(stage.consumer.leave().unwrap(), stage.position);
    }

    fn cut(&mut self, index: usize) {
        let is_followed = self.is_followed(index);
        let stage = &mut self.stages[index];
        let cut = self.producer.ring().cut(&stage.name);
        assert_eq!(cut.is_err(), is_followed);
        if let Ok(sequence) = cut {
            assert_eq!(sequence, stage.position);
            stage.is_over = true;
        }
    }

    /// Takes a stage that has gone off the ring.
    fn forget(&mut self, index: usize) {
        let stage = self.stages.remove(index);
        self.seats += usize::from(stage.id.is_none());
    }

    fn attach(&mut self, policy: Policy, upstream: Option<usize>, back: Option<u64>) {
        let name = format!("guest {}", self.attached);
        self.attached += 1;
        let upstream = upstream.map(|index| &self.stages[index]);
        let upstream = upstream.filter(|up| up.policy == Policy::Stop && policy == Policy::Stop);
        let is_open = upstream.is_none_or(|up| !up.is_over);
        let upstream = upstream.and_then(|up| Some((up.name.clone(), up.id?)));
        let upstreams: Vec<_> = upstream.iter().map(|(name, _)| name.clone()).collect();
        let ids: Vec<_> = upstream.iter().map(|(_, id)| *id).collect();
        let through = self.through(&upstreams);
        let position = back.map_or(through, |back| through.saturating_sub(back));
        let ring = self.producer.ring();
        let consumer = match (policy, back) {
            (Policy::Stop, None) => ring.attach(&name, &ids),
            (Policy::Stop, Some(_)) => ring.attach_at(&name, &ids, position),
            (Policy::Detach, _) => ring.attach_detachable(&name, back.map(|_| position)),
        };
        if self.seats == 0 || !ids.is_empty() && !is_open {
            assert!(matches!(consumer, Err(Error::Usage { .. })), "{consumer:?}");
            return;
        }
        let oldest = self.limit - self.capacity;
        if position < oldest {
            assert!(matches!(consumer, Err(Error::Overwritten { oldest: told, .. }) if told == oldest));
            return;
        }
        let (consumer, id, is_over) = (consumer.unwrap(), None, false);
        assert_eq!(consumer.position(), position);
        // One that stands behind the producer has looked at the head already.
        let is_sliced = ids.is_empty() && policy == Policy::Stop;
        let limit = if is_sliced { self.published } else { position };
        self.seats -= 1;
        self.stages.push(Stage { name, consumer, id, policy, upstreams, position, limit, is_over });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn whoever_comes_and_goes_everybody_sees_what_he_should_and_nobody_waits_for_the_gone(
        capacity in prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)],
        edges in prop::collection::vec(any::<u8>(), 0..5),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut bench = Bench::new(capacity, &edges);
        for step in steps {
            bench.take(step);
        }
    }
}
