//! The venue: takes commands after their latency, and lets the tape fill own orders.

use std::sync::Arc;

use super::crosses::Auction;
use super::entry::{Arrival, unknown_order};
use super::expiry::Expiries;
use super::lane::{Lane, LaneFill};
use super::latency::{LatencyModel, Ways};
use super::levels::QueueModel;
use super::order::{OpenOrder, OrderState, OwnOrder};
use super::wire::{Command, InFlight, Wire};
use crate::book::{Change, Replica};
use crate::event::{
    Event, EventView, Execution, ExecutionKind, Flags, InstrumentOverrides, Reason,
};
use crate::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty};

/// What shapes the simulated venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VenueConfig {
    /// How long orders and reports are on their way.
    pub latency: LatencyModel,
    /// Whether to leave out fills from hidden trades and from crossing orders.
    pub conservative: bool,
    /// Where in the queue of a price level the shares stood that leave it without a print.
    pub queue: QueueModel,
    /// Rules of instruments that the feed does not tell: lots, smallest and largest quantities,
    /// highest prices, collars, hours.
    pub instruments: Arc<InstrumentOverrides>,
}

/// No lane yet.
pub(super) const NO_LANE: u32 = u32::MAX;

/// Own orders against the tape; the module's table says how.
///
/// Every record that the venue writes has its cause's exchange time; cause, ingest time and fee are
/// for the caller to fill in. Match numbers count own matches from 1.
///
/// ```
/// use ringtape::book::Replica;
/// use ringtape::event::{ExecutionKind, Instrument, InstrumentTable};
/// use ringtape::matching::{Command, NewOrder, Venue, VenueConfig};
/// use ringtape::units::{AccountId, InstrumentId, Nanos, OrderId, Price, Qty, Side};
///
/// let aapl = InstrumentId(13);
/// let mut replica = Replica::new();
/// for event in InstrumentTable::events(0, aapl, &Instrument::us_equity("AAPL")) {
///     replica.apply(&event);
/// }
/// let mut venue = Venue::new(VenueConfig { latency: Nanos(50).into(), ..VenueConfig::default() });
/// let terms = NewOrder::limit(aapl, Side::Buy, Price(3_201_400), Qty(100));
/// let order_id = OrderId(OrderId::OWN | 1);
/// venue.send(Nanos(1_000), AccountId(0), aapl, Command::New { order_id, terms });
///
/// let mut out = Vec::new();
/// assert_eq!(venue.receive(Nanos(1_049), Nanos(1_049), &replica, &mut out), None);
/// assert_eq!(venue.receive(Nanos(1_060), Nanos(1_060), &replica, &mut out), Some(Nanos(1_050)));
/// assert_eq!(out[0].kind(), Some(ExecutionKind::Accepted));
/// assert!(venue.order(order_id).is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Venue {
    config: VenueConfig,
    pub(super) lanes: Vec<Lane>,
    /// By instrument: index into `lanes`.
    pub(super) lane_of: Vec<u32>,
    /// Orders at the venue by ascending number.
    pub(super) live: Vec<(OrderId, InstrumentId)>,
    pub(super) wire: Wire,
    pub(super) expiries: Expiries,
    pub(super) ways: Ways,
    pub(super) matches: u64,
    /// Accounts from which nothing is accepted any more, ascending.
    pub(super) killed: Vec<AccountId>,
    /// Fills of the record at hand; empty between calls.
    pub(super) fills: Vec<LaneFill>,
}

impl Venue {
    /// A venue without own orders.
    pub fn new(config: VenueConfig) -> Self {
        Self {
            ways: Ways::new(config.latency.seed),
            config,
            lanes: vec![],
            lane_of: vec![],
            live: vec![],
            wire: Wire::default(),
            expiries: Expiries::default(),
            matches: 0,
            killed: vec![],
            fills: vec![],
        }
    }

    /// What shapes the venue.
    pub fn config(&self) -> &VenueConfig {
        &self.config
    }

    /// Sends a command about `instrument`; it arrives after the latency.
    pub fn send(
        &mut self,
        now: Nanos,
        account: AccountId,
        instrument: InstrumentId,
        command: Command,
    ) {
        let way = self.ways.order(&self.config.latency);
        let due = Nanos(now.0.saturating_add(way.0));
        // A connection keeps its order: what is sent later arrives no earlier.
        let due = self.wire.last_due().map_or(due, |last| last.max(due));
        self.wire.send(InFlight { due, account, instrument, command });
    }

    /// How long the next report to a strategy is on its way.
    pub fn report_delay(&mut self) -> Nanos {
        self.ways.report(&self.config.latency)
    }

    /// When the next command arrives or the next order expires; `None` when nothing is to come.
    #[inline]
    pub fn next_due(&self) -> Option<Nanos> {
        match (self.wire.next_due(), self.expiries.first()) {
            (Some(command), Some(expiry)) => Some(command.min(expiry)),
            (command, expiry) => command.or(expiry),
        }
    }

    /// Applies what an event did to the replica: queue positions, then own fills.
    ///
    /// To be called after the replica applied the event, whenever the instrument of the change
    /// [`is_active`](Self::is_active).
    pub fn after(
        &mut self,
        event: &Event,
        change: &Change,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) {
        let instrument = change.order.instrument;
        let Some(lane) = self.lane_index(instrument) else { return };
        let ts_event = Nanos(event.ts_event);
        let at = Arrival { ts_event, now: ts_event, replica };
        let is_trading = self.is_trading(instrument, at);
        let lane = &mut self.lanes[lane];
        lane.follow(change, self.config.queue);
        if is_trading {
            lane.trade(event, change, replica, self.config.conservative, &mut self.fills);
        }
        let is_last = event.has(Flags::LAST);
        let traded = if is_last { lane.traded.take() } else { None };
        if let EventView::Cross(cross) = event.view()
            && cross.qty.0 > 0
        {
            let auction = Auction::of(cross, instrument, replica);
            lane.fill_in_cross(cross.price, cross.qty, auction, replica, &mut self.fills);
            self.report_fills(ts_event, out);
            self.end_auction(instrument, auction.is_closing, ts_event, out);
        }
        self.report_fills(ts_event, out);
        if is_last && is_trading {
            self.enter_halted(instrument, at, out);
            self.run_stops(event, instrument, traded, at, out);
        }
    }

    /// Whether events of an instrument can change own orders, or what was taken for them.
    #[inline]
    pub fn is_active(&self, instrument: InstrumentId) -> bool {
        self.lane_index(instrument).is_some_and(|lane| !self.lanes[lane].is_idle())
    }

    /// Ends a day: day orders and those for auctions expire, but where an instrument's hours say
    /// when.
    pub fn end_day(&mut self, ts_event: Nanos, out: &mut Vec<Execution>) {
        let ends = |order: &OwnOrder| order.is_of_day() && order.expire_ts.0 == 0;
        self.end_orders(ends, ExecutionKind::Expired, Reason::EndOfDay, ts_event, out);
    }

    /// Ends the feed: all its days end, and what is in flight is rejected.
    pub fn end(&mut self, ts_event: Nanos, out: &mut Vec<Execution>) {
        let (kind, reason) = (ExecutionKind::Expired, Reason::EndOfDay);
        self.end_orders(OwnOrder::is_of_day, kind, reason, ts_event, out);
        // A cancel in flight finds its order gone: there is nothing to reject.
        for in_flight in self.wire.drain() {
            let rejected = match in_flight.command {
                Command::New { order_id, terms } => {
                    let order = OwnOrder::new(order_id, in_flight.account, terms);
                    order.ended(ExecutionKind::Rejected, ts_event, Reason::EndOfDay)
                }
                Command::Replace { order_id, new_order_id, .. } => Execution {
                    new_order_id: new_order_id.0,
                    reason: Reason::EndOfDay as u16,
                    ..unknown_order(order_id, in_flight.account, in_flight.instrument, ts_event)
                },
                Command::Cancel { .. } | Command::Reduce { .. } => continue,
            };
            out.push(rejected);
        }
    }

    /// Throws an account's kill switch for a reason: its orders are cancelled, and what arrives
    /// from now on is rejected.
    pub fn kill(
        &mut self,
        account: AccountId,
        reason: Reason,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        if let Err(place) = self.killed.binary_search(&account) {
            self.killed.insert(place, account);
        }
        self.cancel_all(account, reason, ts_event, out);
    }

    /// Cancels every order of an account that is at the venue.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        reason: Reason,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        let is_its = |order: &OwnOrder| order.account == account;
        self.end_orders(is_its, ExecutionKind::Cancelled, reason, ts_event, out);
    }

    /// An order that is in flight or at the venue.
    pub fn order(&self, order_id: OrderId) -> Option<OpenOrder> {
        match self.find_live(order_id) {
            Ok(index) => self.open_orders(self.live[index].1).find(|o| o.order_id == order_id),
            Err(_) => self.in_flight().find(|order| order.order_id == order_id),
        }
    }

    /// Own orders of an instrument at the venue: bids, then offers, each best first.
    pub fn open_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = OpenOrder> {
        let lane = self.lane_index(instrument).map(|lane| &self.lanes[lane]);
        lane.into_iter().flat_map(Lane::open_orders)
    }

    /// The instrument of an order that is in flight or at the venue.
    pub fn instrument_of(&self, order_id: OrderId) -> Option<InstrumentId> {
        let in_flight = || {
            self.wire.iter().find_map(|in_flight| {
                let sent = match in_flight.command {
                    Command::New { order_id, .. } => order_id,
                    Command::Replace { new_order_id, .. } => new_order_id,
                    Command::Cancel { .. } | Command::Reduce { .. } => return None,
                };
                (sent == order_id).then_some(in_flight.instrument)
            })
        };
        self.find_live(order_id).map(|index| self.live[index].1).ok().or_else(in_flight)
    }

    /// Of a replacement on its way: what it replaces, price, quantity.
    pub(crate) fn replacement(&self, order_id: OrderId) -> Option<(OrderId, Price, Qty)> {
        self.wire.iter().find_map(|in_flight| in_flight.replacement(order_id))
    }

    /// New orders on their way to the venue, in the order in which they were sent.
    pub fn in_flight(&self) -> impl Iterator<Item = OpenOrder> {
        self.wire.iter().filter_map(|in_flight| match in_flight.command {
            Command::New { order_id, terms } => {
                let order = OwnOrder::new(order_id, in_flight.account, terms);
                Some(OpenOrder::of(&order, OrderState::InFlight))
            }
            _ => None,
        })
    }

    /// Takes out every order at the venue that is meant, by ascending number.
    fn end_orders(
        &mut self,
        is_meant: impl Fn(&OwnOrder) -> bool,
        kind: ExecutionKind,
        reason: Reason,
        ts_event: Nanos,
        out: &mut Vec<Execution>,
    ) {
        for (order_id, _) in self.live.clone() {
            let order = self.get_mut(order_id).copied();
            if let Some(order) = order.filter(&is_meant) {
                self.remove(order_id);
                out.push(order.ended(kind, ts_event, reason));
            }
        }
    }

    /// Turns the fills of the record at hand into execution records.
    pub(super) fn report_fills(&mut self, ts_event: Nanos, out: &mut Vec<Execution>) {
        for index in 0..self.fills.len() {
            let fill = self.fills[index];
            self.matches += 1;
            if fill.order.leaves().0 == 0 {
                self.forget_live(fill.order.id);
            }
            out.push(Execution {
                price: fill.price.0,
                qty: fill.qty.0,
                contra_order_id: fill.contra.0,
                match_id: self.matches,
                liquidity: fill.liquidity as u8,
                ..fill.order.report(ExecutionKind::Filled, ts_event, Reason::None)
            });
        }
        self.fills.clear();
    }

    #[inline]
    pub(super) fn lane_index(&self, instrument: InstrumentId) -> Option<usize> {
        let index = *self.lane_of.get(instrument.0 as usize)?;
        (index != NO_LANE).then_some(index as usize)
    }

    pub(super) fn lane_or_empty<T>(
        &self,
        instrument: InstrumentId,
        look: impl FnOnce(&Lane) -> T,
    ) -> T {
        match self.lane_index(instrument) {
            Some(lane) => look(&self.lanes[lane]),
            None => look(&Lane::new(instrument)),
        }
    }

    pub(super) fn make_lane(&mut self, instrument: InstrumentId) -> usize {
        let index = instrument.0 as usize;
        if self.lane_of.len() <= index {
            self.lane_of.resize(index + 1, NO_LANE);
        }
        if self.lane_of[index] == NO_LANE {
            self.lane_of[index] = self.lanes.len() as u32;
            self.lanes.push(Lane::new(instrument));
        }
        self.lane_of[index] as usize
    }

    pub(super) fn find_live(&self, order_id: OrderId) -> Result<usize, usize> {
        self.live.binary_search_by_key(&order_id, |&(id, _)| id)
    }

    pub(super) fn note_live(&mut self, order: &OwnOrder) {
        if let Err(index) = self.find_live(order.id) {
            self.live.insert(index, (order.id, order.terms.instrument));
            self.expiries.note(order);
        }
    }

    pub(super) fn forget_live(&mut self, order_id: OrderId) {
        if let Ok(index) = self.find_live(order_id) {
            self.live.remove(index);
            self.expiries.forget(order_id);
        }
    }

    pub(super) fn get_mut(&mut self, order_id: OrderId) -> Option<&mut OwnOrder> {
        let (_, instrument) = self.live[self.find_live(order_id).ok()?];
        let lane = self.lane_index(instrument)?;
        self.lanes[lane].get_mut(order_id)
    }

    pub(super) fn remove(&mut self, order_id: OrderId) -> Option<OwnOrder> {
        let (_, instrument) = self.live[self.find_live(order_id).ok()?];
        self.forget_live(order_id);
        let lane = self.lane_index(instrument)?;
        self.lanes[lane].remove(order_id)
    }
}
