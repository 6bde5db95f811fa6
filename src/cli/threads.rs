//! The flags of an engine's threads: how many, where, and how they wait.

use clap::Args;
use ringtape::engine::EngineConfig;
use ringtape::error::Result;
use ringtape::ring::Wait;

use super::parse;

/// How many threads an engine has, where they run and how they wait; never what comes of it.
#[derive(Debug, Args)]
pub(super) struct ThreadFlags {
    /// Cores to run on, `0,2-3`; all that are allowed unless given
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// Number of threads; one a core unless given
    #[arg(long, value_name = "N")]
    runners: Option<usize>,
    /// How threads wait: auto, spin, pause, yield or park
    #[arg(long, value_name = "WAIT", default_value = "auto")]
    wait: String,
}

impl ThreadFlags {
    /// How they wait.
    pub(super) fn wait(&self) -> Result<Wait> {
        self.wait.parse()
    }

    /// An engine with these threads.
    pub(super) fn shape(&self, config: EngineConfig) -> Result<EngineConfig> {
        Ok(EngineConfig {
            runners: self.runners,
            cores: self.cores.as_deref().map(parse::cores).transpose()?.unwrap_or_default(),
            wait: self.wait()?,
            ..config
        })
    }
}
