//! What `ringtape info` says of journals: what they hold, and how they were left.

use std::collections::BTreeMap;
use std::path::Path;

use ringtape::engine::SNAPSHOTS_DIR;
use ringtape::error::{Error, Result};
use ringtape::event::{Event, Execution, ExecutionKind, Zone};
use ringtape::journal::snapshot::snapshots;
use ringtape::journal::{Limits, Read, Reader, Record, VerifyReport, cursors, retain, verify_any};
use ringtape::limits::BATCH_RECORDS_MAX;
use ringtape::report::format::{bytes, span, thousands};
use serde_json::{Map, Value, json};

use crate::cli::config::RunConfig;
use crate::cli::dump::name;
use crate::cli::journal::{journals, torn_json, torn_text};
use crate::cli::term;

/// The journals of a directory, and the snapshots beside them.
pub(super) struct Journals {
    parts: Vec<(String, Part)>,
    /// Sequence and bytes of each snapshot, oldest first.
    snapshots: Vec<(u64, u64)>,
    /// The clock of times of day.
    zone: Zone,
}

/// One journal.
struct Part {
    found: VerifyReport,
    disk_bytes: u64,
    /// `None` for records of a type that this program does not know.
    census: Option<Census>,
}

/// What its records are.
struct Census {
    type_name: &'static str,
    journal_id: [u8; 16],
    span: Option<(u64, u64)>,
    by_kind: BTreeMap<&'static str, u64>,
    /// Positions and names.
    cursors: Vec<(u64, String)>,
}

impl Journals {
    /// Reads and checks the journals of the run in `dir`, or the one that it is itself.
    pub(super) fn look(dir: &Path) -> Result<Self> {
        let parts = journals(dir)?.into_iter().map(|(name, dir)| Ok((name, Part::look(&dir)?)));
        let parts = parts.collect::<Result<_>>()?;
        let mut kept = Vec::new();
        for (sequence, path) in snapshots(&dir.join(SNAPSHOTS_DIR))? {
            let about = path.metadata().map_err(|source| Error::io("read", &path, source))?;
            kept.push((sequence, about.len()));
        }
        let run_dirs = [Some(dir), dir.parent()].into_iter().flatten();
        let run = run_dirs.filter_map(|dir| RunConfig::read_if_present(dir).transpose()).next();
        let zone = run.transpose()?.unwrap_or_default().zone();
        Ok(Self { parts, snapshots: kept, zone })
    }

    /// Says it in lines; kinds only when asked for, as those of a market are in the feed's types.
    pub(super) fn describe(&self, has_kinds: bool, out: &mut term::Stdout) -> Result<()> {
        out.line("journals")?;
        for (name, part) in &self.parts {
            part.describe(name, self.zone, has_kinds, out)?;
        }
        if let Some((newest, size)) = self.snapshots.last() {
            out.line(format_args!(
                "  {:<12}{}, the newest before market record {} in {}",
                "snapshots",
                self.snapshots.len(),
                thousands(*newest),
                bytes(*size)
            ))?;
        }
        Ok(())
    }

    /// The same as fields of a document.
    pub(super) fn add_to(&self, document: &mut Value) {
        let parts: Map<String, Value> =
            self.parts.iter().map(|(name, part)| (name.clone(), part.json())).collect();
        document["journals"] = parts.into();
        document["snapshots"] = self
            .snapshots
            .iter()
            .map(|(sequence, bytes)| json!({ "sequence": sequence, "bytes": bytes }))
            .collect();
    }
}

impl Part {
    fn look(dir: &Path) -> Result<Self> {
        let found = verify_any(dir)?;
        let segments = retain(dir, &Limits::default(), true)?;
        let census = if let Ok(reader) = Reader::<Event>::open(dir) {
            Some(Census::take(dir, reader, name)?)
        } else if let Ok(reader) = Reader::<Execution>::open(dir) {
            let name = |one: &Execution| one.kind().map_or("unknown", ExecutionKind::name);
            Some(Census::take(dir, reader, name)?)
        } else {
            None
        };
        let disk_bytes = segments.iter().map(|segment| segment.bytes).sum();
        Ok(Self { found, disk_bytes, census })
    }

    fn state(&self) -> &'static str {
        match &self.found {
            VerifyReport { live: true, .. } => "being written",
            VerifyReport { sealed: true, .. } => "closed",
            VerifyReport { torn_tail: Some(_), .. } => "torn",
            VerifyReport { .. } => "not closed",
        }
    }

    fn describe(
        &self,
        name: &str,
        zone: Zone,
        has_kinds: bool,
        out: &mut term::Stdout,
    ) -> Result<()> {
        let found = &self.found;
        out.line(format_args!(
            "  {name:<12}{} records from sequence {} on in {} segments, epoch {}, {} ({} on the \
             disk), {}",
            thousands(found.records),
            thousands(found.first_sequence),
            found.segments,
            found.epoch,
            bytes(found.bytes),
            bytes(self.disk_bytes),
            self.state()
        ))?;
        if let Some(torn) = &found.torn_tail {
            out.line(format_args!("              ! {}", torn_text(torn)))?;
        }
        let Some(census) = &self.census else { return Ok(()) };
        if let Some((first, last)) = census.span {
            let span = span(first, last, zone);
            out.line(format_args!("              {}s of {span}", census.type_name))?;
        }
        for (sequence, name) in &census.cursors {
            let at = thousands(*sequence);
            out.line(format_args!("              cursor `{name}` is at sequence {at}"))?;
        }
        if has_kinds {
            for (kind, count) in &census.by_kind {
                out.line(format_args!("    {kind:<16}{:>14}", thousands(*count)))?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let found = &self.found;
        let mut part = json!({
            "records": found.records,
            "segments": found.segments,
            "epoch": found.epoch,
            "bytes": found.bytes,
            "disk_bytes": self.disk_bytes,
            "first_sequence": found.first_sequence,
            "next_sequence": found.next_sequence,
            "state": self.state(),
            "torn_tail": found.torn_tail.as_ref().map(torn_json),
        });
        if let Some(census) = &self.census {
            let id: String = census.journal_id.iter().map(|byte| format!("{byte:02x}")).collect();
            part["type"] = census.type_name.into();
            part["journal_id"] = id.into();
            part["first_ts"] = census.span.map(|(first, _)| first).into();
            part["last_ts"] = census.span.map(|(_, last)| last).into();
            part["by_kind"] = json!(census.by_kind);
            part["cursors"] = census
                .cursors
                .iter()
                .map(|(sequence, name)| json!({ "name": name, "sequence": sequence }))
                .collect();
        }
        part
    }
}

impl Census {
    fn take<R: Record>(
        dir: &Path,
        mut reader: Reader<R>,
        kind: fn(&R) -> &'static str,
    ) -> Result<Self> {
        let journal_id = reader.header().journal_id;
        let mut by_kind = BTreeMap::new();
        let mut span: Option<(u64, u64)> = None;
        let mut records = vec![R::zeroed(); BATCH_RECORDS_MAX];
        while let Read::Records(count) = reader.read(&mut records)? {
            for record in &records[..count] {
                *by_kind.entry(kind(record)).or_default() += 1;
                // Marks before the first message have no time.
                if let ts @ 1.. = record.time() {
                    span =
                        span.map_or(Some((ts, ts)), |(from, to)| Some((from.min(ts), to.max(ts))));
                }
            }
        }
        let cursors = cursors(dir, journal_id)?;
        Ok(Self { type_name: R::NAME, journal_id, span, by_kind, cursors })
    }
}
