//! What to write, told by its name.

use std::path::{Path, PathBuf};

use ringtape::error::{Error, Result};
use ringtape::feed::capture::CaptureFormat;
use ringtape::feed::udp::{SCHEME, UdpAddress};

use super::{ConvertArgs, lobster, orders};

/// What a feed is converted to.
pub(super) enum Target {
    /// The journal of a run, in a new directory.
    Journal(PathBuf),
    /// A LOBSTER message file; the order book file is written beside it.
    Lobster(PathBuf),
    /// An order file; the price increments are written beside it.
    Orders(PathBuf),
    Tape(Tape),
    Live(UdpAddress),
}

/// ITCH messages in a file.
pub(super) struct Tape {
    /// `None` is stdout.
    pub(super) path: Option<PathBuf>,
    /// `None` is a file of messages.
    pub(super) capture: Option<CaptureFormat>,
    pub(super) packing: Packing,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Target {
    /// What the name of the output says.
    pub(super) fn of(output: &Path) -> Result<Self> {
        if let Some(address) = output.to_str().filter(|text| text.starts_with(SCHEME)) {
            return Ok(Self::Live(address.parse()?));
        }
        if output.is_dir() {
            return Ok(Self::Journal(output.to_owned()));
        }
        let path = Some(output.to_owned()).filter(|path| path.as_os_str() != "-");
        let name = output.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_lowercase();
        let (name, packing) = match name.rsplit_once('.') {
            Some((name, "gz")) => (name.to_owned(), Packing::Gzip),
            #[cfg(feature = "zstd")]
            Some((name, "zst")) => (name.to_owned(), Packing::Zstd),
            _ => (name, Packing::None),
        };
        let Some((_, extension)) = name.rsplit_once('.') else {
            return match path {
                Some(dir) if packing == Packing::None => Ok(Self::Journal(dir)),
                None => Ok(Self::Tape(Tape::of_messages(None, Packing::None))),
                _ => Err(unknown(output)),
            };
        };
        match extension {
            "itch" | "itch50" | "nasdaq_itch50" => Ok(Self::Tape(Tape::of_messages(path, packing))),
            "pcap" | "pcapng" => {
                let format = match extension {
                    "pcap" => CaptureFormat::Pcap,
                    _ => CaptureFormat::Pcapng,
                };
                Ok(Self::Tape(Tape { path, capture: Some(format), packing }))
            }
            "csv" if packing != Packing::None => Err(unknown(output)),
            "csv" if name.contains(lobster::MESSAGE_FILE) => Ok(Self::Lobster(output.to_owned())),
            "csv" => Ok(Self::Orders(output.to_owned())),
            _ => Err(unknown(output)),
        }
    }

    /// The files that are written.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Lobster(path) => vec![path.clone(), lobster::book_path(path)],
            Self::Orders(path) => vec![path.clone(), orders::increments_path(path)],
            Self::Tape(tape) => tape.path.iter().cloned().collect(),
            Self::Journal(_) | Self::Live(_) => Vec::new(),
        }
    }

    /// Refuses flags that would do nothing.
    pub(super) fn check_flags(&self, args: &ConvertArgs) -> Result<()> {
        let (is_live, has_packets) = match self {
            Self::Live(_) => (true, true),
            Self::Tape(tape) => (false, tape.capture.is_some()),
            _ => (false, false),
        };
        let is_lobster = matches!(self, Self::Lobster(_));
        let given = [
            ("symbol", args.symbol.is_some() && !is_lobster),
            ("two-lines", args.two_lines && (is_live || !has_packets)),
            ("loss", args.loss.is_some() && !has_packets),
            ("duplicate", args.duplicate.is_some() && !has_packets),
            ("reorder", args.reorder.is_some() && !has_packets),
            ("speed", args.speed.is_some() && !is_live),
            ("rate", args.rate.is_some() && !is_live),
            ("linger", args.linger.is_some() && !is_live),
        ];
        match given.into_iter().find(|(_, does_nothing)| *does_nothing) {
            Some((name, _)) => Err(Error::usage(
                format!("--{name} does nothing for {}", args.output.display()),
                "leave it out, or name another output",
            )),
            None => Ok(()),
        }
    }
}

impl Tape {
    fn of_messages(path: Option<PathBuf>, packing: Packing) -> Self {
        Self { path, capture: None, packing }
    }
}

fn unknown(output: &Path) -> Error {
    Error::usage(
        format!("the name `{}` says of no format that can be written", output.display()),
        "name it .itch, .pcap or .pcapng, with .gz or .zst behind it if wanted, .csv for an order \
         file, SYMBOL_DATE_message_10.csv for LOBSTER, or without an extension for a journal's \
         directory",
    )
}
