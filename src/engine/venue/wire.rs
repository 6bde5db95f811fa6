//! Messages as commands of the market ring, and executions as messages.

use super::runs::{NOBODY, Run, client_account, client_order};
use crate::event::kinds::Raw;
use crate::event::{
    Event, Execution, ExecutionKind, Flags, Instrument, InstrumentTable, Liquidity, Payload,
    payload,
};
use crate::gateway::{Cancel, NewOrder, OpenOrder, Reduce, Replace, Report};
use crate::units::{AccountId, InstrumentId, MatchId, OrderId, Price, Qty};

/// The bit of a mass cancel's criteria that stands for the account.
const BY_ACCOUNT: u32 = 1;

/// A price that no order may have.
const NO_PRICE: Price = Price(-1);

/// A quantity that no order may have.
const NO_QTY: Qty = Qty(u64::MAX);

/// An instrument that no record defines.
const UNLISTED: InstrumentId = InstrumentId(u32::MAX);

/// What messages of a run are read with.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) run: &'a Run,
    pub(super) listed: &'a InstrumentTable,
    /// The venue's time.
    pub(super) now: u64,
}

impl Desk<'_> {
    /// A new order's records: its terms, if it has such, and itself.
    ///
    /// What the venue has no step for becomes a price or quantity that no order may have, and the
    /// matcher rejects it.
    ///
    /// One whose number was used before is rejected too.
    pub(super) fn new_order(&self, order: &NewOrder, is_used: bool) -> Vec<Event> {
        let id = self.listed.find(order.symbol.as_str()).unwrap_or(UNLISTED);
        let steps = Steps::of(self.listed.get(id));
        // Whoever counts in coarser steps than the venue could not be told of its fills.
        let is_told = steps.price.is_multiple_of(order.price_increment.max(1))
            && steps.qty.is_multiple_of(order.qty_increment.max(1));
        let prices = [order.price, order.stop_price, order.trail].map(|price| steps.price(price));
        let qtys = [order.qty, order.display_qty, order.min_qty].map(|qty| steps.qty(qty));
        let is_sound = is_told && qtys.iter().all(Option::is_some);
        let [price, stop_price, trail] = prices.map(|price| price.unwrap_or(NO_PRICE));
        let [qty, display_qty, min_qty] = qtys.map(Option::unwrap_or_default);
        let of_side = |event: Event| Event { side: order.side as u8, ..event };
        let mut events = Vec::with_capacity(3);
        if stop_price.0 != 0 || trail.0 != 0 || display_qty.0 != 0 || order.expire_ts != 0 {
            let expire_ts = order.expire_ts;
            let terms = payload::Terms { stop_price, trail, display_qty, expire_ts };
            events.push(Event::new(self.now, id.0, terms).with_flags(Flags::CONTINUED));
        }
        if min_qty.0 != 0 || is_used {
            let zeroed: payload::TermsMore = bytemuck::Zeroable::zeroed();
            let terms = payload::TermsMore { min_qty, is_used: u16::from(is_used), ..zeroed };
            events.push(Event::new(self.now, id.0, terms).with_flags(Flags::CONTINUED));
        }
        let new = payload::NewOrder {
            order_id: OrderId(self.run.order(order.order_id.0)),
            price,
            qty: if is_sound { qty } else { Qty(0) },
            account: AccountId(self.run.account(order.account.0)),
            order_type: order.order_type as u8,
            time_in_force: order.time_in_force as u8,
            self_trade: order.self_trade as u8,
            instructions: order.instructions.0,
        };
        events.push(of_side(Event::new(self.now, id.0, new)).with_flags(Flags::LAST));
        events
    }

    /// The record of a cancel.
    pub(super) fn cancel(&self, cancel: &Cancel) -> Event {
        let payload = payload::CancelOrder {
            order_id: OrderId(self.run.order(cancel.order_id.0)),
            pad: Raw([0; 16]),
            account: AccountId(self.run.account(cancel.account.0)),
            any_account: 0,
        };
        self.about(cancel.order_id, payload)
    }

    /// The record of a reduction.
    pub(super) fn reduce(&self, reduce: &Reduce) -> Event {
        let payload = payload::ReduceOrder {
            order_id: OrderId(self.run.order(reduce.order_id.0)),
            pad: 0,
            qty: self.steps_of(reduce.order_id).qty(reduce.qty).unwrap_or_default(),
            account: AccountId(self.run.account(reduce.account.0)),
            any_account: 0,
        };
        self.about(reduce.order_id, payload)
    }

    /// The records of a replacement: who asks, and itself; what the venue has no step for becomes
    /// what no order may have.
    pub(super) fn replace(&self, replace: &Replace, is_used: bool) -> [Event; 2] {
        let asking = payload::TermsMore {
            account: AccountId(self.run.account(replace.account.0)),
            has_account: 1,
            is_used: u16::from(is_used),
            ..bytemuck::Zeroable::zeroed()
        };
        let steps = self.steps_of(replace.order_id);
        let payload = payload::ReplaceOrder {
            order_id: OrderId(self.run.order(replace.order_id.0)),
            price: steps.price(replace.price).unwrap_or(NO_PRICE),
            qty: steps.qty(replace.qty).unwrap_or(NO_QTY),
            new_order_id: OrderId(self.run.order(replace.new_order_id.0)),
        };
        let replace = self.about(replace.order_id, payload);
        let asking = Event::new(self.now, replace.instrument, asking);
        [asking.with_flags(Flags::CONTINUED), replace]
    }

    /// A record about an order, at its instrument while that is known.
    fn about(&self, order_id: OrderId, payload: impl Payload) -> Event {
        let instrument = self.run.instrument_of(order_id.0).unwrap_or_default();
        Event::new(self.now, instrument, payload).with_flags(Flags::LAST)
    }

    /// The steps of the instrument of an order.
    fn steps_of(&self, order_id: OrderId) -> Steps {
        let instrument = self.run.instrument_of(order_id.0).map(InstrumentId);
        Steps::of(instrument.and_then(|id| self.listed.get(id)))
    }

    /// The record of a session's beginning or end.
    pub(super) fn session(&self) -> Event {
        let run = self.run;
        let session = payload::Session {
            next_command: run.commands + 1,
            run_number: run.number as u32,
            is_up: u8::from(run.is_up),
            cancel_on_disconnect: u8::from(run.cancel_on_disconnect),
            pad: 0,
            run: Raw(run.id.0),
        };
        Event::new(self.now, 0, session)
    }

    /// The messages of the run's open orders.
    pub(super) fn open_orders(&self) -> impl Iterator<Item = OpenOrder> {
        self.run.open.iter().map(|(&order_id, open)| {
            let steps = Steps::of(self.listed.get(InstrumentId(open.instrument)));
            OpenOrder {
                order_id: OrderId(order_id),
                price: open.price.wrapping_mul(steps.price.cast_signed()),
                leaves: open.leaves.wrapping_mul(steps.qty),
                account: AccountId(open.account),
            }
        })
    }
}

/// The record that cancels all orders of an account.
pub(super) fn cancel_account(account: u32, now: u64) -> Event {
    let mass = payload::MassCancel {
        account: AccountId(account),
        criteria: BY_ACCOUNT,
        lower_price: Price(0),
        upper_price: Price(0),
        pad: 0,
    };
    Event::new(now, 0, mass).with_flags(Flags::LAST)
}

/// The record whose rejection says that everything before it is done.
pub(super) fn echo(now: u64) -> Event {
    cancel_account(NOBODY, now)
}

/// The message of an execution.
pub(super) fn report(number: u64, execution: &Execution, listed: &InstrumentTable) -> Report {
    let steps = Steps::of(listed.get(InstrumentId(execution.instrument)));
    // What the venue has no step for is told as 0.
    let price = if execution.price == NO_PRICE.0 { 0 } else { execution.price };
    let qty = if execution.qty == NO_QTY.0 { 0 } else { execution.qty };
    Report {
        report: number,
        order_id: OrderId(client_order(execution.order_id)),
        new_order_id: OrderId(client_order(execution.new_order_id)),
        price: price.wrapping_mul(steps.price.cast_signed()),
        qty: qty.wrapping_mul(steps.qty),
        leaves: execution.leaves.wrapping_mul(steps.qty),
        match_id: MatchId(execution.match_id),
        ts_event: execution.ts_event,
        account: AccountId(client_account(execution.account)),
        kind: execution.kind().unwrap_or(ExecutionKind::Status),
        side: execution.side(),
        liquidity: Liquidity::from_code(execution.liquidity),
        reason: execution.reason(),
    }
}

/// The increments of an instrument, in 1e-9.
#[derive(Clone, Copy)]
struct Steps {
    price: u64,
    qty: u64,
}

impl Steps {
    /// Those of an instrument, or of none.
    fn of(instrument: Option<&Instrument>) -> Self {
        let [price, qty] = instrument
            .map_or([1, 1], |known| [known.price_increment.max(1), known.qty_increment.max(1)]);
        Self { price, qty }
    }

    /// A price of a message; `None` for one that is none of the venue's.
    fn price(self, told: i64) -> Option<Price> {
        let step = self.price.cast_signed();
        (told % step == 0).then(|| Price(told / step))
    }

    /// A quantity of a message; `None` for one that is none of the venue's.
    fn qty(self, told: u64) -> Option<Qty> {
        told.is_multiple_of(self.qty).then(|| Qty(told / self.qty))
    }
}
