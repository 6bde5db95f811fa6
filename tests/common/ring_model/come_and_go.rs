//! Stages of the model that come later, and stages that go.

use ringtape::error::Error;
use ringtape::ring::StageId;

use super::{Bench, Reader, Stage, State, is_behind, stage_name};

impl Bench<'_> {
    /// Attaches a stage behind those declared ones whose bit is set, now or `back` before what they
    /// let through, where `back` 0 is one too far.
    pub(crate) fn attach(&mut self, edges: u8, is_detachable: bool, back: Option<u64>) {
        let declared = self.ids.len();
        let upstreams = (0..declared).filter(|j| !is_detachable && edges >> j & 1 == 1);
        let upstreams: Vec<usize> = upstreams.collect();
        let ids: Vec<StageId> = upstreams.iter().map(|&j| self.ids[j]).collect();
        let through = upstreams.iter().map(|&j| self.stages[j].released).min();
        let through = through.unwrap_or(self.published());
        let sequence = back.map(|back| (through + 1).saturating_sub(back));
        let name = stage_name(self.stages.len());
        let attached = match (is_detachable, sequence) {
            (true, _) => self.ring.attach_detachable(&name, sequence),
            (_, None) => self.ring.attach(&name, &ids),
            (_, Some(sequence)) => self.ring.attach_at(&name, &ids, sequence),
        };
        let can_follow =
            |&j: &usize| !self.stages[j].is_detachable && self.stages[j].state == State::Live;
        let is_beside_exclusive = (0..declared)
            .filter(|&own| self.stages[own].is_exclusive)
            .any(|own| !upstreams.iter().any(|&up| up == own || self.is_behind(up, own)));
        let is_refused = self.vacant_seats == 0
            || is_detachable && !self.is_observable
            || !upstreams.iter().all(can_follow)
            || is_beside_exclusive
            || sequence.is_some_and(|sequence| sequence > through);
        let consumer = match attached {
            Ok(consumer) => consumer,
            Err(Error::Usage { .. }) if is_refused => return self.count("attaches refused"),
            Err(Error::Overwritten { sequence: asked, oldest, .. }) => {
                // The producer reserves slots up to a ring above the slowest declared stage.
                assert!(Some(asked) == sequence && asked < oldest);
                assert!(oldest <= self.slowest(declared), "it may begin where that one is");
                return self.count("attaches too late");
            }
            Err(error) => panic!("{error}"),
        };
        assert!(!is_refused, "{name} behind {upstreams:?} at {sequence:?}");
        let released = sequence.unwrap_or(through);
        assert_eq!((consumer.position(), consumer.name()), (released, name.as_str()));
        assert!(released + self.producer.capacity() as u64 >= self.published());
        self.vacant_seats -= 1;
        self.count(if is_detachable { "detachable attached" } else { "attached" });
        self.stages.push(Stage {
            cursor: self.ring.cursor(&name).unwrap(),
            name,
            upstreams,
            is_detachable,
            is_exclusive: false,
            has_seat: true,
            released,
            state: State::Live,
            reader: Some(Reader::Shared(consumer)),
        });
    }

    fn is_behind(&self, i: usize, before: usize) -> bool {
        let upstreams: Vec<_> = self.stages.iter().map(|stage| stage.upstreams.clone()).collect();
        is_behind(&upstreams, i, before)
    }

    fn is_followed(&self, i: usize) -> bool {
        (0..self.stages.len()).any(|j| self.stages[j].holds() && self.is_behind(j, i))
    }

    pub(crate) fn cut(&mut self, i: usize) {
        if self.stages[i].reader.is_none() {
            return;
        }
        let cut = self.ring.cut(&self.stages[i].name);
        if self.is_followed(i) {
            assert!(matches!(cut, Err(Error::Usage { .. })));
            return;
        }
        let stage = &mut self.stages[i];
        assert_eq!(cut.unwrap(), stage.released);
        if stage.state == State::Live {
            stage.state = if stage.is_detachable { State::Cut } else { State::Leaving };
            self.count("cut by hand");
        }
    }

    pub(crate) fn leave(&mut self, i: usize) {
        if self.is_followed(i) {
            return;
        }
        match self.stages[i].reader.take() {
            Some(Reader::Shared(consumer)) => {
                assert_eq!(consumer.leave().unwrap(), self.stages[i].released);
                self.go(i, State::Cut);
                self.count("left");
            }
            reader => self.stages[i].reader = reader,
        }
    }

    /// Drops a consumer whose end is no failure of the ring.
    pub(crate) fn drop_consumer(&mut self, i: usize) {
        let stage = &mut self.stages[i];
        let state = match stage.state {
            State::Live if stage.is_detachable => State::Failed,
            State::Live => return,
            state => state,
        };
        if stage.reader.take().is_some() {
            self.go(i, if state == State::Leaving { State::Cut } else { state });
            self.count("dropped");
        }
    }

    fn go(&mut self, i: usize, state: State) {
        self.stages[i].state = state;
        self.vacant_seats += usize::from(self.stages[i].has_seat);
    }
}
