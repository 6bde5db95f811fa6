//! The portfolio's saved state.

use super::account::{Known, Portfolio};
use super::holding::{Holding, Ledger};
use super::lots::Lots;
use super::markouts::{Markouts, Quality};
use super::marks::{load_mark, save_mark};
use super::position::{Position, Worth};
use crate::error::Result;
use crate::event::Execution;
use crate::state::{StateReader, StateWriter};
use crate::units::AccountId;

impl Portfolio {
    /// Writes positions, marks, cash and what is being measured; nothing of the audit, for which no
    /// match is half told where state is saved.
    pub fn save(&self, writer: &mut StateWriter) {
        writer.put_len(self.instruments.len());
        for (&instrument, known) in &self.instruments {
            let listing = Execution::from_listing(0, instrument, &known.listing);
            writer.put_bytes(bytemuck::bytes_of(&listing));
            save_mark(known.mark, writer);
            known.markouts.save(writer);
        }
        writer.put_len(self.positions.len());
        for (&(instrument, account), holding) in &self.positions {
            writer.put_u32(instrument);
            writer.put_u32(account.0);
            holding.position.save(writer);
            holding.lots.save(writer);
            holding.quality.save(writer);
        }
        writer.put_len(self.ledgers.len());
        for (&(account, currency), ledger) in &self.ledgers {
            writer.put_u32(account.0);
            writer.put_u32(u32::from_le_bytes(currency));
            ledger.save(writer);
        }
    }

    /// Replaces what the portfolio holds by saved state.
    ///
    /// # Errors
    ///
    /// Cut state, or state that is none of a portfolio.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        let mut loaded = Self::new(self.config.clone());
        for _ in 0..reader.len(size_of::<Execution>())? {
            let record: &[u8; size_of::<Execution>()] =
                reader.bytes()?.try_into().map_err(|_| reader.bad("a listing has another size"))?;
            let record: Execution = bytemuck::pod_read_unaligned(record);
            let mark = load_mark(reader)?;
            let markouts = Markouts::load(reader)?;
            let listing = record.listing().ok_or_else(|| reader.bad("a listing is none"))?;
            let worth =
                Worth::of(&listing).ok_or_else(|| reader.bad("increments beyond reason"))?;
            loaded.instruments.insert(record.instrument, Known { listing, worth, mark, markouts });
        }
        for _ in 0..reader.len(8)? {
            let key = (reader.u32()?, AccountId(reader.u32()?));
            let Some(known) = loaded.instruments.get(&key.0) else {
                return Err(reader.bad("a position is in an instrument that was not listed"));
            };
            let position = Position::load(reader)?;
            let (lots, quality) = (Lots::load(reader)?, Quality::load(reader)?);
            let mut holding = Holding { position, lots, quality, ..Holding::default() };
            holding.valued = holding.value(known);
            loaded.positions.insert(key, holding);
        }
        for _ in 0..reader.len(8)? {
            let key = (AccountId(reader.u32()?), reader.u32()?.to_le_bytes());
            loaded.ledgers.insert(key, Ledger::load(reader)?);
        }
        *self = loaded;
        Ok(())
    }
}
