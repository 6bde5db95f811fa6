//! Timers in event time.

use crate::error::Result;
use crate::state::{StateReader, StateWriter};
use crate::units::Nanos;

/// The number of a timer, unique within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

/// A timer that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer {
    pub(super) due: Nanos,
    pub(super) id: TimerId,
    /// Index of the strategy that set it.
    pub(super) owner: u32,
}

/// The timers of all strategies: the next one last.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    running: Vec<Timer>,
    numbered: u64,
}

impl Timers {
    /// Sets a timer; of two that are due at once the first one set goes first.
    pub(super) fn set(&mut self, owner: u32, due: Nanos) -> TimerId {
        self.numbered += 1;
        let id = TimerId(self.numbered);
        let place = self.running.partition_point(|other| other.due > due);
        self.running.insert(place, Timer { due, id, owner });
        id
    }

    /// Stops a timer of `owner`; whether it was still running.
    pub(super) fn stop(&mut self, owner: u32, id: TimerId) -> bool {
        let before = self.running.len();
        self.running.retain(|timer| timer.id != id || timer.owner != owner);
        self.running.len() < before
    }

    /// When the next timer is due; `None` when none is running.
    #[inline]
    pub(super) fn next_due(&self) -> Option<Nanos> {
        self.running.last().map(|timer| timer.due)
    }

    /// Takes the next timer.
    pub(super) fn take(&mut self) -> Option<Timer> {
        self.running.pop()
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_u64(self.numbered);
        writer.put_len(self.running.len());
        for timer in &self.running {
            writer.put_u64(timer.due.0);
            writer.put_u64(timer.id.0);
            writer.put_u32(timer.owner);
        }
    }

    pub(super) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut timers = Self { numbered: reader.u64()?, running: vec![] };
        for _ in 0..reader.len(20)? {
            let (due, id) = (Nanos(reader.u64()?), TimerId(reader.u64()?));
            let timer = Timer { due, id, owner: reader.u32()? };
            if timers.running.last().is_some_and(|last| last.due < due) {
                return Err(reader.bad("timers are out of order"));
            }
            timers.running.push(timer);
        }
        Ok(timers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_goes_first_and_of_equals_the_first_set() {
        let mut timers = Timers::default();
        let ids = [30, 10, 10, 20].map(|due| timers.set(0, Nanos(due)));
        assert!(!timers.stop(1, ids[3]), "a timer of another strategy stays");
        assert!(timers.stop(0, ids[3]) && !timers.stop(0, ids[3]));
        let mut writer = StateWriter::default();
        timers.save(&mut writer);
        let bytes = writer.into_bytes();
        let mut timers = Timers::load(&mut StateReader::new("timers", &bytes)).expect("saved");
        let order: Vec<TimerId> =
            std::iter::from_fn(|| timers.take()).map(|timer| timer.id).collect();
        assert_eq!(order, [ids[1], ids[2], ids[0]]);
    }
}
