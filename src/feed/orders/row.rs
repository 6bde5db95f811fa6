//! A row of an order file, and the records that it becomes.

use super::UNKNOWN_INCREMENT;
use super::columns::{Column, Header};
use super::numbers::{Named, Numbers};
use super::split::{self, Field};
use super::survey::{CLOSING, OPENING, Survey};
use super::value::{self, BadPrice, suggestion};
use crate::error::{Error, Result};
use crate::event::kinds::{Letter, Text};
use crate::event::{
    Event, Flags, Instructions, OrderType, Payload, SelfTrade, TimeInForce, payload,
};
use crate::units::{AccountId, Money, OrderId, Price, Qty, Side};

/// The symbol that means every one.
pub(super) const ALL_SYMBOLS: &str = "*";

/// The instrument number that means every one.
const ALL_INSTRUMENTS: u32 = u32::MAX;

/// Bits of a mass cancel's criteria.
const BY_ACCOUNT: u32 = 1;
const BY_INSTRUMENT: u32 = 2;
const BY_SIDE: u32 = 4;
const BY_PRICE: u32 = 8;

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    New,
    Cancel,
    Reduce,
    Replace,
    MassCancel,
    Auction,
    Phase(u8),
    Time,
}

const ACTIONS: [(&str, Action); 11] = [
    ("new", Action::New),
    ("cancel", Action::Cancel),
    ("reduce", Action::Reduce),
    ("replace", Action::Replace),
    ("mass_cancel", Action::MassCancel),
    ("halt", Action::Phase(b'h')),
    ("resume", Action::Phase(b'r')),
    ("auction", Action::Auction),
    ("uncross", Action::Phase(b'u')),
    ("time", Action::Time),
    ("end_of_day", Action::Phase(b'd')),
];

const INSTRUCTIONS: [(&str, u8); 4] = [
    ("post_only", Instructions::POST_ONLY),
    ("reprice", Instructions::REPRICE),
    ("hidden", Instructions::HIDDEN),
    ("trigger_bidask", Instructions::TRIGGER_BIDASK),
];

/// A row, cut into its fields.
pub(super) struct Row<'a> {
    origin: &'a str,
    header: &'a Header,
    line: u64,
    fields: Vec<Field<'a>>,
}

/// What a row's meaning depends on beside its fields.
pub(super) struct Context<'a> {
    pub(super) survey: &'a Survey,
    /// What earlier rows say of orders.
    pub(super) numbers: &'a mut Numbers,
    pub(super) increments: &'a Increments,
    pub(super) midnight_ns: u64,
    /// Time of the row.
    pub(super) ts: u64,
}

/// Price increments by instrument, in 1e-9.
#[derive(Debug, Default)]
pub(super) struct Increments(pub(super) Vec<u64>);

impl Increments {
    /// The increment of an instrument, or of all; `None` where all have no common one.
    fn of(&self, instrument: u32) -> Option<u64> {
        let Some((first, others)) = self.0.split_first() else { return Some(UNKNOWN_INCREMENT) };
        match (instrument as usize).checked_sub(1).and_then(|index| self.0.get(index)) {
            Some(&own) => Some(own),
            None => others.iter().all(|other| other == first).then_some(*first),
        }
    }
}

impl<'a> Row<'a> {
    pub(super) fn split(
        origin: &'a str,
        header: &'a Header,
        line: u64,
        text: &'a str,
    ) -> Result<Self> {
        let fields = split::fields(origin, line, text)?;
        if fields.len() > header.len() {
            return Err(Error::BadOrders {
                origin: origin.to_owned(),
                line,
                column: (header.len() + 1).to_string(),
                what: format!("{} fields, but the header has {}", fields.len(), header.len()),
                cure: "remove a comma, or name the column in the header".to_owned(),
            });
        }
        Ok(Self { origin, header, line, fields })
    }

    /// A field's text; empty when the row or the file does not have it.
    fn text(&self, column: Column) -> &str {
        let field = self.header.position(column).and_then(|index| self.fields.get(index));
        field.map_or("", |field| field.trim())
    }

    fn is_given(&self, column: Column) -> bool {
        !self.text(column).is_empty()
    }

    fn bad(&self, column: Column, what: impl Into<String>, cure: impl Into<String>) -> Error {
        let place = match self.header.position(column) {
            Some(index) => format!("{} ({})", index + 1, column.name()),
            None => format!("`{}`, which the file has not", column.name()),
        };
        Error::BadOrders {
            origin: self.origin.to_owned(),
            line: self.line,
            column: place,
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// The value that a field's text names, one of `names`.
    fn named<T: Copy>(&self, column: Column, text: &str, names: &[(&str, T)]) -> Result<T> {
        if let Some(&(_, value)) = names.iter().find(|(name, _)| *name == text) {
            return Ok(value);
        }
        let what = match text {
            "" => format!("the row has no {}", column.name()),
            _ => format!("`{text}` is no {}", column.singular()),
        };
        Err(self.bad(column, what, suggestion(text, names.iter().map(|&(name, _)| name))))
    }

    /// The value that a field names by a code's name, or a default.
    fn code<T: Copy>(
        &self,
        column: Column,
        all: &[T],
        name: fn(T) -> &'static str,
        default: T,
    ) -> Result<T> {
        if !self.is_given(column) {
            return Ok(default);
        }
        let names: Vec<_> = all.iter().map(|&value| (name(value), value)).collect();
        self.named(column, self.text(column), &names)
    }

    /// A whole number; `None` when the field is empty.
    fn number<T: std::str::FromStr>(&self, column: Column) -> Result<Option<T>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(value) if is_digits => Ok(Some(value)),
            _ => {
                let cure = "write a whole number without sign or separators that is not too large";
                Err(self.bad(column, format!("`{text}` is no {}", column.name()), cure))
            }
        }
    }

    fn needed<T>(&self, column: Column, value: Option<T>) -> Result<T> {
        let action = self.text(Column::Action);
        value.ok_or_else(|| {
            self.bad(column, format!("`{action}` needs {}", column.name()), "fill it in")
        })
    }

    fn qty(&self, column: Column) -> Result<Qty> {
        Ok(Qty(self.number(column)?.unwrap_or(0)))
    }

    /// A price; 0 when the field is empty.
    fn price(&self, column: Column, increment: Option<u64>) -> Result<Price> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(Price(0));
        }
        let Some(increment) = increment else {
            let cure = "name one symbol in each row";
            return Err(self.bad(column, "the symbols' ticks differ", cure));
        };
        value::price(text, increment).map_err(|bad| {
            let (what, cure) = match bad {
                BadPrice::NoNumber => {
                    (format!("`{text}` is no price"), "write a decimal: 10.05".to_owned())
                }
                BadPrice::OffTick => {
                    let tick = Money(i128::from(increment));
                    (format!("{text} is off the tick"), format!("prices are multiples of {tick}"))
                }
                BadPrice::TooLarge => {
                    (format!("{text} is too large"), "write a lower price".to_owned())
                }
            };
            self.bad(column, what, cure)
        })
    }

    /// A price that is positive where it is given; 0 when the field is empty.
    fn positive_price(&self, column: Column, increment: Option<u64>) -> Result<Price> {
        let price = self.price(column, increment)?;
        if self.is_given(column) && price.0 <= 0 {
            let what = format!("{} is not positive", self.text(column));
            return Err(self.bad(column, what, "write a price above 0, or leave the field empty"));
        }
        Ok(price)
    }

    fn time(&self, column: Column, midnight_ns: u64) -> Result<Option<u64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        match value::time(text, midnight_ns) {
            Some(ts) => Ok(Some(ts)),
            None => {
                let what = format!("`{text}` is no time");
                Err(self.bad(column, what, "write ns, or HH:MM:SS with up to nine places"))
            }
        }
    }

    /// The row's time, which is never before `last_ts`.
    pub(super) fn ts(&self, last_ts: u64, midnight_ns: u64) -> Result<u64> {
        let ts = match self.time(Column::Ts, midnight_ns)? {
            Some(ts) => ts,
            None => last_ts.saturating_add(1),
        };
        if ts < last_ts {
            let what = format!("{} goes backwards", self.text(Column::Ts));
            let cure = format!("the row before is at {last_ts} ns; sort the rows by time");
            return Err(self.bad(Column::Ts, what, cure));
        }
        Ok(ts)
    }

    fn order_id(&self, column: Column) -> Result<OrderId> {
        match self.number(column)? {
            Some(0) => Err(self.bad(column, "an order has no number 0", "count from 1")),
            id => Ok(OrderId(id.unwrap_or(0))),
        }
    }

    fn side(&self) -> Result<Option<Side>> {
        let names = [Side::Buy, Side::Sell].map(|side| (side.name(), side));
        match self.text(Column::Side) {
            "" => Ok(None),
            text => self.named(Column::Side, text, &names).map(Some),
        }
    }

    /// The records of the row, continuations included.
    pub(super) fn records(&self, context: &mut Context<'_>) -> Result<Vec<Event>> {
        let symbol = self.text(Column::Symbol);
        if symbol.len() > size_of::<Text<24>>() {
            return Err(self.bad(
                Column::Symbol,
                "the symbol is too long",
                "use 24 letters at most",
            ));
        }
        if !symbol.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let what = format!("`{}` is no symbol", symbol.escape_debug());
            let cure = "write it in letters, digits and signs of ASCII";
            return Err(self.bad(Column::Symbol, what, cure));
        }
        let action = self.named(Column::Action, self.text(Column::Action), &ACTIONS)?;
        match action {
            Action::New => self.new_order(context),
            Action::Cancel | Action::Reduce | Action::Replace => self.change(action, context),
            Action::MassCancel => self.mass_cancel(context),
            Action::Auction => self.auction(context),
            Action::Phase(code) => self.phase(code, context),
            Action::Time => Ok(vec![last(context.ts, 0, payload::Time { pad: zeroed() })]),
        }
    }

    /// The instrument that the row names; `None` without a symbol.
    fn instrument(&self, survey: &Survey) -> Option<u32> {
        match self.text(Column::Symbol) {
            "" => None,
            ALL_SYMBOLS => Some(ALL_INSTRUMENTS),
            symbol => survey.find(symbol),
        }
    }

    fn new_order(&self, context: &mut Context<'_>) -> Result<Vec<Event>> {
        let symbol = self.text(Column::Symbol);
        if symbol == ALL_SYMBOLS {
            return Err(self.bad(Column::Symbol, "an order is of one symbol", "name it"));
        }
        let instrument = context.survey.find(symbol).expect("the survey saw every new order");
        let id = self.order_id(Column::OrderId)?;
        let order_id = self.needed(Column::OrderId, (id.0 != 0).then_some(id))?;
        let side = self.needed(Column::Side, self.side()?)?;
        let account = AccountId(self.number(Column::Account)?.unwrap_or(0));
        let price = |column| self.price(column, context.increments.of(instrument));
        let order_type =
            self.code(Column::Type, OrderType::ALL, OrderType::name, OrderType::Limit)?;
        let tif =
            self.code(Column::TimeInForce, TimeInForce::ALL, TimeInForce::name, TimeInForce::Gtc)?;
        let self_trade =
            self.code(Column::SelfTrade, SelfTrade::ALL, SelfTrade::name, SelfTrade::None)?;
        let new = payload::NewOrder {
            order_id,
            price: price(Column::Price)?,
            qty: Qty(self.needed(Column::Qty, self.number(Column::Qty)?)?),
            account,
            order_type: order_type as u8,
            time_in_force: tif as u8,
            self_trade: self_trade as u8,
            instructions: self.instructions()?,
        };
        let terms = payload::Terms {
            stop_price: price(Column::StopPrice)?,
            trail: price(Column::Trail)?,
            display_qty: self.qty(Column::DisplayQty)?,
            expire_ts: self.time(Column::ExpireTs, context.midnight_ns)?.unwrap_or(0),
        };
        let more = payload::TermsMore {
            min_qty: self.qty(Column::MinQty)?,
            cap_price: Price(0),
            self_trade_group: self.number(Column::SelfTradeGroup)?.unwrap_or(0),
            ..zeroed()
        };
        context.numbers.note(order_id, Named { account: Some(account), instrument });
        let has_more = more != zeroed();
        let ts = context.ts;
        let mut records = Vec::with_capacity(3);
        if has_more || terms != zeroed() {
            records.push(Event::new(ts, instrument, terms).with_flags(Flags::CONTINUED));
        }
        if has_more {
            records.push(Event::new(ts, instrument, more).with_flags(Flags::CONTINUED));
        }
        records.push(last(ts, instrument, new));
        Ok(records.into_iter().map(|record| record.with_side(side)).collect())
    }

    fn instructions(&self) -> Result<u8> {
        let mut bits = 0;
        for name in self.text(Column::Flags).split('|').map(str::trim) {
            if !name.is_empty() {
                bits |= self.named(Column::Flags, name, &INSTRUCTIONS)?;
            }
        }
        Ok(bits)
    }

    /// A change of one order; the account and symbol that the row does not name are those of the
    /// order, which the matcher finds where rows differ in them.
    fn change(&self, action: Action, context: &mut Context<'_>) -> Result<Vec<Event>> {
        let id = self.order_id(Column::OrderId)?;
        let order_id = self.needed(Column::OrderId, (id.0 != 0).then_some(id))?;
        if self.text(Column::Symbol) == ALL_SYMBOLS {
            let cure = "name it, or leave the field empty";
            return Err(self.bad(Column::Symbol, "an order is of one symbol", cure));
        }
        let known = context.numbers.get(order_id);
        let given = self.number(Column::Account)?.map(AccountId);
        let asking = given.or(known.account);
        let (account, any_account) = (asking.unwrap_or(AccountId(0)), u32::from(asking.is_none()));
        let instrument = self.instrument(context.survey).unwrap_or(known.instrument);
        let ts = context.ts;
        let mut records = Vec::with_capacity(2);
        let record = match action {
            Action::Cancel => {
                let pad = zeroed();
                last(ts, instrument, payload::CancelOrder { order_id, pad, account, any_account })
            }
            Action::Reduce => {
                let qty = Qty(self.needed(Column::Qty, self.number(Column::Qty)?)?);
                let pad = 0;
                let reduce = payload::ReduceOrder { order_id, pad, qty, account, any_account };
                last(ts, instrument, reduce)
            }
            _ => {
                // A replacement has no room for the account that asks.
                if let Some(account) = given {
                    let more = payload::TermsMore { account, has_account: 1, ..zeroed() };
                    records.push(Event::new(ts, instrument, more).with_flags(Flags::CONTINUED));
                }
                let new_order_id = self.order_id(Column::NewOrderId)?;
                if new_order_id.0 != 0 {
                    context.numbers.rename(order_id, new_order_id);
                }
                let price = self.price(Column::Price, context.increments.of(instrument))?;
                let qty = self.qty(Column::Qty)?;
                if qty.0 == 0 && self.is_given(Column::Qty) {
                    let cure = "cancel it, or leave the field empty for the quantity that it has";
                    let what = "a total of 0 leaves nothing of the order";
                    return Err(self.bad(Column::Qty, what, cure));
                }
                let replace = payload::ReplaceOrder { order_id, price, qty, new_order_id };
                last(ts, instrument, replace)
            }
        };
        records.push(record);
        if let Some(side) = self.side()? {
            records.iter_mut().for_each(|record| *record = record.with_side(side));
        }
        Ok(records)
    }

    fn mass_cancel(&self, context: &Context<'_>) -> Result<Vec<Event>> {
        let account = self.number(Column::Account)?;
        let instrument = self.instrument(context.survey);
        let side = self.side()?;
        let has_range = self.is_given(Column::PriceFrom) || self.is_given(Column::PriceTo);
        let bit = |is_asked: bool, bit: u32| if is_asked { bit } else { 0 };
        let increment = context.increments.of(instrument.unwrap_or(ALL_INSTRUMENTS));
        let mass = payload::MassCancel {
            account: AccountId(account.unwrap_or(0)),
            criteria: bit(account.is_some(), BY_ACCOUNT)
                | bit(instrument.is_some(), BY_INSTRUMENT)
                | bit(side.is_some(), BY_SIDE)
                | bit(has_range, BY_PRICE),
            lower_price: self.price(Column::PriceFrom, increment)?,
            upper_price: match self.is_given(Column::PriceTo) || !has_range {
                true => self.price(Column::PriceTo, increment)?,
                false => Price(i64::MAX),
            },
            pad: 0,
        };
        let record = last(context.ts, instrument.unwrap_or(0), mass);
        Ok(vec![side.map_or(record, |side| record.with_side(side))])
    }

    /// An auction call: one record for each instrument, which knows what the auction is to it.
    fn auction(&self, context: &Context<'_>) -> Result<Vec<Event>> {
        let given = match self.text(Column::TimeInForce) {
            "" => None,
            text => {
                let names = [("opg", OPENING), ("cls", CLOSING)];
                Some(self.named(Column::TimeInForce, text, &names)?)
            }
        };
        let named = self.instrument(context.survey).filter(|&id| id != ALL_INSTRUMENTS);
        let all = context.survey.symbols().map(|(id, _)| id.0);
        let instruments = all.filter(|&id| named.is_none_or(|named| named == id));
        let record = |id| {
            let bits = given.unwrap_or_else(|| context.survey.auction_bits(self.line, id));
            last(context.ts, id, payload::Phase { auction: bits, ..phase(b'a') })
        };
        Ok(instruments.map(record).collect())
    }

    fn phase(&self, code: u8, context: &Context<'_>) -> Result<Vec<Event>> {
        let instrument = self.instrument(context.survey).unwrap_or(ALL_INSTRUMENTS);
        let price = |column| self.positive_price(column, context.increments.of(instrument));
        let mut phase = phase(code);
        if code == b'u' {
            phase.reference_price = price(Column::ReferencePrice)?;
            phase.lower_price = price(Column::PriceFrom)?;
            phase.upper_price = price(Column::PriceTo)?;
        }
        Ok(vec![last(context.ts, instrument, phase)])
    }
}

fn zeroed<T: bytemuck::Zeroable>() -> T {
    T::zeroed()
}

fn phase(code: u8) -> payload::Phase {
    payload::Phase { code: Letter(code), ..zeroed() }
}

/// The last record of a row.
fn last<P: Payload>(ts: u64, instrument: u32, payload: P) -> Event {
    Event::new(ts, instrument, payload).with_flags(Flags::LAST)
}
