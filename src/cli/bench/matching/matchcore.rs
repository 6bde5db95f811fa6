//! The `matchcore` crate: price-time matching, one book an instrument.
//!
//! Its commands are made before the measured part: a book numbers its commands from 0 and an order
//! by the command that entered it, so every number is known ahead. A replacement is an amendment
//! where the price changes. At the same price an amendment that does not grow would keep its place
//! in the queue, which ours loses; there it is a cancel and a new order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome,
    CommandReport, LimitOrder, LimitOrderPatch, NewOrder, OrderBook, OrderFlags, OrderId,
    OrderKind, Price, Quantity, QuantityPolicy, SequenceNumber, Side, SubmitCmd, TimeInForce,
    Timestamp, Trade,
};
use ringtape::engine::generate::{CommandFlow, Flow};
use ringtape::event::{self, Event, EventView, OrderType, SelfTrade, payload};
use ringtape::matching::{Matcher, MatcherConfig};
use ringtape::units;

use super::Traded;
use crate::cli::bench::ring;

/// The peer with its commands.
pub(super) struct Peer {
    books: usize,
    setup: Vec<Step>,
    commands: Vec<Step>,
    /// Replacements that became a cancel and a new order.
    pub(super) halved: u64,
}

/// A command and the place of its book.
struct Step {
    book: usize,
    command: Command,
}

impl Peer {
    /// The flow in the peer's commands, or why its interface cannot express it.
    pub(super) fn new(flow: Flow, stream: &CommandFlow) -> Result<Self, &'static str> {
        if flow == Flow::Rich {
            return Err("its orders have no account, so it has no self-trade prevention");
        }
        let mut translation = Translation::default();
        stream.setup.iter().for_each(|event| translation.add(event));
        let setup = std::mem::take(&mut translation.steps);
        translation.halved = 0;
        stream.events.iter().for_each(|event| translation.add(event));
        let Translation { next, steps, halved, .. } = translation;
        Ok(Self { books: next.len(), setup, commands: steps, halved })
    }

    pub(super) fn version() -> &'static str {
        ring::version("matchcore").unwrap_or("unknown")
    }

    /// Fills the books, then plays the commands; how long those took, and how many trades they
    /// told.
    pub(super) fn round(&self) -> (Duration, u64) {
        let mut books = self.full_books();
        let mut told = 0;
        let start = Instant::now();
        play(&mut books, &self.commands, |outcome| told += trades(outcome).len() as u64);
        (start.elapsed(), told)
    }

    /// What the commands trade, or how many of them the peer refuses.
    pub(super) fn traded(&self) -> Result<Traded, u64> {
        let (mut traded, mut refused) = (Traded::default(), 0);
        play(&mut self.full_books(), &self.commands, |outcome| {
            refused += u64::from(matches!(outcome, CommandOutcome::Rejected(_)));
            traded.matches += trades(outcome).len() as u64;
            traded.qty += trades(outcome).iter().map(|trade| trade.quantity().0).sum::<u64>();
        });
        if refused > 0 { Err(refused) } else { Ok(traded) }
    }

    fn full_books(&self) -> Vec<OrderBook> {
        let mut books: Vec<_> = (0..self.books).map(|_| OrderBook::new("")).collect();
        play(&mut books, &self.setup, |_| {});
        books
    }
}

/// Executes all commands; `seen` gets each outcome.
#[inline(never)]
fn play(books: &mut [OrderBook], steps: &[Step], mut seen: impl FnMut(&CommandOutcome)) {
    for step in steps {
        seen(&books[step.book].execute(&step.command));
    }
}

#[inline]
fn trades(outcome: &CommandOutcome) -> &[Trade] {
    match outcome {
        CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) => {
            effects.target_order().match_result().map_or(&[], |result| result.trades())
        }
        _ => &[],
    }
}

/// Turns our commands into the peer's; a matcher of our own says what a replacement leaves open.
struct Translation {
    matcher: Matcher,
    /// Next command of each book.
    next: Vec<u64>,
    ids: HashMap<units::OrderId, OrderId>,
    steps: Vec<Step>,
    halved: u64,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            matcher: Matcher::new(MatcherConfig::default()),
            next: Vec::new(),
            ids: HashMap::new(),
            steps: Vec::new(),
            halved: 0,
        }
    }
}

impl Translation {
    fn add(&mut self, event: &Event) {
        let book = event.instrument as usize;
        self.next.resize(self.next.len().max(book + 1), 0);
        match event.view() {
            EventView::NewOrder(order) => self.enter(event, order),
            EventView::CancelOrder(cancel) => {
                let order_id = self.ids.remove(&cancel.order_id).expect("it was entered");
                self.cancel(event, order_id);
            }
            EventView::ReplaceOrder(replace) => self.replace(event, replace),
            EventView::Instrument(_) | EventView::InstrumentTerms(_) => {}
            _ => unreachable!("plain flows have no other records"),
        }
        self.matcher.apply(event, &mut Vec::new());
    }

    /// Adds a command and gives its number.
    fn push(&mut self, event: &Event, kind: CommandKind) -> OrderId {
        let book = event.instrument as usize;
        let sequence_number = SequenceNumber(self.next[book]);
        self.next[book] += 1;
        let meta = CommandMeta { sequence_number, timestamp: Timestamp(event.ts_event) };
        self.steps.push(Step { book, command: Command { meta, kind } });
        OrderId::from(sequence_number)
    }

    fn enter(&mut self, event: &Event, order: &payload::NewOrder) {
        assert!(
            order.order_type == OrderType::Limit as u8
                && order.instructions == 0
                && order.self_trade == SelfTrade::None as u8,
            "plain flows have limit orders"
        );
        let is_ioc = order.time_in_force == event::TimeInForce::Ioc as u8;
        let time_in_force = if is_ioc { TimeInForce::Ioc } else { TimeInForce::Gtc };
        let id = self.submit(event, order.price, order.qty.0, time_in_force);
        self.ids.insert(order.order_id, id);
    }

    fn submit(
        &mut self,
        event: &Event,
        price: units::Price,
        qty: u64,
        time_in_force: TimeInForce,
    ) -> OrderId {
        let side = match event.side().expect("an order has a side") {
            units::Side::Buy => Side::Buy,
            units::Side::Sell => Side::Sell,
        };
        let flags = OrderFlags::new(side, false, time_in_force);
        let order = LimitOrder::new(Price(price.0 as u64), standard(qty), flags);
        self.push(event, CommandKind::Submit(SubmitCmd { order: NewOrder::Limit(order) }))
    }

    fn cancel(&mut self, event: &Event, order_id: OrderId) {
        let cancel = CancelCmd { order_id, order_kind: OrderKind::Limit };
        self.push(event, CommandKind::Cancel(cancel));
    }

    fn replace(&mut self, event: &Event, replace: &payload::ReplaceOrder) {
        let order = self.matcher.order(replace.order_id).expect("it lives");
        let mut order_id = self.ids.remove(&replace.order_id).expect("it was entered");
        let open = replace.qty.0 - order.cum.0;
        if replace.price == order.price {
            self.halved += 1;
            self.cancel(event, order_id);
            order_id = self.submit(event, order.price, open, TimeInForce::Gtc);
        } else {
            let patch = LimitOrderPatch::new()
                .with_price(Price(replace.price.0 as u64))
                .with_quantity_policy(standard(open));
            let amend = AmendCmd { order_id, patch: AmendPatch::Limit(patch) };
            self.push(event, CommandKind::Amend(amend));
        }
        self.ids.insert(replace.new_order_id, order_id);
    }
}

fn standard(qty: u64) -> QuantityPolicy {
    QuantityPolicy::Standard { quantity: Quantity(qty) }
}
