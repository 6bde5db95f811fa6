//! Writing captures: UDP datagrams in IPv4 in Ethernet, as pcap or pcapng with stamps in ns.

use std::io::{self, Write};
use std::net::SocketAddrV4;

use etherparse::PacketBuilder;

/// Type of links: Ethernet.
const ETHERNET: u32 = 1;

/// Bytes of a frame that a capture may hold.
const SNAP_BYTES: u32 = 65_535;

/// Where the datagrams come from.
const SENDER: ([u8; 6], [u8; 4], u16) = ([2, 0, 0, 0, 0, 1], [10, 0, 0, 1], 26_400);

/// Hops that a datagram may take.
const HOPS: u8 = 16;

/// ns of one second.
const SECOND: u64 = 1_000_000_000;

/// A file format of captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureFormat {
    /// The classic one.
    Pcap,
    /// The one of blocks.
    Pcapng,
}

/// Writes a capture.
#[derive(Debug)]
pub struct CaptureWriter<W> {
    out: W,
    format: CaptureFormat,
    frame: Vec<u8>,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn new(mut out: W, format: CaptureFormat) -> io::Result<Self> {
        match format {
            CaptureFormat::Pcap => {
                out.write_all(&0xa1b2_3c4d_u32.to_le_bytes())?;
                out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
                out.write_all(&SNAP_BYTES.to_le_bytes())?;
                out.write_all(&ETHERNET.to_le_bytes())?;
            }
            CaptureFormat::Pcapng => {
                let order = 0x1a2b_3c4d_u32.to_le_bytes();
                let section = [&order[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
                write_block(&mut out, 0x0a0d_0d0a, &section)?;
                let snap = SNAP_BYTES.to_le_bytes();
                // Option 9, of one byte: stamps are in 10^-9 s; then the end of the options.
                let options = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
                let interface = [&ETHERNET.to_le_bytes()[..], &snap, &options].concat();
                write_block(&mut out, 1, &interface)?;
            }
        }
        Ok(Self { out, format, frame: Vec::new() })
    }

    /// Writes a UDP datagram to `destination`, stamped `captured_ns` after the Unix epoch.
    ///
    /// # Errors
    ///
    /// Those of the output, and a payload longer than a datagram can be.
    pub fn datagram(
        &mut self,
        captured_ns: u64,
        destination: SocketAddrV4,
        payload: &[u8],
    ) -> io::Result<()> {
        let (mac, address, port) = SENDER;
        let [_, b, c, d] = destination.ip().octets();
        let group = [1, 0, 0x5e, b & 0x7f, c, d];
        self.frame.clear();
        PacketBuilder::ethernet2(mac, group)
            .ipv4(address, destination.ip().octets(), HOPS)
            .udp(port, destination.port())
            .write(&mut self.frame, payload)
            .map_err(io::Error::other)?;
        let length = (self.frame.len() as u32).to_le_bytes();
        match self.format {
            CaptureFormat::Pcap => {
                let (seconds, ns) = (captured_ns / SECOND, captured_ns % SECOND);
                self.out.write_all(&(seconds as u32).to_le_bytes())?;
                self.out.write_all(&(ns as u32).to_le_bytes())?;
                self.out.write_all(&length)?;
                self.out.write_all(&length)?;
                self.out.write_all(&self.frame)
            }
            CaptureFormat::Pcapng => {
                let (high, low) = ((captured_ns >> 32) as u32, captured_ns as u32);
                let mut body = [[0; 4], high.to_le_bytes(), low.to_le_bytes()].concat();
                body.extend([length, length].concat());
                body.extend_from_slice(&self.frame);
                body.resize(body.len().next_multiple_of(4), 0);
                write_block(&mut self.out, 6, &body)
            }
        }
    }

    /// Ends the capture and gives the output back.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Writes a pcapng block around a body of whole words.
fn write_block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = (12 + body.len() as u32).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(body)?;
    out.write_all(&length)
}
