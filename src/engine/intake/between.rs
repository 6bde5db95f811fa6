//! Commands that do not wait for the feed: while its next record is not due, and at its end.

use super::Intake;
use crate::error::Result;

impl Intake {
    /// Publishes commands that came while the next staged record is not due; how many.
    ///
    /// They come between two messages, and not where they would push what is staged over the end of
    /// a journal segment.
    pub(super) fn publish_between(&mut self) -> Result<usize> {
        let is_within = self.next > 0 && self.staged[self.next - 1].is_continued();
        if self.next == self.len || is_within || self.parts.inbox.is_empty() {
            return Ok(0);
        }
        let mut room = self.parts.segments.map_or(u64::MAX, |segments| {
            let is_full = segments.begins_at(self.sequence);
            if is_full { 0 } else { segments.left(self.sequence) }
        });
        let mut count = 0;
        let Some(ring) = &mut self.parts.ring else { return Ok(0) };
        while room > 0 {
            let Some(mut claim) = ring.try_claim(1)? else { break };
            let Some(mut command) = self.parts.inbox.try_take() else { break };
            command.ts_event = command.ts_event.max(self.published_ts);
            command.ts_ingest = self.parts.clock.now().0;
            claim.set(0, command);
            claim.commit_all();
            self.meter.note(command.ts_ingest);
            room -= 1;
            count += 1;
        }
        self.sequence += count as u64;
        self.since_mark = self.since_mark.map(|records| records + count);
        self.outcome.records += count as u64;
        self.outcome.commands += count as u64;
        Ok(count)
    }

    /// Whether nothing more is to come: a gateway is asked to end its session, and what it tells of
    /// that still counts.
    pub(super) fn has_heard_all(&self) -> bool {
        let Some(farewell) = &self.parts.farewell else { return true };
        farewell.ask();
        // In this order: what was posted before the gateway was done is in the inbox by then.
        farewell.is_said() && self.parts.inbox.is_empty() && self.len == 0
    }
}
