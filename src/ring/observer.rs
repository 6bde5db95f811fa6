//! The observer: sees what it can and never holds anybody back.

use bytemuck::Pod;

use super::batch::Batch;
use super::consumer::Consumer;
use super::handler::sealed::Steps;
use super::handler::{self, Handler, Stream};
use super::progress::StageCursor;
use super::slots::Reader;
use super::wait::Wait;
use crate::error::{Error, Result};

/// Reads an observable ring by copy and counts what was overwritten before it came.
///
/// Gauges, live views and debuggers are observers: they may be as slow as they like.
///
/// ```
/// use ringtape::ring::{RingBuilder, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("market", 4)?;
/// builder.observable()?;
/// let (mut producer, _) = builder.build()?;
/// let mut observer = producer.ring().observe("watch")?;
/// for number in 0..10 {
///     let mut claim = producer.claim(1, Wait::Yield)?;
///     claim.set(0, number);
///     claim.commit_all();
/// }
/// assert!(observer.poll(10)?.is_empty(), "it was lapped and begins again half a ring behind");
/// assert_eq!(observer.missed(), 8);
/// assert!(observer.poll(10)?.iter().eq(&[8, 9]));
/// assert_eq!((observer.name(), observer.position()), ("watch", 10));
///
/// producer.claim(1, Wait::Yield)?.commit_all();
/// producer.close();
/// let mut rest = Vec::new();
/// observer.run(Wait::Auto, &mut |sequence, _: &u64| Ok(rest.push(sequence)))?;
/// assert_eq!((rest, observer.is_finished()), (vec![10], true));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Observer<T: Pod> {
    consumer: Consumer<T>,
}

impl<T: Pod> Observer<T> {
    pub(super) fn new(reader: Reader<T>) -> Self {
        Self { consumer: Consumer::new(reader) }
    }

    /// The records that are there, at most `max`. Their first sequence tells of a gap, if there is
    /// one; an empty batch means nothing now.
    ///
    /// # Errors
    ///
    /// [`Error::UpstreamFailed`] when all is read and the
    /// producer failed.
    #[inline]
    pub fn poll(&mut self, max: usize) -> Result<Batch<'_, T>> {
        self.consumer.poll(max)
    }

    /// Hands what can be seen to `handler` until the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll), and
    /// [`Error::ConsumerFailed`] when the handler failed,
    /// which concerns nobody else.
    pub fn run(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<()> {
        handler::run(self, wait, handler)
    }

    /// Records that were overwritten before they could be read.
    pub fn missed(&self) -> u64 {
        self.consumer.missed()
    }

    /// The sequence that it reads next.
    pub fn position(&self) -> u64 {
        self.consumer.position()
    }

    /// The observer's name.
    pub fn name(&self) -> &str {
        self.consumer.name()
    }

    /// Whether the producer has closed the ring and this observer has come to the end.
    pub fn is_finished(&self) -> bool {
        self.consumer.is_finished()
    }
}

impl<T: Pod> Stream<T> for Observer<T> {
    fn name(&self) -> &str {
        self.consumer.name()
    }

    fn position(&self) -> u64 {
        self.consumer.position()
    }
}

impl<T: Pod> Steps<T> for Observer<T> {
    fn step(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<bool> {
        self.consumer.step(wait, handler)
    }

    fn abort(&mut self, cause: String) -> Error {
        self.consumer.abort(cause)
    }

    fn progress(&self) -> Option<StageCursor> {
        self.consumer.progress()
    }
}
