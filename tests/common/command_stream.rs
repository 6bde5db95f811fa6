//! A seeded random stream of commands for matchers, made so that everything collides: few prices,
//! small quantities, few accounts, ids that are used again, several instruments.
//!
//! A [`Profile`] weighs what comes more often; every kind of order and command comes in each.
#![allow(dead_code, unreachable_pub)]

mod random;

use bytemuck::Zeroable;
use ringtape::event::kinds::{Letter, Text};
use ringtape::event::{
    Event, Execution, ExecutionKind, Flags, Instructions, Instrument, InstrumentTable, OrderType,
    SelfTrade, TimeInForce, payload,
};
use ringtape::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

pub use random::Random;

/// What a stream is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Plain,
    Stops,
    Auctions,
    SelfTrade,
    Icebergs,
}

impl Profile {
    pub const ALL: [Self; 5] =
        [Self::Plain, Self::Stops, Self::Auctions, Self::SelfTrade, Self::Icebergs];
}

/// One unit in whole cents; its rules are the defaults.
pub const CENTS: InstrumentId = InstrumentId(1);
/// A US equity around one dollar, where its tick changes; with a collar and a previous close.
pub const DOLLAR: InstrumentId = InstrumentId(2);
/// Lots of ten, limits of price and quantity.
pub const LOTS: InstrumentId = InstrumentId(5);
/// Never defined.
const NOWHERE: InstrumentId = InstrumentId(4);

pub const DOLLAR_COLLAR: i64 = 100;
pub const DOLLAR_CLOSE: Price = Price(10_000);
pub const LOTS_LOT: u64 = 10;
pub const LOTS_PRICE_MAX: Price = Price(104);
pub const LOTS_QTY: (u64, u64) = (20, 200);

/// Orders that live at the same time at most.
pub const ORDERS_MAX: usize = 40;

/// An endless stream of commands; each is one record, or a new order with its terms before it.
pub struct CommandStream {
    random: Random,
    profile: Profile,
    now: u64,
    next_id: u64,
    /// Ids that were used lately, live or dead.
    ids: Vec<u64>,
    /// Orders that [`CommandStream::observe`] knows to be alive.
    live: Vec<u64>,
    /// What the stream believes of CENTS, DOLLAR and LOTS, so that halts and calls end some time.
    is_halted: [bool; 3],
    is_in_call: [bool; 3],
}

/// A new order on its way.
struct Draft {
    new: payload::NewOrder,
    terms: payload::Terms,
    more: payload::TermsMore,
}

const INSTRUMENTS: [InstrumentId; 3] = [CENTS, DOLLAR, LOTS];
const STOP_TYPES: [OrderType; 4] =
    [OrderType::Stop, OrderType::StopLimit, OrderType::Trailing, OrderType::TrailingLimit];

impl CommandStream {
    pub fn new(seed: u64, profile: Profile) -> Self {
        Self {
            random: Random(seed),
            profile,
            now: 1_000,
            next_id: 0,
            ids: vec![1],
            live: Vec::new(),
            is_halted: [false; 3],
            is_in_call: [false; 3],
        }
    }

    /// The records that define the instruments; they come before the first command.
    pub fn definitions() -> Vec<Event> {
        let in_cents = Instrument {
            venue: Text::new(""),
            price_increment: 10_000_000,
            round_lot: 1,
            ..Instrument::us_equity("CENTS")
        };
        let in_lots = Instrument { symbol: Text::new("LOTS"), ..in_cents };
        [(CENTS, in_cents), (DOLLAR, Instrument::us_equity("DOLLAR")), (LOTS, in_lots)]
            .iter()
            .flat_map(|(id, instrument)| InstrumentTable::events(1_000, *id, instrument))
            .collect()
    }

    pub fn next_command(&mut self) -> Vec<Event> {
        self.now += self.random.pick(&[0, 1, 1, 2, 5]);
        if let Some(end) = self.end_of_interruption() {
            return vec![end];
        }
        let (phases, mass) = match self.profile {
            Profile::Auctions => (60, 10),
            _ => (12, 6),
        };
        match self.random.weighted(&[600, 60, 50, 120, mass, phases, 10]) {
            0 => self.new_order(),
            1 => vec![self.cancel()],
            2 => vec![self.reduce()],
            3 => self.replace(),
            4 => vec![self.mass_cancel()],
            5 => vec![self.start_of_interruption()],
            _ => {
                self.now += self.random.below(20);
                vec![Event::new(self.now, 0, payload::Time::zeroed())]
            }
        }
    }

    fn event<P: ringtape::event::Payload>(&self, instrument: InstrumentId, payload: P) -> Event {
        Event::new(self.now, instrument.0, payload).with_flags(Flags::LAST)
    }

    fn instrument(&mut self) -> InstrumentId {
        match self.random.below(200) {
            0 => NOWHERE,
            1..80 => CENTS,
            80..150 => DOLLAR,
            _ => LOTS,
        }
    }

    fn side(&mut self) -> Side {
        self.random.pick(&[Side::Buy, Side::Sell])
    }

    fn account(&mut self) -> AccountId {
        AccountId(self.random.between(1, 3) as u32)
    }

    /// The account that an order of this id has, mostly.
    fn account_of(&mut self, id: OrderId) -> AccountId {
        if self.random.chance(4) { self.account() } else { AccountId(1 + (id.0 % 3) as u32) }
    }

    fn price(&mut self, instrument: InstrumentId) -> Price {
        if instrument == DOLLAR {
            let steps = [9_996, 9_997, 9_998, 9_999, 10_000, 10_100, 10_200];
            return Price(self.random.pick(&steps));
        }
        // The middle is more likely than the ends.
        Price(96 + (self.random.below(5) + self.random.below(5)) as i64)
    }

    fn qty(&mut self, instrument: InstrumentId) -> Qty {
        match instrument {
            LOTS => Qty(LOTS_LOT * self.random.between(2, 9) as u64),
            _ => Qty(self.random.between(1, 9) as u64),
        }
    }

    /// Learns which orders are alive, so that commands meet them more often.
    pub fn observe(&mut self, executions: &[Execution]) {
        for execution in executions {
            let (id, new_id) = (execution.order_id, execution.new_order_id);
            match execution.kind().expect("a kind") {
                ExecutionKind::Accepted => self.live.push(id),
                ExecutionKind::Replaced => {
                    self.live.retain(|live| *live != id);
                    self.live.push(new_id);
                }
                ExecutionKind::Rejected | ExecutionKind::Status => {}
                _ if execution.leaves == 0 => self.live.retain(|live| *live != id),
                _ => {}
            }
        }
    }

    /// The id of an order that is alive, as a rule, or was.
    fn used_id(&mut self) -> OrderId {
        if !self.live.is_empty() && self.random.chance(85) {
            return OrderId(self.random.pick(&self.live));
        }
        let newest = self.ids.len().saturating_sub(60);
        OrderId(self.random.pick(&self.ids[newest..]))
    }

    /// An id for a new order: a new one as a rule.
    fn new_id(&mut self) -> OrderId {
        if self.random.chance(4) {
            return self.used_id();
        }
        // Not ascending, so that order by id and order by time differ.
        self.next_id += 1;
        let id = (self.next_id * 7919) % 1_000_003;
        self.ids.push(id);
        OrderId(id)
    }

    /// The instrument that a change names, mostly none.
    fn named_instrument(&mut self) -> InstrumentId {
        if self.random.chance(10) { self.instrument() } else { InstrumentId(0) }
    }

    fn cancel(&mut self) -> Event {
        let order_id = self.used_id();
        let account = self.account_of(order_id);
        let any_account = u32::from(self.random.chance(10));
        let pad = payload::CancelOrder::zeroed().pad;
        let cancel = payload::CancelOrder { order_id, pad, account, any_account };
        let instrument = self.named_instrument();
        self.event(instrument, cancel)
    }

    fn reduce(&mut self) -> Event {
        let order_id = self.used_id();
        let account = self.account_of(order_id);
        let qty = Qty(self.random.below(8) * self.random.pick(&[1, 1, LOTS_LOT]));
        let any_account = u32::from(self.random.chance(10));
        let reduce = payload::ReduceOrder { order_id, pad: 0, qty, account, any_account };
        let instrument = self.named_instrument();
        self.event(instrument, reduce)
    }

    fn replace(&mut self) -> Vec<Event> {
        let instrument = self.instrument();
        let order_id = self.used_id();
        let price = match self.random.below(10) {
            0..4 => Price(0),
            4 => Price(self.random.pick(&[-1, 10_001, 200])),
            _ => self.price(instrument),
        };
        let qty = match self.random.below(10) {
            0..3 => Qty(0),
            3 => Qty(self.random.below(4)),
            _ => self.qty(instrument),
        };
        let new_order_id = match self.random.below(4) {
            0 => OrderId(0),
            1 => order_id,
            _ => self.new_id(),
        };
        let replace = payload::ReplaceOrder { order_id, price, qty, new_order_id };
        let instrument = self.named_instrument();
        let mut records = vec![self.event(instrument, replace)];
        if self.random.chance(20) {
            let account = self.account_of(order_id);
            let more =
                payload::TermsMore { account, has_account: 1, ..payload::TermsMore::zeroed() };
            let more = Event::new(self.now, instrument.0, more).with_flags(Flags::CONTINUED);
            records.insert(0, more);
        }
        records
    }

    fn mass_cancel(&mut self) -> Event {
        let mut instrument = self.instrument();
        let lower_price = self.price(instrument);
        let upper_price = Price(lower_price.0 + self.random.below(3) as i64);
        if self.random.chance(10) {
            instrument = InstrumentId(u32::MAX);
        }
        let criteria = self.random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15, 15, 14, 16]);
        let account = self.account();
        let side = self.side();
        let mass = payload::MassCancel { account, criteria, lower_price, upper_price, pad: 0 };
        self.event(instrument, mass).with_side(side)
    }
}

/// Phases.
impl CommandStream {
    fn phase(&mut self, instrument: InstrumentId, code: u8) -> Event {
        let mut phase = payload::Phase { code: Letter(code), ..payload::Phase::zeroed() };
        if code == b'a' {
            phase.auction = self.random.pick(&[0, 0, 1, 2, 3]);
        }
        if code == b'u' && self.random.chance(25) {
            phase.reference_price = self.price(instrument);
        }
        if code == b'u' && self.random.chance(25) {
            let (one, other) = (self.price(instrument), self.price(instrument));
            phase.lower_price = self.random.pick(&[Price(0), one.min(other)]);
            phase.upper_price = self.random.pick(&[Price(0), one.max(other)]);
        }
        for (index, id) in INSTRUMENTS.into_iter().enumerate() {
            if id == instrument || instrument.0 == u32::MAX {
                match code {
                    b'h' => self.is_halted[index] = true,
                    b'r' => self.is_halted[index] = false,
                    b'a' => self.is_in_call[index] |= !self.is_halted[index],
                    b'u' => self.is_in_call[index] &= self.is_halted[index],
                    _ => {}
                }
            }
        }
        self.event(instrument, phase)
    }

    /// A halt or a call that is open ends, with some chance.
    fn end_of_interruption(&mut self) -> Option<Event> {
        let index = self.random.below(3) as usize;
        let instrument = INSTRUMENTS[index];
        if self.is_halted[index] && self.random.chance(20) {
            return Some(self.phase(instrument, b'r'));
        }
        if self.is_in_call[index] && self.random.chance(8) {
            return Some(self.phase(instrument, b'u'));
        }
        None
    }

    fn start_of_interruption(&mut self) -> Event {
        let code = self.random.pick(b"aaaaaahhhruudd");
        let instrument = match self.random.below(12) {
            0 => InstrumentId(u32::MAX),
            _ => self.instrument(),
        };
        self.phase(instrument, code)
    }
}

/// New orders.
impl CommandStream {
    fn new_order(&mut self) -> Vec<Event> {
        let instrument = self.instrument();
        let side = self.side();
        let order_id = self.new_id();
        let mut draft = Draft {
            new: payload::NewOrder {
                order_id,
                price: self.price(instrument),
                qty: self.qty(instrument),
                account: self.account_of(order_id),
                ..payload::NewOrder::zeroed()
            },
            terms: payload::Terms::zeroed(),
            more: payload::TermsMore::zeroed(),
        };
        let (stops, icebergs, groups) = match self.profile {
            Profile::Stops => (35, 5, 10),
            Profile::Icebergs => (5, 45, 15),
            Profile::SelfTrade => (8, 15, 80),
            Profile::Auctions => (10, 15, 10),
            Profile::Plain => (8, 8, 10),
        };
        self.give_type(&mut draft, instrument, stops);
        self.give_time_in_force(&mut draft);
        if self.random.chance(icebergs) {
            self.give_display(&mut draft, instrument);
        }
        if self.random.chance(groups) {
            draft.new.self_trade = self.random.pick(SelfTrade::ALL) as u8;
            draft.more.self_trade_group = self.random.pick(&[0, 0, 1, 2]);
        }
        if self.random.chance(12) {
            draft.new.instructions |= Instructions::HIDDEN;
        }
        self.give_conditions(&mut draft);
        if self.random.chance(4) {
            self.spoil(&mut draft);
        }
        self.records(instrument, side, &draft)
    }

    fn give_type(&mut self, draft: &mut Draft, instrument: InstrumentId, stops: u64) {
        let order_type = match self.random.below(100) {
            roll if roll < stops => self.random.pick(&STOP_TYPES),
            roll if roll < stops + 10 => OrderType::Market,
            _ => OrderType::Limit,
        };
        draft.new.order_type = order_type as u8;
        let has_cap =
            matches!(order_type, OrderType::Market | OrderType::Stop | OrderType::Trailing);
        if has_cap {
            let cap = std::mem::take(&mut draft.new.price);
            match self.random.below(6) {
                0 => draft.new.price = cap,
                1 => draft.more.cap_price = cap,
                _ => {}
            }
        }
        let is_trailing = matches!(order_type, OrderType::Trailing | OrderType::TrailingLimit);
        if is_trailing {
            let steps: &[i64] = if instrument == DOLLAR { &[1, 2, 100, 101] } else { &[1, 2, 3] };
            draft.terms.trail = Price(self.random.pick(steps));
        }
        if STOP_TYPES.contains(&order_type) {
            if !is_trailing || self.random.chance(30) {
                draft.terms.stop_price = self.price(instrument);
            }
            if self.random.chance(30) {
                draft.new.instructions |= Instructions::TRIGGER_BIDASK;
            }
        }
    }

    fn give_time_in_force(&mut self, draft: &mut Draft) {
        let auctions = if self.profile == Profile::Auctions { 10 } else { 2 };
        let tif = [
            TimeInForce::Day,
            TimeInForce::Gtc,
            TimeInForce::Gtd,
            TimeInForce::Ioc,
            TimeInForce::Fok,
            TimeInForce::Opening,
            TimeInForce::Closing,
        ][self.random.weighted(&[40, 20, 15, 8, 8, auctions, auctions])];
        draft.new.time_in_force = tif as u8;
        if tif == TimeInForce::Gtd {
            draft.terms.expire_ts = self.now + 1 + self.random.below(60);
        }
    }

    fn give_display(&mut self, draft: &mut Draft, instrument: InstrumentId) {
        let is_plain =
            draft.new.order_type == OrderType::Limit as u8 && draft.new.time_in_force < 3;
        if is_plain || self.random.chance(3) {
            draft.new.qty = Qty(draft.new.qty.0 * 2);
            let lot = if instrument == LOTS { LOTS_LOT } else { 1 };
            draft.terms.display_qty = Qty(lot * self.random.between(1, 4) as u64);
        }
    }

    /// Post-only and minimum quantity, mostly where they are allowed.
    fn give_conditions(&mut self, draft: &mut Draft) {
        let is_limit = draft.new.order_type == OrderType::Limit as u8;
        let rests = is_limit && draft.new.time_in_force < TimeInForce::Ioc as u8;
        if self.random.chance(if rests { 15 } else { 1 }) {
            draft.new.instructions |= Instructions::POST_ONLY;
            if self.random.chance(50) {
                draft.new.instructions |= Instructions::REPRICE;
            }
        } else if self.random.chance(if is_limit { 10 } else { 3 }) {
            draft.more.min_qty = Qty(1 + self.random.below(draft.new.qty.0));
        }
    }

    /// Makes one thing wrong that the matcher has to find.
    fn spoil(&mut self, draft: &mut Draft) {
        match self.random.below(12) {
            0 => draft.new.qty = Qty(self.random.pick(&[0, 5, 15, 250, 1 << 48])),
            1 => draft.new.price = Price(self.random.pick(&[0, -1, 105, 10_050])),
            2 => draft.terms.stop_price = Price(self.random.pick(&[0, 10_050])),
            3 => draft.terms.trail = Price(0),
            4 => draft.new.instructions ^= 1 << self.random.below(4),
            5 => draft.more.min_qty = Qty(1 + self.random.below(20)),
            6 => draft.terms.expire_ts = self.random.pick(&[0, self.now, self.now + 30]),
            7 => draft.new.time_in_force = self.random.below(7) as u8,
            8 => draft.new.order_type = self.random.below(6) as u8,
            9 => draft.terms.display_qty = Qty(self.random.below(12)),
            10 => draft.more.cap_price = Price(self.random.pick(&[10_050, 99])),
            _ => draft.new.self_trade = self.random.below(5) as u8,
        }
    }

    fn records(&mut self, instrument: InstrumentId, side: Side, draft: &Draft) -> Vec<Event> {
        let mut records = Vec::new();
        let has_more = draft.more != payload::TermsMore::zeroed();
        let has_terms = draft.terms != payload::Terms::zeroed() || has_more;
        let mut push = |event: Event| records.push(event.with_side(side));
        if has_terms {
            push(Event::new(self.now, instrument.0, draft.terms).with_flags(Flags::CONTINUED));
        }
        if has_more {
            push(Event::new(self.now, instrument.0, draft.more).with_flags(Flags::CONTINUED));
        }
        push(self.event(instrument, draft.new));
        records
    }
}
