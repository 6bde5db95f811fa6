//! The orders of a flow: where they lie, how large they are, which ones are changed.

use bytemuck::Zeroable;

use super::flow::FlowProfile;
use super::random::{Random, Weighted};
use super::symbols::weights;
use crate::event::{
    Event, Flags, Instructions, Instrument, InstrumentTable, OrderType, SelfTrade, TimeInForce,
    payload,
};
use crate::matching::{Matcher, MatcherConfig};
use crate::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

/// Accounts that send orders.
const ACCOUNTS: u32 = 64;

/// One tick of every instrument of a flow: a cent.
const TICK: i64 = 100;

/// Orders that half of the changes are about.
const YOUNG_ORDERS: usize = 1_000;

/// Markets that a sweep looks at for one with a thin touch.
const MARKETS_TRIED: usize = 32;

/// While orders are short an aggressive order asks for no more than this part of the order or the
/// level that it ends in.
// WHY: with the whole of it and fewer markets looked at, `active` fell from 10,000 to 2,456 orders.
const PART_WHEN_SHORT: u64 = 16;

/// Ticks from the last price to a stop at most, and at least while orders are short.
const STOP_TICKS: u32 = 400;
const STOP_TICKS_WHEN_SHORT: u32 = 100;

/// Ticks from the touch, of 1,024 passive orders that neither improve nor join it.
const DEPTH_TICKS: [(u32, u32, u32); 4] =
    [(230, 1, 2), (630, 3, 8), (1_010, 9, 288), (1_024, 289, 1_000)];

/// Ticks from the touch of the orders that fill the books at first, at most.
const FIRST_DEPTH_TICKS: u32 = 300;

/// Quantities of 1,024 orders.
const QTY: [(u32, u32, u32); 3] = [(750, 100, 100), (1_000, 1, 99), (1_024, 200, 1_000)];

/// What kind of new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draft {
    Passive,
    Iceberg,
    Stop,
    PostOnly,
    Aggressive,
    FillOrKill,
    SelfTrade,
}

/// Makes commands one by one and follows them with a matcher.
pub(super) struct Maker {
    pub(super) random: Random,
    pub(super) events: Vec<Event>,
    matcher: Matcher,
    activity: Weighted,
    symbols: u32,
    live_wanted: usize,
    /// Orders that may live still, oldest first as far as removals allow.
    live: Vec<OrderId>,
    next_id: u64,
    now: u64,
}

impl Maker {
    pub(super) fn new(profile: &FlowProfile) -> Self {
        Self {
            random: Random::new(profile.seed),
            events: Vec::new(),
            matcher: Matcher::new(MatcherConfig {
                orders_max: usize::MAX,
                ..MatcherConfig::default()
            }),
            activity: Weighted::new(&weights(profile.symbols)),
            symbols: profile.symbols,
            live_wanted: profile.live as usize,
            live: Vec::new(),
            next_id: 1,
            now: 34_200_000_000_000,
        }
    }

    /// Defines the instruments and fills the books.
    pub(super) fn set_up(&mut self, live: u64) -> Vec<Event> {
        for id in 1..=self.symbols {
            let instrument = Instrument::us_equity(&format!("S{id}"));
            for event in InstrumentTable::events(self.now, InstrumentId(id), &instrument) {
                self.send(event);
            }
        }
        for number in 0..live {
            // Two orders a side first, so that every symbol has a market.
            let instrument = match number / 4 {
                symbol if symbol < u64::from(self.symbols) => InstrumentId(symbol as u32 + 1),
                _ => self.draw_instrument(),
            };
            let side = if number % 2 == 0 { Side::Buy } else { Side::Sell };
            let depth = self.random.between(1, FIRST_DEPTH_TICKS);
            let price = self.price_away(instrument, side, i64::from(depth));
            let qty = self.draw_qty();
            let order = self.order(price, qty);
            self.enter(instrument, side, order);
        }
        std::mem::take(&mut self.events)
    }

    /// A new order that rests.
    pub(super) fn add(&mut self, draft: Draft) {
        let instrument = self.draw_instrument();
        let side = self.draw_side();
        let price = self.passive_price(instrument, side);
        let qty = self.draw_qty();
        let mut order = self.order(price, qty);
        match draft {
            Draft::Iceberg => {
                order.qty = Qty(qty.0 * 5);
                let terms = payload::Terms { display_qty: qty, ..payload::Terms::zeroed() };
                self.send_terms(instrument, side, terms);
            }
            Draft::Stop => {
                // A buy waits above the market, a sell below it.
                let last = self.matcher.last_price(instrument).unwrap_or(price);
                let near = if self.is_short() { STOP_TICKS_WHEN_SHORT } else { 1 };
                let away = TICK * i64::from(self.random.between(near, STOP_TICKS));
                let stop =
                    if side == Side::Buy { last.0 + away } else { (last.0 - away).max(10_000) };
                order.order_type = OrderType::Stop as u8;
                order.price = Price(0);
                let terms = payload::Terms { stop_price: Price(stop), ..payload::Terms::zeroed() };
                self.send_terms(instrument, side, terms);
            }
            Draft::PostOnly => order.instructions = Instructions::POST_ONLY,
            _ => {}
        }
        self.enter(instrument, side, order);
    }

    /// A new order that trades with what is there.
    pub(super) fn take(&mut self, draft: Draft) {
        let is_sweep = self.random.below(4) == 0;
        let is_short = self.is_short();
        let (instrument, side) = self.draw_market(is_sweep && is_short);
        let resting = side.opposite();
        let mut levels = self.matcher.levels(instrument, resting);
        let (Some(first), second) = (levels.next(), levels.next()) else {
            // Nobody to trade with: somebody comes.
            drop(levels);
            return self.add(Draft::Passive);
        };
        drop(levels);
        let front = self.matcher.queue(instrument, resting, first.price).next();
        let front = front.expect("a level has orders");
        let part = if is_short { PART_WHEN_SHORT } else { 1 };
        let (price, qty) = match second {
            Some(second) if is_sweep => {
                let more = 1 + self.random.below_wide(second.qty.0 / part);
                (second.price, first.qty.0 + more)
            }
            _ if !is_short => (first.price, front.qty.0),
            _ => (first.price, 1 + self.random.below_wide(front.qty.0 / part)),
        };
        let mut order = self.order(price, Qty(qty));
        order.time_in_force = TimeInForce::Ioc as u8;
        match draft {
            Draft::FillOrKill => order.time_in_force = TimeInForce::Fok as u8,
            Draft::SelfTrade => {
                let owner = self.matcher.order(front.order_id).map(|order| order.account);
                order.account = owner.unwrap_or_default();
                // The last two always take the resting order away.
                let modes =
                    [SelfTrade::Newest, SelfTrade::Decrement, SelfTrade::Oldest, SelfTrade::Both];
                let modes = if is_short { &modes[..2] } else { &modes[..] };
                order.self_trade = self.random.pick(modes) as u8;
            }
            _ => {}
        }
        self.enter(instrument, side, order);
    }

    /// A cancel of a live order.
    pub(super) fn cancel(&mut self) {
        let Some((at, order_id)) = self.pick() else { return self.add(Draft::Passive) };
        let Some(order) = self.matcher.order(order_id) else { return };
        self.live.swap_remove(at);
        let cancel = payload::CancelOrder {
            order_id,
            account: order.account,
            ..payload::CancelOrder::zeroed()
        };
        self.send(Event::new(self.now, order.instrument.0, cancel).with_side(order.side));
    }

    /// A replacement of a live order by one at another price.
    pub(super) fn replace(&mut self) {
        let Some((at, order_id)) = self.pick() else { return self.add(Draft::Passive) };
        let Some(order) = self.matcher.order(order_id) else { return };
        let is_stop = order.price == Price(0);
        let price = self.passive_price(order.instrument, order.side);
        let qty = self.draw_qty();
        let replace = payload::ReplaceOrder {
            order_id,
            price: if is_stop { Price(0) } else { price },
            qty: Qty(order.cum.0 + qty.0),
            new_order_id: OrderId(self.next_id),
        };
        self.live[at] = OrderId(self.next_id);
        self.next_id += 1;
        self.send(Event::new(self.now, order.instrument.0, replace).with_side(order.side));
    }

    /// A live order and its place in the list; orders that are found dead leave it.
    fn pick(&mut self) -> Option<(usize, OrderId)> {
        while !self.live.is_empty() {
            let count = self.live.len();
            let among = if self.random.below(2) == 0 { count.min(YOUNG_ORDERS) } else { count };
            let at = count - 1 - self.random.below(among as u32) as usize;
            if self.matcher.order(self.live[at]).is_some() {
                return Some((at, self.live[at]));
            }
            self.live.swap_remove(at);
        }
        None
    }

    /// Whether fewer orders live than wanted: then what takes orders away takes less.
    fn is_short(&self) -> bool {
        self.matcher.live_orders() < self.live_wanted
    }

    fn draw_instrument(&mut self) -> InstrumentId {
        InstrumentId(self.activity.draw(&mut self.random) as u32 + 1)
    }

    /// An instrument and the side of an aggressive order; of some the one that meets the fewest
    /// orders at the touch when there are fewer than wanted.
    fn draw_market(&mut self, few: bool) -> (InstrumentId, Side) {
        let mut best = (self.draw_instrument(), self.draw_side());
        let mut fewest = u32::MAX;
        for _ in 0..if few { MARKETS_TRIED } else { 0 } {
            let (instrument, side) = (self.draw_instrument(), self.draw_side());
            let first = self.matcher.levels(instrument, side.opposite()).next();
            let orders = first.map_or(u32::MAX, |level| level.orders);
            if orders < fewest {
                (best, fewest) = ((instrument, side), orders);
            }
            if fewest == 1 {
                break;
            }
        }
        best
    }

    fn draw_side(&mut self) -> Side {
        if self.random.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    fn draw_qty(&mut self) -> Qty {
        Qty(u64::from(self.random.in_table(&QTY)))
    }

    /// A limit of a new or changed order that does not reach the other side.
    fn passive_price(&mut self, instrument: InstrumentId, side: Side) -> Price {
        let touch = self.matcher.touch(instrument);
        let can_improve = touch.is_two_sided() && touch.ask_price.0 - touch.bid_price.0 > TICK;
        let ticks = match self.random.below(1_000) {
            0..140 if can_improve => -1,
            140..350 => 0,
            _ => i64::from(self.random.in_table(&DEPTH_TICKS)),
        };
        self.price_away(instrument, side, ticks)
    }

    /// So many ticks behind the touch, and no nearer to the other side than a tick.
    fn price_away(&self, instrument: InstrumentId, side: Side, ticks: i64) -> Price {
        let middle = 200_000 + i64::from(instrument.0 % 50) * 10_000;
        let touch = self.matcher.touch(instrument);
        let bid = if touch.bid_qty.0 > 0 { touch.bid_price.0 } else { middle - TICK };
        let ask = if touch.ask_qty.0 > 0 { touch.ask_price.0 } else { middle + TICK };
        // An empty side's made-up touch may lie behind the other side.
        let limit = match side {
            Side::Buy => (bid - ticks * TICK).min(ask - TICK),
            Side::Sell => (ask + ticks * TICK).max(bid + TICK),
        };
        Price(limit.max(10_000))
    }

    fn order(&mut self, price: Price, qty: Qty) -> payload::NewOrder {
        let order_id = OrderId(self.next_id);
        self.next_id += 1;
        let account = AccountId(self.random.below(ACCOUNTS));
        payload::NewOrder { order_id, price, qty, account, ..payload::NewOrder::zeroed() }
    }

    fn send_terms(&mut self, instrument: InstrumentId, side: Side, terms: payload::Terms) {
        let event = Event::new(self.now, instrument.0, terms).with_side(side);
        self.send(event.with_flags(Flags::CONTINUED));
    }

    fn enter(&mut self, instrument: InstrumentId, side: Side, order: payload::NewOrder) {
        self.send(Event::new(self.now, instrument.0, order).with_side(side));
        if self.matcher.order(order.order_id).is_some() {
            self.live.push(order.order_id);
        }
    }

    fn send(&mut self, event: Event) {
        self.events.push(event);
        if !event.is_continued() {
            self.now += 1 + self.random.exponential();
        }
        self.matcher.apply(&event, &mut Vec::new());
    }
}
