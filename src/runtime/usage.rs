//! What the system did to a thread: switches, faults and time stolen by the hypervisor.

use std::fs;

use crate::units::CoreId;

/// Milliseconds of one clock tick in `/proc/stat`, whose unit Linux fixes at 1/100 s.
const TICK_MS: u64 = 10;

/// Counters of one thread, and of the core that it is pinned to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadUsage {
    /// Times that the system took the core away.
    pub involuntary_switches: u64,
    /// Page faults served without the disk.
    pub minor_faults: u64,
    /// Page faults that needed the disk.
    pub major_faults: u64,
    /// Milliseconds that the hypervisor gave the core to others.
    pub steal_ms: u64,
}

impl ThreadUsage {
    /// The counters of the calling thread now; zeros where the system does not tell.
    pub fn of_current_thread(core: Option<CoreId>) -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
        // The fields behind the command name, which may itself hold spaces and parentheses.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|f| f.parse().ok()).unwrap_or(0);
        Self {
            involuntary_switches: value_after(&status, "nonvoluntary_ctxt_switches:"),
            minor_faults: field(7),
            major_faults: field(9),
            steal_ms: core.map_or(0, steal_ms),
        }
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(before.involuntary_switches),
            minor_faults: self.minor_faults.saturating_sub(before.minor_faults),
            major_faults: self.major_faults.saturating_sub(before.major_faults),
            steal_ms: self.steal_ms.saturating_sub(before.steal_ms),
        }
    }
}

/// Milliseconds stolen from `core` since the system started.
fn steal_ms(core: CoreId) -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let label = format!("cpu{core}");
    stat.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&label.as_str()))
        .and_then(|fields| fields.get(8)?.parse::<u64>().ok())
        .map_or(0, |ticks| ticks * TICK_MS)
}

/// The number behind `label` in a file of labelled lines.
fn value_after(text: &str, label: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_touches_memory_sees_its_faults() {
        let before = ThreadUsage::of_current_thread(None);
        let pages = vec![1_u8; 64 << 20];
        std::hint::black_box(&pages);
        let used = ThreadUsage::of_current_thread(None).since(before);
        assert!(used.minor_faults > 0, "{used:?}");
    }
}
