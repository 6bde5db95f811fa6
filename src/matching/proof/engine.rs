//! The engine's matcher as a checker drives it: by the same commands that everybody sends.

use super::{Arrival, CheckedMatcher, TapeFill};
use crate::book::{BookId, OrderView, Place};
use crate::event::kinds::Raw;
use crate::event::{
    Event, Execution, ExecutionKind, Liquidity, OrderType, Reason, SelfTrade, TimeInForce, payload,
};
use crate::matching::hand::Shown;
use crate::matching::terms::{Codes, Terms};
use crate::matching::{Matcher, MatcherConfig};
use crate::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

/// The account of every order of a tape.
const ACCOUNT: AccountId = AccountId(0);

/// Bit of a mass cancel that goes by instrument.
const BY_INSTRUMENT: u32 = 2;

/// The engine's [`Matcher`], as a tape drives it.
///
/// An order that the matcher's own checks reject (off the tick, say) comes in all the same, because
/// the exchange took it; [`refused`](Self::refused) counts them.
#[derive(Clone, Debug)]
pub struct OnTape {
    matcher: Matcher,
    out: Vec<Execution>,
}

impl OnTape {
    /// A matcher without instruments, with as much room as a tape needs.
    pub fn new() -> Self {
        let config = MatcherConfig { orders_max: usize::MAX, ..MatcherConfig::default() };
        Self { matcher: Matcher::new(config), out: Vec::new() }
    }

    /// The matcher.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Orders of the tape that the matcher's own checks reject, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.matcher.counts().rejects()
    }

    /// Applies a command; its executions are in `out`.
    fn command(&mut self, event: &Event) {
        self.out.clear();
        self.matcher.apply(event, &mut self.out);
    }
}

impl Default for OnTape {
    fn default() -> Self {
        Self::new()
    }
}

impl CheckedMatcher for OnTape {
    fn define(&mut self, event: &Event) {
        self.command(event);
    }

    fn enter(&mut self, order: &OrderView, arrival: Arrival, fills: &mut Vec<TapeFill>) {
        let time_in_force = match arrival {
            Arrival::Day => TimeInForce::Day,
            Arrival::Immediate => TimeInForce::Ioc,
            Arrival::Unmatched => return self.matcher.rest_unmatched(order),
        };
        let new = payload::NewOrder {
            order_id: order.order_id,
            price: order.price,
            qty: order.qty,
            account: ACCOUNT,
            order_type: OrderType::Limit as u8,
            time_in_force: time_in_force as u8,
            self_trade: SelfTrade::None as u8,
            instructions: 0,
        };
        self.command(&Event::new(0, order.instrument.0, new).with_side(order.side));
        if self.out[0].kind() == Some(ExecutionKind::Rejected) {
            self.out.clear();
            self.matcher.enter_unasked(order, time_in_force, &mut self.out);
        }
        let is_maker = |record: &&Execution| {
            record.kind() == Some(ExecutionKind::Filled)
                && record.liquidity == Liquidity::Maker as u8
        };
        fills.extend(self.out.iter().filter(is_maker).map(|record| TapeFill {
            order_id: OrderId(record.order_id),
            price: Price(record.price),
            qty: Qty(record.qty),
        }));
    }

    fn reduce(&mut self, order_id: OrderId, qty: Qty) {
        let reduce =
            payload::ReduceOrder { order_id, pad: 0, qty, account: ACCOUNT, any_account: 0 };
        self.command(&Event::new(0, 0, reduce));
    }

    fn cancel(&mut self, order_id: OrderId) {
        let pad = Raw([0; 16]);
        let cancel = payload::CancelOrder { order_id, pad, account: ACCOUNT, any_account: 0 };
        self.command(&Event::new(0, 0, cancel));
    }

    fn clear(&mut self, instrument: InstrumentId) {
        let mass = payload::MassCancel {
            account: ACCOUNT,
            criteria: BY_INSTRUMENT,
            lower_price: Price(0),
            upper_price: Price(0),
            pad: 0,
        };
        self.command(&Event::new(0, instrument.0, mass));
    }

    fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        into: &mut Vec<(OrderId, Qty)>,
    ) {
        let queue = self.matcher.queue(instrument, side, price);
        into.extend(queue.map(|order| (order.order_id, order.qty)));
    }
}

/// What a venue's tape may ask of a matcher beside commands.
impl Matcher {
    /// Rests a limit order without matching it: an add of a venue that is halted or quoting.
    fn rest_unmatched(&mut self, order: &OrderView) {
        let OrderView { order_id, instrument, side, price, qty, .. } = *order;
        self.make_way(order);
        let place = Place { book: BookId::displayed(instrument), side, price };
        let handle = self.books.rest(order_id, place, qty);
        let codes = plain_codes(TimeInForce::Day);
        self.terms.set(handle, Terms::new(ACCOUNT, codes, Qty(0), crate::book::NIL));
    }

    /// Lets a limit order match as any other does, without asking whether it is one to accept.
    fn enter_unasked(
        &mut self,
        order: &OrderView,
        time_in_force: TimeInForce,
        out: &mut Vec<Execution>,
    ) {
        let OrderView { order_id, instrument, side, price, qty, .. } = *order;
        self.make_way(order);
        let account = ACCOUNT;
        let cum = Qty(0);
        let shown = Shown { order_id, account, instrument, side, price, leaves: qty, cum };
        self.enter_plain(shown, plain_codes(time_in_force), out);
    }

    /// Makes the book of an order, and takes out who has its number.
    fn make_way(&mut self, order: &OrderView) {
        let fits = self.make_lane(order.instrument);
        assert!(fits, "the replica has no order of instrument {}", order.instrument);
        if let Some(found) = self.books.find(order.order_id) {
            self.books.remove_resting(found);
        }
    }
}

/// The codes of a limit order that nothing sets apart.
fn plain_codes(time_in_force: TimeInForce) -> Codes {
    Codes::new(OrderType::Limit, time_in_force, SelfTrade::None, 0)
}
