//! The choice of symbols that a run is about.

use std::collections::BTreeSet;

use crate::event::{Event, EventView};
use crate::matching::EVERY_INSTRUMENT;

/// Keeps the records of chosen symbols and those that are of no instrument.
#[derive(Debug, Default)]
pub(super) struct SymbolFilter {
    /// Empty: all symbols are wanted.
    wanted: BTreeSet<String>,
    /// Symbols that the feed defined.
    found: BTreeSet<String>,
    /// Whether to keep the records of an instrument.
    keeps: Vec<bool>,
}

impl SymbolFilter {
    /// A filter for `symbols`; for all when there are none.
    pub(super) fn new(symbols: &[String]) -> Self {
        Self { wanted: symbols.iter().cloned().collect(), ..Self::default() }
    }

    /// Moves the records to keep to the front of `batch` and says how many they are.
    pub(super) fn retain(&mut self, batch: &mut [Event]) -> usize {
        if self.wanted.is_empty() {
            return batch.len();
        }
        let mut kept = 0;
        for index in 0..batch.len() {
            let event = batch[index];
            if let EventView::Instrument(defined) = event.view() {
                self.define(event.instrument as usize, defined.symbol.as_str());
            }
            let is_of_none = matches!(event.instrument, 0 | EVERY_INSTRUMENT);
            if self.keeps.get(event.instrument as usize).copied().unwrap_or(is_of_none) {
                batch[kept] = event;
                kept += 1;
            }
        }
        kept
    }

    fn define(&mut self, instrument: usize, symbol: &str) {
        if self.keeps.len() <= instrument {
            self.keeps.resize(instrument + 1, false);
            self.keeps[0] = true;
        }
        self.keeps[instrument] = self.wanted.contains(symbol);
        if self.keeps[instrument] {
            self.found.insert(symbol.to_owned());
        }
    }

    /// Wanted symbols that the feed never defined.
    pub(super) fn missing(&self) -> Vec<String> {
        self.wanted.difference(&self.found).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::kinds::Raw;
    use crate::event::{Instrument, InstrumentTable, payload};
    use crate::units::{InstrumentId, OrderId};

    #[test]
    fn other_symbols_are_left_out_and_session_messages_stay() {
        let delete = |instrument| {
            let payload = payload::Delete { order_id: OrderId(1), pad: Raw([0; 24]) };
            Event::new(0, instrument, payload)
        };
        let mut batch = Vec::new();
        for (id, symbol) in [(1, "A"), (2, "B")] {
            let instrument = Instrument::us_equity(symbol);
            batch.extend(InstrumentTable::events(0, InstrumentId(id), &instrument));
        }
        batch.extend([0, 1, 2, 3].map(delete));
        let mut filter = SymbolFilter::new(&["B".to_owned(), "C".to_owned()]);
        let kept = filter.retain(&mut batch);
        let instruments: Vec<_> = batch[..kept].iter().map(|event| event.instrument).collect();
        assert_eq!(instruments, [2, 2, 0, 2]);
        assert_eq!(filter.missing(), ["C"]);
    }
}
