//! The door: own orders at a real venue, as far as its reports tell.

use std::collections::{BTreeMap, VecDeque};

use super::door_list::{Units, own, unsound};
use crate::book::Replica;
use crate::error::Result;
use crate::event::{Execution, ExecutionKind, Reason, payload};
use crate::gateway::{Request, Standing, Terms};
use crate::matching::venue::InFlight;
use crate::matching::{Command, NewOrder, OpenOrder, OrderState};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};

/// Differences that are told one by one; all are counted.
pub(super) const NOTES_MAX: usize = 5;

/// An own order that is not over, as far as the venue has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away {
    pub(super) account: AccountId,
    pub(super) terms: NewOrder,
    pub(super) cum: Qty,
    /// Whether the venue has accepted it.
    pub(super) is_accepted: bool,
}

impl Away {
    pub(super) fn leaves(&self) -> Qty {
        Qty(self.terms.qty.0.saturating_sub(self.cum.0))
    }

    fn as_open(&self, order_id: OrderId) -> OpenOrder {
        OpenOrder {
            order_id,
            account: self.account,
            terms: self.terms,
            cum: self.cum,
            leaves: self.leaves(),
            displayed: Qty(0),
            stop: None,
            state: if self.is_accepted { OrderState::Resting } else { OrderState::InFlight },
            ahead: Qty(0),
            ahead_at_entry: Qty(0),
        }
    }

    /// A record about the order as it stands.
    pub(super) fn record(&self, order_id: OrderId, kind: ExecutionKind, at: Nanos) -> Execution {
        Execution {
            side: self.terms.side as u8,
            order_id: order_id.0,
            price: self.terms.price.0,
            qty: self.terms.qty.0,
            leaves: self.leaves().0,
            cum: self.cum.0,
            account: self.account.0,
            ..Execution::new(kind, at.0, self.terms.instrument.0)
        }
    }
}

/// Own orders at a real venue.
///
/// Everything here comes of commands and of the market ring's events `session`, `report` and
/// `report_more`, so that a journal gives it again. Commands are numbered while there is a session
/// and refused with `disconnected` while there is none; those that the venue did not get before the
/// next session began are refused then, and their numbers used again.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) is_up: bool,
    pub(super) sessions: u64,
    pub(super) next_command: u64,
    pub(super) next_report: u64,
    /// Orders that are not over.
    pub(super) orders: BTreeMap<OrderId, Away>,
    /// Commands that the venue has not answered, with their numbers.
    pub(super) unanswered: VecDeque<(u64, InFlight)>,
    /// Commands that found no session; they are answered at once.
    pub(super) refused: VecDeque<InFlight>,
    /// Accounts whose kill switch was thrown, ascending.
    pub(super) killed: Vec<AccountId>,
    /// A report of which the rest is to come.
    pub(super) head: Option<payload::Report>,
    /// Orders of the list that the venue is telling.
    pub(super) listed: Vec<OrderId>,
    /// Orders of which the venue said something else than is known here.
    pub(super) differences: u64,
    /// What to say of the first of them; no part of the state.
    pub(super) notes: Vec<String>,
    /// Commands that are to be sent; no part of the state.
    pub(super) requests: Vec<(u64, InFlight)>,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            is_up: false,
            sessions: 0,
            next_command: 1,
            next_report: 1,
            orders: BTreeMap::new(),
            unanswered: VecDeque::new(),
            refused: VecDeque::new(),
            killed: vec![],
            head: None,
            listed: vec![],
            differences: 0,
            notes: vec![],
            requests: vec![],
        }
    }
}

impl Door {
    /// Sends a command, or refuses it while there is no session.
    pub(super) fn send(&mut self, in_flight: InFlight) {
        if !self.is_up {
            self.refused.push_back(in_flight);
            return;
        }
        if let Command::New { order_id, terms } = in_flight.command {
            let account = in_flight.account;
            let away = Away { account, terms, cum: Qty(0), is_accepted: false };
            self.orders.insert(order_id, away);
        }
        self.unanswered.push_back((self.next_command, in_flight));
        self.requests.push((self.next_command, in_flight));
        self.next_command += 1;
    }

    /// Answers the first command that found no session, if one is due, and says when it was.
    pub(super) fn receive(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) -> Option<Nanos> {
        let refused = self.refused.pop_front_if(|refused| refused.due <= until)?;
        out.push(self.disconnected(&refused, ts_event));
        Some(refused.due)
    }

    /// When the next refusal is due.
    pub(super) fn next_due(&self) -> Option<Nanos> {
        self.refused.front().map(|refused| refused.due)
    }

    /// Asks to cancel every order of an account.
    pub(super) fn cancel_all(&mut self, account: AccountId, now: Nanos) {
        let own = self.orders.iter().filter(|(_, away)| away.account == account);
        let own: Vec<_> = own.map(|(&id, away)| (id, away.terms.instrument)).collect();
        for (order_id, instrument) in own {
            let command = Command::Cancel { order_id };
            self.send(InFlight { due: now, account, instrument, command });
        }
    }

    /// Asks to cancel every order of an account, now and whenever a session begins.
    pub(super) fn kill(&mut self, account: AccountId, now: Nanos) {
        if let Err(place) = self.killed.binary_search(&account) {
            self.killed.insert(place, account);
        }
        if self.is_up {
            self.cancel_all(account, now);
        }
    }

    /// A session begins or ends.
    pub(super) fn session(
        &mut self,
        session: &payload::Session,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        self.is_up = session.is_up != 0;
        if session.next_command > 0 {
            let is_lost = |&(number, _): &(u64, InFlight)| number >= session.next_command;
            while let Some((_, lost)) = self.unanswered.pop_back_if(|one| is_lost(one)) {
                out.push(self.disconnected(&lost, ts_event));
            }
        }
        if self.is_up {
            // A list that was cut off is told again from its beginning.
            self.listed.clear();
            self.sessions += 1;
            self.next_command = session.next_command;
            for account in self.killed.clone() {
                self.cancel_all(account, ts_event);
            }
        }
    }

    /// The answer to a command that never arrived.
    fn disconnected(&mut self, lost: &InFlight, ts_event: Nanos) -> Execution {
        let rejected = Execution {
            account: lost.account.0,
            ..Execution::new(ExecutionKind::Rejected, ts_event.0, lost.instrument.0)
        };
        let of = |door: &Self, order_id| match door.orders.get(&order_id) {
            Some(away) => away.record(order_id, ExecutionKind::Rejected, ts_event),
            None => Execution { order_id: order_id.0, ..rejected },
        };
        let answer = match lost.command {
            Command::New { order_id, terms } => {
                self.orders.remove(&order_id);
                let away = Away { account: lost.account, terms, cum: Qty(0), is_accepted: false };
                Execution { leaves: 0, ..away.record(order_id, ExecutionKind::Rejected, ts_event) }
            }
            Command::Cancel { order_id } => of(self, order_id),
            Command::Reduce { order_id, qty } => Execution { qty: qty.0, ..of(self, order_id) },
            Command::Replace { order_id, new_order_id, price, qty } => Execution {
                price: price.0,
                qty: qty.0,
                new_order_id: new_order_id.0,
                ..of(self, order_id)
            },
        };
        Execution { reason: Reason::Disconnected as u16, ..answer }
    }

    /// A report is complete.
    ///
    /// # Errors
    ///
    /// [`Error::Venue`](crate::error::Error::Venue) for what cannot be booked: a number that is
    /// missing, an order or a price that the run cannot have, what contradicts the order.
    pub(super) fn report(
        &mut self,
        (more, side): (&payload::ReportMore, Option<Side>),
        ts_event: Nanos,
        books: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let Some(head) = self.head.take() else { return Ok(()) };
        if head.number == 0 {
            self.hold_against(&head, more, ts_event, books, out);
            return Ok(());
        }
        if head.number < self.next_report {
            return Ok(());
        }
        if head.number > self.next_report {
            return Err(unsound(&format!(
                "report {} came where {} was awaited",
                head.number, self.next_report
            )));
        }
        self.next_report += 1;
        let Some(kind) = ExecutionKind::from_code(head.report) else { return Ok(()) };
        out.extend(self.execution((kind, side), &head, more, ts_event, books)?);
        Ok(())
    }

    /// What a report says, booked; `None` for one about an order that is not known.
    fn execution(
        &mut self,
        (kind, side): (ExecutionKind, Option<Side>),
        head: &payload::Report,
        more: &payload::ReportMore,
        ts_event: Nanos,
        books: &Replica,
    ) -> Result<Option<Execution>> {
        let [order_id, new_id] = [more.order_id, head.new_order_id].map(own);
        let answered = self.answered(kind, head, more);
        let sent = answered.map(|sent| (sent.account, sent.instrument));
        let known = self.orders.get(&order_id).copied();
        let Some((account, instrument)) =
            known.map(|away| (away.account, away.terms.instrument)).or(sent)
        else {
            if kind == ExecutionKind::Filled {
                return Err(unsound(&format!("order {} of this run is none", more.order_id)));
            }
            self.differ(format!(
                "it told of order {}, which this run does not have",
                more.order_id
            ));
            return Ok(None);
        };
        // A command about an order that is over has no instrument, and its rejection no amounts.
        let units = match Units::of(instrument, books) {
            None if kind == ExecutionKind::Rejected => Some(Units::ONE),
            units => units,
        };
        let units =
            units.ok_or_else(|| unsound(&format!("instrument {instrument} is not defined")))?;
        let qty = units.qty(more.qty)?;
        let price = units.price(more.price)?;
        let leaves = units.qty(head.leaves)?;
        let record = Execution {
            side: known.map_or(0, |away| away.terms.side as u8),
            order_id: order_id.0,
            price: price.0,
            qty: qty.0,
            leaves: leaves.0,
            cum: known.map_or(0, |away| away.cum.0),
            match_id: more.match_id.0,
            new_order_id: if head.new_order_id.0 == 0 { 0 } else { new_id.0 },
            account: account.0,
            reason: head.reason,
            liquidity: head.liquidity,
            ..Execution::new(kind, ts_event.0, instrument.0)
        };
        let Some(away) = known else { return Ok(Some(record)) };
        away.check(kind, &record, side, head.account)?;
        let cum = self.book(kind, (order_id, new_id), away, &record);
        Ok(Some(Execution { cum: cum.0, ..record }))
    }

    /// Brings a known order up to date; what is filled of it then.
    fn book(
        &mut self,
        kind: ExecutionKind,
        (order_id, new_id): (OrderId, OrderId),
        away: Away,
        record: &Execution,
    ) -> Qty {
        let filled = if kind == ExecutionKind::Filled { record.qty } else { 0 };
        let cum = Qty(away.cum.0 + filled);
        let mut now = Away { cum, is_accepted: true, ..away };
        let is_over = match kind {
            ExecutionKind::Rejected => !away.is_accepted && record.new_order_id == 0,
            ExecutionKind::Cancelled | ExecutionKind::Expired => true,
            _ => record.leaves == 0,
        };
        match kind {
            ExecutionKind::Reduced => {
                now.terms.qty = Qty(away.terms.qty.0.saturating_sub(record.qty));
            }
            ExecutionKind::Replaced => {
                let terms =
                    NewOrder { price: Price(record.price), qty: Qty(record.qty), ..now.terms };
                self.orders.insert(new_id, Away { terms, ..now });
            }
            ExecutionKind::Rejected => now = away,
            // A venue may move a post-only order off the touch.
            ExecutionKind::Accepted if record.price != 0 => now.terms.price = Price(record.price),
            _ => {}
        }
        if is_over || kind == ExecutionKind::Replaced {
            self.orders.remove(&order_id);
        } else {
            self.orders.insert(order_id, now);
        }
        cum
    }

    /// Takes out the command that a report answers.
    fn answered(
        &mut self,
        kind: ExecutionKind,
        head: &payload::Report,
        more: &payload::ReportMore,
    ) -> Option<InFlight> {
        let (order, new) = (own(more.order_id), own(head.new_order_id));
        let is_replace = head.new_order_id.0 != 0 || head.reason == Reason::ReplacedBelowCum as u16;
        let is_answer = |(_, sent): &(u64, InFlight)| match (kind, sent.command) {
            (ExecutionKind::Accepted, Command::New { order_id, .. }) => order_id == order,
            (ExecutionKind::Rejected, Command::New { order_id, .. }) => {
                !is_replace && order_id == order
            }
            (
                ExecutionKind::Rejected | ExecutionKind::Cancelled | ExecutionKind::Reduced,
                Command::Cancel { order_id } | Command::Reduce { order_id, .. },
            ) => {
                let is_asked =
                    kind != ExecutionKind::Cancelled || head.reason == Reason::Requested as u16;
                !is_replace && is_asked && order_id == order
            }
            (ExecutionKind::Replaced, Command::Replace { new_order_id, .. }) => new_order_id == new,
            (
                ExecutionKind::Rejected | ExecutionKind::Cancelled,
                Command::Replace { order_id, new_order_id, .. },
            ) => {
                let is_it = kind == ExecutionKind::Cancelled || new_order_id == new;
                is_replace && is_it && order_id == order
            }
            _ => false,
        };
        let index = self.unanswered.iter().position(is_answer)?;
        self.unanswered.remove(index).map(|(_, sent)| sent)
    }

    /// Own orders of an instrument: bids, then offers, best first, then those in flight.
    pub(super) fn open_orders(&self, instrument: InstrumentId) -> Vec<OpenOrder> {
        let own = self.orders.iter().filter(|(_, away)| away.terms.instrument == instrument);
        let mut orders: Vec<_> = own.map(|(&id, away)| away.as_open(id)).collect();
        orders.sort_by_key(|order| {
            let price = order.terms.price.0;
            let rank = [price.saturating_neg(), price][order.terms.side.index()];
            (order.state == OrderState::InFlight, order.terms.side as u8, rank)
        });
        orders
    }

    /// An own order that is not over.
    pub(super) fn order(&self, order_id: OrderId) -> Option<OpenOrder> {
        self.orders.get(&order_id).map(|away| away.as_open(order_id))
    }

    /// The instrument of an order that is not over, or of a replacement on its way.
    pub(super) fn instrument_of(&self, order_id: OrderId) -> Option<InstrumentId> {
        let replacement = || {
            let mut sent = self.unanswered.iter();
            sent.find_map(|(_, sent)| sent.replacement(order_id).map(|_| sent.instrument))
        };
        let known = self.orders.get(&order_id).map(|away| away.terms.instrument);
        known.or_else(replacement)
    }

    /// Of a replacement on its way: what it replaces, price, quantity.
    pub(super) fn replacement(&self, order_id: OrderId) -> Option<(OrderId, Price, Qty)> {
        self.unanswered.iter().find_map(|(_, sent)| sent.replacement(order_id))
    }

    /// Hands over what is to be sent.
    pub(super) fn take_requests(&mut self, books: &Replica, to: &mut Vec<Request>) {
        for (number, sent) in self.requests.drain(..) {
            let terms = books.instruments().get(sent.instrument).map(Terms::from);
            to.push(Request {
                session: self.sessions,
                number,
                account: sent.account,
                terms: terms.unwrap_or(Terms::UNKNOWN),
                command: sent.command,
            });
        }
    }

    /// Whether something is to be sent.
    #[inline]
    pub(super) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Where the run stands.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            next_command: self.next_command,
            next_report: self.next_report,
            sessions: self.sessions,
            ..Standing::default()
        }
    }

    /// What the user should know after the run.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = vec![];
        if self.differences > 0 {
            warnings.push(format!(
                "the venue's list of open orders differed {} times from the run's: {}; compare the \
                 journals of both sides",
                self.differences,
                self.notes.join("; ")
            ));
        }
        if !self.orders.is_empty() {
            warnings.push(format!(
                "{} orders were open when the run ended: --resume asks the venue what became of \
                 them",
                self.orders.len()
            ));
        }
        warnings
    }
}
