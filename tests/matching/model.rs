//! The matching engine against the naive model of it: the same random commands, compared record
//! for record and field for field.
//!
//! It would catch any execution that the rules do not ask for: a wrong order of fills, a lost
//! place, a stop too many, a reason that is not the first. By default it runs a few hundred
//! thousand commands; `MATCHER_MODEL_COMMANDS=10000000 cargo test --test matching model::` is the long
//! run, and `MATCHER_MODEL_SEED` starts another series of streams. A difference is
//! shrunk to few commands and printed with what both sides said.

mod books;
mod ledger;
mod shrink;

use std::collections::BTreeMap;
use std::env;

use ledger::Ledger;
use ringtape::event::{Event, EventView, Execution, TradingHours, Zone, payload};
use ringtape::matching::{self, InstrumentRules, Matcher, MatcherConfig, Priority};
use ringtape::units::{Price, Qty};

use crate::command_stream::{
    CommandStream, DOLLAR, DOLLAR_CLOSE, DOLLAR_COLLAR, LOTS, LOTS_LOT, LOTS_PRICE_MAX, LOTS_QTY,
    ORDERS_MAX, Profile, Random,
};
use crate::naive_matcher::{Allocation, NaiveConfig, NaiveMatcher, NaiveRules};

/// Commands of a stream before it starts over with fresh matchers.
const STREAM_COMMANDS: usize = 2_000;

/// Commands after which the books are compared too.
const COMMANDS_BETWEEN_LOOKS: usize = 25;

/// Commands of a run unless `MATCHER_MODEL_COMMANDS` says otherwise.
const COMMANDS_DEFAULT: usize = 300_000;

/// ns of a minute.
const MINUTE: u64 = 60_000_000_000;

/// The hours of sessions in a day, and over midnight.
const DOLLAR_HOURS: (u64, u64) = (9, 16);
const LOTS_HOURS: (u64, u64) = (18, 17);

/// What matchers are set to, beside the rules of instruments that all streams share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) profile: Profile,
    pub(crate) allocation: Allocation,
    pub(crate) reduction_keeps_place: bool,
    /// Whether two instruments have hours, and a stream lasts some days.
    pub(crate) has_hours: bool,
}

/// A stream of the run: where its commands come from and what the matchers are set to.
#[derive(Clone, Copy, Debug)]
struct Stream {
    seed: u64,
    setting: Setting,
}

/// Something that takes records and gives executions.
pub(crate) trait Subject {
    fn apply(&mut self, event: &Event, out: &mut Vec<Execution>);
}

impl Subject for Matcher {
    fn apply(&mut self, event: &Event, out: &mut Vec<Execution>) {
        Matcher::apply(self, event, out);
    }
}

impl Subject for NaiveMatcher {
    fn apply(&mut self, event: &Event, out: &mut Vec<Execution>) {
        NaiveMatcher::apply(self, event, out);
    }
}

/// The commands of a stream; where instruments have hours each ns of it is a minute.
struct Source {
    stream: CommandStream,
    scale: u64,
}

impl Source {
    fn new(seed: u64, setting: Setting) -> Self {
        let scale = if setting.has_hours { MINUTE } else { 1 };
        Self { stream: CommandStream::new(seed, setting.profile), scale }
    }

    fn next_command(&mut self) -> Vec<Event> {
        let scaled = |mut event: Event| {
            event.ts_event *= self.scale;
            if let EventView::Terms(terms) = event.view() {
                let expire_ts = terms.expire_ts * self.scale;
                event.payload = bytemuck::cast(payload::Terms { expire_ts, ..*terms });
            }
            event
        };
        self.stream.next_command().into_iter().map(scaled).collect()
    }

    fn observe(&mut self, executions: &[Execution]) {
        self.stream.observe(executions);
    }
}

/// Hours of the engine at which sessions open and close.
fn hours((open, close): (u64, u64)) -> TradingHours {
    TradingHours { open: open * 60 * MINUTE, close: close * 60 * MINUTE, zone: Zone::Utc }
}

/// The model, with the instruments of the streams defined.
fn model(setting: &Setting) -> NaiveMatcher {
    let mut model = NaiveMatcher::new(NaiveConfig {
        orders_max: ORDERS_MAX,
        reduction_keeps_place: setting.reduction_keeps_place,
        allocation: setting.allocation,
    });
    let dollar = NaiveRules {
        collar: Some(DOLLAR_COLLAR),
        previous_close: Some(DOLLAR_CLOSE),
        hours: setting.has_hours.then_some(DOLLAR_HOURS),
        ..NaiveRules::default()
    };
    let lots = NaiveRules {
        lot: LOTS_LOT,
        price_max: Some(LOTS_PRICE_MAX),
        qty_min: LOTS_QTY.0,
        qty_max: LOTS_QTY.1,
        hours: setting.has_hours.then_some(LOTS_HOURS),
        ..NaiveRules::default()
    };
    model.set_rules(DOLLAR, dollar);
    model.set_rules(LOTS, lots);
    for event in CommandStream::definitions() {
        model.apply(&event, &mut Vec::new());
    }
    model
}

/// The engine, set as the model is.
fn engine(setting: &Setting) -> Matcher {
    let mut engine = Matcher::new(MatcherConfig {
        orders_max: ORDERS_MAX,
        priority: match setting.reduction_keeps_place {
            true => Priority::Cme,
            false => Priority::Standard,
        },
        allocation: match setting.allocation {
            Allocation::Fifo => matching::Allocation::Fifo,
            Allocation::ProRata { top } => matching::Allocation::ProRata { top },
        },
        ..MatcherConfig::default()
    });
    let dollar = InstrumentRules {
        collar: Some(Price(DOLLAR_COLLAR)),
        previous_close: Some(DOLLAR_CLOSE),
        hours: setting.has_hours.then(|| hours(DOLLAR_HOURS)),
        ..InstrumentRules::default()
    };
    let lots = InstrumentRules {
        lot: Qty(LOTS_LOT),
        price_max: Some(LOTS_PRICE_MAX),
        qty_min: Qty(LOTS_QTY.0),
        qty_max: Qty(LOTS_QTY.1),
        hours: setting.has_hours.then(|| hours(LOTS_HOURS)),
        ..InstrumentRules::default()
    };
    engine.set_rules(DOLLAR, dollar);
    engine.set_rules(LOTS, lots);
    for event in CommandStream::definitions() {
        engine.apply(&event, &mut Vec::new());
    }
    engine
}

/// What a subject says to one command.
pub(crate) fn answer(subject: &mut dyn Subject, command: &[Event]) -> Vec<Execution> {
    let mut out = Vec::new();
    for event in command {
        subject.apply(event, &mut out);
    }
    out
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// The streams of a run, which take turns through all settings.
fn streams() -> impl Iterator<Item = Stream> {
    let commands = number("MATCHER_MODEL_COMMANDS", COMMANDS_DEFAULT as u64) as usize;
    let first_seed = number("MATCHER_MODEL_SEED", 20_261_126);
    println!("{commands} commands, seed {first_seed}");
    let mut seeds = Random(first_seed);
    let allocations =
        [Allocation::Fifo, Allocation::ProRata { top: false }, Allocation::ProRata { top: true }];
    (0..commands.div_ceil(STREAM_COMMANDS)).map(move |index| {
        let profile = Profile::ALL[index % Profile::ALL.len()];
        let turn = index / Profile::ALL.len();
        // Half of the streams match first come first served.
        let allocation = allocations[(turn % 4).saturating_sub(1)];
        let reduction_keeps_place = turn / 4 % 3 == 2;
        let has_hours = turn % 3 == 1;
        let setting = Setting { profile, allocation, reduction_keeps_place, has_hours };
        Stream { seed: seeds.next(), setting }
    })
}

#[test]
fn the_engine_says_what_the_model_says() {
    let (mut commands, mut executions) = (0, 0);
    for stream in streams() {
        let Stream { seed, setting } = stream;
        let (mut model, mut engine) = (model(&setting), engine(&setting));
        let mut source = Source::new(seed, setting);
        let mut played = Vec::new();
        for _ in 0..STREAM_COMMANDS {
            let command = source.next_command();
            let expected = answer(&mut model, &command);
            source.observe(&expected);
            let found = answer(&mut engine, &command);
            played.push(command);
            executions += expected.len();
            if expected != found {
                let fresh = || -> (Box<dyn Subject>, Box<dyn Subject>) {
                    (Box::new(self::model(&setting)), Box::new(self::engine(&setting)))
                };
                panic!("{stream:?}\n{}", shrink::report(played, fresh));
            }
            if played.len().is_multiple_of(COMMANDS_BETWEEN_LOOKS)
                && let Err(difference) = books::compare(&model, &engine)
            {
                let last = played[played.len() - 1].iter().map(shrink::command_line);
                panic!("{stream:?}\n{:?}\n{difference}", last.collect::<Vec<_>>());
            }
        }
        commands += played.len();
    }
    println!("{commands} commands, {executions} executions, all equal");
}

/// Plays a stream to the model; `seen` gets each command with its executions.
fn play(stream: Stream, mut seen: impl FnMut(&NaiveMatcher, &[Event], &[Execution])) {
    let mut model = model(&stream.setting);
    let mut source = Source::new(stream.seed, stream.setting);
    for _ in 0..STREAM_COMMANDS {
        let command = source.next_command();
        let executions = answer(&mut model, &command);
        source.observe(&executions);
        seen(&model, &command, &executions);
    }
}

#[test]
fn the_model_keeps_its_books() {
    for stream in streams() {
        let mut ledger = Ledger::default();
        play(stream, |model, command, executions| {
            if let Err(fault) = ledger.apply(executions).and_then(|()| ledger.compare(model)) {
                let said = command.iter().map(shrink::command_line);
                let said: Vec<_> = said.chain(executions.iter().map(shrink::line)).collect();
                panic!("{stream:?}: {fault}\n{}", said.join("\n"));
            }
        });
    }
}

/// Every kind of execution with every reason that a matcher gives.
const ANSWERS: [(&str, &[&str]); 9] = [
    ("accepted", &["none"]),
    ("filled", &["none"]),
    ("triggered", &["none"]),
    ("replaced", &["requested"]),
    ("reduced", &["requested", "self_trade"]),
    ("expired", &["end_of_day", "expired"]),
    (
        "status",
        &["auction", "collar", "end_of_day", "halted", "indicative", "resumed", "uncrossed"],
    ),
    (
        "cancelled",
        &[
            "auction_over",
            "collar",
            "immediate_remainder",
            "mass_cancel",
            "min_qty",
            "no_liquidity",
            "not_fillable",
            "replaced_below_cum",
            "requested",
            "self_trade",
        ],
    ),
    (
        "rejected",
        &[
            "auction_over",
            "bad_price",
            "bad_quantity",
            "bad_terms",
            "capacity",
            "duplicate_order",
            "not_in_auction",
            "not_trading",
            "off_lot",
            "off_tick",
            "unknown_instrument",
            "unknown_order",
            "would_take",
            "wrong_state",
        ],
    ),
];

#[test]
fn the_streams_bring_every_answer_about() {
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    for stream in streams() {
        play(stream, |_, _, executions| {
            for execution in executions {
                let kind = execution.kind().expect("a kind").name();
                *counts.entry((kind, execution.reason().name())).or_default() += 1;
            }
        });
    }
    for (kind, reasons) in ANSWERS {
        for reason in reasons {
            let count = counts.remove(&(kind, *reason)).unwrap_or(0);
            assert!(count >= 20, "{kind} {reason}: only {count}");
        }
    }
    assert!(counts.is_empty(), "answers that no rule gives: {counts:?}");
}
