//! The symbols that a built-in strategy trades: those that are named, or the only one of the feed.

use super::Desk;
use crate::error::{Error, Result, nearest};
use crate::state::{StateReader, StateWriter};

/// A choice of symbols, and which of them the feed has listed.
#[derive(Clone, Debug)]
pub(super) struct Symbols {
    strategy: &'static str,
    /// Empty for the only instrument of the feed.
    named: Vec<String>,
    met: Vec<String>,
}

impl Symbols {
    pub(super) fn new(strategy: &'static str, named: Vec<String>) -> Self {
        Self { strategy, named, met: vec![] }
    }

    /// Whether a symbol is to be traded; one that is not named is an error when none is.
    pub(super) fn wants(&mut self, symbol: &str) -> Result<bool> {
        let is_named = self.named.iter().any(|named| named == symbol);
        let first = self.met.first().filter(|first| *first != symbol);
        if let (true, Some(first)) = (self.named.is_empty(), first) {
            let strategy = self.strategy;
            return Err(Error::usage(
                format!("the feed has several instruments, `{first}` and `{symbol}` among them"),
                format!("name those to trade, as in `{strategy}:symbols={first},{symbol}`"),
            ));
        }
        let is_wanted = is_named || self.named.is_empty();
        if is_wanted && !self.met.iter().any(|met| met == symbol) {
            self.met.push(symbol.to_owned());
        }
        Ok(is_wanted)
    }

    /// Warnings of symbols that were named and never listed.
    pub(super) fn missing(&self, desk: &Desk<'_>) -> Vec<String> {
        let missing = self.named.iter().filter(|named| !self.met.contains(named));
        let warning = |named: &String| {
            let listed: Vec<_> =
                desk.books().instruments().iter().map(|(_, known)| known.symbol).collect();
            let cure = match nearest(named, listed.iter().map(|symbol| symbol.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "list the feed's symbols with `ringtape info`; `--symbols` leaves out those \
                         that it does not name"
                        .to_owned()
                }
            };
            let strategy = self.strategy;
            format!(
                "strategy `{strategy}` was to trade `{named}`, which never came in the feed: {cure}"
            )
        };
        missing.map(warning).collect()
    }

    pub(super) fn save(&self, writer: &mut StateWriter) {
        writer.put_len(self.met.len());
        self.met.iter().for_each(|symbol| writer.put_bytes(symbol.as_bytes()));
    }

    pub(super) fn load(&mut self, reader: &mut StateReader<'_>) -> Result<()> {
        self.met.clear();
        for _ in 0..reader.len(8)? {
            let symbol = std::str::from_utf8(reader.bytes()?);
            let symbol = symbol.map_err(|_| reader.bad("a symbol is no text"))?;
            self.met.push(symbol.to_owned());
        }
        Ok(())
    }
}
