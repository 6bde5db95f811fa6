//! The workers: a thread for each stage, and a shutdown that ends in bounded time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::handle::Ring;
use super::handler::{Handler, Stream, guard, run};
use super::progress::StageCursor;
use super::wait::Wait;
use crate::error::{Error, Result};

/// Threads that run the stages of one ring.
///
/// ```
/// use std::time::Duration;
///
/// use ringtape::ring::{RingBuilder, StageEnd, Wait, Workers};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let even = builder.stage("even", &[])?;
/// let odd = builder.stage("odd", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut workers = Workers::new(producer.ring());
/// workers.spawn(consumers.take(even)?, Wait::Auto, |_, _: &u64| Ok(()))?;
/// workers.spawn(consumers.take(odd)?, Wait::Auto, |_, number: &u64| match number {
///     3 => Err("three of all numbers".into()),
///     _ => Ok(()),
/// })?;
/// while producer.next_sequence() < 4 {
///     let mut claim = producer.claim(1, Wait::Auto)?;
///     let number = claim.first_sequence();
///     claim.set(0, number);
///     claim.commit_all();
/// }
/// producer.close();
/// let report = workers.shutdown(Duration::from_secs(5));
/// assert!(matches!(report.stages[0].end, StageEnd::Finished));
/// assert_eq!((report.stages[0].left, report.stages[1].left), (0, 1));
/// assert!(matches!(report.stages[1].end, StageEnd::Failed(_)));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Workers<T> {
    ring: Ring<T>,
    workers: Vec<Worker>,
    ends: Receiver<(usize, End)>,
    sender: Sender<(usize, End)>,
}

/// Where a worker ended and how.
type End = (u64, Result<()>);

#[derive(Debug)]
struct Worker {
    name: String,
    /// How far it has come, if it knows by itself.
    progress: Option<StageCursor>,
    thread: JoinHandle<()>,
    end: Option<End>,
}

/// How the stages of a ring ended.
///
/// ```
/// use std::time::Duration;
///
/// use ringtape::ring::{RingBuilder, Wait, Workers};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let (one, two) = (builder.stage("one", &[])?, builder.stage("two", &[])?);
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut workers = Workers::new(producer.ring());
/// for stage in [one, two] {
///     workers.spawn(consumers.take(stage)?, Wait::Auto, |_, _: &u64| Ok(()))?;
/// }
/// producer.claim(5, Wait::Auto)?.commit_all();
/// producer.close();
/// let report = workers.shutdown(Duration::from_secs(5));
/// assert!(report.is_complete(), "{report:?}");
/// assert_eq!(report.stages.len(), 2);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct ShutdownReport {
    /// The stages, in the order in which they were spawned.
    pub stages: Vec<StageReport>,
}

/// How a stage ended.
///
/// ```
/// use std::time::Duration;
///
/// use ringtape::ring::{RingBuilder, Wait, Workers};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let picky = builder.stage("picky", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut workers = Workers::new(producer.ring());
/// workers.spawn(consumers.take(picky)?, Wait::Auto, |sequence, _: &u64| match sequence {
///     3 => Err("not the fourth".into()),
///     _ => Ok(()),
/// })?;
/// producer.claim(5, Wait::Auto)?.commit_all();
/// producer.close();
/// let report = workers.shutdown(Duration::from_secs(5)).stages.remove(0);
/// assert_eq!((report.name.as_str(), report.sequence, report.left), ("picky", 3, 2));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct StageReport {
    /// The stage's name.
    pub name: String,
    /// The first sequence that it has not released.
    pub sequence: u64,
    /// Records that were published and that it has not released.
    pub left: u64,
    /// How it ended.
    pub end: StageEnd,
}

/// How a stage ended, or that it did not.
///
/// ```
/// use std::time::Duration;
///
/// use ringtape::ring::{RingBuilder, StageEnd, Wait, Workers};
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let sum = builder.stage("sum", &[])?;
/// let (producer, mut consumers) = builder.build()?;
/// let mut workers = Workers::new(producer.ring());
/// workers.spawn(consumers.take(sum)?, Wait::Park, |_, _: &u64| Ok(()))?;
/// let report = workers.shutdown(Duration::ZERO);
/// assert!(matches!(report.stages[0].end, StageEnd::StillRunning), "the ring is open");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub enum StageEnd {
    /// It released everything.
    Finished,
    /// It was cut off.
    Cut,
    /// It failed, or a stage or the producer before it did.
    Failed(Error),
    /// It had not ended at the deadline. Its thread goes on by itself and ends with its handler.
    StillRunning,
}

impl ShutdownReport {
    /// Whether every stage released everything.
    pub fn is_complete(&self) -> bool {
        self.stages.iter().all(|stage| matches!(stage.end, StageEnd::Finished))
    }
}

impl<T: Pod> Workers<T> {
    /// No workers yet, for the stages of `ring`.
    pub fn new(ring: Ring<T>) -> Self {
        let (sender, ends) = channel();
        Self { ring, workers: Vec::new(), ends, sender }
    }

    /// Starts a thread, called like the stage, that hands everything `stage` sees to `handler`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system cannot start a thread.
    pub fn spawn(
        &mut self,
        mut stage: impl Stream<T> + Send + 'static,
        wait: Wait,
        mut handler: impl Handler<T> + Send + 'static,
    ) -> Result<()> {
        let (index, ends) = (self.workers.len(), self.sender.clone());
        let (name, progress) = (stage.name().to_owned(), stage.progress());
        let work = move || {
            let end = run(&mut stage, wait, &mut handler);
            let (name, sequence) = (stage.name().to_owned(), stage.position());
            // Whoever hears of the end finds the stage's seat free and the handler gone.
            drop(stage);
            let dropped = guard(|| {
                drop(handler);
                Ok::<(), Error>(())
            });
            let end =
                end.and(dropped.map_err(|cause| Error::ConsumerFailed { name, sequence, cause }));
            let _ = ends.send((index, (sequence, end)));
        };
        let thread = std::thread::Builder::new().name(name.clone()).spawn(work);
        let thread = thread.map_err(|source| Error::io("start a thread for", &name, source))?;
        self.workers.push(Worker { name, progress, thread, end: None });
        Ok(())
    }

    /// Waits until every worker has ended, for `deadline` at most, and says what each had left.
    ///
    /// Workers end when the ring is closed and read to the end, or has failed, so close the
    /// [producer](super::Producer::close) first. A worker whose handler never returns is left
    /// behind at the deadline.
    pub fn shutdown(mut self, deadline: Duration) -> ShutdownReport {
        let begin = Instant::now();
        while self.workers.iter().any(|worker| worker.end.is_none()) {
            let left = deadline.saturating_sub(begin.elapsed());
            match self.ends.recv_timeout(left) {
                Ok((index, end)) => self.workers[index].end = Some(end),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let (ring, workers) = (self.ring, self.workers);
        ShutdownReport { stages: workers.into_iter().map(|worker| worker.report(&ring)).collect() }
    }
}

impl Worker {
    fn report<T: Pod>(self, ring: &Ring<T>) -> StageReport {
        let Some((sequence, end)) = self.end else {
            let progress = self.progress.or_else(|| ring.cursor(&self.name).ok());
            let sequence = progress.map_or(0, |stage| stage.sequence());
            let left = ring.published().saturating_sub(sequence);
            return StageReport { name: self.name, sequence, left, end: StageEnd::StillRunning };
        };
        // The thread has sent its end and does nothing more.
        let _ = self.thread.join();
        let left = ring.published().saturating_sub(sequence);
        let end = match end {
            Ok(()) => StageEnd::Finished,
            Err(Error::StageCut { .. }) => StageEnd::Cut,
            Err(error) => StageEnd::Failed(error),
        };
        StageReport { name: self.name, sequence, left, end }
    }
}
