//! The checker: follows a feed beside the replica and judges each exchange event when it is whole.

use std::collections::HashMap;
use std::slice;

use super::report::{DISAGREEMENTS_KEPT, Disagreement, MatchingCheck, Why};
use super::step::{Class, Queue, Step, goes_on, passed_over};
use super::{Arrival, CheckedMatcher, TapeFill};
use crate::book::{Change, ChangeKind, OrderView, Replica, is_of_exchange_event};
use crate::event::{Event, EventView, Kind};
use crate::limits::INSTRUMENTS_MAX;
use crate::units::{InstrumentId, OrderId, Qty, Side};

/// The number of an aggressor that never rests.
const AGGRESSOR: OrderId = OrderId(u64::MAX);

/// Holds a matcher against a tape; the module's tables say how.
///
/// ```
/// use ringtape::book::Replica;
/// use ringtape::event::kinds::Text;
/// use ringtape::event::{Event, Flags, payload};
/// use ringtape::matching::proof::{Checker, OnTape};
/// use ringtape::units::{MatchId, OrderId, Price, Qty, Side};
///
/// let add = |id, side, qty| {
///     let (order_id, price, qty) = (OrderId(id), Price(101_000), Qty(qty));
///     let add = payload::Add { order_id, price, qty, attribution: Text::new(""), pad: 0 };
///     Event::new(0, 1, add).with_side(side)
/// };
/// let execute = |id, qty| {
///     let (order_id, qty) = (OrderId(id), Qty(qty));
///     Event::new(5, 1, payload::Execute { order_id, pad: 0, qty, match_id: MatchId(id) })
/// };
/// let tape = [
///     add(1, Side::Sell, 100).with_flags(Flags::LAST),
///     add(2, Side::Sell, 50).with_flags(Flags::LAST),
///     // Somebody buys 180: both orders, and 30 come to rest.
///     execute(1, 100),
///     execute(2, 50),
///     add(9, Side::Buy, 30).with_flags(Flags::LAST),
/// ];
/// let (mut replica, mut checker) = (Replica::new(), Checker::new(OnTape::new()));
/// for event in &tape {
///     checker.apply(&mut replica, event);
/// }
/// let check = checker.finish(&replica);
/// assert_eq!((check.checked, check.agree, check.disagree), (1, 1, 0));
/// assert_eq!((check.executions, check.remainders, check.evidence.in_company), (2, 1, 1));
/// ```
#[derive(Clone, Debug)]
pub struct Checker<M> {
    matcher: M,
    /// Records of exchange events that are not over, by instrument.
    open: Vec<Vec<Step>>,
    /// Whether the feed has shown an exchange event of several records.
    has_groups: bool,
    /// Live orders that were reduced or came in for others.
    past: HashMap<OrderId, Past>,
    /// Records applied.
    applied: u64,
    check: MatchingCheck,
    /// The fills of the event at hand: the tape's and the matcher's.
    tape: Vec<TapeFill>,
    got: Vec<TapeFill>,
}

/// What happened to a live order.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    is_reduced: bool,
    is_replaced: bool,
}

impl<M: CheckedMatcher> Checker<M> {
    /// A checker of a matcher without orders, to follow a replica without orders.
    pub fn new(matcher: M) -> Self {
        Self {
            matcher,
            open: Vec::new(),
            has_groups: false,
            past: HashMap::new(),
            applied: 0,
            check: MatchingCheck::default(),
            tape: Vec::new(),
            got: Vec::new(),
        }
    }

    /// The matcher.
    pub fn matcher(&self) -> &M {
        &self.matcher
    }

    /// Applies an event to the replica, and to the matcher when its exchange event is whole.
    pub fn apply(&mut self, replica: &mut Replica, event: &Event) -> Change {
        let is_concern =
            is_of_exchange_event(event) && (event.instrument as usize) < INSTRUMENTS_MAX;
        if is_concern {
            self.end_before(event, replica);
        }
        let change = replica.apply(event);
        if is_concern {
            self.note(&Step::new(event, &change, replica, self.applied), replica);
        } else if matches!(event.kind(), Some(Kind::Instrument | Kind::InstrumentTerms)) {
            self.matcher.define(event);
        }
        self.applied += 1;
        change
    }

    /// Judges what is still open at the end of the feed, and gives the result.
    pub fn finish(&mut self, replica: &Replica) -> MatchingCheck {
        for instrument in 0..self.open.len() {
            self.judge_open(instrument, replica);
        }
        let has_executions = self.check.checked > 0 || self.check.unclassified > 0;
        let is_grouped_by_match_number = !self.has_groups && has_executions;
        MatchingCheck { is_grouped_by_match_number, ..self.check.clone() }
    }

    /// Ends an exchange event that waited for what comes next, if that does not go on with it.
    #[inline]
    fn end_before(&mut self, event: &Event, replica: &Replica) {
        let Some(open) = self.open.get(event.instrument as usize) else { return };
        if open.last().is_some_and(|last| last.event.is_last())
            && (self.has_groups || !event.is_last() || !goes_on(open, event, replica))
        {
            self.judge_open(event.instrument as usize, replica);
        }
    }

    /// Takes a record of an exchange event, and judges the event if this was the last.
    #[inline]
    fn note(&mut self, step: &Step, replica: &Replica) {
        let index = step.event.instrument as usize;
        if self.open.len() <= index {
            self.open.resize_with(index + 1, Vec::new);
        }
        if step.event.kind == Kind::Trade as u8 {
            self.note_trade(step, replica);
        }
        let is_begun = !self.open[index].is_empty();
        self.has_groups |= !step.event.is_last();
        let may_go_on = !self.has_groups
            && (step.is_execution() || is_begun && step.event.kind == Kind::Trade as u8);
        if step.event.is_last() && !may_go_on && !is_begun {
            self.judge(slice::from_ref(step), replica);
            return;
        }
        self.open[index].push(*step);
        if step.event.is_last() && !may_go_on {
            self.judge_open(index, replica);
        }
    }

    /// Whether a trade without a displayed order leaves displayed ones out that came first.
    fn note_trade(&mut self, step: &Step, replica: &Replica) {
        let EventView::Trade(trade) = step.event.view() else { return };
        let instrument = step.change.order.instrument;
        let touch = replica.touch(instrument);
        let is_inside = (touch.bid_qty.0 == 0 || touch.bid_price < trade.price)
            && (touch.ask_qty.0 == 0 || trade.price < touch.ask_price);
        let came_after = |before: &Step| {
            let order = before.change.order;
            before.is_execution()
                && order.price == trade.price
                && replica.level(instrument, order.side, order.price).orders == 0
        };
        let before = &self.open[instrument.0 as usize];
        let is_plausible = is_inside || before.iter().any(came_after);
        self.check.implausible_prints += u64::from(!is_plausible);
    }

    fn judge_open(&mut self, instrument: usize, replica: &Replica) {
        let mut steps = std::mem::take(&mut self.open[instrument]);
        self.judge(&steps, replica);
        steps.clear();
        self.open[instrument] = steps;
    }

    /// An exchange event is whole: it gets its verdict, or is followed without one.
    fn judge(&mut self, steps: &[Step], replica: &Replica) {
        let check = &mut self.check;
        match Class::of(steps) {
            Class::Executions(side) => return self.verify(steps, side, replica),
            Class::UnknownReference => check.unknown_reference += 1,
            Class::Cross => check.cross += 1,
            Class::Priced => check.priced += 1,
            Class::Unclassified => check.unclassified += 1,
            Class::HiddenPrints => check.hidden_prints += 1,
            Class::Quiet => {}
        }
        let is_execution_event = steps.iter().any(Step::is_execution);
        for step in steps {
            self.follow(step, !is_execution_event, replica);
        }
    }

    /// One aggressor took orders of one side: the matcher must make the same fills of it.
    fn verify(&mut self, steps: &[Step], resting: Side, replica: &Replica) {
        let executions = || steps.iter().filter(|step| step.is_execution());
        self.tape.clear();
        self.tape.extend(executions().map(Step::fill));
        self.got.clear();
        let side = resting.opposite();
        let remainder = steps.iter().position(|step| step.is_add_of(side));
        self.count(steps, remainder.is_some());
        let last = executions().next_back().expect("an execution event").change.order;
        let mut aggressor = OrderView { order_id: AGGRESSOR, side, qty: Qty(0), ..last };
        if let Some(rest) = remainder {
            aggressor.price = steps[rest].change.order.price;
        }
        // What a reserve shows next comes after the fills, unless it is filled in this event.
        let is_late = |step: &Step| {
            let id = step.change.order.order_id;
            step.is_add_of(resting) && !self.tape.iter().any(|fill| fill.order_id == id)
        };
        let late: Vec<bool> = steps.iter().map(is_late).collect();

        let (mut filled, mut agrees) = (0, true);
        for (index, step) in steps.iter().enumerate() {
            if step.is_execution() {
                filled += 1;
                aggressor.qty.0 += step.fill().qty.0;
            } else if step.change.kind != ChangeKind::None
                && Some(index) != remainder
                && !late[index]
            {
                agrees = self.aggress(&mut aggressor, Arrival::Immediate, filled);
                if !agrees {
                    break;
                }
                self.follow(step, true, replica);
            }
        }
        if agrees && let Some(rest) = remainder {
            let rest = steps[rest].change.order;
            aggressor.order_id = rest.order_id;
            aggressor.qty.0 += rest.qty.0;
            agrees = self.aggress(&mut aggressor, Arrival::Day, filled);
        } else if agrees {
            agrees = self.aggress(&mut aggressor, Arrival::Immediate, filled);
        }
        for step in executions().filter(|step| step.change.left_book) {
            self.past.remove(&step.change.order.order_id);
        }
        if agrees {
            self.check.agree += 1;
            let late = steps.iter().zip(late).filter(|&(_, is_late)| is_late);
            late.for_each(|(step, _)| self.follow(step, true, replica));
        } else {
            let why = match passed_over(steps, resting, replica) {
                Qty(0) => Why::OtherFills,
                shares => Why::PassedOver(shares),
            };
            self.disagree(why, &steps[0], self.tape[0].order_id, replica);
            let fills = self.got.iter().map(|fill| (last.instrument, resting, fill.price));
            let queues: Vec<_> = steps.iter().flat_map(Step::queues).chain(fills).collect();
            self.set_to_tape(queues, replica);
        }
    }

    /// Lets what is gathered of an aggressor come in; whether all fills so far are the tape's.
    fn aggress(&mut self, order: &mut OrderView, arrival: Arrival, filled: usize) -> bool {
        if order.qty.0 > 0 {
            self.matcher.enter(order, arrival, &mut self.got);
            order.qty = Qty(0);
        }
        self.got == self.tape[..filled]
    }

    /// Counts an event that gets a verdict, and what makes it evidence.
    fn count(&mut self, steps: &[Step], has_remainder: bool) {
        let executions = self.tape.len() as u64;
        let check = &mut self.check;
        check.checked += 1;
        check.executions += executions;
        check.remainders += u64::from(has_remainder);
        let evidence = &mut check.evidence;
        evidence.with_remainder += if has_remainder { executions } else { 0 };
        let is_sweep = self.tape.iter().any(|fill| fill.price != self.tape[0].price);
        evidence.over_levels += if is_sweep { executions } else { 0 };
        for step in steps.iter().filter(|step| step.is_execution()) {
            let past = self.past.get(&step.change.order.order_id).copied().unwrap_or_default();
            evidence.in_company += u64::from(step.in_queue > 1);
            evidence.on_reduced += u64::from(past.is_reduced);
            evidence.on_replaced += u64::from(past.is_replaced);
        }
    }

    /// Lets the matcher do what a record did to the replica; adds match if they may.
    fn follow(&mut self, step: &Step, may_match: bool, replica: &Replica) {
        let change = &step.change;
        let order_id = change.order.order_id;
        match (change.kind, change.new) {
            (ChangeKind::Added, _) => self.arrive(None, &change.order, may_match, step, replica),
            (ChangeKind::Replaced | ChangeKind::Modified, Some(new))
                if new.priority != change.order.priority =>
            {
                self.past.remove(&order_id);
                let is_replaced = step.event.kind != Kind::Add as u8;
                self.past.insert(new.order_id, Past { is_replaced, is_reduced: false });
                self.arrive(Some(order_id), &new, may_match, step, replica);
            }
            (ChangeKind::Modified, _) if change.qty.0 == 0 => {}
            (ChangeKind::Modified | ChangeKind::Reduced, _) if !change.left_book => {
                self.past.entry(order_id).or_default().is_reduced = true;
                self.matcher.reduce(order_id, change.qty);
            }
            (ChangeKind::Executed, _) if !change.left_book => {
                self.matcher.reduce(order_id, change.qty);
            }
            (ChangeKind::Deleted | ChangeKind::Reduced | ChangeKind::Executed, _) => {
                self.past.remove(&order_id);
                self.matcher.cancel(order_id);
            }
            (ChangeKind::Cleared, _) => self.matcher.clear(change.order.instrument),
            _ => {}
        }
    }

    /// An order comes to rest on the tape, perhaps in place of another: it must not trade.
    fn arrive(
        &mut self,
        old: Option<OrderId>,
        order: &OrderView,
        may_match: bool,
        step: &Step,
        replica: &Replica,
    ) {
        let is_matched = may_match && replica.is_trading(order.instrument);
        let arrival = if is_matched { Arrival::Day } else { Arrival::Unmatched };
        let mut fills = Vec::new();
        match old {
            Some(old) => self.matcher.replace(old, order, arrival, &mut fills),
            None => self.matcher.enter(order, arrival, &mut fills),
        }
        if fills.is_empty() {
            return;
        }
        let (instrument, side) = (order.instrument, order.side.opposite());
        let filled = fills.iter().map(|fill| (instrument, side, fill.price));
        let queues: Vec<_> = step.queues().chain(filled).collect();
        let tape = std::mem::take(&mut self.tape);
        let got = std::mem::replace(&mut self.got, fills);
        self.disagree(Why::AddWouldTrade, step, order.order_id, replica);
        (self.tape, self.got) = (tape, got);
        self.check.adds_would_trade += 1;
        self.set_to_tape(queues, replica);
    }

    /// Counts a disagreement, and keeps it if it is among the first.
    fn disagree(&mut self, why: Why, step: &Step, order_id: OrderId, replica: &Replica) {
        self.check.disagree += 1;
        if self.check.disagreements.len() < DISAGREEMENTS_KEPT {
            let instrument = InstrumentId(step.event.instrument);
            self.check.disagreements.push(Disagreement {
                event: step.number,
                ts_event: step.event.ts_event,
                instrument,
                definition: replica.instruments().get(instrument).copied(),
                order_id,
                why,
                expected: self.tape.clone(),
                got: self.got.clone(),
            });
        }
    }

    /// Gives queues of the matcher the orders that the tape has there.
    fn set_to_tape(&mut self, mut queues: Vec<Queue>, replica: &Replica) {
        queues.sort_unstable_by_key(|&(instrument, side, price)| (instrument, side as u8, price));
        queues.dedup();
        let mut orders = Vec::new();
        for &(instrument, side, price) in &queues {
            self.matcher.queue(instrument, side, price, &mut orders);
        }
        for &(order_id, _) in &orders {
            self.matcher.cancel(order_id);
        }
        for (instrument, side, price) in queues {
            for order in replica.queue(instrument, side, price) {
                self.matcher.enter(&order, Arrival::Unmatched, &mut self.got);
            }
        }
    }
}
