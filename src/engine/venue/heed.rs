//! What a client asks for.

use super::client::Stage;
use super::runs::is_client_account;
use super::server::Server;
use super::wire::{Desk, echo};
use crate::error::{Error, Result};
use crate::gateway::message::{ORDER_NUMBER_MAX, PROTOCOL_VERSION};
use crate::gateway::{Login, Message, OrdersListed, RefusalReason, Refused};
use crate::units::{AccountId, OrderId};

impl Server {
    /// Does what a client's message asks for.
    pub(super) fn heed(&mut self, client: usize, message: Message) -> Result<()> {
        match (self.clients[client].stage, message) {
            (_, Message::Heartbeat(_)) => Ok(()),
            (Stage::Silent, Message::Login(login)) => {
                self.heed_login(client, login);
                Ok(())
            }
            (Stage::Up(index), Message::ListOrders(_)) => {
                self.list_orders(client, index);
                Ok(())
            }
            (Stage::Up(index), Message::Logout(_)) => {
                self.log_out(client, index);
                Ok(())
            }
            (Stage::Up(index), command) => self.command(client, index, &command),
            (_, other) => Err(self.misplaced(client, &other)),
        }
    }

    fn heed_login(&mut self, client: usize, login: Login) {
        let heartbeat = std::time::Duration::from_millis(u64::from(login.heartbeat_ms.max(1)));
        let known = &mut self.clients[client];
        known.connection.set_heartbeat(heartbeat);
        known.stage = Stage::Waiting(login);
        if login.version != PROTOCOL_VERSION {
            let reason = RefusalReason::Version;
            known.connection.send(Refused { reason, next_command: 0, next_report: 0 });
            known.stage = Stage::Over;
        }
    }

    fn list_orders(&mut self, client: usize, index: usize) {
        let run = self.runs.get(index);
        let connection = &mut self.clients[client].connection;
        let desk = Desk { run, listed: &self.listed, now: 0 };
        desk.open_orders().for_each(|order| connection.send(order));
        let (count, next_report) = (run.open.len() as u64, run.reports + 1);
        connection.send(OrdersListed { count, next_report });
    }

    /// Cancels what is open and says goodbye once that is done.
    fn log_out(&mut self, client: usize, index: usize) {
        let now = self.clock.now().0;
        super::server::cancel_orders(self.runs.get(index), now, &mut self.pending);
        self.pending.push_back(echo(now));
        self.runs.echoes_sent += 1;
        self.clients[client].stage = Stage::Leaving(index, self.runs.echoes_sent);
    }

    /// Takes a command, if it is the next one and names what can be.
    fn command(&mut self, client: usize, index: usize, message: &Message) -> Result<()> {
        let nobody = AccountId(0);
        let (number, order_id, new_order_id, account) = match message {
            Message::NewOrder(new) => (new.command, new.order_id, new.order_id, new.account),
            Message::Cancel(cancel) => {
                (cancel.command, cancel.order_id, cancel.order_id, cancel.account)
            }
            Message::Reduce(reduce) => {
                (reduce.command, reduce.order_id, reduce.order_id, reduce.account)
            }
            Message::Replace(replace) => {
                (replace.command, replace.order_id, replace.new_order_id, replace.account)
            }
            _ => (0, OrderId(0), OrderId(0), nobody),
        };
        let is_order = |id: OrderId| (1..ORDER_NUMBER_MAX).contains(&id.0);
        let is_next = number == self.runs.get(index).commands + 1;
        let is_sound = is_order(order_id) && is_order(new_order_id) && is_client_account(account.0);
        if !is_next || !is_sound {
            return Err(self.misplaced(client, message));
        }
        let now = self.clock.now().0;
        let run = self.runs.get_mut(index);
        let is_used = match message {
            Message::NewOrder(_) | Message::Replace(_) => run.used.note(new_order_id.0),
            _ => false,
        };
        let desk = Desk { run, listed: &self.listed, now };
        match message {
            Message::NewOrder(new) => {
                let events = desk.new_order(new, is_used);
                let instrument = events.last().map_or(0, |event| event.instrument);
                self.pending.extend(events);
                run.sent.insert(order_id.0, instrument);
                run.accounts.insert(account.0);
            }
            Message::Cancel(cancel) => self.pending.push_back(desk.cancel(cancel)),
            Message::Reduce(reduce) => self.pending.push_back(desk.reduce(reduce)),
            Message::Replace(replace) => {
                let instrument = run.instrument_of(order_id.0);
                self.pending.extend(desk.replace(replace, is_used));
                run.sent.extend(instrument.map(|instrument| (new_order_id.0, instrument)));
            }
            _ => {}
        }
        run.commands += 1;
        self.counts.commands += 1;
        Ok(())
    }

    fn misplaced(&self, client: usize, message: &Message) -> Error {
        Error::BadMessage {
            peer: self.clients[client].connection.peer().to_owned(),
            offset: 0,
            what: format!(
                "a message {} stands where none may stand, or names what cannot be",
                message.name()
            ),
        }
    }
}
