//! The matching engine of an order file once more: it is saved in place of the one that trades.
//!
//! A standby follows the market journal on the thread that writes snapshots, from one mark to the
//! next. So the agent that trades does nothing for a snapshot but to name the mark, however many
//! orders there are, and pays for it with memory for both. That all executions of both hash the
//! same is checked before each snapshot: what is saved is the state of the run, or nothing is.

use std::path::{Path, PathBuf};

use super::config::MARKET_DIR;
use super::exchange::Exchange;
use super::run_state::{Tally, exchange_section, load_exchange};
use super::snapshots::SnapshotUsed;
use crate::error::{Error, Result};
use crate::event::{Event, Execution};
use crate::journal::snapshot::Snapshot;
use crate::journal::{Read, Reader};
use crate::limits::BATCH_RECORDS_MAX;

/// An exchange that follows the journal of the one that trades.
pub(super) struct Standby {
    /// The market journal.
    dir: PathBuf,
    exchange: Exchange,
    tally: Tally,
    /// From what the run went on.
    start: Option<SnapshotUsed>,
    /// `None` until the first snapshot is taken.
    reader: Option<Reader<Event>>,
    batch: Box<[Event]>,
    out: Vec<Execution>,
}

impl Standby {
    /// The standby of a run in `run_dir` whose exchange, as the run begins with it, is `exchange`,
    /// and `tally` what came before; `start` is the snapshot that both are from.
    pub(super) fn of(
        exchange: &Exchange,
        tally: Tally,
        run_dir: &Path,
        start: Option<SnapshotUsed>,
    ) -> Self {
        Self {
            dir: run_dir.join(MARKET_DIR),
            exchange: exchange.anew(),
            tally,
            start,
            reader: None,
            batch: vec![Event::default(); BATCH_RECORDS_MAX].into(),
            out: Vec::new(),
        }
    }

    /// Applies the next records before `until`; [`Read::End`] once there is none left.
    pub(super) fn follow(&mut self, until: u64) -> Result<Read> {
        let Self { dir, exchange, tally, start, reader, batch, out } = self;
        let reader = match reader {
            Some(reader) => reader,
            none => none.insert(begin(dir, exchange, start.as_ref())?),
        };
        let room = batch.len().min(until.saturating_sub(reader.position()) as usize);
        if room == 0 {
            return Ok(Read::End);
        }
        let read = reader.read(&mut batch[..room])?;
        match read {
            Read::Records(count) => {
                for event in &batch[..count] {
                    exchange.apply(event, out);
                    out.drain(..).for_each(|execution| tally.note(&execution));
                }
            }
            Read::Pending => {}
            Read::End => {
                return Err(Error::BadJournal {
                    path: dir.clone(),
                    offset: 0,
                    what: format!("it ends before the mark of a snapshot, record {until}"),
                    cure: "look at it with `ringtape journal verify`".to_owned(),
                });
            }
        }
        Ok(read)
    }

    /// The state at the mark, where the run had come to `expected`.
    pub(super) fn section(&self, expected: Tally) -> Result<Vec<u8>> {
        if self.tally != expected {
            return Err(Error::CheckFailed {
                what: "not deterministic: orders in the journal come out otherwise when they are \
                       matched once more"
                    .to_owned(),
                cure: "look for the execution with `ringtape journal verify --deep`".to_owned(),
            });
        }
        Ok(exchange_section(&self.exchange))
    }
}

/// Moves a new exchange to where the run began, and gives the journal from there on.
fn begin(
    dir: &Path,
    exchange: &mut Exchange,
    start: Option<&SnapshotUsed>,
) -> Result<Reader<Event>> {
    let mut reader = Reader::open(dir)?;
    if let Some(used) = start {
        *exchange = load_exchange(exchange, &Snapshot::read(&used.path)?)?;
        reader.seek(used.market)?;
    }
    Ok(reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::OpenOptions;
    use crate::feed::orders::OrderFeed;
    use crate::journal::{JournalOptions, Writer};
    use crate::matching::MatcherConfig;

    #[test]
    fn it_comes_to_the_state_of_the_run_or_says_that_it_does_not() {
        let rows = "action,order_id,side,type,price,qty\n\
                    new,1,sell,limit,10.05,300\nnew,2,buy,limit,10.05,100\nnew,3,buy,limit,10,50\n\
                    cancel,3,buy,,,\n";
        let mut feed = OrderFeed::from_bytes("orders", rows, &OpenOptions::default()).unwrap();
        let mut events = Vec::new();
        while feed.next_row(&mut events).unwrap().is_some() {}
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join(MARKET_DIR);
        let mut writer = Writer::create(&dir, &JournalOptions::default()).unwrap();
        writer.append_batch(&events).unwrap();
        let mut live = Exchange::new(MatcherConfig::default());
        let mut standby = Standby::of(&live, Tally::default(), scratch.path(), None);
        let (mut tally, mut out) = (Tally::default(), Vec::new());
        for (sequence, event) in (1..).zip(&events) {
            live.apply(event, &mut out);
            out.drain(..).for_each(|execution| tally.note(&execution));
            assert_eq!(standby.follow(sequence).unwrap(), Read::Records(1));
            assert_eq!(standby.follow(sequence).unwrap(), Read::End);
            assert_eq!(standby.section(tally).unwrap(), exchange_section(&live));
        }
        let otherwise = standby.section(Tally { count: tally.count + 1, ..tally }).unwrap_err();
        assert!(otherwise.to_string().contains("not deterministic"), "{otherwise}");
        writer.close().unwrap();
        let short = standby.follow(events.len() as u64 + 1).unwrap_err();
        assert!(short.to_string().contains("ends before the mark"), "{short}");
    }
}
