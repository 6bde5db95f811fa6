//! How much of a journal survives what.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};

/// What a writer does for its records to survive, and what each level loses.
///
/// | level | a killed process loses | a power cut or a crash of the system loses |
/// |---|---|---|
/// | `pagecache` | nothing | what the kernel had not written back, 30 s or so by its defaults |
/// | `interval:10ms` | nothing | what was appended in the last two intervals or so |
/// | `batch` | nothing | nothing that an append has returned for |
///
/// Whatever is lost is lost at the end: a journal that is recovered holds every record before the
/// first that is missing, and [`Writer::durable`](super::Writer::durable) of them at least. A disk
/// that answers before it has written makes any level a lie.
///
/// ```
/// use std::time::Duration;
/// use ringtape::journal::Durability;
///
/// let level: Durability = "interval:10ms".parse()?;
/// assert_eq!(level, Durability::Interval(Duration::from_millis(10)));
/// assert_eq!(level.to_string(), "interval:10ms");
/// assert!("fsync".parse::<Durability>().is_err());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: stores into a memory map, which the kernel writes back when it sees fit.
    #[default]
    PageCache,
    /// The same stores; a thread forces what is complete to the disk at this interval. It never
    /// touches the page that is written, unless the writer stands still.
    Interval(Duration),
    /// Each batch is written and forced to the disk before the append returns.
    Batch,
}

impl Durability {
    /// Whether records become durable while the writer is at work.
    pub fn advances(self) -> bool {
        self != Self::PageCache
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PageCache => out.write_str("pagecache"),
            Self::Interval(interval) => write!(out, "interval:{}ms", interval.as_millis()),
            Self::Batch => out.write_str("batch"),
        }
    }
}

impl FromStr for Durability {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let interval = text.strip_prefix("interval:").and_then(|rest| rest.strip_suffix("ms"));
        match (text, interval.map(str::parse::<u32>)) {
            ("pagecache", _) => Ok(Self::PageCache),
            ("batch", _) => Ok(Self::Batch),
            (_, Some(Ok(ms @ 1..))) => Ok(Self::Interval(Duration::from_millis(ms.into()))),
            _ => Err(Error::usage(
                format!("unknown durability `{text}`"),
                "use `pagecache`, `batch` or an interval such as `interval:10ms`",
            )),
        }
    }
}
