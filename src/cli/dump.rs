//! `ringtape dump`: a feed or journal in lines.

mod executions;

use std::fmt::Write;

use clap::Args;
use ringtape::book::Replica;
use ringtape::error::{Error, Result};
use ringtape::event::fields::FieldValue;
use ringtape::event::kinds::KINDS;
use ringtape::event::{Event, Execution, InstrumentTable, Kind};
use ringtape::feed::{Begin, Feed, Fill, Zone};
use ringtape::journal::Reader;
use ringtape::limits::FEED_BATCH_RECORDS;
use ringtape::matching::EVERY_INSTRUMENT;
use ringtape::report::format::{csv_field, time_of_day};
use ringtape::units::{InstrumentId, OrderId};
use serde_json::{Map, Value, json};

use super::input::{self, Input};
use super::{Ending, term};

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    #[command(flatten)]
    input: Input,
    /// Messages of these symbols only
    #[arg(long, alias = "symbols", value_name = "A,B", value_delimiter = ',')]
    symbol: Vec<String>,
    /// Messages of these kinds only
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    kind: Vec<String>,
    /// Messages that name this order, each with the order's place in its queue after it
    #[arg(long, value_name = "REF")]
    order: Option<u64>,
    /// At most so many messages
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// As CSV, prices in increments
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// As JSON, one object a line, prices in increments
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DumpArgs) -> Result<Ending> {
    if let [dir] = &args.input.feeds[..]
        && dir.is_dir()
        && let Ok(reader) = Reader::<Execution>::open(dir)
    {
        return executions::run(args, dir, reader);
    }
    let mut feed = args.input.open(None)?;
    let mut dump = Dump::new(args, feed.as_ref())?;
    if args.csv {
        dump.out.line("message,ts_ns,kind,symbol,side,last,fields")?;
    }
    let mut batch = vec![Event::default(); FEED_BATCH_RECORDS];
    while let Fill::Records(count) = feed.fill(&mut batch)? {
        for event in &batch[..count] {
            if !dump.take(*event)? {
                dump.out.finish()?;
                return Ok(Ending::Done);
            }
        }
    }
    args.input.tell_empty(&dump.begin, feed.checks());
    input::tell_missing(feed.description(), feed.checks());
    dump.out.finish()?;
    input::warn_of_missing(&args.symbol, &dump.instruments);
    Ok(Ending::Done)
}

/// Puts records together to messages, chooses and prints them.
struct Dump<'a> {
    args: &'a DumpArgs,
    kinds: Vec<Kind>,
    begin: Begin,
    zone: Zone,
    instruments: InstrumentTable,
    /// The records of one line: one, or one with its continuations.
    unit: Vec<Event>,
    message: u64,
    printed: u64,
    /// The books, and where the order stands in them, when one is followed.
    books: Option<Box<Replica>>,
    out: term::Stdout,
}

impl<'a> Dump<'a> {
    fn new(args: &'a DumpArgs, feed: &dyn Feed) -> Result<Self> {
        Ok(Self {
            kinds: args.kind.iter().map(|name| kind(name)).collect::<Result<_>>()?,
            begin: args.input.begin(feed)?,
            zone: feed.description().zone,
            instruments: InstrumentTable::default(),
            unit: Vec::new(),
            message: 0,
            printed: 0,
            books: args.order.map(|_| Box::default()),
            out: term::Stdout::lock(),
            args,
        })
    }

    /// Takes a record in; whether more are wanted.
    fn take(&mut self, event: Event) -> Result<bool> {
        self.instruments.apply(&event);
        if !self.unit.is_empty() && !is_continuation(&event) {
            // Definitions that were made up for a message that follows them.
            self.print_unit()?;
        }
        self.unit.push(event);
        if let Some(books) = &mut self.books {
            books.apply(&event);
        }
        if !event.is_continued() {
            self.print_unit()?;
            self.message += 1;
        }
        Ok(self.has_room())
    }

    fn has_room(&self) -> bool {
        self.args.limit.is_none_or(|limit| self.printed < limit)
    }

    fn print_unit(&mut self) -> Result<()> {
        let unit = std::mem::take(&mut self.unit);
        if self.has_room() && self.begin.look(head(&unit))? && self.is_wanted(&unit) {
            let line = if self.args.json {
                self.json_line(&unit)
            } else if self.args.csv {
                self.csv_line(&unit)
            } else {
                self.text_line(&unit)
            };
            self.out.line(line)?;
            self.printed += 1;
        }
        self.unit = unit;
        self.unit.clear();
        Ok(())
    }

    fn is_wanted(&self, unit: &[Event]) -> bool {
        let head = head(unit);
        (self.kinds.is_empty() || head.kind().is_some_and(|kind| self.kinds.contains(&kind)))
            && (self.args.symbol.is_empty() || self.args.symbol.contains(&self.symbol(head)))
            && self.args.order.is_none_or(|order| names_order(unit, order))
    }

    fn symbol(&self, event: &Event) -> String {
        match event.instrument {
            0 => String::new(),
            EVERY_INSTRUMENT => "*".to_owned(),
            id => self.instruments.symbol(InstrumentId(id)),
        }
    }

    fn text_line(&self, unit: &[Event]) -> String {
        let head = head(unit);
        let time = time_of_day(head.ts_event, self.zone);
        let side = head.side().map_or("", |side| side.name());
        let last = if unit[unit.len() - 1].is_last() { "" } else { " +" };
        let mut line = format!(
            "{:>9} {time} {:<12} {:<8} {side:<4}",
            self.message,
            name(head),
            self.symbol(head)
        );
        let instrument = self.instruments.get(InstrumentId(head.instrument));
        for (field, value) in fields(unit) {
            let shown = match (value, instrument) {
                (FieldValue::Price(price), Some(terms)) => terms.format_price(price),
                (value, _) => plain(value),
            };
            if !shown.is_empty() {
                let _ = write!(line, " {field}={shown}");
            }
        }
        for (name, value) in self.place().into_iter().flatten() {
            let _ = write!(line, " {name}={value}");
        }
        line + last
    }

    /// Where the order that is followed stands: open quantity, quantity and orders ahead of it.
    /// `None` when none is followed or it does not rest.
    fn place(&self) -> Option<[(&'static str, u64); 3]> {
        let position = self.books.as_ref()?.position(OrderId(self.args.order?))?;
        Some([
            ("open_qty", position.order.qty.0),
            ("ahead_qty", position.ahead_qty.0),
            ("ahead_orders", position.ahead_orders.into()),
        ])
    }

    fn csv_line(&self, unit: &[Event]) -> String {
        let head = head(unit);
        let side = head.side().map_or("", |side| side.name());
        let place = self.place().into_iter().flatten();
        let fields: Vec<_> = fields(unit)
            .map(|(field, value)| format!("{field}={}", plain(value)))
            .chain(place.map(|(name, value)| format!("{name}={value}")))
            .collect();
        format!(
            "{},{},{},{},{side},{},{}",
            self.message,
            head.ts_event,
            name(head),
            csv_field(&self.symbol(head)),
            u8::from(unit[unit.len() - 1].is_last()),
            csv_field(&fields.join("|"))
        )
    }

    fn json_line(&self, unit: &[Event]) -> String {
        let head = head(unit);
        let mut object = Map::new();
        object.insert("message".to_owned(), json!(self.message));
        object.insert("ts_ns".to_owned(), json!(head.ts_event));
        object.insert("kind".to_owned(), json!(name(head)));
        object.insert("symbol".to_owned(), json!(self.symbol(head)));
        object.insert("side".to_owned(), json!(head.side().map(|side| side.name())));
        object.insert("last".to_owned(), json!(unit[unit.len() - 1].is_last()));
        for (field, value) in fields(unit) {
            object.insert(field.to_owned(), plain_json(value));
        }
        for (name, value) in self.place().into_iter().flatten() {
            object.insert(name.to_owned(), json!(value));
        }
        Value::Object(object).to_string()
    }
}

/// The kind that `name` means.
fn kind(name: &str) -> Result<Kind> {
    KINDS.iter().find(|info| info.name == name).map(|info| info.kind).ok_or_else(|| {
        let names: Vec<_> = KINDS.iter().map(|info| info.name).collect();
        Error::usage(format!("unknown kind `{name}`"), format!("use {}", names.join(", ")))
    })
}

/// Whether a record goes on with what the one before it began.
fn is_continuation(event: &Event) -> bool {
    matches!(
        event.kind(),
        Some(
            Kind::InstrumentTerms
                | Kind::InstrumentListing
                | Kind::NoticeMore
                | Kind::TermsMore
                | Kind::NewOrder
                | Kind::ReplaceOrder
        )
    )
}

/// The record that says what a message is: the first, or the command that terms come before.
fn head(unit: &[Event]) -> &Event {
    let last = &unit[unit.len() - 1];
    let is_command = matches!(last.kind(), Some(Kind::NewOrder | Kind::ReplaceOrder));
    if is_command { last } else { &unit[0] }
}

/// The name of a record's kind.
pub(super) fn name(event: &Event) -> &'static str {
    event.kind().map_or("unknown", Kind::name)
}

/// The fields of a message's records, without filling.
pub(super) fn fields(unit: &[Event]) -> impl Iterator<Item = (&'static str, FieldValue<'_>)> {
    unit.iter().flat_map(|event| {
        let fields = event.kind().map_or(&[][..], |kind| kind.info().fields);
        fields
            .iter()
            .filter(|field| !field.is_filling())
            .map(move |field| (field.name, field.read(event)))
    })
}

fn names_order(unit: &[Event], order: u64) -> bool {
    fields(unit).any(|(field, value)| {
        matches!(field, "order_id" | "new_order_id") && value == FieldValue::Unsigned(order)
    })
}

/// As [`plain`], in JSON.
pub(super) fn plain_json(value: FieldValue<'_>) -> Value {
    match value {
        FieldValue::Unsigned(number) => json!(number),
        FieldValue::Price(price) => json!(price.0),
        other => json!(plain(other)),
    }
}

/// A value without an instrument's help: prices in increments, bytes in hex.
pub(super) fn plain(value: FieldValue<'_>) -> String {
    match value {
        FieldValue::Unsigned(number) => number.to_string(),
        FieldValue::Price(price) => price.to_string(),
        FieldValue::Letter(letter) => letter.map_or_else(String::new, |letter| letter.to_string()),
        FieldValue::Text(text) => text.to_owned(),
        FieldValue::Raw(bytes) => {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes[..end].iter().map(|byte| format!("{byte:02x}")).collect()
        }
    }
}
