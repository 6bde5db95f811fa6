//! What the matcher keeps of an order beside its place in the book.
//!
//! ```text
//!  Slab<Order>     | id, open, place | ...    by handle, in the book's store
//!  TermsSlab       | Terms, 16 bytes | ...    by the same handle
//!                       | extra
//!  ExtraSlab       | iceberg, group, expiry, stop, auction |   only for orders that have one
//! ```
//!
//! A plain order costs 16 bytes here. Everything that few orders have lies in an extra record.

use std::ops::{Index, IndexMut};

use super::stops::Stop;
use crate::book::NIL;
use crate::event::{Instructions, OrderType, SelfTrade, TimeInForce};
use crate::units::{AccountId, InstrumentId, Nanos, Price, Qty, Side};

/// Type, time in force, self-trade mode and instructions of an order in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes(u16);

/// The bit of an order that displays a part of itself only.
const ICEBERG: u16 = 1 << 13;

impl Codes {
    #[inline]
    pub(super) fn new(
        order_type: OrderType,
        time_in_force: TimeInForce,
        self_trade: SelfTrade,
        instructions: u8,
    ) -> Self {
        debug_assert!(instructions < 16, "four instructions are known");
        Self(
            order_type as u16
                | (time_in_force as u16) << 3
                | (self_trade as u16) << 6
                | u16::from(instructions) << 9,
        )
    }

    /// The codes of saved bits; `None` for bits that no order has.
    pub(super) fn from_bits(bits: u16) -> Option<Self> {
        OrderType::from_code((bits & 7) as u8)?;
        TimeInForce::from_code((bits >> 3 & 7) as u8)?;
        SelfTrade::from_code((bits >> 6 & 7) as u8)?;
        (bits < ICEBERG << 1).then_some(Self(bits))
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    #[inline]
    pub(super) fn order_type(self) -> OrderType {
        OrderType::from_code((self.0 & 7) as u8).unwrap_or(OrderType::Limit)
    }

    #[inline]
    pub(super) fn time_in_force(self) -> TimeInForce {
        TimeInForce::from_code((self.0 >> 3 & 7) as u8).unwrap_or(TimeInForce::Day)
    }

    #[inline]
    pub(super) fn self_trade(self) -> SelfTrade {
        SelfTrade::from_code((self.0 >> 6 & 7) as u8).unwrap_or(SelfTrade::None)
    }

    #[inline]
    pub(super) fn has(self, instruction: u8) -> bool {
        self.0 >> 9 & u16::from(instruction) != 0
    }

    /// Whether a limit order that nothing sets apart.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.0 & !(7 << 3) == OrderType::Limit as u16
    }

    #[inline]
    pub(super) fn is_hidden(self) -> bool {
        self.has(Instructions::HIDDEN)
    }

    #[inline]
    pub(super) fn is_iceberg(self) -> bool {
        self.0 & ICEBERG != 0
    }

    pub(super) fn as_iceberg(self, is_iceberg: bool) -> Self {
        Self(if is_iceberg { self.0 | ICEBERG } else { self.0 & !ICEBERG })
    }

    pub(super) fn with_type(self, order_type: OrderType) -> Self {
        Self(self.0 & !7 | order_type as u16)
    }

    /// Whether a stop that has not triggered.
    #[inline]
    pub(super) fn is_stop(self) -> bool {
        self.order_type().is_stop()
    }

    /// Whether it is, or becomes when it triggers, an order that never rests.
    pub(super) fn is_market(self) -> bool {
        self.order_type().is_market()
    }

    pub(super) fn is_trailing(self) -> bool {
        self.order_type().is_trailing()
    }
}

/// What every live order has: 16 bytes, four to a cache line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) account: AccountId,
    /// The extra record; `NIL` for a plain order.
    pub(super) extra: u32,
    cum_low: u32,
    cum_high: u16,
    pub(super) codes: Codes,
}

const _: () = assert!(size_of::<Terms>() == 16);

impl Terms {
    #[inline]
    pub(super) fn new(account: AccountId, codes: Codes, cum: Qty, extra: u32) -> Self {
        Self { account, extra, cum_low: cum.0 as u32, cum_high: (cum.0 >> 32) as u16, codes }
    }

    /// Filled so far; less than 2^48, as the order's quantity is.
    #[inline]
    pub(super) fn cum(&self) -> Qty {
        Qty(u64::from(self.cum_high) << 32 | u64::from(self.cum_low))
    }

    #[inline]
    pub(super) fn add_cum(&mut self, qty: Qty) {
        let cum = self.cum().0 + qty.0;
        self.cum_low = cum as u32;
        self.cum_high = (cum >> 32) as u16;
    }
}

/// The terms of all orders, by the handles of the book's store.
#[derive(Clone, Debug, Default)]
pub(super) struct TermsSlab {
    terms: Vec<Terms>,
}

impl TermsSlab {
    pub(super) fn with_capacity(orders: usize) -> Self {
        Self { terms: Vec::with_capacity(orders) }
    }

    /// Keeps the terms of a handle that the store has just given.
    #[inline]
    pub(super) fn set(&mut self, handle: u32, terms: Terms) {
        let index = handle as usize;
        if index < self.terms.len() {
            self.terms[index] = terms;
        } else {
            debug_assert_eq!(index, self.terms.len(), "a store hands out the next handle");
            self.terms.push(terms);
        }
    }

    /// The extra record of a handle that may be none's.
    #[inline]
    pub(super) fn extra_of_any(&self, handle: u32) -> u32 {
        self.terms.get(handle as usize).map_or(NIL, |terms| terms.extra)
    }

    pub(super) fn bytes(&self) -> usize {
        self.terms.capacity() * size_of::<Terms>()
    }
}

impl Index<u32> for TermsSlab {
    type Output = Terms;

    #[inline]
    fn index(&self, handle: u32) -> &Terms {
        &self.terms[handle as usize]
    }
}

impl IndexMut<u32> for TermsSlab {
    #[inline]
    fn index_mut(&mut self, handle: u32) -> &mut Terms {
        &mut self.terms[handle as usize]
    }
}

/// Where a live order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Berth {
    /// In one of the books.
    Book,
    /// A stop with a fixed price, in a heap.
    Stop,
    /// A trailing stop, in a list.
    Trailing,
    /// A stop that has triggered and whose turn has not come.
    Triggered,
    /// Waits for an auction, in one of the [`Pool`]s.
    Pool(Pool),
}

/// Whom an order waits with for an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// Market orders of a call.
    Market,
    /// Orders for the opening auction.
    Opening,
    /// Orders for the closing auction.
    Closing,
}

/// What few orders have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extra {
    /// Displayed quantity of an iceberg; 0 when all is displayed.
    pub(super) display: Qty,
    /// What an iceberg has beyond what it displays.
    pub(super) reserve: Qty,
    /// Self-trade group; 0 means the account.
    pub(super) group: u64,
    /// Time of expiry; 0 when none.
    pub(super) expire_ts: Nanos,
    /// Of a parked order: its limit or cap.
    pub(super) price: Price,
    pub(super) stop: Stop,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) berth: Berth,
    /// Place in the heap of expiries.
    pub(super) expiry_at: u32,
    /// Place in a heap of stops; the next free record when this one is free.
    pub(super) stop_at: u32,
}

impl Extra {
    /// An extra record that says nothing.
    pub(super) fn none(instrument: InstrumentId, side: Side) -> Self {
        Self {
            display: Qty(0),
            reserve: Qty(0),
            group: 0,
            expire_ts: Nanos(0),
            price: Price(0),
            stop: Stop::default(),
            instrument,
            side,
            berth: Berth::Book,
            expiry_at: NIL,
            stop_at: NIL,
        }
    }

    /// Whether a resting order needs the record.
    #[inline]
    pub(super) fn is_needed(&self) -> bool {
        self.display.0 != 0 || self.group != 0 || self.expire_ts.0 != 0
    }
}

/// Extra records and the list of those that are free.
#[derive(Clone, Debug)]
pub(super) struct ExtraSlab {
    extras: Vec<Extra>,
    free: u32,
}

impl ExtraSlab {
    pub(super) fn new() -> Self {
        Self { extras: Vec::new(), free: NIL }
    }

    /// Stores a record and names it.
    pub(super) fn insert(&mut self, extra: Extra) -> u32 {
        if self.free == NIL {
            self.extras.push(extra);
            return self.extras.len() as u32 - 1;
        }
        let handle = self.free;
        self.free = self[handle].stop_at;
        self[handle] = extra;
        handle
    }

    /// Gives a record's room back; its handle may be handed out again at once.
    pub(super) fn remove(&mut self, handle: u32) {
        self[handle].stop_at = self.free;
        self.free = handle;
    }

    pub(super) fn bytes(&self) -> usize {
        self.extras.capacity() * size_of::<Extra>()
    }
}

impl Index<u32> for ExtraSlab {
    type Output = Extra;

    #[inline]
    fn index(&self, handle: u32) -> &Extra {
        &self.extras[handle as usize]
    }
}

impl IndexMut<u32> for ExtraSlab {
    #[inline]
    fn index_mut(&mut self, handle: u32) -> &mut Extra {
        &mut self.extras[handle as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_give_back_what_went_in() {
        for &order_type in OrderType::ALL {
            for &time_in_force in TimeInForce::ALL {
                for &self_trade in SelfTrade::ALL {
                    for instructions in 0..16 {
                        let codes = Codes::new(order_type, time_in_force, self_trade, instructions);
                        assert_eq!(codes.order_type(), order_type);
                        assert_eq!(codes.time_in_force(), time_in_force);
                        assert_eq!(codes.self_trade(), self_trade);
                        assert_eq!(codes.is_hidden(), instructions & Instructions::HIDDEN != 0);
                        assert_eq!(Codes::from_bits(codes.bits()), Some(codes));
                        assert!(codes.as_iceberg(true).is_iceberg() && !codes.is_iceberg());
                    }
                }
            }
        }
        assert_eq!(Codes::from_bits(6), None);
    }

    #[test]
    fn what_is_filled_keeps_48_bits() {
        let codes = Codes(0);
        let mut terms = Terms::new(AccountId(1), codes, Qty((1 << 48) - 2), NIL);
        terms.add_cum(Qty(1));
        assert_eq!(terms.cum(), Qty((1 << 48) - 1));
    }
}
