//! The door's saved state.

use super::door::{Away, Door};
use crate::error::Result;
use crate::event::payload;
use crate::matching::venue::{load_in_flight, load_terms, save_in_flight, save_terms};
use crate::state::{StateReader, StateWriter};
use crate::units::{AccountId, OrderId, Qty};

impl Door {
    /// Writes orders, what is unanswered, and where both directions stand.
    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_bool(self.is_up);
        for number in [self.sessions, self.next_command, self.next_report, self.differences] {
            writer.put_u64(number);
        }
        writer.put_len(self.orders.len());
        for (order_id, away) in &self.orders {
            writer.put_u64(order_id.0);
            writer.put_u32(away.account.0);
            save_terms(&away.terms, writer);
            writer.put_u64(away.cum.0);
            writer.put_bool(away.is_accepted);
        }
        writer.put_len(self.unanswered.len());
        for (number, sent) in &self.unanswered {
            writer.put_u64(*number);
            save_in_flight(sent, writer);
        }
        writer.put_len(self.refused.len());
        self.refused.iter().for_each(|refused| save_in_flight(refused, writer));
        writer.put_len(self.killed.len());
        self.killed.iter().for_each(|account| writer.put_u32(account.0));
        writer.put_len(self.listed.len());
        self.listed.iter().for_each(|order_id| writer.put_u64(order_id.0));
        writer.put_bool(self.head.is_some());
        let head: payload::Report = self.head.unwrap_or_else(bytemuck::Zeroable::zeroed);
        writer.put_bytes(bytemuck::bytes_of(&head));
    }

    /// Replaces the state by a saved one.
    ///
    /// # Errors
    ///
    /// Cut state, or state that is none of a door.
    pub(super) fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        let mut loaded = Self { is_up: reader.bool()?, ..Self::default() };
        loaded.sessions = reader.u64()?;
        loaded.next_command = reader.u64()?;
        loaded.next_report = reader.u64()?;
        loaded.differences = reader.u64()?;
        for _ in 0..reader.len(8)? {
            let order_id = OrderId(reader.u64()?);
            let account = AccountId(reader.u32()?);
            let terms = load_terms(reader)?;
            let (cum, is_accepted) = (Qty(reader.u64()?), reader.bool()?);
            loaded.orders.insert(order_id, Away { account, terms, cum, is_accepted });
        }
        for _ in 0..reader.len(8)? {
            loaded.unanswered.push_back((reader.u64()?, load_in_flight(reader)?));
        }
        for _ in 0..reader.len(8)? {
            loaded.refused.push_back(load_in_flight(reader)?);
        }
        for _ in 0..reader.len(4)? {
            loaded.killed.push(AccountId(reader.u32()?));
        }
        for _ in 0..reader.len(8)? {
            loaded.listed.push(OrderId(reader.u64()?));
        }
        let has_head = reader.bool()?;
        let head = reader.bytes()?;
        if head.len() != size_of::<payload::Report>() {
            return Err(reader.bad("a report has another size"));
        }
        loaded.head = has_head.then(|| bytemuck::pod_read_unaligned(head));
        *self = loaded;
        Ok(())
    }
}
