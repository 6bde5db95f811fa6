//! The peers of this build.

use ringtape::error::{Error, Result};

use super::job::{self, Job, Way};
use super::watch::Outcome;
use super::{chain, mpsc, ours};

/// A ring or channel that the table has a line for.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The crate whose version is shown; `None` for the standard library.
    pub(crate) package: Option<&'static str>,
    /// The ways to use it; empty when this build is without it.
    pub(crate) ways: &'static [Way],
    run: fn(&Job) -> Result<Outcome>,
}

impl Peer {
    pub(crate) fn run(&self, job: &Job) -> Result<Outcome> {
        (self.run)(job)
    }

    /// Whether it is ringtape, or a variant of it.
    pub(crate) fn is_ours(&self) -> bool {
        self.package == PEERS[0].package
    }

    pub(crate) fn is_built(&self) -> bool {
        !self.ways.is_empty()
    }
}

/// All peers, ours first.
pub(crate) static PEERS: [Peer; 5] = [
    Peer { name: "ringtape", package: Some("ringtape"), ways: &ours::WAYS, run: ours::plain },
    #[cfg(feature = "peers")]
    Peer {
        name: "disruptor",
        package: Some("disruptor"),
        ways: &super::disruptor::WAYS,
        run: super::disruptor::run,
    },
    #[cfg(feature = "peers")]
    Peer {
        name: "rtrb",
        package: Some("rtrb"),
        ways: &job::LOOKING,
        run: chain::run::<super::rtrb::Rtrb>,
    },
    #[cfg(feature = "peers")]
    Peer {
        name: "crossbeam",
        package: Some("crossbeam-channel"),
        ways: &job::BLOCKING,
        run: chain::run::<super::crossbeam::Crossbeam>,
    },
    #[cfg(not(feature = "peers"))]
    absent("disruptor", "disruptor"),
    #[cfg(not(feature = "peers"))]
    absent("rtrb", "rtrb"),
    #[cfg(not(feature = "peers"))]
    absent("crossbeam", "crossbeam-channel"),
    Peer { name: "mpsc", package: None, ways: &job::BLOCKING, run: chain::run::<mpsc::Mpsc> },
];

/// Variants of ringtape that can be asked for: what an observable ring costs, and reading by copy.
pub(crate) static VARIANTS: [Peer; 2] = [
    Peer {
        name: "ringtape/observable",
        package: Some("ringtape"),
        ways: &ours::VARIANT_WAYS,
        run: ours::observable,
    },
    Peer {
        name: "ringtape/copy",
        package: Some("ringtape"),
        ways: &ours::VARIANT_WAYS,
        run: ours::copy,
    },
];

/// A peer that this build is without.
#[cfg(not(feature = "peers"))]
const fn absent(name: &'static str, package: &'static str) -> Peer {
    fn run(_job: &Job) -> Result<Outcome> {
        Err(Error::usage("this build is without that peer", HOW_TO_BUILD))
    }
    Peer { name, package: Some(package), ways: &[], run }
}

/// What brings the other peers.
pub(crate) const HOW_TO_BUILD: &str = "cargo run --release --features peers -- bench ring";

/// The peer of that name.
pub(crate) fn named(name: &str) -> Result<&'static Peer> {
    PEERS.iter().chain(&VARIANTS).find(|peer| peer.name == name).ok_or_else(|| {
        let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
        Error::usage(format!("unknown peer `{name}`"), format!("choose of {}", names.join(", ")))
    })
}

/// The version of a crate as this program was built with it.
pub(crate) fn version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../../../../Cargo.lock");
    let head = format!("name = \"{package}\"\nversion = \"");
    lock.split(&head).nth(1)?.split('"').next()
}
