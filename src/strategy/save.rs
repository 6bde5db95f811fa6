//! The trader's saved state.

use super::counts::TraderCounts;
use super::timers::Timers;
use super::trader::{Told, Trader};
use crate::error::Result;
use crate::event::Execution;
use crate::state::{StateReader, StateWriter};
use crate::units::{InstrumentId, Nanos};

impl Trader {
    /// Writes the state of venue, gate, accounts, strategies and what is between them.
    pub fn save(&self, writer: &mut StateWriter) {
        let office = &self.office;
        writer.put_u64(office.now.0);
        writer.put_u64(self.day_end.0);
        writer.put_u64(office.orders);
        office.counts.save(writer);
        office.venue.save(writer);
        office.account.save(writer);
        office.gate.save(writer);
        office.timers.save(writer);
        writer.put_bytes(&self.interest);
        writer.put_len(self.recent_until.len());
        self.recent_until.iter().for_each(|&until| writer.put_u64(until));
        let quotes = self.quotes.iter().map(|(&id, quote)| Execution::from_quote(0, id, quote));
        writer.put_bytes(bytemuck::cast_slice(&quotes.collect::<Vec<_>>()));
        writer.put_len(self.untold.len());
        for told in &self.untold {
            writer.put_u64(told.due.0);
            writer.put_bytes(bytemuck::bytes_of(&told.execution));
        }
        writer.put_u32(self.last_instrument.0);
        writer.put_bool(self.is_cut_off);
        writer.put_len(self.members.len());
        self.members.iter().for_each(|member| member.save(writer));
    }

    /// Replaces the trader's state by a saved one; strategies and configuration are the same.
    ///
    /// # Errors
    ///
    /// State that this trader did not write. The trader is of no use then.
    pub fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.office.now = Nanos(reader.u64()?);
        self.day_end = Nanos(reader.u64()?);
        self.office.orders = reader.u64()?;
        self.office.counts = TraderCounts::load(reader)?;
        self.office.venue.load(reader)?;
        self.office.account.load(reader)?;
        self.office.gate.load(reader)?;
        self.office.timers = Timers::load(reader)?;
        self.interest = reader.bytes()?.to_vec();
        self.recent_until = (0..reader.len(8)?).map(|_| reader.u64()).collect::<Result<_>>()?;
        if self.recent_until.len() != self.interest.len() {
            return Err(reader.bad("instruments are not counted once"));
        }
        let quotes = load_records(reader)?;
        self.quotes = quotes
            .iter()
            .map(|record| Some((record.instrument, record.quote()?)))
            .collect::<Option<_>>()
            .ok_or_else(|| reader.bad("a quote is none"))?;
        self.untold.clear();
        for _ in 0..reader.len(size_of::<Execution>())? {
            let due = Nanos(reader.u64()?);
            let records = load_records(reader)?;
            let [execution] = records[..] else { return Err(reader.bad("a report is none")) };
            self.untold.push_back(Told { due, execution });
        }
        self.last_instrument = InstrumentId(reader.u32()?);
        self.is_cut_off = reader.bool()?;
        if reader.len(8)? != self.members.len() {
            return Err(reader.bad("there are other strategies"));
        }
        self.members.iter_mut().try_for_each(|member| member.load(reader))
    }
}

fn load_records(reader: &mut StateReader<'_>) -> Result<Vec<Execution>> {
    let bytes = reader.bytes()?;
    if !bytes.len().is_multiple_of(size_of::<Execution>()) {
        return Err(reader.bad("records are cut"));
    }
    Ok(bytes.chunks_exact(size_of::<Execution>()).map(bytemuck::pod_read_unaligned).collect())
}
