//! A feed that ends at a time.

use super::{Checks, Description, Feed, Fill, Moment, Position, SourcePosition};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::limits::MESSAGE_RECORDS_MAX;

/// A feed up to, and without, the first message at or after a time.
///
/// Position and counts are those of the messages before it.
///
/// ```
/// use ringtape::event::Event;
/// use ringtape::feed::lobster::LobsterFeed;
/// use ringtape::feed::{Feed, Fill, Moment, Until, Zone};
///
/// let rows = "34200.0,1,7,18,5853300,1\n34201.0,3,7,18,5853300,1\n";
/// let feed = LobsterFeed::from_bytes("AAPL_x.csv", rows, &Default::default())?;
/// let end = Moment { time: "09:30:01".parse()?, zone: Zone::Eastern };
/// let mut feed = Until::new(Box::new(feed), end);
/// let mut events = [Event::default(); 64];
/// assert_eq!(feed.fill(&mut events)?, Fill::Records(3));
/// assert_eq!(feed.fill(&mut events)?, Fill::End);
/// assert_eq!(feed.checks().messages, 1);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
pub struct Until {
    feed: Box<dyn Feed>,
    end: Moment,
    /// The end among the feed's times; `None` before its first message.
    end_ts: Option<u64>,
    /// As they were before the message that the feed is asked for.
    position: Position,
    sources: Vec<SourcePosition>,
    checks: Checks,
    /// The fault that comes after the messages delivered before it.
    fault: Option<Error>,
    is_ended: bool,
}

impl std::fmt::Debug for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Until")
            .field("end", &self.end)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Until {
    /// `feed` up to `end`.
    pub fn new(feed: Box<dyn Feed>, end: Moment) -> Self {
        Self {
            position: feed.position(),
            sources: feed.sources().to_vec(),
            checks: feed.checks().clone(),
            feed,
            end,
            end_ts: None,
            fault: None,
            is_ended: false,
        }
    }

    /// Whether a message is at or after the end.
    fn is_beyond(&mut self, event: &Event) -> Result<bool> {
        let end_ts = match self.end_ts {
            Some(end_ts) => end_ts,
            None => *self.end_ts.insert(self.end.among(event.ts_event)?),
        };
        Ok(event.ts_event >= end_ts)
    }

    /// Delivers the next message; nothing when it is beyond the end.
    fn fill_one(&mut self, out: &mut [Event]) -> Result<Fill> {
        let filled = self.feed.fill(out)?;
        if let Fill::Records(_) = filled
            && self.is_beyond(&out[0])?
        {
            return Ok(Fill::End);
        }
        self.position = self.feed.position();
        self.sources.clone_from_slice(self.feed.sources());
        self.checks.clone_from(self.feed.checks());
        Ok(filled)
    }
}

impl Feed for Until {
    /// One message at a time, so that the first one beyond the end is known before it counts.
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut records = 0;
        while !self.is_ended && records + MESSAGE_RECORDS_MAX <= out.len() {
            match self.fill_one(&mut out[records..records + MESSAGE_RECORDS_MAX]) {
                Ok(Fill::Records(count)) => records += count,
                Ok(Fill::Pending) if records == 0 => return Ok(Fill::Pending),
                Ok(Fill::Pending) => break,
                Ok(Fill::End) => self.is_ended = true,
                Err(fault) => {
                    self.is_ended = true;
                    self.fault = Some(fault);
                }
            }
        }
        match self.fault.take_if(|_| records == 0) {
            Some(fault) => Err(fault),
            None if records == 0 => Ok(Fill::End),
            None => Ok(Fill::Records(records)),
        }
    }

    fn stop(&mut self) -> bool {
        !self.is_ended && self.feed.stop()
    }

    fn position(&self) -> Position {
        self.position
    }

    fn description(&self) -> &Description {
        self.feed.description()
    }

    fn checks(&self) -> &Checks {
        &self.checks
    }

    fn sources(&self) -> &[SourcePosition] {
        &self.sources
    }
}
