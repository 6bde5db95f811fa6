//! What an account holds of an instrument, and the sums over an account.

use super::account::Known;
use super::lots::Lots;
use super::markouts::Quality;
use super::position::Position;
use crate::error::Result;
use crate::state::{StateReader, StateWriter};
use crate::units::Money;

/// A position along all its paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) position: Position,
    pub(super) lots: Lots,
    pub(super) quality: Quality,
    /// What it adds to its ledger.
    pub(super) valued: Valued,
}

/// What a position adds to the sums of its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Valued {
    /// Realised and unrealised profit less fees.
    pub(super) gain: Money,
    /// Value of what is held; negative when short.
    pub(super) net: Money,
}

/// Sums over an account's positions in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) initial: Money,
    pub(super) cash: Money,
    /// Profit since the start, fees taken off.
    pub(super) gain: Money,
    /// The highest `gain` so far, from 0 on.
    pub(super) peak: Money,
    /// The largest fall from a peak.
    pub(super) drawdown: Money,
    /// Value of all positions, shorts counted as longs are.
    pub(super) gross: Money,
    pub(super) gross_max: Money,
    /// Value of longs less shorts.
    pub(super) net: Money,
}

impl Holding {
    /// What the position is worth now; a value beyond `i128` counts as its cost.
    pub(super) fn value(&self, known: &Known) -> Valued {
        let position = &self.position;
        let net = known
            .mark
            .and_then(|mark| known.worth.value(mark.half_price, i128::from(position.qty)))
            .unwrap_or(position.cost);
        let gain = position.realised + (net - position.cost) - position.fees;
        Valued { gain, net }
    }
}

impl Ledger {
    pub(super) fn new(initial: Money) -> Self {
        Self { initial, cash: initial, ..Self::default() }
    }

    /// A position that was valued at `before` is now at `after`.
    pub(super) fn revalue(&mut self, before: Valued, after: Valued) {
        self.gain += after.gain - before.gain;
        self.net += after.net - before.net;
        self.gross += Money(after.net.0.abs() - before.net.0.abs());
        self.peak = self.peak.max(self.gain);
        self.drawdown = self.drawdown.max(self.peak - self.gain);
        self.gross_max = self.gross_max.max(self.gross);
    }

    fn fields(&mut self) -> [&mut Money; 8] {
        let Self { initial, cash, gain, peak, drawdown, gross, gross_max, net } = self;
        [initial, cash, gain, peak, drawdown, gross, gross_max, net]
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        let mut copy = *self;
        copy.fields().into_iter().for_each(|field| writer.put_i128(field.0));
    }

    pub(super) fn load(reader: &mut StateReader<'_>) -> Result<Self> {
        let mut ledger = Self::default();
        for field in ledger.fields() {
            *field = Money(reader.i128()?);
        }
        Ok(ledger)
    }
}
