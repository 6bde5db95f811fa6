//! Halts, calls, uncrosses and the end of the day.

use ringtape::event::{Event, ExecutionKind, Reason, TimeInForce, payload};
use ringtape::units::OrderId;

use super::book::{Market, State};
use super::changes::ALL_INSTRUMENTS;
use super::continuous::Traded;
use super::tape::Tape;
use super::{Asked, NaiveMatcher};

const OPENING: u8 = 1;
const CLOSING: u8 = 2;

impl NaiveMatcher {
    pub fn phase(&mut self, event: &Event, phase: &payload::Phase) {
        if !b"hraud".contains(&phase.code.0) {
            return;
        }
        let is_named = |id: &u32| [*id, ALL_INSTRUMENTS].contains(&event.instrument);
        let named: Vec<u32> = self.markets.keys().copied().filter(is_named).collect();
        if named.is_empty() && event.instrument != ALL_INSTRUMENTS {
            return self.reject(event, &Asked::default(), Reason::UnknownInstrument);
        }
        let is_of_all = event.instrument == ALL_INSTRUMENTS;
        for id in named {
            let market = self.markets.get_mut(&id).expect("just found");
            if market.allows(phase.code.0) {
                market.change_phase(phase, &mut self.tape);
            } else {
                let of_market = Event { instrument: id, ..*event };
                self.reject(&of_market, &Asked::default(), Reason::WrongState);
            }
            if is_of_all {
                let market = self.markets.get_mut(&id).expect("just found");
                market.publish_indicative(&mut self.tape);
            }
        }
    }
}

impl Market {
    fn allows(&self, code: u8) -> bool {
        let is_in_call = self.state == State::Call;
        match code {
            b'h' => !self.is_halted,
            b'r' => self.is_halted,
            b'a' => !is_in_call && !self.is_halted,
            b'u' => is_in_call && !self.is_halted,
            _ => true,
        }
    }

    fn change_phase(&mut self, phase: &payload::Phase, tape: &mut Tape) {
        match phase.code.0 {
            b'h' => {
                self.is_halted = true;
                tape.status(self.id, Reason::Halted);
            }
            b'r' => {
                self.is_halted = false;
                tape.status(self.id, Reason::Resumed);
                self.test_stops(Traded::at(self.last_price), tape);
            }
            b'a' => {
                self.state = State::Call;
                self.is_opening = phase.auction & OPENING != 0;
                self.is_closing = phase.auction & CLOSING != 0;
                tape.status(self.id, Reason::Auction);
            }
            b'u' => self.uncross(phase, tape),
            _ => {
                tape.status(self.id, Reason::EndOfDay);
                self.end_day(tape);
            }
        }
    }

    /// Day orders and those for an auction expire; the next session's opening is to come.
    fn end_day(&mut self, tape: &mut Tape) {
        let of_day = [TimeInForce::Day, TimeInForce::Opening, TimeInForce::Closing];
        let of_day = self.orders.iter().filter(|order| of_day.contains(&order.tif));
        let mut ids: Vec<OrderId> = of_day.map(|order| order.id).collect();
        ids.sort();
        for id in ids {
            let order = self.remove(id);
            tape.end(ExecutionKind::Expired, &order, Reason::EndOfDay);
        }
        self.opened_until = 0;
    }
}
