//! Findings: what a run noticed about its data and itself, each with its cure.

use super::format::time_of_day;
use crate::engine::{RunReport, SnapshotReport};
use crate::feed::{Located, Zone};

/// A kind of finding in the data, and where it was made.
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
    /// What to do about it; empty for what is no fault.
    pub cure: &'static str,
}

impl DataFault {
    /// Where and when it was found in a run's feed.
    fn place(&self, run: &RunReport) -> String {
        let Located { first, last, first_source, last_source, .. } = self.located;
        let sources = &run.feed.sources;
        let [from, until] = located_text(&self.located, self.counted_in, sources, run.feed.zone);
        match (first, first_source) == (last, last_source) {
            true => format!("first at {from}"),
            false => format!("first at {from}, last at {until}"),
        }
    }
}

/// Number, byte where it is known, and time of the first and of the last message concerned, of a
/// feed with this clock; with the file where several, `sources`, were read as one.
pub fn located_text(located: &Located, unit: &str, sources: &[String], zone: Zone) -> [String; 2] {
    let &Located { first, last, first_ts, last_ts, first_byte, last_byte, .. } = located;
    let [first_origin, last_origin] = origins(located, sources);
    let [one, other] = [(first, first_byte, first_ts), (last, last_byte, last_ts)];
    [(one, first_origin), (other, last_origin)].map(|((number, byte, ts), origin)| {
        let byte = byte.map_or_else(String::new, |byte| format!(" (byte {byte})"));
        let origin = origin.map_or_else(String::new, |origin| match unit {
            // Messages are numbered within their file, events across all.
            "message" => format!(" of {origin}"),
            _ => format!(" (from {origin})"),
        });
        let time = time_of_day(ts, zone);
        format!("{unit} {number}{origin}{byte}, {time}")
    })
}

/// The files of the first and the last message concerned, where several were read as one; their
/// numbers where their names are not known, as in the journal of such a run.
fn origins(located: &Located, sources: &[String]) -> [Option<String>; 2] {
    [located.first_source, located.last_source].map(|source| {
        let number = source?;
        let origin = sources.get(number as usize - 1).cloned();
        Some(origin.unwrap_or_else(|| format!("feed {number}")))
    })
}

/// What was found of one kind, in JSON; places are null where nothing was, and sources where there
/// is but one.
#[cfg(feature = "cli")]
pub fn located_json(located: &Located, counted_in: &str, sources: &[String]) -> serde_json::Value {
    let [first_source, last_source] = origins(located, sources);
    let place = |number: u64| (located.count > 0).then_some(number);
    serde_json::json!({
        "count": located.count,
        "counted_in": counted_in,
        "first": place(located.first),
        "last": place(located.last),
        "first_ts": place(located.first_ts),
        "last_ts": place(located.last_ts),
        "first_byte": located.first_byte,
        "last_byte": located.last_byte,
        "first_source": first_source,
        "last_source": last_source,
    })
}

/// Every kind of finding of a run, also those that were not made.
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
                "duplicate_orders",
                "orders came under the reference of one in the book",
                "event",
                counts.duplicate_adds,
                "the one before left for it; messages are missing or came twice",
            ),
            fault(
                "crossed",
                "times a book was locked or crossed while trading",
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
            fault("halts", "times an instrument ceased to trade", "event", counts.halts, ""),
        ])
    }

    /// The faults that occurred.
    pub fn found(&self) -> impl Iterator<Item = &DataFault> {
        self.occurred().filter(|finding| !finding.cure.is_empty())
    }

    /// The findings that were made and are no faults.
    fn noted(&self) -> impl Iterator<Item = &DataFault> {
        self.occurred().filter(|finding| finding.cure.is_empty())
    }

    fn occurred(&self) -> impl Iterator<Item = &DataFault> {
        self.0.iter().filter(|finding| finding.located.count > 0)
    }

    /// All kinds of finding.
    pub fn all(&self) -> &[DataFault] {
        &self.0
    }
}

/// Lines of the report for people: what is worth knowing and no fault.
pub(super) fn lines(run: &RunReport) -> Vec<(&'static str, String)> {
    let mut lines: Vec<_> = DataFaults::of(run)
        .noted()
        .map(|finding| {
            let place = finding.place(run);
            (finding.name, format!("{} ({place})", finding.located.count))
        })
        .collect();
    if let Some(ts) = complete_since(run) {
        let time = time_of_day(ts, run.feed.zone);
        lines.push(("books", format!("complete since {time} as far as the messages tell")));
    }
    lines
}

/// The time of the last message that named an order which is not in the book: since then the books
/// are complete as far as the messages tell. `None` when there was none, so that they always were.
pub(super) fn complete_since(run: &RunReport) -> Option<u64> {
    let unknown = run.counts.unknown_orders;
    (unknown.count > 0).then_some(unknown.last_ts)
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
        let (count, place) = (fault.located.count, fault.place(run));
        format!("{count} {} ({place}): {}", fault.what, fault.cure)
    }));
    warnings.extend(run.missing_symbols.iter().map(|symbol| {
        format!("symbol {symbol} is not in the feed: `ringtape info` lists those that are")
    }));
    warnings.extend(run.trader_warnings.iter().cloned());
    warnings.extend(snapshot_warnings(run));
    warnings.extend(run.gateway.iter().flat_map(|gateway| gateway.counts.breaks.first()).map(
        |first| {
            format!(
                "the session with the venue broke, or there was none, first because: {first}; \
                 commands between sessions were rejected as `disconnected`"
            )
        },
    ));
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
