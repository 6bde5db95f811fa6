//! The sender: packets to one line or two, and a server that sends messages again.

use std::io;
use std::net::UdpSocket;

use super::UdpAddress;
use super::history::History;
use super::socket::open_sender;
use crate::error::{Error, Result};
use crate::feed::moldudp64::packet::HEADER_BYTES;
use crate::feed::moldudp64::{Impairment, Line, Packed, Packer};

/// How a feed is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SenderConfig {
    /// How bad the lines are, each for itself.
    pub impairment: Impairment,
    /// What their faults come from.
    pub seed: u64,
}

/// Sends packets on the lines of an address and answers requests.
///
/// The latest messages are kept, 512 MiB of them, so that they can be asked for again.
#[derive(Debug)]
pub struct UdpSender {
    address: UdpAddress,
    socket: UdpSocket,
    server: Option<UdpSocket>,
    lines: Vec<Line>,
    history: History,
    sent: u64,
    answers: u64,
}

impl UdpSender {
    /// Opens the sockets: one that sends, and the server's at the address of `request`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a socket cannot be had.
    pub fn open(address: UdpAddress, config: SenderConfig) -> Result<Self> {
        let first = address.lines[0];
        let socket = open_sender(address.interface, 0, None)
            .map_err(|source| Error::io("send to", first.to_string(), source))?;
        let server = address
            .request
            .map(|server| {
                let failed = |source| Error::io("serve at", server.to_string(), source);
                let socket = UdpSocket::bind(server).map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                Ok(socket)
            })
            .transpose()?;
        let seeds = config.seed..;
        let lines =
            address.lines.iter().zip(seeds).map(|(_, seed)| Line::new(config.impairment, seed));
        Ok(Self {
            lines: lines.collect(),
            address,
            socket,
            server,
            history: History::default(),
            sent: 0,
            answers: 0,
        })
    }

    /// Sends a packet of messages, and keeps them where they can be asked for.
    ///
    /// # Errors
    ///
    /// Those of the sockets.
    pub fn send(&mut self, packed: &Packed) -> Result<()> {
        if self.server.is_some() {
            self.history.keep(&packed.bytes[HEADER_BYTES..]);
        }
        self.sent += u64::from(packed.count);
        self.put(&packed.bytes)
    }

    /// Sends a packet as it is on every line: a heartbeat, or the end of the session.
    ///
    /// # Errors
    ///
    /// Those of the sockets.
    pub fn put(&mut self, packet: &[u8]) -> Result<()> {
        for (line, address) in self.lines.iter_mut().zip(&self.address.lines) {
            let mut outcome = Ok(());
            line.pass(packet, |bytes| {
                let sent = send_all(&self.socket, bytes, *address);
                if outcome.is_ok() {
                    outcome = sent;
                }
            });
            outcome.map_err(|source| Error::io("send to", address.to_string(), source))?;
        }
        Ok(())
    }

    /// Answers the requests that have come; how many.
    ///
    /// # Errors
    ///
    /// Those of the server's socket.
    pub fn serve(&mut self, packer: &Packer) -> Result<u64> {
        let Some(server) = &self.server else { return Ok(0) };
        let mut request = [0; HEADER_BYTES + 1];
        let mut served = 0;
        while let Ok((count, from)) = server.recv_from(&mut request) {
            if count != HEADER_BYTES {
                continue;
            }
            let Some((number, wanted)) = wanted(&request) else { continue };
            served += 1;
            let first = number.saturating_sub(1);
            for (number, count, messages) in
                self.history.answers(first, first.saturating_add(wanted))
            {
                let answer = packer.packet(number, count, messages);
                self.answers += 1;
                // An asker that has gone is no fault of the feed.
                let _ = server.send_to(&answer, from);
            }
        }
        Ok(served)
    }

    /// Messages sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Packets that were sent again.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Packets that the lines lost on purpose, line by line.
    pub fn lost(&self) -> Vec<u64> {
        self.lines.iter().map(Line::lost).collect()
    }
}

/// Sends a datagram, again when the system has no room for it at the moment.
fn send_all(socket: &UdpSocket, bytes: &[u8], address: std::net::SocketAddrV4) -> io::Result<()> {
    loop {
        match socket.send_to(bytes, address) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
}

/// Number and count of the messages that a request asks for.
fn wanted(request: &[u8]) -> Option<(u64, u64)> {
    let header = request.first_chunk::<HEADER_BYTES>()?;
    let number = u64::from_be_bytes(*header[10..18].first_chunk()?);
    let count = u16::from_be_bytes([header[18], header[19]]);
    (number > 0).then_some((number, u64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::moldudp64::packet::Packet;

    #[test]
    fn a_request_names_a_number_and_a_count_and_is_no_packet() {
        let request = [&[b' '; 10][..], &7_u64.to_be_bytes(), &9_u16.to_be_bytes()].concat();
        assert_eq!(wanted(&request), Some((7, 9)));
        assert!(Packet::parse(&request).is_none(), "a request is no packet of messages");
    }
}
