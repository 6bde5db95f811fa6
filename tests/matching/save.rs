//! A matcher that is saved and loaded goes on as if nothing had happened.
//!
//! Would catch state that is not saved: a place in a queue, an iceberg's reserve, a trailing stop's
//! best price, terms that came before their order, an open call.

use ringtape::event::{Event, TickBands};
use ringtape::matching::{InstrumentRules, Matcher, MatcherConfig};
use ringtape::state::{StateReader, StateWriter};
use ringtape::units::Price;

use crate::command_stream::{
    CommandStream, DOLLAR, DOLLAR_CLOSE, DOLLAR_COLLAR, ORDERS_MAX, Profile,
};

const COMMANDS: usize = 3_000;

fn fresh() -> Matcher {
    let mut matcher =
        Matcher::new(MatcherConfig { orders_max: ORDERS_MAX, ..MatcherConfig::default() });
    let rules = InstrumentRules {
        collar: Some(Price(DOLLAR_COLLAR)),
        previous_close: Some(DOLLAR_CLOSE),
        ticks: TickBands::new(&[(0, 1), (10_000, 100)]).ok(),
        ..InstrumentRules::default()
    };
    matcher.set_rules(DOLLAR, rules);
    matcher
}

fn saved(matcher: &Matcher) -> Vec<u8> {
    let mut writer = StateWriter::default();
    matcher.save(&mut writer);
    writer.into_bytes()
}

fn loaded(bytes: &[u8]) -> Matcher {
    let mut matcher = Matcher::new(fresh().config());
    let mut reader = StateReader::new("matcher", bytes);
    matcher.load(&mut reader).expect("what was saved");
    reader.finish().expect("nothing left over");
    matcher
}

/// The records of a stream of commands.
fn stream(seed: u64, profile: Profile) -> Vec<Event> {
    let mut matcher = fresh();
    let mut records: Vec<Event> = CommandStream::definitions().into_iter().collect();
    records.iter().for_each(|event| matcher.apply(event, &mut Vec::new()));
    let mut source = CommandStream::new(seed, profile);
    for _ in 0..COMMANDS {
        let command = source.next_command();
        let mut out = Vec::new();
        command.iter().for_each(|event| matcher.apply(event, &mut out));
        source.observe(&out);
        records.extend(command);
    }
    records
}

#[test]
fn a_matcher_that_was_saved_anywhere_goes_on_the_same() {
    for (seed, profile) in Profile::ALL.into_iter().enumerate() {
        let records = stream(seed as u64, profile);
        let (mut whole, mut resumed) = (fresh(), fresh());
        for (number, record) in records.iter().enumerate() {
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            whole.apply(record, &mut expected);
            if number % 7 == 0 {
                resumed = loaded(&saved(&resumed));
            }
            resumed.apply(record, &mut found);
            assert_eq!(found, expected, "{profile:?}, record {number}");
        }
        assert_eq!(saved(&resumed).len(), saved(&whole).len());
    }
}

#[test]
fn cut_or_altered_state_is_an_error_and_never_a_panic() {
    let mut matcher = fresh();
    for record in stream(3, Profile::Stops).iter().take(400) {
        matcher.apply(record, &mut Vec::new());
    }
    let bytes = saved(&matcher);
    for cut in 0..bytes.len() {
        let mut reader = StateReader::new("matcher", &bytes[..cut]);
        assert!(fresh().load(&mut reader).is_err(), "cut at {cut}");
    }
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x80;
        // Some alterations mean another state; none may panic.
        let _ = fresh().load(&mut StateReader::new("matcher", &altered));
    }
}
