//! The handle: a running engine in the hands of other threads.

use super::gauges::{Gauges, Reading};
use super::valve::PauseFlag;
use crate::event::Event;
use crate::ring::InboxSender;
use crate::runtime::StopFlag;

/// A running engine as other threads see it: looks, pauses, commands, stop.
///
/// Nothing here waits for the engine or makes it wait. A handle outlives its engine and does
/// nothing then.
///
/// ```
/// use ringtape::engine::Engine;
/// use ringtape::feed::itch::ItchFeed;
///
/// let session = [0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
/// let feed = ItchFeed::from_bytes("example", session.to_vec(), &Default::default())?;
/// let engine = Engine::builder(Box::new(feed)).start()?;
/// let handle = engine.handle();
/// handle.pause();
/// assert!(handle.is_paused());
/// handle.resume();
/// let report = engine.join();
/// assert_eq!(handle.stats().messages, report.checks.messages);
/// assert_eq!((handle.lag("matching"), handle.lag("nobody")), (Some(0), None));
/// handle.stop();
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EngineHandle {
    gauges: Gauges,
    inbox: InboxSender<Event>,
    pause: PauseFlag,
    stop: StopFlag,
}

impl EngineHandle {
    pub(super) fn new(
        gauges: Gauges,
        inbox: InboxSender<Event>,
        pause: PauseFlag,
        stop: StopFlag,
    ) -> Self {
        Self { gauges, inbox, pause, stop }
    }

    /// How far everybody is: messages taken, depth of the rings, lag of each stage.
    pub fn stats(&self) -> Reading {
        self.gauges.read()
    }

    /// Records published and not yet released by a stage of either ring; `None` when no stage has
    /// that name.
    pub fn lag(&self, stage: &str) -> Option<u64> {
        let rings = self.gauges.rings().iter().zip(self.stats().rings);
        rings
            .flat_map(|(ring, now)| ring.stages.iter().zip(now.lags))
            .find_map(|(name, lag)| (name == stage).then_some(lag))
    }

    /// The gauges themselves, with the names of rings and stages.
    pub fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }

    /// Stops taking messages from the feed until [`resume`](Self::resume).
    ///
    /// What is on the rings is still handled. In a paced replay nothing more gets due, and all
    /// that follows is due later by the length of the pause; else commands are still sequenced. A
    /// live feed goes on without the engine: what the system cannot hold back is lost, and counted
    /// as a gap.
    pub fn pause(&self) {
        self.pause.set(true);
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.pause.set(false);
    }

    /// Whether a pause was asked for.
    pub fn is_paused(&self) -> bool {
        self.pause.is_set()
    }

    /// Stops the feed, paused or not; everything behind it drains and the run ends with a report.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Whether somebody asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Where commands are posted; the feed handler sequences them between two messages.
    pub fn inbox(&self) -> InboxSender<Event> {
        self.inbox.clone()
    }
}
