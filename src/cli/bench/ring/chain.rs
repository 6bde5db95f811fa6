//! Graphs of peers that join two threads only: a ring or channel for every edge, records copied
//! from one to the next.
//!
//! ```text
//! multicast  producer --> a             pipeline  producer --> a --> b
//!            producer --> b
//!            producer --> c             diamond   producer --> a --> c
//!                                                 producer --> b --> c
//! ```

use ringtape::error::Result;

use super::crew::{Crew, Source};
use super::job::{How, Job, Shape};
use super::stream::record;
use super::watch::{Line, Outcome, Seen, Tally};

/// A ring or channel from one thread to one other.
pub(crate) trait Pipe: 'static {
    type Sender: Send + 'static;
    type Receiver: Send + 'static;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver);

    /// Sends `count` lines in one piece where it can, waiting for room.
    fn send(sender: &mut Self::Sender, count: usize, line: impl FnMut(usize) -> Line, how: How);

    /// Reads what is there, at most `max` lines; comes back with 0 when nothing is, unless `how`
    /// says to block.
    fn look(receiver: &mut Self::Receiver, max: usize, how: How, read: impl FnMut(&Line)) -> usize;

    /// Reads what is there, at most `max` lines, and sends it on.
    fn relay(
        receiver: &mut Self::Receiver,
        sender: &mut Self::Sender,
        max: usize,
        how: How,
        mut read: impl FnMut(&Line),
    ) -> usize {
        Self::look(receiver, max, how, |line| {
            read(line);
            Self::send(sender, 1, |_| *line, how);
        })
    }
}

pub(crate) fn run<P: Pipe>(job: &Job) -> Result<Outcome> {
    let (mut crew, how) = (Crew::new(job), job.way.how);
    let make = || touched::<P>(job.capacity);
    match job.shape {
        Shape::Multicast(1) => {
            let (sender, receiver) = make();
            crew.stage(sink::<P>(receiver, how));
            crew.produce(Single::<P> { sender, how })
        }
        Shape::Multicast(stages) => {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..stages).map(|_| make()).unzip();
            receivers.into_iter().for_each(|receiver| crew.stage(sink::<P>(receiver, how)));
            crew.produce(Fan::<P> { senders, how })
        }
        Shape::Pipeline => {
            let (sender, at_a) = make();
            let (from_a, at_b) = make();
            crew.stage(relay::<P>(at_a, from_a, how));
            crew.stage(sink::<P>(at_b, how));
            crew.produce(Single::<P> { sender, how })
        }
        Shape::Diamond => {
            let ((to_a, at_a), (to_b, at_b)) = (make(), make());
            let ((from_a, c_of_a), (from_b, c_of_b)) = (make(), make());
            crew.stage(relay::<P>(at_a, from_a, how));
            crew.stage(relay::<P>(at_b, from_b, how));
            crew.stage(join::<P>(c_of_a, c_of_b, how));
            crew.produce(Fan::<P> { senders: vec![to_a, to_b], how })
        }
        Shape::RoundTrip => {
            let ((there, at_echo), (from_echo, back)) = (make(), make());
            crew.echo(sink::<P>(at_echo, how), Single::<P> { sender: from_echo, how });
            crew.call(Single::<P> { sender: there, how }, sink::<P>(back, how))
        }
    }
}

/// A pipe whose memory is there: every slot was filled and emptied once.
fn touched<P: Pipe>(capacity: usize) -> (P::Sender, P::Receiver) {
    let (mut sender, mut receiver) = P::make(capacity);
    (0..capacity).for_each(|_| P::send(&mut sender, 1, |_| Line::default(), How::Spin));
    let mut left = capacity;
    while left > 0 {
        left -= P::look(&mut receiver, left, How::Spin, |_| {});
    }
    (sender, receiver)
}

/// Sends into one pipe.
struct Single<P: Pipe> {
    sender: P::Sender,
    how: How,
}

impl<P: Pipe> Source for Single<P> {
    #[inline(always)]
    fn send(&mut self, first: u64, count: usize) {
        P::send(&mut self.sender, count, |i| Line(record(first + i as u64)), self.how);
    }
}

/// Sends every record once for each of the stages.
struct Fan<P: Pipe> {
    senders: Vec<P::Sender>,
    how: How,
}

impl<P: Pipe> Source for Fan<P> {
    #[inline(always)]
    fn send(&mut self, first: u64, count: usize) {
        if count == 1 {
            let line = Line(record(first));
            self.senders.iter_mut().for_each(|sender| P::send(sender, 1, |_| line, self.how));
            return;
        }
        for sender in &mut self.senders {
            P::send(sender, count, |i| Line(record(first + i as u64)), self.how);
        }
    }
}

fn sink<P: Pipe>(mut receiver: P::Receiver, how: How) -> impl FnMut(usize, &mut Seen) + Send {
    move |max, seen| {
        until_some(seen, how, |tally| {
            P::look(&mut receiver, max, how, |line| tally.record(&line.0))
        });
    }
}

fn relay<P: Pipe>(
    mut receiver: P::Receiver,
    mut sender: P::Sender,
    how: How,
) -> impl FnMut(usize, &mut Seen) + Send {
    move |max, seen| {
        until_some(seen, how, |tally| {
            P::relay(&mut receiver, &mut sender, max, how, |line| tally.record(&line.0))
        });
    }
}

/// Reads as many records from `b` as from `a`, and verifies both.
fn join<P: Pipe>(
    mut a: P::Receiver,
    mut b: P::Receiver,
    how: How,
) -> impl FnMut(usize, &mut Seen) + Send {
    let mut of_b = Tally::default();
    move |max, seen| {
        until_some(seen, how, |tally| {
            let len = P::look(&mut a, max, how, |line| tally.record(&line.0));
            while of_b.records < tally.records {
                let left = (tally.records - of_b.records) as usize;
                if P::look(&mut b, left, how, |line| of_b.record(&line.0)) == 0 {
                    how.idle();
                }
            }
            tally.compare(&of_b);
            len
        });
    }
}

/// Looks until something was there.
#[inline]
fn until_some(seen: &mut Seen, how: How, mut look: impl FnMut(&mut Tally) -> usize) {
    seen.look(|tally| {
        while look(tally) == 0 {
            how.idle();
        }
    });
}
