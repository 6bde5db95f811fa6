//! Flows of commands by the names that flags take.

use clap::ValueEnum;
use ringtape::engine::generate::Flow;

/// A mix of commands.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FlowName {
    /// 46 % passive adds, 43 % cancels, 8 % replacements, 3 % aggressive
    Nasdaq,
    /// 40 % passive adds, 30 % cancels, 10 % replacements, 20 % aggressive
    Active,
    /// As active, with icebergs, stops, post-only, fill-or-kill, self-trade prevention
    Rich,
}

impl FlowName {
    pub(super) fn flow(self) -> Flow {
        match self {
            Self::Nasdaq => Flow::Nasdaq,
            Self::Active => Flow::Active,
            Self::Rich => Flow::Rich,
        }
    }
}
