//! Order entry at a real venue: the flags of `replay` for it, and what they ask of the others.

use clap::Args;
use ringtape::engine::{EngineConfig, Gate, GatewayAddress, TcpGateway};
use ringtape::error::{Error, Result};

use super::config::RunConfig;

/// The flags of order entry.
#[derive(Debug, Args)]
pub(super) struct DoorFlags {
    /// Send orders to a venue, `tcp://HOST:PORT[?heartbeat=1s]`, in place of the simulated one;
    /// needs --journal and --durability interval:TIME or batch
    #[arg(long, value_name = "ADDRESS", conflicts_with = "sweep")]
    gateway: Option<String>,
    /// Trade with --gateway although a crash or power cut would lose what was sent
    #[arg(long, requires = "gateway")]
    accept_loss: bool,
}

impl DoorFlags {
    /// Whether orders go to a real venue now.
    pub(super) fn is_open(&self) -> bool {
        self.gateway.is_some()
    }

    /// The configuration with where orders go, before its defaults are spelled out: `given` are
    /// flags, `base` is what an earlier run was recorded with, and goes on with if `is_resumed`.
    pub(super) fn shape(
        &self,
        given: &RunConfig,
        base: RunConfig,
        is_resumed: bool,
    ) -> Result<RunConfig> {
        if self.is_open() {
            given.check_simulation("a real venue has its own")?;
            if base.is_away() && !is_resumed {
                return Err(Error::usage(
                    "the journal holds what a real venue answered to the recorded run",
                    "replay it without --gateway, or trade on the feed that it was recorded from",
                ));
            }
            return Ok(given.clone().or(base).away());
        }
        if base.is_away() && is_resumed {
            return Err(Error::usage(
                "the recorded run's orders went to a real venue",
                "add --gateway with its address to go on with it",
            ));
        }
        // With other flags other orders are sent, to which the recorded answers say nothing.
        let is_repeated = base.is_away() && *given == RunConfig::default();
        let shape = given.clone().or(base);
        Ok(if is_repeated { shape } else { shape.simulated() })
    }

    /// What matching waits for, by the flag `--gate`.
    pub(super) fn gate(&self, given: Option<&str>, has_journal: bool) -> Result<Gate> {
        match given.map(str::parse).transpose()? {
            None if self.is_open() && has_journal => Ok(Gate::Journaled),
            None => Ok(Gate::None),
            Some(Gate::None) if self.is_open() && has_journal => Err(Error::usage(
                "with --gate none an order could go out that a killed run does not know of",
                "leave it out, or use --gate journaled or durable",
            )),
            Some(gate) => Ok(gate),
        }
    }

    /// Gives the engine its gateway, if there is to be one and the run is kept well enough.
    pub(super) fn open(&self, config: &mut EngineConfig) -> Result<()> {
        let Some(address) = &self.gateway else { return Ok(()) };
        let address: GatewayAddress = address.parse()?;
        if config.trader.is_none() {
            return Err(Error::usage(
                "--gateway does nothing without a strategy that sends orders",
                "name one with --strategy, or leave it out",
            ));
        }
        if !self.accept_loss {
            check_kept(config)?;
        }
        config.gateway = Some(Box::new(TcpGateway::new(address)));
        Ok(())
    }
}

/// Refuses a run that could lose what it has sent.
fn check_kept(config: &EngineConfig) -> Result<()> {
    let cure = "add --durability interval:10ms or batch, or --accept-loss";
    match &config.journal {
        None => Err(Error::usage(
            "orders would go to a real venue, and without a journal nobody would know after a \
             crash which",
            "add --journal DIR --durability interval:10ms, or --accept-loss",
        )),
        Some(journal) if !journal.durability.advances() => Err(Error::usage(
            format!(
                "orders would go to a real venue, and with the durability `{}` a power cut would \
                 take the record of them",
                journal.durability
            ),
            cure,
        )),
        Some(_) => Ok(()),
    }
}
