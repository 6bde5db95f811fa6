//! What feeds count and check.

/// How often something was found, and where first and last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// How often.
    pub count: u64,
    /// Number of the first message concerned.
    pub first: u64,
    /// Number of the last message concerned.
    pub last: u64,
}

impl Located {
    /// Counts one more at `message`.
    #[inline]
    pub fn note(&mut self, message: u64) {
        if self.count == 0 {
            self.first = message;
        }
        self.count += 1;
        self.last = message;
    }
}

/// What a feed counted and checked.
#[derive(Clone, Debug)]
pub struct Checks {
    /// Messages delivered or skipped.
    pub messages: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Messages by the venue's type letter; feeds without letters leave it empty.
    pub by_type: [u64; 256],
    /// Exchange time of the first message in ns; `None` before it.
    pub first_ts: Option<u64>,
    /// Exchange time of the last message in ns.
    pub last_ts: Option<u64>,
    /// Messages that the format's numbering says are missing; `count` is of messages.
    pub gaps: Located,
    /// Messages whose time is before that of the message before them.
    pub backwards: Located,
    /// Messages of a type that the format does not know; skipped, kept as notices.
    pub unknown_types: Located,
    /// Whether the recording starts with the venue's first message of the session.
    pub has_start: bool,
    /// Whether the recording ends with the venue's last message of the session.
    pub has_end: bool,
}

impl Checks {
    /// Takes note of the time of the next message.
    pub(super) fn note_time(&mut self, ts: u64) {
        if self.last_ts.is_some_and(|last| ts < last) {
            self.backwards.note(self.messages);
        }
        self.first_ts.get_or_insert(ts);
        self.last_ts = Some(ts);
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            messages: 0,
            bytes: 0,
            by_type: [0; 256],
            first_ts: None,
            last_ts: None,
            gaps: Located::default(),
            backwards: Located::default(),
            unknown_types: Located::default(),
            has_start: false,
            has_end: false,
        }
    }
}
