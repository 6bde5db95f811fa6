//! What a venue has when it opens: instruments, and the orders on their books.

use std::sync::Arc;

use crate::book::Replica;
use crate::engine::Exchange;
use crate::error::Result;
use crate::event::{Event, Flags, InstrumentOverrides, InstrumentTable, TimeInForce, payload};
use crate::feed::orders::ORDERS_FORMAT;
use crate::feed::{Checks, Description, Feed, Fill, Position};
use crate::hash::hash_bytes;
use crate::limits::{FEED_BATCH_RECORDS, MESSAGE_RECORDS_MAX};
use crate::matching::{MatcherConfig, OrderPlace};
use crate::units::{AccountId, InstrumentId, OrderId, Price, Qty, Side};

/// Name of the format in descriptions.
const FORMAT: &str = "venue";

/// The instruments of a venue and the orders that rest there when it opens.
///
/// It is what a feed ends with: the books of a recorded session, or what is left on the book of an
/// order file. Its orders are numbered from 1, for account 0.
#[derive(Debug, Default)]
pub struct OpeningBook {
    pub(super) instruments: InstrumentTable,
    pub(super) orders: Vec<Event>,
    origin: String,
}

impl OpeningBook {
    /// What `feed` ends with; an order file is run through a matching engine of these rules, for
    /// all instruments and for some.
    ///
    /// # Errors
    ///
    /// What the feed reports; ticks that are none of an instrument.
    pub fn of(
        mut feed: Box<dyn Feed>,
        rules: MatcherConfig,
        own: &Arc<InstrumentOverrides>,
    ) -> Result<Self> {
        let mut opening = Self { origin: feed.description().origin.clone(), ..Self::default() };
        let mut exchange = (feed.description().format == ORDERS_FORMAT)
            .then(|| Exchange::new(rules).knowing(Arc::clone(own)));
        let (mut replica, mut executions) = (Replica::new(), Vec::new());
        let mut events = [Event::default(); FEED_BATCH_RECORDS];
        loop {
            let count = match feed.fill(&mut events)? {
                Fill::Records(count) => count,
                Fill::Pending => continue,
                Fill::End => break,
            };
            for event in &events[..count] {
                match &mut exchange {
                    Some(exchange) => exchange.apply(event, &mut executions),
                    None => _ = replica.apply(event),
                }
                executions.clear();
            }
        }
        match exchange {
            Some(exchange) => opening.take_exchange(&exchange),
            None => opening.take_replica(&replica),
        }
        for (_, known) in opening.instruments.iter() {
            own.check(known.symbol.as_str(), known.price_increment)?;
        }
        Ok(opening)
    }

    fn take_exchange(&mut self, exchange: &Exchange) {
        self.instruments = exchange.matcher().instruments().clone();
        for id in self.ids() {
            for order in exchange.resting(id) {
                if order.place == OrderPlace::Displayed {
                    self.add(id, order.side, order.price, order.leaves);
                }
            }
        }
    }

    fn take_replica(&mut self, replica: &Replica) {
        self.instruments = replica.instruments().clone();
        for id in self.ids() {
            for side in [Side::Buy, Side::Sell] {
                let prices: Vec<_> = replica.levels(id, side).map(|level| level.price).collect();
                for price in prices {
                    let queue: Vec<_> = replica.queue(id, side, price).collect();
                    queue.iter().for_each(|order| self.add(id, side, price, order.qty));
                }
            }
        }
    }

    fn ids(&self) -> Vec<InstrumentId> {
        self.instruments.iter().map(|(id, _)| id).collect()
    }

    fn add(&mut self, instrument: InstrumentId, side: Side, price: Price, qty: Qty) {
        let order = payload::NewOrder {
            order_id: OrderId(self.orders.len() as u64 + 1),
            price,
            qty,
            account: AccountId(0),
            order_type: 0,
            time_in_force: TimeInForce::Day as u8,
            self_trade: 0,
            instructions: 0,
        };
        let event = Event { side: side as u8, ..Event::new(0, instrument.0, order) };
        self.orders.push(event.with_flags(Flags::LAST));
    }

    /// How many instruments and orders there are.
    pub fn sizes(&self) -> (usize, usize) {
        (self.instruments.len(), self.orders.len())
    }

    /// The feed of the venue's engine: it defines the instruments and then never ends.
    pub fn feed(&self) -> Box<dyn Feed> {
        let definitions: Vec<Event> = self
            .instruments
            .iter()
            .flat_map(|(id, instrument)| InstrumentTable::events(0, id, instrument))
            .collect();
        let bytes: &[&[u8]] =
            &[bytemuck::cast_slice(&definitions), bytemuck::cast_slice(&self.orders)];
        let description = Description {
            origin: format!("a venue that opens with {}", self.origin),
            format: FORMAT,
            compression: "none",
            identity: hash_bytes(&bytes.concat()),
            is_dated: true,
            ..Description::default()
        };
        let (checks, position) = (Checks::default(), Position::default());
        Box::new(Listings { definitions, description, checks, position })
    }
}

/// The definitions of a venue's instruments.
#[derive(Debug)]
struct Listings {
    definitions: Vec<Event>,
    description: Description,
    checks: Checks,
    position: Position,
}

impl Feed for Listings {
    fn fill(&mut self, out: &mut [Event]) -> Result<Fill> {
        let each = 2;
        let from = self.position.message as usize * each;
        let room = out.len().max(MESSAGE_RECORDS_MAX) / each * each;
        let count = (self.definitions.len() - from).min(room);
        if count == 0 {
            return Ok(Fill::Pending);
        }
        out[..count].copy_from_slice(&self.definitions[from..from + count]);
        self.position.message += (count / each) as u64;
        self.position.byte_offset = self.position.message;
        self.checks.messages = self.position.message;
        Ok(Fill::Records(count))
    }

    fn position(&self) -> Position {
        self.position
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn checks(&self) -> &Checks {
        &self.checks
    }
}
