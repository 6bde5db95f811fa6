//! Any bytes are the saved state of books, of a matcher or of a portfolio, or are refused; what
//! was loaded is saved as bytes that load again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtape::book::Replica;
use ringtape::error::Result;
use ringtape::matching::{Matcher, MatcherConfig};
use ringtape::portfolio::{Portfolio, PortfolioConfig};
use ringtape::state::{StateReader, StateWriter};

fuzz_target!(|input: &[u8]| {
    let Some((&part, bytes)) = input.split_first() else { return };
    match part % 3 {
        0 => twice(bytes, Replica::load, Replica::save),
        1 => twice(bytes, load_matcher, Matcher::save),
        _ => twice(bytes, load_portfolio, Portfolio::save),
    }
});

/// Loads, saves what was loaded, loads that and saves it once more: the same bytes again.
fn twice<T>(
    bytes: &[u8],
    load: impl Fn(&mut StateReader<'_>) -> Result<T>,
    save: impl Fn(&T, &mut StateWriter),
) {
    let saved = |part: &T| {
        let mut writer = StateWriter::default();
        save(part, &mut writer);
        writer.into_bytes()
    };
    let Ok(part) = load(&mut StateReader::new("fuzzed", bytes)) else { return };
    let first = saved(&part);
    let again = load(&mut StateReader::new("saved", &first)).expect("what was saved loads");
    assert_eq!(saved(&again), first, "the same state is saved as the same bytes");
}

fn load_matcher(reader: &mut StateReader<'_>) -> Result<Matcher> {
    let mut matcher = Matcher::new(MatcherConfig::default());
    matcher.load(reader)?;
    Ok(matcher)
}

fn load_portfolio(reader: &mut StateReader<'_>) -> Result<Portfolio> {
    let mut portfolio = Portfolio::new(PortfolioConfig::default());
    portfolio.load(reader)?;
    Ok(portfolio)
}
