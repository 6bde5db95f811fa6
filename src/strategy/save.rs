//! The trader's saved state.

use super::counts::TraderCounts;
use super::desk::Office;
use super::trader::Trader;
use crate::error::Result;
use crate::event::Execution;
use crate::state::{StateReader, StateWriter};
use crate::units::Nanos;

impl Trader {
    /// Writes the state of venue, account, strategy and what is between them.
    pub fn save(&self, writer: &mut StateWriter) {
        let Office { venue, account, now, orders, counts, .. } = &self.office;
        writer.put_u64(now.0);
        writer.put_u64(*orders);
        counts.save(writer);
        venue.save(writer);
        account.save(writer);
        writer.put_bytes(&self.interest);
        let quotes = self.quotes.iter().map(|(&id, quote)| Execution::from_quote(0, id, quote));
        for records in [quotes.collect(), Vec::from(self.untold.clone())] {
            writer.put_bytes(bytemuck::cast_slice(&records));
        }
        self.strategy.save(writer);
    }

    /// Replaces the trader's state by a saved one; strategy and configuration are the same.
    ///
    /// # Errors
    ///
    /// State that this trader did not write. The trader is of no use then.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.office.now = Nanos(reader.u64()?);
        self.office.orders = reader.u64()?;
        self.office.counts = TraderCounts::load(reader)?;
        self.office.venue.load(reader)?;
        self.office.account.load(reader)?;
        self.interest = reader.bytes()?.to_vec();
        let quotes = load_records(reader)?;
        self.quotes = quotes
            .iter()
            .map(|record| Some((record.instrument, record.quote()?)))
            .collect::<Option<_>>()
            .ok_or_else(|| reader.bad("a quote is none"))?;
        self.untold = load_records(reader)?.into();
        self.strategy.load(reader)
    }
}

fn load_records(reader: &mut StateReader<'_>) -> Result<Vec<Execution>> {
    let bytes = reader.bytes()?;
    if !bytes.len().is_multiple_of(size_of::<Execution>()) {
        return Err(reader.bad("records are cut"));
    }
    Ok(bytes.chunks_exact(size_of::<Execution>()).map(bytemuck::pod_read_unaligned).collect())
}
