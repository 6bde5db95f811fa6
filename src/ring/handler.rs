//! The handler: what a stage does with its records, run to the end of the stream.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::failure::panic_message;
use super::wait::Wait;
use crate::error::{Error, Result};

/// What a handler answers: nothing, or any error at all, which fails its stage.
///
/// ```
/// use ringtape::ring::HandlerResult;
///
/// fn handle(_sequence: u64, text: &str) -> HandlerResult {
///     match text.parse::<u64>()? {
///         0 => Err("zero is too little".into()),
///         _ => Ok(()),
///     }
/// }
/// assert!(handle(0, "1").is_ok() && handle(1, "0").is_err() && handle(2, "one").is_err());
/// ```
pub type HandlerResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What a stage does with its records, and at the turns of its life.
///
/// Any `FnMut(u64, &T) -> HandlerResult` is one that cares for records only. A panic in any of
/// these fails the stage like an error.
///
/// No handler keeps a record:
///
/// ```compile_fail,E0521
/// # use ringtape::ring::{RingBuilder, Wait};
/// # let mut builder = RingBuilder::<u64>::new("numbers", 4).unwrap();
/// # let sum = builder.stage("sum", &[]).unwrap();
/// # let (producer, mut consumers) = builder.build().unwrap();
/// # let mut sum = consumers.take(sum).unwrap();
/// let mut escaped: Vec<&u64> = Vec::new();
/// let mut keep = |_: u64, record: &u64| {
///     escaped.push(record);
///     Ok(())
/// };
/// sum.run(Wait::Auto, &mut keep).unwrap();
/// ```
///
/// ```
/// use ringtape::error::Result;
/// use ringtape::ring::{Handler, HandlerResult, Producer, RingBuilder, Wait};
///
/// struct Sum {
///     numbers: Producer<u64>,
///     total: u64,
///     calls: Vec<&'static str>,
/// }
///
/// impl Handler<u64> for Sum {
///     fn start(&mut self) {
///         self.calls.push("start");
///     }
///     fn batch(&mut self, _first: u64, _len: usize, _depth: usize) {
///         self.calls.push("batch");
///     }
///     fn event(&mut self, _sequence: u64, number: &u64) -> HandlerResult {
///         self.total += number;
///         Ok(())
///     }
///     fn idle(&mut self) {
///         self.calls.push("idle");
///         self.numbers.close();
///     }
///     fn stop(&mut self, end: &Result<()>) {
///         self.calls.push(if end.is_ok() { "stop" } else { "fail" });
///     }
/// }
///
/// let mut builder = RingBuilder::<u64>::new("numbers", 8)?;
/// let stage = builder.stage("sum", &[])?;
/// let (mut numbers, mut consumers) = builder.build()?;
/// let mut claim = numbers.claim(5, Wait::Yield)?;
/// claim.for_each_mut(|i, number| *number = i as u64);
/// claim.commit_all();
/// let mut sum = Sum { numbers, total: 0, calls: Vec::new() };
/// consumers.take(stage)?.run(Wait::Auto, &mut sum)?;
/// assert_eq!((sum.total, sum.calls), (10, vec!["start", "batch", "idle", "stop"]));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub trait Handler<T> {
    /// Called once, on the stage's thread, before anything else.
    fn start(&mut self) {}

    /// Called before the records of a batch: `len` of them from sequence `first` on, of the
    /// `depth` that are known to be there.
    fn batch(&mut self, first: u64, len: usize, depth: usize) {
        let _ = (first, len, depth);
    }

    /// Called with each record.
    ///
    /// # Errors
    ///
    /// An error fails the stage at this record.
    fn event(&mut self, sequence: u64, event: &T) -> HandlerResult;

    /// Called after each look that found nothing.
    fn idle(&mut self) {}

    /// Called once at the end, good or bad.
    fn stop(&mut self, end: &Result<()>) {
        let _ = end;
    }
}

impl<T, F: FnMut(u64, &T) -> HandlerResult> Handler<T> for F {
    fn event(&mut self, sequence: u64, event: &T) -> HandlerResult {
        self(sequence, event)
    }
}

/// What can be run to its end by a handler: a consumer, an observer, or a stage that catches up.
///
/// ```
/// use ringtape::ring::{RingBuilder, Stream, Wait};
///
/// fn describe(stage: &impl Stream<u64>) -> String {
///     format!("`{}` reads {} next", stage.name(), stage.position())
/// }
///
/// let mut builder = RingBuilder::<u64>::new("market", 8)?;
/// builder.observable()?;
/// let journal = builder.stage("journal", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// producer.claim(3, Wait::Yield)?.commit_all();
/// assert_eq!(describe(&consumers.take(journal)?), "`journal` reads 0 next");
/// assert_eq!(describe(&producer.ring().observe("watch")?), "`watch` reads 3 next");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub trait Stream<T>: sealed::Steps<T> {
    /// The stage's name.
    fn name(&self) -> &str;

    /// The sequence that it hands out next.
    fn position(&self) -> u64;
}

pub(super) mod sealed {
    use super::Handler;
    use crate::error::{Error, Result};
    use crate::ring::{StageCursor, Wait};

    /// The steps of [`run`](super::run); nobody else takes them.
    pub trait Steps<T> {
        /// Waits for a batch and hands it out; false at the end of the stream.
        fn step(&mut self, wait: Wait, handler: &mut impl Handler<T>) -> Result<bool>;

        /// Fails because a hook of the handler panicked.
        fn abort(&mut self, cause: String) -> Error;

        /// How far it has come, for others to see, unless that depends on when one looks.
        fn progress(&self) -> Option<StageCursor>;
    }
}

/// Runs a stage to the end of its stream.
pub(super) fn run<T>(
    stage: &mut impl Stream<T>,
    wait: Wait,
    handler: &mut impl Handler<T>,
) -> Result<()> {
    let steps = catch_unwind(AssertUnwindSafe(|| {
        handler.start();
        while stage.step(wait, handler)? {}
        Ok(())
    }));
    let end = steps.unwrap_or_else(|panic| Err(stage.abort(panic_message(panic))));
    match catch_unwind(AssertUnwindSafe(|| handler.stop(&end))) {
        Ok(()) => end,
        Err(panic) => end.and_then(|()| {
            let (name, sequence) = (stage.name().to_owned(), stage.position());
            Err(Error::ConsumerFailed { name, sequence, cause: panic_message(panic) })
        }),
    }
}

/// Runs a piece of a handler; what went wrong, be it an error or a panic, as text.
pub(super) fn guard<E: Display>(piece: impl FnOnce() -> Result<(), E>) -> Result<(), String> {
    // The error is shown, and dropped, in here: that is the caller's code too.
    let shown = || piece().map_err(|error| error.to_string());
    catch_unwind(AssertUnwindSafe(shown)).unwrap_or_else(|panic| Err(panic_message(panic)))
}
