//! ringtape's own ring: graphs as declared, one ring for all stages.

use ringtape::error::Result;
use ringtape::ring::{Consumer, Consumers, Producer, RingBuilder, StageId, Wait};

use super::crew::Crew;
use super::job::{How, Job, Shape, Way};
use super::stream::{Record, record};
use super::watch::{Outcome, Seen};

pub(crate) const WAYS: [Way; 3] = [Way::new(How::Spin), Way::new(How::Pause), Way::new(How::Yield)];

pub(crate) fn run(job: &Job) -> Result<Outcome> {
    let mut crew = Crew::new(job);
    let wait = match job.way.how {
        How::Spin => Wait::Spin,
        How::Pause => Wait::Pause,
        How::Yield | How::Block => Wait::Yield,
    };
    if job.shape == Shape::RoundTrip {
        let (there, at_echo) = single(job.capacity)?;
        let (from_echo, back) = single(job.capacity)?;
        crew.echo(stage(at_echo, wait), source(from_echo, wait));
        return crew.call(source(there, wait), stage(back, wait));
    }
    let mut builder = RingBuilder::new("bench", job.capacity)?;
    let ids = declare(&mut builder, job.shape)?;
    let (producer, mut consumers) = builder.build()?;
    for id in ids {
        crew.stage(stage(consumers.take(id)?, wait));
    }
    crew.produce(source(producer, wait))
}

/// Declares the stages of a shape on one ring.
fn declare(builder: &mut RingBuilder<Record>, shape: Shape) -> Result<Vec<StageId>> {
    Ok(match shape {
        Shape::Multicast(stages) => {
            (0..stages).map(|i| builder.stage(format!("{i}"), &[])).collect::<Result<_>>()?
        }
        Shape::Pipeline => {
            let a = builder.stage("a", &[])?;
            vec![a, builder.stage("b", &[a])?]
        }
        Shape::Diamond => {
            let (a, b) = (builder.stage("a", &[])?, builder.stage("b", &[])?);
            vec![a, b, builder.stage("c", &[a, b])?]
        }
        Shape::RoundTrip => unreachable!("a round trip takes two rings"),
    })
}

fn single(capacity: usize) -> Result<(Producer<Record>, Consumer<Record>)> {
    let mut builder = RingBuilder::new("bench", capacity)?;
    let reader = builder.stage("reader", &[])?;
    let (producer, mut consumers): (_, Consumers<_>) = builder.build()?;
    Ok((producer, consumers.take(reader)?))
}

fn source(mut producer: Producer<Record>, wait: Wait) -> impl FnMut(u64, usize) + Send {
    move |first, count| {
        let mut claim = producer.claim(count, wait).expect("no stage fails");
        match count {
            1 => claim.set(0, record(first)),
            _ => claim.for_each_mut(|i, slot| *slot = record(first + i as u64)),
        }
        claim.commit_all();
    }
}

fn stage(mut consumer: Consumer<Record>, wait: Wait) -> impl FnMut(usize, &mut Seen) + Send {
    move |max, seen| {
        loop {
            let batch = consumer.poll(max).expect("the producer does not fail");
            if !batch.is_empty() {
                let (head, tail) = batch.slices();
                return seen.look(|tally| {
                    head.iter().for_each(|record| tally.record(record));
                    tail.iter().for_each(|record| tally.record(record));
                });
            }
            drop(batch);
            wait.idle();
        }
    }
}
