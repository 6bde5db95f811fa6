//! How far a stage has come and how it is doing, as others see it.

use std::sync::Arc;

use crossbeam::utils::CachePadded;

use super::cursor::{GateState, Head, Line};
use super::failure::End;

/// How far one stage has come, readable from any thread at any time.
///
/// ```
/// use ringtape::ring::{RingBuilder, StageState, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("market", 8)?;
/// let journal = builder.stage("journal", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let cursor = consumers.cursor(journal)?;
/// producer.claim(3, Wait::Yield)?.commit_all();
/// assert_eq!((cursor.name(), cursor.sequence(), cursor.lag()), ("journal", 0, 3));
/// assert_eq!(cursor.status().state, StageState::Live);
/// assert!(!cursor.is_finished());
/// drop(consumers.take(journal)?);
/// assert!(cursor.has_failed(), "dropped before the end");
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StageCursor {
    head: Arc<CachePadded<Head>>,
    line: Arc<Line>,
}

impl StageCursor {
    pub(super) fn new(head: &Arc<CachePadded<Head>>, line: &Arc<Line>) -> Self {
        Self { head: Arc::clone(head), line: Arc::clone(line) }
    }

    /// The number of records that the stage has released: its next sequence.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.line.position()
    }

    /// Whether the stage has failed, or stopped because one before it did: it comes no further than
    /// [`sequence`](Self::sequence) says when it is asked after this.
    pub fn has_failed(&self) -> bool {
        self.line.alarm.is_raised()
    }

    /// Whether the ring is closed and the stage has released everything.
    pub fn is_finished(&self) -> bool {
        self.head.end() == End::Closed && self.line.position() == self.head.position()
    }

    /// The number of records that are published and not yet released by the stage.
    pub fn lag(&self) -> u64 {
        self.head.lag_of(&self.line)
    }

    /// The stage's name.
    pub fn name(&self) -> &str {
        &self.line.name
    }

    /// How the stage is doing.
    pub fn status(&self) -> StageStatus {
        let state = match self.line.state() {
            _ if self.has_failed() => StageState::Failed,
            _ if self.is_finished() => StageState::Finished,
            GateState::Cut | GateState::Lapped | GateState::Vacant => StageState::Cut,
            GateState::Leaving => StageState::Leaving,
            GateState::Live | GateState::Detachable => StageState::Live,
        };
        let (name, sequence) = (self.name().to_owned(), self.sequence());
        StageStatus { name, sequence, lag: self.lag(), state }
    }
}

/// What a stage is about.
///
/// ```
/// use ringtape::ring::{RingBuilder, StageState};
///
/// let mut builder = RingBuilder::<u64>::new("market", 8)?;
/// let (journal, audit) = (builder.stage("journal", &[])?, builder.stage("audit", &[])?);
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut journal = consumers.take(journal)?;
/// let ring = producer.ring();
/// let states = || ring.stages().into_iter().map(|stage| stage.state);
/// assert!(states().eq([StageState::Live, StageState::Live]));
/// consumers.take(audit)?.fail(0, "its disk is full");
/// producer.close();
/// assert!(journal.poll(9)?.is_empty());
/// assert!(states().eq([StageState::Finished, StageState::Failed]));
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageState {
    /// It reads.
    Live,
    /// It is to go, as soon as it looks for its next batch.
    Leaving,
    /// It was cut off or has left.
    Cut,
    /// It failed, or a stage or producer before it did.
    Failed,
    /// The ring was closed and it has released everything.
    Finished,
}

/// How a stage is doing, as [`Ring::stages`](super::Ring::stages) tells it.
///
/// ```
/// use ringtape::ring::{RingBuilder, StageState, StageStatus, Wait};
///
/// let mut builder = RingBuilder::<u64>::new("market", 8)?;
/// let journal = builder.stage("journal", &[])?;
/// let (mut producer, mut consumers) = builder.build()?;
/// let mut journal = consumers.take(journal)?;
/// producer.claim(5, Wait::Yield)?.commit_all();
/// drop(journal.poll(3)?);
/// let name = "journal".to_owned();
/// let status = StageStatus { name, sequence: 3, lag: 2, state: StageState::Live };
/// assert_eq!(producer.ring().stages(), [status]);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageStatus {
    /// The stage's name.
    pub name: String,
    /// Records that it has released: its next sequence.
    pub sequence: u64,
    /// Records that are published and not yet released by it.
    pub lag: u64,
    /// What it is about.
    pub state: StageState,
}
