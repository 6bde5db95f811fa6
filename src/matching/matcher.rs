//! The matcher: takes one record at a time and says what became of every order.

use std::collections::VecDeque;

use super::config::{InstrumentRules, MatcherConfig};
use super::heap::Heap;
use super::lane::{Desk, Lane};
use super::scratch::Scratch;
use super::terms::{ExtraSlab, TermsSlab};
use crate::book::OrderStore;
use crate::event::{Event, EventView, Execution, InstrumentTable, Kind, RejectCounts, payload};
use crate::limits::INSTRUMENTS_MAX;
use crate::units::InstrumentId;

/// Matches the orders of many accounts in many instruments; the module's tables say how.
///
/// Commands are records of the market ring; [`apply`](Self::apply) appends what they cause. The
/// state is a function of the records applied, the configuration and the rules. Once slabs, books
/// and lists have grown to a session's size, nothing allocates.
///
/// ```
/// use ringtape::event::{Event, ExecutionKind, Instrument, InstrumentTable, Kind, payload};
/// use ringtape::matching::{Matcher, MatcherConfig};
/// use ringtape::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};
///
/// let mut matcher = Matcher::new(MatcherConfig::default());
/// let mut out = Vec::new();
/// let acme = InstrumentId(1);
/// for event in InstrumentTable::events(0, acme, &Instrument::us_equity("ACME")) {
///     matcher.apply(&event, &mut out);
/// }
/// let order = |id, side, price, qty| {
///     let order = payload::NewOrder {
///         order_id: OrderId(id),
///         price: Price(price),
///         qty: Qty(qty),
///         account: AccountId(id as u32),
///         order_type: 0,
///         time_in_force: 0,
///         self_trade: 0,
///         instructions: 0,
///     };
///     Event::new(1_000 + id, acme.0, order).with_side(side)
/// };
/// matcher.apply(&order(1, Side::Sell, 101_000, 300), &mut out);
/// matcher.apply(&order(2, Side::Buy, 101_500, 100), &mut out);
///
/// let told = out.iter().map(|record| (record.kind(), record.order_id, record.qty));
/// let told: Vec<_> = told.collect();
/// assert_eq!(told, [
///     (Some(ExecutionKind::Accepted), 1, 300),
///     (Some(ExecutionKind::Accepted), 2, 100),
///     (Some(ExecutionKind::Filled), 1, 100),
///     (Some(ExecutionKind::Filled), 2, 100),
/// ]);
/// assert_eq!((out[3].price, out[3].leaves, out[2].leaves), (101_000, 0, 200));
/// assert_eq!(matcher.touch(acme).ask_qty, Qty(200));
/// ```
#[derive(Clone, Debug)]
pub struct Matcher {
    pub(super) config: MatcherConfig,
    /// Exchange time of the record at hand.
    pub(super) now: u64,
    /// When the next order expires; the end of time when none does.
    pub(super) next_expiry: u64,
    /// Whether there are terms at hand.
    pub(super) has_terms: bool,
    /// Terms that came before the new order they belong to.
    pub(super) terms_at_hand: Option<payload::Terms>,
    pub(super) more_terms_at_hand: Option<payload::TermsMore>,
    pub(super) books: OrderStore,
    pub(super) terms: TermsSlab,
    pub(super) extras: ExtraSlab,
    /// By instrument.
    pub(super) lanes: Vec<Lane>,
    pub(super) desks: Vec<Desk>,
    pub(super) instruments: InstrumentTable,
    /// Orders that expire, by time, then number; handles are those of extra records.
    pub(super) expiries: Heap,
    /// Matches so far.
    pub(super) matches: u64,
    /// Instruments whose call is open.
    pub(super) calls: u32,
    /// Instruments whose call the record at hand changed.
    pub(super) disturbed: Vec<InstrumentId>,
    /// Stops whose turn comes next; empty between records.
    pub(super) triggered: VecDeque<u32>,
    pub(super) scratch: Scratch,
    pub(super) counts: RejectCounts,
}

// The kinds that most records are, tested before the view of all others is built.
const NEW_ORDER: u8 = Kind::NewOrder as u8;
const CANCEL_ORDER: u8 = Kind::CancelOrder as u8;
const REPLACE_ORDER: u8 = Kind::ReplaceOrder as u8;

impl Matcher {
    /// A matcher without instruments.
    pub fn new(config: MatcherConfig) -> Self {
        let orders = config.orders_expected.min(config.orders_max);
        Self {
            config,
            now: 0,
            next_expiry: u64::MAX,
            has_terms: false,
            terms_at_hand: None,
            more_terms_at_hand: None,
            books: OrderStore::with_capacity(orders),
            terms: TermsSlab::with_capacity(orders),
            extras: ExtraSlab::new(),
            lanes: vec![],
            desks: vec![],
            instruments: InstrumentTable::default(),
            expiries: Heap::default(),
            matches: 0,
            calls: 0,
            disturbed: vec![],
            triggered: VecDeque::new(),
            scratch: Scratch::default(),
            counts: RejectCounts::default(),
        }
    }

    /// Sets the rules of an instrument, defined already or not; orders that live stay as they are.
    pub fn set_rules(&mut self, instrument: InstrumentId, rules: InstrumentRules) {
        assert!(rules.lot.0 > 0, "a lot of 0 has no multiples");
        if self.make_lane(instrument) {
            let is_fifo = self.is_fifo();
            let lane = &mut self.lanes[instrument.0 as usize];
            lane.rules = rules;
            lane.judge(is_fifo);
        }
    }

    /// Applies one record and appends what it causes to `out`.
    ///
    /// Records that are neither commands nor definitions, phases of an order file or times let
    /// orders expire and do nothing else.
    #[inline]
    pub fn apply(&mut self, event: &Event, out: &mut Vec<Execution>) {
        self.now = event.ts_event;
        // The records of a command follow one another: what is due comes with the last.
        if self.next_expiry <= event.ts_event && !event.is_continued() {
            self.expire(out);
        }
        if self.has_terms {
            self.drop_stray_terms(event);
        }
        match event.kind {
            NEW_ORDER => self.new_order(event, bytemuck::cast_ref(&event.payload), out),
            CANCEL_ORDER => self.cancel(event, bytemuck::cast_ref(&event.payload), out),
            REPLACE_ORDER => self.replace(event, bytemuck::cast_ref(&event.payload), out),
            _ => self.apply_other(event, out),
        }
        if !self.disturbed.is_empty() {
            self.publish(out);
        }
    }

    #[inline(never)]
    fn apply_other(&mut self, event: &Event, out: &mut Vec<Execution>) {
        match event.view() {
            EventView::Terms(terms) => {
                self.has_terms = true;
                self.terms_at_hand = Some(*terms);
            }
            EventView::TermsMore(terms) => {
                self.has_terms = true;
                self.more_terms_at_hand = Some(*terms);
            }
            EventView::ReduceOrder(reduce) => self.reduce(event, reduce, out),
            EventView::MassCancel(mass) => self.mass_cancel(event, mass, out),
            EventView::Phase(phase) => self.phase(event, phase, out),
            EventView::Instrument(_) | EventView::InstrumentTerms(_) => self.define(event),
            _ => {}
        }
    }

    /// Terms belong to the new order or replacement right behind them and to nothing else.
    #[cold]
    fn drop_stray_terms(&mut self, event: &Event) {
        if !matches!(
            event.kind(),
            Some(Kind::NewOrder | Kind::ReplaceOrder | Kind::Terms | Kind::TermsMore)
        ) {
            self.has_terms = false;
            self.terms_at_hand = None;
            self.more_terms_at_hand = None;
        }
    }

    fn define(&mut self, event: &Event) {
        self.instruments.apply(event);
        let id = InstrumentId(event.instrument);
        let Some(&instrument) = self.instruments.get(id) else { return };
        if self.make_lane(id) {
            let is_fifo = self.is_fifo();
            let lane = &mut self.lanes[id.0 as usize];
            lane.define(&instrument);
            lane.judge(is_fifo);
        }
    }

    /// Makes lanes and books up to an instrument; `false` when it is beyond the limit.
    pub(super) fn make_lane(&mut self, instrument: InstrumentId) -> bool {
        let index = instrument.0 as usize;
        if index >= INSTRUMENTS_MAX {
            return false;
        }
        if self.lanes.len() <= index {
            self.lanes.resize_with(index + 1, Lane::default);
            self.books.make_books(instrument);
        }
        true
    }

    /// The next place in time.
    pub(super) fn take_priority(&mut self) -> u64 {
        let priority = self.books.next_priority();
        self.books.set_next_priority(priority + 1);
        priority
    }

    #[inline]
    pub(super) fn lane(&self, instrument: InstrumentId) -> &Lane {
        &self.lanes[instrument.0 as usize]
    }

    #[inline]
    pub(super) fn lane_mut(&mut self, instrument: InstrumentId) -> &mut Lane {
        &mut self.lanes[instrument.0 as usize]
    }
}
