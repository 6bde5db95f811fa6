//! What a generated session turned out to be, beside a real day.

use std::fmt;

use crate::feed::itch::MESSAGES;

/// Counts of a generated session.
///
/// Its [`Display`](fmt::Display) form is a table with the figures of a real NASDAQ day (2019-12-30)
/// beside the session's.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Messages by type letter.
    pub by_type: [u64; 256],
    /// Bytes written, length prefixes included.
    pub bytes: u64,
    /// XXH3 of the bytes, with seed 0.
    pub checksum: u64,
    /// Resting orders at the moment.
    pub live: u64,
    /// Resting orders at the peak.
    pub live_peak: u64,
    /// Messages at the time of their predecessor.
    pub same_time: u64,
    /// Displayed executions whose level held other orders.
    pub with_company: u64,
    /// Exchange events with displayed executions.
    pub aggressors: u64,
    /// Aggressors that took orders at two prices or more.
    pub sweeps: u64,
    /// Aggressors whose remainder rested.
    pub remainders: u64,
    /// Aggressors that a reserve order refilled behind.
    pub refills: u64,
    /// Exchange events with hidden executions only.
    pub hidden_only: u64,
    /// Order references below the one issued before.
    pub references_down: u64,
    /// Order references issued.
    pub references: u64,
    messages: u64,
    last_reference: u64,
    by_instrument: Vec<u64>,
}

/// A row of the table: a figure of the session, and of a real day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is counted.
    pub name: String,
    /// The session's figure.
    pub session: String,
    /// The real day's figure; empty where there is none.
    pub real_day: &'static str,
}

/// Shares of message types on the real day.
const REAL_SHARES: [(u8, &str); 11] = [
    (b'A', "43.6 %"),
    (b'D', "42.6 %"),
    (b'U', "8.05 %"),
    (b'E', "2.1 %"),
    (b'I', "1.5 %"),
    (b'X', "1.0 %"),
    (b'F', "0.55 %"),
    (b'P', "0.45 %"),
    (b'L', "0.08 %"),
    (b'C', "0.04 %"),
    (b'Q', "0.007 %"),
];

impl Summary {
    pub(super) fn new(symbols: usize) -> Self {
        Self {
            by_type: [0; 256],
            bytes: 0,
            checksum: 0,
            live: 0,
            live_peak: 0,
            same_time: 0,
            with_company: 0,
            aggressors: 0,
            sweeps: 0,
            remainders: 0,
            refills: 0,
            hidden_only: 0,
            references_down: 0,
            references: 0,
            messages: 0,
            last_reference: 0,
            by_instrument: vec![0; symbols + 1],
        }
    }

    #[inline]
    pub(super) fn note_message(&mut self, letter: u8, instrument: u32, same_time: bool) {
        self.messages += 1;
        self.by_type[usize::from(letter)] += 1;
        self.by_instrument[instrument as usize] += 1;
        self.same_time += u64::from(same_time);
    }

    #[inline]
    pub(super) fn note_reference(&mut self, id: u64) {
        self.references += 1;
        self.references_down += u64::from(id < self.last_reference);
        self.last_reference = id;
    }

    #[inline]
    pub(super) fn note_live(&mut self, change: i64) {
        self.live = self.live.wrapping_add_signed(change);
        self.live_peak = self.live_peak.max(self.live);
    }

    /// Messages of the session so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages of the types in `letters`.
    pub fn count(&self, letters: &[u8]) -> u64 {
        letters.iter().map(|&letter| self.by_type[usize::from(letter)]).sum()
    }

    /// Messages of the `count` busiest instruments.
    pub fn messages_of_busiest(&self, count: usize) -> u64 {
        let mut counts = self.by_instrument[1..].to_vec();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.iter().take(count).sum()
    }

    /// The table, row by row.
    pub fn rows(&self) -> Vec<Row> {
        let messages = self.messages();
        let row = |name: &str, session: String, real_day: &'static str| Row {
            name: name.to_owned(),
            session,
            real_day,
        };
        let mut rows = vec![row("messages", messages.to_string(), "268744780")];
        for info in MESSAGES {
            let count = self.count(&[info.letter]);
            let share = format!("{count} ({})", share(count, messages));
            let real = REAL_SHARES.iter().find(|(letter, _)| *letter == info.letter);
            let name = format!("{} {}", char::from(info.letter), info.name);
            rows.push(row(&name, share, real.map_or("", |&(_, text)| text)));
        }
        let symbols = self.by_instrument[1..].iter().filter(|&&count| count > 0).count();
        let executions = self.count(b"E");
        let mean_bytes_x100 = self.bytes * 100 / messages.max(1);
        let mean_bytes = format!("{}.{:02}", mean_bytes_x100 / 100, mean_bytes_x100 % 100);
        rows.extend([
            row("bytes a message", mean_bytes, "30.70"),
            row("symbols", symbols.to_string(), "8906"),
            row("live orders at the peak", self.live_peak.to_string(), "1924078"),
            row("10 busiest symbols", share(self.messages_of_busiest(10), messages), "5.7 %"),
            row("1,000 busiest symbols", share(self.messages_of_busiest(1000), messages), "68 %"),
            row("time of the message before", share(self.same_time, messages), "12 % at the open"),
            row("references that go down", share(self.references_down, self.references), "35 %"),
            row("executions with company", share(self.with_company, executions), ""),
            row("aggressors", self.aggressors.to_string(), ""),
            row("over several levels", share(self.sweeps, self.aggressors), ""),
            row("with remainder", share(self.remainders, self.aggressors), ""),
            row("with reserve refill", share(self.refills, self.aggressors), ""),
            row("hidden prints only", self.hidden_only.to_string(), ""),
        ]);
        rows
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<34} {:>20}  {:>16}", "", "session", "real day")?;
        for Row { name, session, real_day } in self.rows() {
            writeln!(f, "{name:<34} {session:>20}  {real_day:>16}")?;
        }
        write!(f, "{:<34} {:016x}", "xxh3", self.checksum)
    }
}

/// `part` of `whole` as a percentage with three places.
fn share(part: u64, whole: u64) -> String {
    let per_100_000 = u128::from(part) * 100_000 / u128::from(whole.max(1));
    format!("{}.{:03} %", per_100_000 / 1000, per_100_000 % 1000)
}
