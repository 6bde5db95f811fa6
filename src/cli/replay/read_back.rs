//! Reading back what a run has journaled.

use std::path::Path;

use ringtape::engine::{EXECUTIONS_DIR, MARKET_DIR, RunReport};
use ringtape::error::{Error, Result};
use ringtape::journal::{Summary, VerifyReport, verify_any};
use ringtape::report::JournalCheck;

/// Reads back what was journaled: what is there, `None` without a journal, and what is wrong.
pub(in crate::cli) fn read_back(
    dir: Option<&Path>,
    report: &RunReport,
) -> (Option<JournalCheck>, Option<Error>) {
    let (Some(dir), Some(journal)) = (dir, &report.journal) else { return (None, None) };
    let [market, executions] =
        [(MARKET_DIR, &journal.market), (EXECUTIONS_DIR, &journal.executions)]
            .map(|(name, written)| read_back_one(&dir.join(name), written));
    let check = JournalCheck {
        path: dir.display().to_string(),
        market: market.as_ref().ok().cloned(),
        executions: executions.as_ref().ok().cloned(),
    };
    (Some(check), market.and(executions).err())
}

/// Verifies a journal and that it holds all that was written.
fn read_back_one(dir: &Path, written: &Summary) -> Result<VerifyReport> {
    let found = verify_any(dir)?;
    // Retention may have taken records meanwhile, but none of the last ones.
    if found.sealed && found.next_sequence == written.next_sequence {
        return Ok(found);
    }
    Err(Error::BadJournal {
        path: dir.to_owned(),
        offset: found.bytes,
        what: format!(
            "it ends before sequence {}, and {} was written",
            found.next_sequence, written.next_sequence
        ),
        cure: "do not rely on it; look at the disk and record again".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;
    use ringtape::event::Event;
    use ringtape::journal::{JournalOptions, Limits, Writer, retain};
    use ringtape::limits::SEGMENT_BYTES_MIN;

    use super::*;

    #[test]
    fn what_retention_took_meanwhile_is_not_missing_and_the_end_is() {
        let scratch = tempfile::tempdir().unwrap();
        let options =
            JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() };
        let mut writer = Writer::create(scratch.path(), &options).unwrap();
        let events = vec![Event::zeroed(); 300_000];
        writer.append_batch(&events).unwrap();
        let limits = Limits { count: Some(1), needed_from: Some(290_000), ..Limits::default() };
        let fates = retain(scratch.path(), &limits, false).unwrap();
        assert_eq!(fates[0].hold, None);
        let written = writer.close().unwrap();
        let found = read_back_one(scratch.path(), &written).unwrap();
        assert!(found.records < written.records, "{found:?}");
        let more = Summary { next_sequence: written.next_sequence + 1, ..written };
        assert_eq!(read_back_one(scratch.path(), &more).unwrap_err().exit_code(), 3);
    }
}
