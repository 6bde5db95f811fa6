//! What the feed's reader found, staged among its messages.

use super::{FEED_BATCH_RECORDS, Intake, STAGED_RECORDS, State};
use crate::engine::findings::{is_finding, message_of};
use crate::event::{Event, Kind};

impl Intake {
    /// Stages findings that are not about the messages at hand, up to `room` records in all.
    pub(super) fn stage_findings(&mut self, room: usize) {
        let end_ts = (self.state == State::Closing).then_some(self.last_ts_event);
        let first = self.len;
        while self.len < room.min(FEED_BATCH_RECORDS) {
            let Some(finding) = self.told.next(&*self.parts.feed, end_ts) else { break };
            let ts_ingest = self.parts.clock.now().0;
            self.staged[self.len] = Event { ts_ingest, ..finding };
            self.len += 1;
        }
        let staged = self.len - first;
        self.since_mark = self.since_mark.map(|records| records + staged);
    }

    /// Puts what was found in the feed's next `count` records before the messages that it is about,
    /// due with them, as far as there is room; says how many records they are then.
    pub(super) fn insert_findings(&mut self, mut count: usize) -> usize {
        let left = self.parts.segments.map_or(u64::MAX, |segments| segments.left(self.sequence));
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(STAGED_RECORDS) - self.len;
        while count < room {
            let Some(mut finding) = self.told.next(&*self.parts.feed, None) else { break };
            let batch = &mut self.staged[self.len..self.len + count + 1];
            let place = match finding.source() {
                // Numbers of messages are those of its own feed, which is read ahead.
                Some(_) => count,
                None => place_of(message_of(&finding), self.messages, &batch[..count]),
            };
            let beside = batch[place.min(count - 1)];
            finding.ts_ingest = beside.ts_ingest;
            if place < count && finding.kind() == Some(Kind::FeedGap) {
                finding.ts_event = beside.ts_event;
            }
            batch.copy_within(place..count, place + 1);
            batch[place] = finding;
            count += 1;
        }
        count
    }
}

/// Where in `batch`, which begins with the message `first`, this message begins; its end for one
/// that is not there.
fn place_of(message: u64, first: u64, batch: &[Event]) -> usize {
    let mut number = first;
    for (index, event) in batch.iter().enumerate().filter(|(_, event)| !is_finding(event)) {
        if number == message {
            return index;
        }
        number += u64::from(!event.is_continued());
    }
    batch.len()
}
