//! The strategies that do nothing.

use super::Strategy;
use crate::error::Result;
use crate::event::Instrument;
use crate::state::{StateReader, StateWriter};
use crate::units::InstrumentId;

/// A strategy that never acts: `none` watches nothing, `idle` everything.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Whether to be called for every event of every instrument.
    pub watches: bool,
}

impl Strategy for Idle {
    fn name(&self) -> &str {
        if self.watches { "idle" } else { "none" }
    }

    fn on_instrument(&mut self, _: InstrumentId, _: &Instrument) -> Result<bool> {
        Ok(self.watches)
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<()> {
        Ok(())
    }
}
