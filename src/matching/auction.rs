//! An instrument's phases: halt and resume, the auction call and its indicative result, the end of
//! the day.

use super::hand::{InHand, Shown};
use super::lane::{CLOSING, List, OPENING};
use super::matcher::Matcher;
use super::terms::{Berth, Pool};
use super::uncross::{Cross, Indicative, Rung, best_cross};
use crate::book::{BookId, NIL};
use crate::event::{Event, Execution, ExecutionKind, Reason, payload};
use crate::units::{InstrumentId, Price, Qty, Side};

/// The instrument number of a phase record that means every instrument.
pub const EVERY_INSTRUMENT: u32 = u32::MAX;

impl Matcher {
    /// A phase of the order file; those of other feeds change nothing.
    pub(super) fn phase(
        &mut self,
        event: &Event,
        phase: &payload::Phase,
        out: &mut Vec<Execution>,
    ) {
        if !matches!(phase.code.0, b'h' | b'r' | b'a' | b'u' | b'd') {
            return;
        }
        if event.instrument == EVERY_INSTRUMENT {
            for id in (0..self.lanes.len() as u32).map(InstrumentId) {
                if self.is_known(id) {
                    self.phase_of(id, phase, out);
                    self.publish_one(id, out);
                }
            }
        } else if self.is_known(InstrumentId(event.instrument)) {
            self.phase_of(InstrumentId(event.instrument), phase, out);
        } else {
            self.reject_phase(event.instrument, Reason::UnknownInstrument, out);
        }
    }

    fn reject_phase(&mut self, instrument: u32, reason: Reason, out: &mut Vec<Execution>) {
        let record = Execution::new(ExecutionKind::Rejected, self.now, instrument);
        self.reject(record, reason, out);
    }

    fn phase_of(
        &mut self,
        instrument: InstrumentId,
        phase: &payload::Phase,
        out: &mut Vec<Execution>,
    ) {
        let lane = self.lane(instrument);
        let (is_halted, is_call) = (lane.is_halted, lane.is_call);
        let is_allowed = match phase.code.0 {
            b'h' => !is_halted,
            b'r' => is_halted,
            b'a' => !is_halted && !is_call,
            b'u' => !is_halted && is_call,
            _ => true,
        };
        if !is_allowed {
            self.reject_phase(instrument.0, Reason::WrongState, out);
            return;
        }
        match phase.code.0 {
            b'h' => {
                self.set_halted(instrument, true);
                self.tell(instrument, Reason::Halted, Indicative::default(), out);
            }
            b'r' => {
                self.set_halted(instrument, false);
                self.tell(instrument, Reason::Resumed, Indicative::default(), out);
                if !is_call {
                    self.run_all_stops(instrument, out);
                }
            }
            b'a' => {
                self.open_call(instrument, phase.auction);
                self.tell(instrument, Reason::Auction, Indicative::default(), out);
            }
            b'u' => self.uncross(instrument, phase, out),
            _ => {
                self.tell(instrument, Reason::EndOfDay, Indicative::default(), out);
                self.end_day(instrument, out);
            }
        }
    }

    fn set_halted(&mut self, instrument: InstrumentId, is_halted: bool) {
        let is_fifo = self.is_fifo();
        let lane = self.lane_mut(instrument);
        lane.is_halted = is_halted;
        lane.judge(is_fifo);
    }

    fn open_call(&mut self, instrument: InstrumentId, auction: u8) {
        self.desk_mut(instrument).published = Indicative::default();
        let is_fifo = self.is_fifo();
        let lane = self.lane_mut(instrument);
        lane.is_call = true;
        lane.auction = auction;
        lane.judge(is_fifo);
        self.calls += 1;
        self.disturb(instrument);
    }

    /// The call is over; its opening auction does not come again in this session.
    pub(super) fn close_call(&mut self, instrument: InstrumentId) {
        let (is_fifo, now) = (self.is_fifo(), self.now);
        let lane = self.lane_mut(instrument);
        lane.is_call = false;
        if lane.auction & OPENING != 0 {
            let hours = lane.rules.hours;
            lane.opening_over_until = hours.map_or(u64::MAX, |hours| hours.close_after(now));
        }
        lane.judge(is_fifo);
        self.calls -= 1;
    }

    /// A status record.
    pub(super) fn tell(
        &mut self,
        instrument: InstrumentId,
        reason: Reason,
        result: Indicative,
        out: &mut Vec<Execution>,
    ) {
        out.push(Execution {
            side: result.side,
            price: result.price.0,
            qty: result.volume.0,
            leaves: result.imbalance.0,
            reason: reason as u16,
            ..Execution::new(ExecutionKind::Status, self.now, instrument.0)
        });
    }

    /// Lets an order wait for an auction; a saved one has its place in time already.
    pub(super) fn wait(&mut self, order: &InHand, pool: Pool, entered: Option<u64>) {
        let Shown { order_id, instrument, leaves, .. } = order.shown;
        let entered = entered.unwrap_or_else(|| self.take_priority());
        let handle = self.books.park(order_id, leaves, entered);
        self.desk_mut(instrument);
        let Self { lanes, desks, books, .. } = self;
        let desk = &mut desks[lanes[instrument.0 as usize].desk as usize];
        desk.pools[pool as usize].append(books, handle);
        self.berth(order, handle, Berth::Pool(pool), Qty(0));
    }

    /// Takes an order out of its pool.
    pub(super) fn leave_pool(&mut self, handle: u32, instrument: InstrumentId, pool: Pool) {
        let Self { lanes, desks, books, .. } = self;
        let desk = &mut desks[lanes[instrument.0 as usize].desk as usize];
        desk.pools[pool as usize].unlink(books, handle);
    }

    /// The pools that take part in the call of an instrument.
    pub(super) fn pools(&self, instrument: InstrumentId) -> impl Iterator<Item = List> + use<> {
        let lane = self.lane(instrument);
        let bits = lane.auction;
        let pools = self.desks.get(lane.desk as usize).map(|desk| desk.pools);
        let [market, opening, closing] = pools.unwrap_or_default();
        let opening = (bits & OPENING != 0).then_some(opening);
        let closing = (bits & CLOSING != 0).then_some(closing);
        [Some(market), opening, closing].into_iter().flatten()
    }

    /// Publishes the indicative results that the record at hand changed.
    #[inline(never)]
    pub(super) fn publish(&mut self, out: &mut Vec<Execution>) {
        let mut disturbed = std::mem::take(&mut self.disturbed);
        disturbed.sort_unstable();
        disturbed.iter().for_each(|&instrument| self.publish_one(instrument, out));
        disturbed.clear();
        self.disturbed = disturbed;
    }

    /// Publishes the indicative result of an open call that was disturbed, if it is another one.
    fn publish_one(&mut self, instrument: InstrumentId, out: &mut Vec<Execution>) {
        let lane = self.lane_mut(instrument);
        let is_due = lane.is_disturbed && lane.is_call;
        lane.is_disturbed = false;
        if !is_due {
            return;
        }
        let reference = self.reference(instrument);
        let cross = self.find_cross(instrument, reference);
        let result = cross.as_ref().map_or(Indicative::default(), Indicative::of);
        let published = &mut self.desk_mut(instrument).published;
        if *published != result {
            *published = result;
            self.tell(instrument, Reason::Indicative, result, out);
        }
    }

    /// What an auction's price stays near: the last trade, else the close before.
    pub(super) fn reference(&self, instrument: InstrumentId) -> Option<Price> {
        let lane = self.lane(instrument);
        lane.last_price.or(lane.rules.previous_close)
    }

    /// Where the orders of a call would cross.
    pub(super) fn find_cross(
        &mut self,
        instrument: InstrumentId,
        reference: Option<Price>,
    ) -> Option<Cross> {
        let mut rungs = std::mem::take(&mut self.scratch.rungs);
        let market = self.list_rungs(instrument, &mut rungs);
        let cross = best_cross(&mut rungs, market, reference);
        rungs.clear();
        self.scratch.rungs = rungs;
        cross
    }

    /// Lists what all who take part want at their limits; gives the market orders' sums, by side.
    fn list_rungs(&self, instrument: InstrumentId, rungs: &mut Vec<Rung>) -> [u128; 2] {
        let has_reserves = self.lane(instrument).icebergs > 0;
        for side in [Side::Buy, Side::Sell] {
            for book in [BookId::displayed(instrument), BookId::hidden(instrument)] {
                for (level, front) in self.books.levels(book, side) {
                    let mut qty = u128::from(level.qty.0);
                    let mut handle = if has_reserves { front } else { NIL };
                    while handle != NIL {
                        qty += u128::from(self.leaves(handle).0 - self.books.qty(handle).0);
                        handle = self.books.next(handle);
                    }
                    rungs.push(Rung::new(level.price, side, qty));
                }
            }
        }
        let mut market = [0; 2];
        for handle in self.pools(instrument).flat_map(|pool| pool.iter(&self.books)) {
            let shown = self.shown(handle);
            let qty = u128::from(shown.leaves.0);
            if shown.price.0 == 0 {
                market[shown.side.index()] += qty;
            } else {
                rungs.push(Rung::new(shown.price, shown.side, qty));
            }
        }
        market
    }
}
