//! ringtape's own ring: graphs as declared, one ring for all stages, read batch by batch or by
//! handlers.

use std::thread;

use ringtape::error::Result;
use ringtape::ring::{
    Consumer, Handler, HandlerResult, Producer, RingBuilder, StageCursor, StageId, Wait,
};
use ringtape::runtime::pin_current_thread;
use ringtape::units::CoreId;

use super::crew::{Crew, Source};
use super::job::{How, Job, Shape, Way};
use super::stream::{Record, record};
use super::watch::{Outcome, Seen, Watch};

pub(crate) const WAYS: [Way; 8] = [
    Way::new(How::Spin),
    Way::new(How::Pause),
    Way::new(How::Yield),
    Way::new(How::Park),
    Way::new(How::Auto),
    Way::managed(How::Pause),
    Way::managed(How::Yield),
    Way::managed(How::Auto),
];

/// The ways of a variant.
pub(crate) const VARIANT_WAYS: [Way; 3] =
    [Way::new(How::Spin), Way::new(How::Pause), Way::new(How::Yield)];

/// What the ring is asked to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Stages that read the slots.
    Plain,
    /// The same on an observable ring.
    Observable,
    /// Detachable stages on an observable ring, which read by copy.
    Copy,
}

pub(crate) fn plain(job: &Job) -> Result<Outcome> {
    run(job, Form::Plain)
}

pub(crate) fn observable(job: &Job) -> Result<Outcome> {
    run(job, Form::Observable)
}

pub(crate) fn copy(job: &Job) -> Result<Outcome> {
    run(job, Form::Copy)
}

fn run(job: &Job, form: Form) -> Result<Outcome> {
    let mut crew = Crew::new(job);
    let wait = match job.way.how {
        How::Spin => Wait::Spin,
        How::Pause => Wait::Pause,
        How::Yield | How::Block => Wait::Yield,
        How::Park => Wait::Park,
        How::Auto => Wait::Auto,
    };
    if job.shape == Shape::RoundTrip {
        return round_trip(crew, job, form, wait);
    }
    let Built { producer, consumers, copying } = build(job, form)?;
    for consumer in consumers {
        if job.way.is_managed {
            let (watch, core) = crew.handler();
            handle(consumer, core, wait, Reading { watch, then: |_| {} });
        } else {
            crew.stage(stage(consumer, wait));
        }
    }
    match copying.is_empty() {
        true => crew.produce(Claiming { producer, wait }),
        false => {
            let claiming = Claiming { producer, wait };
            crew.produce(Considerate { claiming, copying, how: job.way.how, room: 0 })
        }
    }
}

fn round_trip(mut crew: Crew, job: &Job, form: Form, wait: Wait) -> Result<Outcome> {
    let (mut there, mut back) = (build(job, form)?, build(job, form)?);
    let (at_echo, at_caller) = (there.consumers.remove(0), back.consumers.remove(0));
    let mut from_echo = Claiming { producer: back.producer, wait };
    if job.way.is_managed {
        let (watch, core) = crew.handler();
        handle(at_echo, core, wait, Reading { watch, then: move |at| from_echo.send(at, 1) });
    } else {
        crew.echo(stage(at_echo, wait), from_echo);
    }
    crew.call(Claiming { producer: there.producer, wait }, stage(at_caller, wait))
}

struct Built {
    producer: Producer<Record>,
    consumers: Vec<Consumer<Record>>,
    /// The detachable stages, whom the producer would not wait for.
    copying: Vec<StageCursor>,
}

fn build(job: &Job, form: Form) -> Result<Built> {
    let mut builder = RingBuilder::new("bench", job.capacity)?;
    if form != Form::Plain {
        builder.observable()?;
    }
    // A stage that nobody follows, in the form that the variant is about.
    let sink = |builder: &mut RingBuilder<Record>, name: &str, upstreams: &[StageId]| match form {
        Form::Plain | Form::Observable => builder.stage(name, upstreams),
        Form::Copy => builder.detachable(name, upstreams),
    };
    let mut ids = Vec::new();
    let sinks = match job.shape {
        Shape::Multicast(stages) => {
            for i in 0..stages {
                ids.push(sink(&mut builder, &format!("{i}"), &[])?);
            }
            0..stages
        }
        Shape::Pipeline => {
            ids.push(builder.stage("a", &[])?);
            ids.push(sink(&mut builder, "b", &ids)?);
            1..2
        }
        Shape::Diamond => {
            ids.push(builder.stage("a", &[])?);
            ids.push(builder.stage("b", &[])?);
            ids.push(sink(&mut builder, "c", &ids)?);
            2..3
        }
        Shape::RoundTrip => {
            ids.push(sink(&mut builder, "reader", &[])?);
            0..1
        }
    };
    let (producer, mut consumers) = builder.build()?;
    let copying = match form {
        Form::Plain | Form::Observable => Vec::new(),
        Form::Copy => ids[sinks].iter().map(|&id| consumers.cursor(id)).collect::<Result<_>>()?,
    };
    let consumers = ids.into_iter().map(|id| consumers.take(id)).collect::<Result<_>>()?;
    Ok(Built { producer, consumers, copying })
}

/// Sends through a claim.
struct Claiming {
    producer: Producer<Record>,
    wait: Wait,
}

impl Source for Claiming {
    #[inline(always)]
    fn send(&mut self, first: u64, count: usize) {
        let mut claim = self.producer.claim(count, self.wait).expect("no stage fails");
        match count {
            1 => claim.set(0, record(first)),
            _ => claim.for_each_mut(|i, slot| *slot = record(first + i as u64)),
        }
        claim.commit_all();
    }
}

/// Waits for detachable stages, which the ring itself would cut off.
struct Considerate {
    claiming: Claiming,
    copying: Vec<StageCursor>,
    how: How,
    room: u64,
}

impl Source for Considerate {
    #[inline(always)]
    fn send(&mut self, first: u64, count: usize) {
        while first + count as u64 > self.room {
            let slowest = self.copying.iter().map(StageCursor::sequence).min();
            self.room =
                slowest.expect("a stage that copies") + self.claiming.producer.capacity() as u64;
            if first + count as u64 > self.room {
                self.how.idle();
            }
        }
        self.claiming.send(first, count);
    }
}

fn stage(mut consumer: Consumer<Record>, wait: Wait) -> impl FnMut(usize, &mut Seen) + Send {
    move |max, seen| {
        let batch = consumer.next_batch(max, wait).expect("the producer does not fail");
        let batch = batch.expect("the stream goes on");
        seen.look(|tally| batch.iter().for_each(|record| tally.record(record)));
    }
}

/// Runs a stage by a handler, on a thread that ends with the stream.
fn handle<F: FnMut(u64) + Send + 'static>(
    mut consumer: Consumer<Record>,
    core: Option<CoreId>,
    wait: Wait,
    mut reading: Reading<F>,
) {
    thread::spawn(move || {
        if let Some(core) = core {
            pin_current_thread(core);
        }
        consumer.run(wait, &mut reading).expect("the producer does not fail");
    });
}

/// A handler that verifies the stream, and does something with each sequence then.
struct Reading<F> {
    watch: Watch,
    then: F,
}

impl<F: FnMut(u64)> Handler<Record> for Reading<F> {
    #[inline]
    fn batch(&mut self, _first: u64, _len: usize, _depth: usize) {
        self.watch.batch();
    }

    #[inline]
    fn event(&mut self, sequence: u64, record: &Record) -> HandlerResult {
        self.watch.event(record, false);
        (self.then)(sequence);
        Ok(())
    }
}
