//! The machine that a figure was measured on.

use std::fs;

use crate::clock::Clock;
use crate::runtime::allowed_cores;

/// Facts about the machine and the build that belong beside every figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores_allowed: usize,
    /// Kernel release.
    pub kernel: String,
    /// What the engine's clock reads.
    pub clock: &'static str,
    /// Cost of one read of the clock in ns.
    pub clock_read_ns: u64,
    /// Version of this crate.
    pub version: &'static str,
    /// Whether this is an optimised build.
    pub is_optimised: bool,
}

impl Machine {
    /// Looks at the machine.
    pub fn look() -> Self {
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu_info
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let clock = Clock::new();
        Self {
            cpu: cpu.to_owned(),
            cores_allowed: allowed_cores().len(),
            kernel: kernel.trim().to_owned(),
            clock: clock.source(),
            clock_read_ns: clock.cost_ns(),
            version: env!("CARGO_PKG_VERSION"),
            is_optimised: !cfg!(debug_assertions),
        }
    }
}
