//! The time at which something begins that follows a feed.

use super::Moment;
use crate::error::Result;
use crate::event::Event;
use crate::event::kinds::Group;

/// Watches a feed's events for the first one at or after a time.
///
/// All who see the same events see the same one. Once it has come it stays, also where times go
/// backwards.
///
/// ```
/// use ringtape::event::{Event, payload};
/// use ringtape::event::kinds::Raw;
/// use ringtape::feed::{Begin, Moment, Zone};
///
/// let event = |ts| Event::new(ts, 1, payload::Clear { pad: Raw([0; 32]) });
/// let open = Moment { time: "09:30".parse()?, zone: Zone::Eastern };
/// let mut begin = Begin::at(Some(open));
/// assert!(!begin.look(&event(34_199_999_999_999))?);
/// assert!(begin.look(&event(34_200_000_000_000))?);
/// assert!(begin.has_come());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Begin {
    moment: Option<Moment>,
    /// The time among the feed's; `None` before its first event.
    ts: Option<u64>,
    has_come: bool,
}

impl Begin {
    /// Begins at a moment; at once without one.
    pub fn at(moment: Option<Moment>) -> Self {
        Self { moment, ts: None, has_come: moment.is_none() }
    }

    /// What the watch has found: the time among the feed's, and whether it has come.
    pub fn found(&self) -> (Option<u64>, bool) {
        (self.ts, self.has_come)
    }

    /// The same watch as it was when it had [`found`](Self::found) this.
    pub fn having_found(self, (ts, has_come): (Option<u64>, bool)) -> Self {
        Self { ts, has_come, ..self }
    }

    /// Whether the time has come.
    #[inline(always)]
    pub fn has_come(&self) -> bool {
        self.has_come
    }

    /// Looks at the next event; whether the time has come. Marks and times that an engine adds do
    /// not count.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`](crate::error::Error::Usage) when the moment needs a date that the feed has
    /// not.
    #[inline(always)]
    pub fn look(&mut self, event: &Event) -> Result<bool> {
        if !self.has_come {
            self.look_closer(event)?;
        }
        Ok(self.has_come)
    }

    #[cold]
    fn look_closer(&mut self, event: &Event) -> Result<()> {
        let is_of_feed = event.kind().is_none_or(|kind| kind.info().group != Group::Engine);
        let Some(moment) = self.moment.filter(|_| is_of_feed) else { return Ok(()) };
        let ts = match self.ts {
            Some(ts) => ts,
            None => *self.ts.insert(moment.among(event.ts_event)?),
        };
        self.has_come = event.ts_event >= ts;
        Ok(())
    }
}
