//! Findings: what a run noticed about its data and itself, each with its cure.

use crate::engine::{RunReport, SnapshotReport};
use crate::feed::Located;

/// A kind of data fault, and where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFault {
    /// Name in JSON.
    pub name: &'static str,
    /// What it is, in the plural.
    pub what: &'static str,
    /// What the places in `located` are numbers of: `message` of the feed, or `event` of the ring.
    pub counted_in: &'static str,
    /// How often and where.
    pub located: Located,
    /// What to do about it.
    pub cure: &'static str,
}

/// Every data fault of a run, also those that did not occur.
#[derive(Clone, Debug)]
pub struct DataFaults(Vec<DataFault>);

impl DataFaults {
    /// The faults of a finished run.
    pub fn of(run: &RunReport) -> Self {
        let fault = |name, what, counted_in, located, cure| DataFault {
            name,
            what,
            counted_in,
            located,
            cure,
        };
        let checks = &run.checks;
        let counts = &run.counts;
        Self(vec![
            fault(
                "gaps",
                "messages are missing",
                "message",
                checks.gaps,
                "books may be wrong from there on; get a complete recording",
            ),
            fault(
                "unknown_orders",
                "messages name orders that are not in the book",
                "event",
                counts.unknown_orders,
                "normal for a recording that starts after the session did; otherwise messages are \
                 missing",
            ),
            fault(
                "crossed",
                "times a book was crossed while trading",
                "event",
                counts.crossed,
                "a book that is wrong; look at the messages there with `ringtape dump`",
            ),
            fault(
                "quotes_differ",
                "times the book's best bid and offer was not what the venue says",
                "event",
                counts.quotes_differ,
                "messages are missing, or the book is wrong; look there with `ringtape dump`",
            ),
            fault(
                "states_differ",
                "steps of the venue's own book do not follow from the messages",
                "message",
                checks.states_differ,
                "messages are missing, or the two files are not of one session and depth",
            ),
            fault(
                "backwards",
                "messages are older than the one before",
                "message",
                checks.backwards,
                "the recording is out of order; sort it by time",
            ),
            fault(
                "unknown_types",
                "messages are of a type that the format does not have",
                "message",
                checks.unknown_types,
                "they were skipped; a newer version of the format may need a newer ringtape",
            ),
        ])
    }

    /// The faults that occurred.
    pub fn found(&self) -> impl Iterator<Item = &DataFault> {
        self.0.iter().filter(|fault| fault.located.count > 0)
    }

    /// All kinds of fault.
    pub fn all(&self) -> &[DataFault] {
        &self.0
    }
}

/// What the user should know of snapshots.
fn snapshot_warnings(run: &RunReport) -> Vec<String> {
    let refused = run.resumed.iter().flat_map(|resumed| &resumed.refused);
    let mut warnings: Vec<_> = refused
        .map(|one| format!("a snapshot was not used and is in quarantine: {}", one.reason))
        .collect();
    if let Some(SnapshotReport { failure, skipped, .. }) = &run.snapshots {
        warnings.extend(failure.iter().map(|failure| {
            format!("snapshots could not be written, the run went on without: {failure}")
        }));
        if *skipped > 0 {
            warnings.push(format!(
                "{skipped} snapshots were left out because the one before was still being taken: \
                 raise --snapshot-every"
            ));
        }
    }
    warnings
}

/// The warnings of a finished run, as sentences that name their cure.
pub fn warnings(run: &RunReport) -> Vec<String> {
    let mut warnings = run.feed.assumptions.clone();
    if run.interrupted || run.error.is_some() {
        warnings.push(
            "the run ended before the feed did, and this is what it had reached: run it to the end \
             for results that compare"
                .to_owned(),
        );
    }
    if run.messages_before > 0 && run.messages_before == run.checks.messages {
        warnings.push(
            "the feed ended before the time to begin, so that nothing but books came of it: name \
             an earlier time with --from"
                .to_owned(),
        );
    }
    warnings.extend(DataFaults::of(run).found().map(|fault| {
        let Located { count, first, last } = fault.located;
        format!(
            "{count} {} (first at {} {first}, last at {last}): {}",
            fault.what, fault.counted_in, fault.cure
        )
    }));
    warnings.extend(run.missing_symbols.iter().map(|symbol| {
        format!("symbol {symbol} is not in the feed: `ringtape info` lists those that are")
    }));
    warnings.extend(run.trader_warnings.iter().cloned());
    warnings.extend(snapshot_warnings(run));
    for (index, runner) in run.runners.iter().enumerate() {
        if let Some(core) = runner.core_asked
            && runner.cores_got != [core]
        {
            let got: Vec<_> = runner.cores_got.iter().map(ToString::to_string).collect();
            warnings.push(format!(
                "runner {index} asked for core {core} and got {}: choose others with --cores",
                got.join(",")
            ));
        }
    }
    if cfg!(debug_assertions) {
        warnings.push(
            "this is an unoptimised build, its times mean nothing: build with --release".to_owned(),
        );
    }
    warnings
}
