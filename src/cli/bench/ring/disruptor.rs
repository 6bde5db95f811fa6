//! The `disruptor` crate: graphs as it builds them, with handlers on its own threads or with
//! pollers on ours.

use disruptor::builder::single::SPBuilder;
use disruptor::wait_strategies::WaitStrategy;
use disruptor::{
    BusySpin, BusySpinWithSpinLoopHint, ProcessorSettings, Producer, Sequence,
    build_single_producer,
};
use ringtape::error::Result;
use ringtape::units::CoreId;

use super::crew::{Crew, Source};
use super::job::{How, Job, Shape, Way};
use super::stream::record;
use super::watch::{Line, Outcome, Seen, Watch};

pub(crate) const WAYS: [Way; 6] = [
    Way::new(How::Spin),
    Way::new(How::Pause),
    Way::new(How::Yield),
    Way::managed(How::Spin),
    Way::managed(How::Pause),
    Way::managed(How::Yield),
];

/// The crate has no strategy that yields; this is what a user would write.
#[derive(Clone, Copy)]
struct Yielding;

impl WaitStrategy for Yielding {
    fn wait_for(&self, _sequence: Sequence) {
        std::thread::yield_now();
    }
}

pub(crate) fn run(job: &Job) -> Result<Outcome> {
    match (job.way.is_managed, job.way.how) {
        (false, _) => polled(job),
        (true, How::Spin) => managed(job, BusySpin),
        (true, How::Pause) => managed(job, BusySpinWithSpinLoopHint),
        (true, _) => managed(job, Yielding),
    }
}

/// A stage that polls; a macro because a poller's type cannot be named for all barriers at once.
macro_rules! polling {
    ($poller:expr, $how:expr) => {{
        let (mut poller, how) = ($poller, $how);
        move |max: usize, seen: &mut Seen| {
            loop {
                if let Ok(mut events) = poller.take(max as u64) {
                    return seen.look(|tally| events.for_each(|line| tally.record(&line.0)));
                }
                how.idle();
            }
        }
    }};
}

fn polled(job: &Job) -> Result<Outcome> {
    let (mut crew, how) = (Crew::new(job), job.way.how);
    let builder = build_single_producer(job.capacity, Line::default, BusySpin);
    match job.shape {
        Shape::Multicast(1) => {
            let (poller, builder) = builder.new_event_poller();
            crew.stage(polling!(poller, how));
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::Multicast(stages) => {
            let mut builder = builder.with_multi_consumer();
            for _ in 0..stages {
                let (poller, next) = builder.new_event_poller();
                crew.stage(polling!(poller, how));
                builder = next;
            }
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::Pipeline => {
            let (a, builder) = builder.new_event_poller();
            let (b, builder) = builder.and_then().new_event_poller();
            crew.stage(polling!(a, how));
            crew.stage(polling!(b, how));
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::Diamond => {
            let (a, builder) = builder.new_event_poller();
            let (b, builder) = builder.new_event_poller();
            let (c, builder) = builder.and_then().new_event_poller();
            crew.stage(polling!(a, how));
            crew.stage(polling!(b, how));
            crew.stage(polling!(c, how));
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::RoundTrip => {
            let (at_echo, builder) = builder.new_event_poller();
            let there = builder.build();
            let builder = build_single_producer(job.capacity, Line::default, BusySpin);
            let (back, builder) = builder.new_event_poller();
            crew.echo(polling!(at_echo, how), Publishing { producer: builder.build(), how });
            crew.call(Publishing { producer: there, how }, polling!(back, how))
        }
    }
}

/// Adds a handler on a thread of its own, with a core if there is one for it.
macro_rules! handled {
    ($builder:expr, $crew:expr) => {{
        let (watch, core) = $crew.handler();
        pinned($builder, core).handle_events_with(handler(watch))
    }};
}

fn managed<W: WaitStrategy + 'static>(job: &Job, wait: W) -> Result<Outcome> {
    let (mut crew, how) = (Crew::new(job), job.way.how);
    let builder = build_single_producer(job.capacity, Line::default, wait);
    match job.shape {
        Shape::Multicast(1) => {
            let builder = handled!(builder, crew);
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::Multicast(stages) => {
            let mut builder = builder.with_multi_consumer();
            for _ in 0..stages {
                builder = handled!(builder, crew);
            }
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::Pipeline => {
            let builder = handled!(builder, crew).and_then();
            let builder = handled!(builder, crew);
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::Diamond => {
            let builder = handled!(builder, crew);
            let builder = handled!(builder, crew).and_then();
            let builder = handled!(builder, crew);
            crew.produce(Publishing { producer: builder.build(), how })
        }
        Shape::RoundTrip => {
            let returning = build_single_producer(job.capacity, Line::default, wait);
            let (back, returning) = returning.new_event_poller();
            let mut send = Publishing { producer: returning.build(), how };
            let (mut watch, core) = crew.handler();
            let echo = move |line: &Line, sequence: Sequence, is_last: bool| {
                watch.event(&line.0, is_last);
                send.send(sequence as u64, 1);
            };
            let there = pinned(builder, core).handle_events_with(echo).build();
            crew.call(Publishing { producer: there, how }, polling!(back, how))
        }
    }
}

fn pinned<State, W, B>(
    builder: SPBuilder<State, Line, W, B>,
    core: Option<CoreId>,
) -> SPBuilder<State, Line, W, B> {
    match core {
        Some(core) => builder.pin_at_core(core.0),
        None => builder,
    }
}

fn handler(mut watch: Watch) -> impl FnMut(&Line, Sequence, bool) + Send {
    move |line, _sequence, is_last| watch.event(&line.0, is_last)
}

/// Sends through closures that fill slots.
struct Publishing<P> {
    producer: P,
    how: How,
}

impl<P: Producer<Line> + Send + 'static> Source for Publishing<P> {
    #[inline(always)]
    fn send(&mut self, first: u64, count: usize) {
        if count == 1 {
            while self.producer.try_publish(|slot| slot.0 = record(first)).is_err() {
                self.how.idle();
            }
            return;
        }
        let mut send = || {
            self.producer.try_batch_publish(count, |slots| {
                slots.zip(first..).for_each(|(slot, sequence)| slot.0 = record(sequence));
            })
        };
        while send().is_err() {
            self.how.idle();
        }
    }
}
