//! Instrument definitions, kept so that every journal segment can start with them.

use crate::event::{Event, Flags, Kind};
use crate::units::Nanos;

/// Records that define one instrument at most.
const DEFINITION_RECORDS_MAX: usize = 3;

/// The latest definition of every instrument of a run.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// By instrument; the first `count` records of each are in use.
    by_instrument: Vec<Definition>,
    /// Next instrument to issue again; `None` when nothing is to be issued.
    reissuing: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Definition {
    records: [Option<Event>; DEFINITION_RECORDS_MAX],
}

/// Place of a record of `kind` within a definition; `None` for other records.
fn part(kind: Option<Kind>) -> Option<usize> {
    match kind? {
        Kind::Instrument => Some(0),
        Kind::InstrumentTerms => Some(1),
        Kind::InstrumentListing => Some(2),
        _ => None,
    }
}

impl Definitions {
    /// Takes note of the records of `batch` that define instruments.
    pub(super) fn note(&mut self, batch: &[Event]) {
        for event in batch {
            let Some(part) = part(event.kind()) else { continue };
            let index = event.instrument as usize;
            if self.by_instrument.len() <= index {
                self.by_instrument.resize(index + 1, Definition::default());
            }
            let definition = &mut self.by_instrument[index];
            if part == 0 {
                *definition = Definition::default();
            }
            definition.records[part] = Some(*event);
        }
    }

    /// Starts to issue all definitions again.
    pub(super) fn begin_reissue(&mut self) {
        self.reissuing = (!self.by_instrument.is_empty()).then_some(0);
    }

    /// Fills `out` with the next definitions to issue again, as of `now`, and says how many records
    /// they took.
    pub(super) fn reissue(&mut self, now: Nanos, out: &mut [Event]) -> usize {
        let mut len = 0;
        while let Some(index) = self.reissuing {
            let Some(definition) = self.by_instrument.get(index) else {
                self.reissuing = None;
                break;
            };
            let records = definition.records.iter().flatten().count();
            if len + records > out.len() {
                break;
            }
            for (slot, record) in out[len..].iter_mut().zip(definition.records.iter().flatten()) {
                *slot = *record;
                slot.ts_ingest = now.0;
                slot.flags |= Flags::CONTINUED;
            }
            len += records;
            if records > 0 {
                out[len - 1].flags &= !Flags::CONTINUED;
            }
            self.reissuing = Some(index + 1);
        }
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Instrument, InstrumentTable};
    use crate::units::InstrumentId;

    /// A time of issue that no latency may reach back behind.
    const NOW: Nanos = Nanos(1_000);

    #[test]
    fn definitions_are_issued_again_whole_however_small_the_room() {
        let mut definitions = Definitions::default();
        let mut expected = Vec::new();
        for id in [1, 5, 9] {
            let instrument = Instrument::us_equity(&format!("S{id}"));
            let records = InstrumentTable::events(7, InstrumentId(id), &instrument);
            definitions.note(&records);
            expected.extend(records.map(|record| Event { ts_ingest: NOW.0, ..record }));
        }
        definitions.note(&expected[..2]);
        for room in 2..8 {
            let mut issued = Vec::new();
            let mut buffer = [Event::default(); 8];
            definitions.begin_reissue();
            loop {
                let len = definitions.reissue(NOW, &mut buffer[..room]);
                if len == 0 {
                    break;
                }
                issued.extend_from_slice(&buffer[..len]);
            }
            assert_eq!(issued, expected, "room for {room}");
        }
    }

    #[test]
    fn nothing_is_issued_unless_asked() {
        let mut definitions = Definitions::default();
        let records = InstrumentTable::events(0, InstrumentId(1), &Instrument::us_equity("X"));
        definitions.note(&records);
        assert_eq!(definitions.reissue(NOW, &mut [Event::default(); 8]), 0);
    }
}
