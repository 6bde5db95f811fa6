//! `ringtape book`: an instrument's order book.

mod depth;

use clap::Args;
use ringtape::book::Replica;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, EventView};
use ringtape::feed::{Begin, Feed, Fill};
use ringtape::limits::FEED_BATCH_RECORDS;
use ringtape::units::{InstrumentId, Side};

use self::depth::Depth;
use super::input::{self, Input};
use super::{Ending, term};

#[derive(Debug, Args)]
pub(super) struct BookArgs {
    #[command(flatten)]
    input: Input,
    /// The instrument; may be left out when the feed has one
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// The book before the first message at or after this time; the same as --until
    #[arg(long, value_name = "TIME", conflicts_with_all = ["csv", "until"])]
    at: Option<String>,
    /// Levels to print on each side
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "csv")]
    depth: usize,
    /// Print every order of these levels in the order of its queue
    #[arg(long, conflicts_with = "csv")]
    orders: bool,
    /// Print the book to stdout as one JSON document
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print best bid and offer after every message of the symbol, as CSV; of those from --from on
    #[arg(long)]
    csv: bool,
}

pub(super) fn run(args: &BookArgs) -> Result<Ending> {
    let mut feed = args.input.open(args.at.as_deref())?;
    if input::is_of_orders(&args.input.feeds, &*feed)? {
        return Err(Error::usage(
            "an order file publishes no book",
            "write its final one with `ringtape match --book-out`",
        ));
    }
    if args.orders && feed.description().is_of_levels {
        return Err(Error::usage(
            "the feed tells price levels and no orders",
            "leave --orders out",
        ));
    }
    let begin = args.input.begin(feed.as_ref())?;
    if !begin.has_come() && !args.csv {
        return Err(Error::usage(
            "--from chooses rows of --csv, and a book has none",
            "name the moment of the book with --at",
        ));
    }
    let midnight_ns = feed.description().midnight_ns;
    let mut follower = Follower::new(args.symbol.clone(), midnight_ns, begin);
    let mut csv = args.csv.then(term::Stdout::lock);
    if let Some(out) = &mut csv {
        out.line(
            "message,ts_ns,bid_price,bid_qty,ask_price,ask_qty,live_orders,bid_levels,ask_levels",
        )?;
    }
    let followed = follow(feed.as_mut(), &mut follower, csv.as_mut());
    args.input.tell_empty(&follower.begin, feed.checks());
    input::tell_missing(feed.description(), feed.checks());
    match (followed.and_then(|()| follower.chosen()), csv) {
        (Ok(instrument), None) => {
            let depth = Depth {
                replica: &follower.replica,
                instrument,
                levels: args.depth,
                has_orders: args.orders,
                messages: follower.message,
                ts_event: follower.last_ts,
                midnight_ns,
                zone: feed.description().zone,
            };
            if args.json {
                term::print(format_args!("{:#}", depth.to_json()))?;
            } else {
                depth.print()?;
            }
        }
        (Ok(_), Some(out)) => out.finish()?,
        (Err(error @ Error::Usage { .. }), Some(out)) => {
            out.discard();
            return Err(error);
        }
        // The rows before a fault in the feed are right: dropping the output writes them.
        (Err(error), _) => return Err(error),
    }
    Ok(Ending::Done)
}

/// A replica with the message numbers of its feed and the instrument that was asked for.
struct Follower {
    replica: Replica,
    symbol: Option<String>,
    instrument: Option<InstrumentId>,
    /// What rows count times from.
    midnight_ns: u64,
    /// When rows begin.
    begin: Begin,
    message: u64,
    last_ts: u64,
}

impl Follower {
    fn new(symbol: Option<String>, midnight_ns: u64, begin: Begin) -> Self {
        Self {
            replica: Replica::new(),
            symbol,
            instrument: None,
            midnight_ns,
            begin,
            message: 0,
            last_ts: 0,
        }
    }

    /// Applies one record; whether it ended a message of the chosen instrument.
    fn apply(&mut self, event: &Event) -> Result<bool> {
        if let EventView::Instrument(defined) = event.view() {
            self.choose(InstrumentId(event.instrument), defined.symbol.as_str())?;
        }
        self.replica.apply(event);
        self.last_ts = event.ts_event;
        let is_chosen = self.instrument == Some(InstrumentId(event.instrument));
        Ok(self.begin.look(event)? && is_chosen && !event.is_continued())
    }

    /// Takes note of an instrument: is it the one?
    fn choose(&mut self, id: InstrumentId, symbol: &str) -> Result<()> {
        match (&self.symbol, self.instrument) {
            (Some(wanted), _) if wanted == symbol => self.instrument = Some(id),
            (None, None) => self.instrument = Some(id),
            (None, Some(first)) if first != id => {
                let first = self.replica.instruments().symbol(first);
                return Err(Error::usage(
                    format!("the feed has several instruments, {first} and {symbol} among them"),
                    "choose one with --symbol",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    fn chosen(&self) -> Result<InstrumentId> {
        self.instrument.ok_or_else(|| {
            let what = self.symbol.as_ref().map_or_else(
                || "the feed names no instrument".to_owned(),
                |symbol| format!("symbol {symbol} is not in the feed"),
            );
            Error::usage(what, "`ringtape info` lists the instruments of a feed")
        })
    }
}

/// Follows the feed to its end, with a row a message when `csv` is given.
fn follow(
    feed: &mut dyn Feed,
    follower: &mut Follower,
    mut csv: Option<&mut term::Stdout>,
) -> Result<()> {
    let mut batch = vec![Event::default(); FEED_BATCH_RECORDS];
    while let Fill::Records(count) = feed.fill(&mut batch)? {
        for event in &batch[..count] {
            let is_row = follower.apply(event)?;
            if let Some(out) = csv.as_mut().filter(|_| is_row) {
                row(out, follower, InstrumentId(event.instrument))?;
            }
            follower.message += u64::from(!event.is_continued());
        }
    }
    Ok(())
}

fn row(out: &mut term::Stdout, follower: &Follower, id: InstrumentId) -> Result<()> {
    let touch = follower.replica.touch(id);
    let [bids, asks] = [Side::Buy, Side::Sell].map(|side| {
        let levels = follower.replica.levels(id, side);
        levels.fold((0, 0), |(levels, orders), level| (levels + 1, orders + level.orders))
    });
    out.line(format_args!(
        "{},{},{},{},{},{},{},{},{}",
        follower.message,
        follower.last_ts.saturating_sub(follower.midnight_ns),
        touch.bid_price,
        touch.bid_qty,
        touch.ask_price,
        touch.ask_qty,
        bids.1 + asks.1,
        bids.0,
        asks.0
    ))
}
