//! ITCH messages in files, plain or in packets.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use ringtape::error::{Error, Result};
use ringtape::event::kinds::Group;
use ringtape::event::{Event, EventView, Flags};
use ringtape::feed::Feed;
use ringtape::feed::capture::{CaptureFormat, CaptureWriter};
use ringtape::feed::itch::Encoder;
use ringtape::feed::moldudp64::{Impairment, Line, Packed, Packer};
use ringtape::report::format::thousands;
use ringtape::runtime::StopFlag;

use super::super::{Ending, parse, term};
use super::target::{Packing, Tape};
use super::{ConvertArgs, drive, ending, stop_on_interrupt, tell_notes, write_output};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Level of compression by zstd: as fast as it goes at half the size of the fastest.
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 3;

/// Price steps of ITCH, in 1e-9 of the currency.
const PRICE_INCREMENT: u64 = 100_000;

/// Where the two lines of a capture go: those of NASDAQ's own feed.
const LINES: [std::net::SocketAddrV4; 2] = {
    use std::net::{Ipv4Addr, SocketAddrV4};
    [
        SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 111), 26_477),
        SocketAddrV4::new(Ipv4Addr::new(233, 49, 196, 111), 26_477),
    ]
};

/// Events as framed ITCH messages, an exchange event at a time.
pub(super) struct Transcript {
    encoder: Encoder,
    /// The open exchange event's messages.
    frames: Vec<u8>,
    ts_ns: u64,
    pub(super) messages: u64,
    /// What ITCH does not say, by the kind's name.
    unsaid: BTreeMap<&'static str, u64>,
}

impl Transcript {
    pub(super) fn new(feed: &dyn Feed) -> Self {
        Self {
            encoder: Encoder::new(feed.description().midnight_ns),
            frames: Vec::new(),
            ts_ns: 0,
            messages: 0,
            unsaid: BTreeMap::new(),
        }
    }

    /// Takes the records of one message; gives the messages of the exchange event that it ends.
    pub(super) fn take(&mut self, records: &[Event]) -> Result<Option<(Vec<u8>, u64)>> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(None) };
        if let EventView::Instrument(instrument) = first.view()
            && instrument.price_increment != PRICE_INCREMENT
        {
            return Err(Error::usage(
                format!(
                    "the prices of {} are in steps of {}e-9, those of ITCH of 0.0001",
                    instrument.symbol.as_str(),
                    instrument.price_increment
                ),
                "convert it to a journal, which keeps every step",
            ));
        }
        let was_empty = self.frames.is_empty();
        if self.encoder.encode(records, &mut self.frames) {
            self.messages += 1;
            if was_empty {
                self.ts_ns = first.ts_event;
            }
        } else {
            self.note_unsaid(records);
        }
        let is_whole = last.has(Flags::LAST) && !self.frames.is_empty();
        Ok(is_whole.then(|| (std::mem::take(&mut self.frames), self.ts_ns)))
    }

    /// What an exchange event that was never ended holds.
    pub(super) fn rest(&mut self) -> Option<(Vec<u8>, u64)> {
        let rest = (!self.frames.is_empty()).then(|| std::mem::take(&mut self.frames));
        rest.map(|frames| (frames, self.ts_ns))
    }

    fn note_unsaid(&mut self, records: &[Event]) {
        // An instrument that a reader assumed is said again by the messages that name it.
        let kind = records.last().and_then(Event::kind);
        let is_of_feed = kind.filter(|kind| kind.info().group == Group::Market);
        let is_instrument =
            records.first().is_some_and(|first| matches!(first.view(), EventView::Instrument(_)));
        if let Some(kind) = is_of_feed.filter(|_| !is_instrument) {
            *self.unsaid.entry(kind.name()).or_default() += 1;
        }
    }

    /// Tells what was written, and what could not be.
    pub(super) fn tell(&self, feed: &dyn Feed, into: &str) {
        tell_notes(feed.description(), feed.checks());
        for (kind, count) in &self.unsaid {
            term::tell(format_args!(
                "! {} messages of kind {kind} are left out: ITCH 5.0 cannot say them",
                thousands(*count)
            ));
        }
        term::tell(format_args!("{} messages {into}", thousands(self.messages)));
    }
}

/// How bad the lines are, by the flags.
pub(super) fn impairment(args: &ConvertArgs) -> Result<Impairment> {
    let share = |text: &Option<String>| match text {
        Some(text) => parse::share_of_a_million(text),
        None => Ok(0),
    };
    Ok(Impairment {
        loss: share(&args.loss)?,
        duplicates: share(&args.duplicate)?,
        reordered: share(&args.reorder)?,
    })
}

/// Writes a feed to a file, or to stdout.
pub(super) fn write(args: &ConvertArgs, mut feed: Box<dyn Feed>, tape: &Tape) -> Result<Ending> {
    let stop = stop_on_interrupt()?;
    let impairment = impairment(args)?;
    let mut transcript = Transcript::new(&*feed);
    // What stopped the feed is no failure to write, and is told as it is.
    let mut fill = |out: &mut dyn Write| {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
        let written = match tape.capture {
            Some(format) => {
                let lines = lines(args, impairment);
                packets(&mut *feed, format, lines, &args.session, &mut transcript, &stop, &mut out)
            }
            None => messages(&mut *feed, &mut transcript, &stop, &mut out),
        };
        let (written, read) = split(written);
        written.and_then(|()| out.flush()).map(|()| read)
    };
    let (outcome, into) = match &tape.path {
        None => {
            let filled = fill(&mut io::stdout().lock());
            let outcome = filled.or_else(|error| term::closed_pipe(error).map(Ok))?;
            (outcome, "on stdout".to_owned())
        }
        Some(path) => {
            write_output(path, |file| match tape.packing {
                Packing::None => fill(&mut { file }),
                Packing::Gzip => {
                    let mut encoder = GzEncoder::new(file, Compression::default());
                    let outcome = fill(&mut encoder)?;
                    encoder.finish().map(|_| outcome)
                }
                #[cfg(feature = "zstd")]
                Packing::Zstd => {
                    let mut encoder = zstd::Encoder::new(file, ZSTD_LEVEL)?;
                    let outcome = fill(&mut encoder)?;
                    encoder.finish().map(|_| outcome)
                }
            })?;
            (Ok(()), format!("in {}", path.display()))
        }
    };
    transcript.tell(&*feed, &into);
    outcome.map(|()| ending(&stop))
}

/// Tells failures to write from those of the feed.
fn split(outcome: Result<()>) -> (io::Result<()>, Result<()>) {
    match outcome {
        Err(Error::Io { source, action: "write", .. }) => (Err(source), Ok(())),
        other => (Ok(()), other),
    }
}

fn failed(source: io::Error) -> Error {
    Error::io("write", "the output", source)
}

fn messages(
    feed: &mut dyn Feed,
    transcript: &mut Transcript,
    stop: &StopFlag,
    out: &mut impl Write,
) -> Result<()> {
    let driven = drive(feed, stop, |records| match transcript.take(records)? {
        Some((frames, _)) => out.write_all(&frames).map_err(failed),
        None => Ok(()),
    });
    if let Some((frames, _)) = transcript.rest() {
        out.write_all(&frames).map_err(failed)?;
    }
    driven
}

/// The lines of a capture, each with the seed of its own faults.
fn lines(args: &ConvertArgs, impairment: Impairment) -> Vec<Line> {
    let count = 1 + usize::from(args.two_lines);
    (args.seed..).take(count).map(|seed| Line::new(impairment, seed)).collect()
}

fn packets(
    feed: &mut dyn Feed,
    format: CaptureFormat,
    mut lines: Vec<Line>,
    session: &str,
    transcript: &mut Transcript,
    stop: &StopFlag,
    out: &mut impl Write,
) -> Result<()> {
    let mut writer = CaptureWriter::new(out, format).map_err(failed)?;
    let mut packer = Packer::new(session);
    // Behind the last packet of messages the lines let go of what they hold.
    let mut put = |packet: &[u8], ts_ns: u64, is_behind: bool| -> io::Result<()> {
        let mut outcome = Ok(());
        for (line, address) in lines.iter_mut().zip(&LINES) {
            let mut write = |bytes: &[u8]| {
                let written = writer.datagram(ts_ns, *address, bytes);
                if outcome.is_ok() {
                    outcome = written;
                }
            };
            match is_behind {
                false => line.pass(packet, write),
                true => {
                    line.drain(&mut write);
                    if !packet.is_empty() {
                        write(packet);
                    }
                }
            }
        }
        outcome
    };
    let mut full: Vec<Packed> = Vec::new();
    let mut last_ns = 0;
    let driven = drive(feed, stop, |records| {
        if let Some((frames, ts_ns)) = transcript.take(records)? {
            last_ns = ts_ns.max(last_ns);
            packer.add(&frames, ts_ns, |packed| full.push(packed));
        }
        full.drain(..)
            .try_for_each(|packed| put(&packed.bytes, packed.ts_ns, false))
            .map_err(failed)
    });
    if let Some((frames, ts_ns)) = transcript.rest() {
        packer.add(&frames, ts_ns, |packed| full.push(packed));
    }
    full.extend(packer.flush());
    full.drain(..)
        .try_for_each(|packed| put(&packed.bytes, packed.ts_ns, false))
        .map_err(failed)?;
    // A session ends where the feed says so: of a slice, or what comes before --until, nobody does.
    let end = if driven.is_ok() && feed.checks().has_end { packer.end() } else { Vec::new() };
    put(&end, last_ns, true).map_err(failed)?;
    driven
}
