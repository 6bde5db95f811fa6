//! Sockets that receive a line of a feed, with the kernel's receive stamps.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::UdpAddress;
use crate::error::{Error, Result};

/// Bytes of the largest datagram.
const DATAGRAM_BYTES: usize = 1 << 16;

/// A socket for one line.
#[derive(Debug)]
pub(super) struct LineSocket {
    socket: Socket,
    buffer: Box<[u8]>,
    control: Vec<u8>,
    /// Bytes that the socket holds, as the kernel set it.
    pub(super) buffer_bytes: usize,
    /// Why the kernel does not poll as asked, if it does not.
    pub(super) busy_poll_refused: Option<io::Error>,
    /// Whether packets come with a stamp.
    pub(super) has_stamps: bool,
    /// Packets that found the socket full.
    pub(super) dropped: u32,
}

/// A datagram that was received.
pub(super) struct Received<'a> {
    pub(super) payload: &'a [u8],
    /// How long ago the kernel received it, in ns.
    pub(super) age_ns: u64,
}

impl LineSocket {
    /// Opens the socket of a line, and joins its group if it is one.
    pub(super) fn open(line: SocketAddrV4, address: &UdpAddress) -> Result<Self> {
        let failed = |source| Error::io("receive from", line.to_string(), source);
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?;
        let is_group = line.ip().is_multicast();
        if is_group {
            socket.set_reuse_address(true).map_err(failed)?;
        }
        socket.set_recv_buffer_size(address.buffer_bytes).map_err(failed)?;
        // More than the system's limit takes a privilege; without it the limit stays and is told.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &address.buffer_bytes);
        socket.bind(&line.into()).map_err(failed)?;
        if is_group {
            socket.join_multicast_v4(line.ip(), &address.interface).map_err(failed)?;
        }
        socket.set_nonblocking(true).map_err(failed)?;
        let busy_poll_refused = match address.busy_poll_us {
            0 => None,
            us => socket.set_busy_poll(us).err(),
        };
        let has_stamps = setsockopt(&socket, sockopt::ReceiveTimestampns, &true).is_ok();
        let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);
        Ok(Self {
            buffer_bytes: socket.recv_buffer_size().map_err(failed)?,
            socket,
            buffer: vec![0; DATAGRAM_BYTES].into(),
            control: cmsg_space!(TimeSpec, u32),
            busy_poll_refused,
            has_stamps,
            dropped: 0,
        })
    }

    /// Receives the next datagram; `None` when there is none.
    pub(super) fn receive(&mut self) -> io::Result<Option<Received<'_>>> {
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let (bytes, stamp, dropped) =
            match recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut self.control), flags) {
                Ok(message) => {
                    let (mut stamp, mut dropped) = (None, None);
                    for part in message.cmsgs().into_iter().flatten() {
                        match part {
                            ControlMessageOwned::ScmTimestampns(at) => stamp = Some(at),
                            ControlMessageOwned::RxqOvfl(count) => dropped = Some(count),
                            _ => {}
                        }
                    }
                    (message.bytes, stamp, dropped)
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
        self.dropped = dropped.unwrap_or(self.dropped);
        let payload = &self.buffer[..bytes];
        Ok(Some(Received { payload, age_ns: stamp.map_or(0, age_ns) }))
    }
}

/// How long ago the kernel's clock showed `stamp`.
fn age_ns(stamp: TimeSpec) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = now.saturating_sub(Duration::from(stamp));
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}

/// Opens a socket that sends to lines or asks a server, on an interface; `buffer_bytes` is what it
/// should hold of what comes back.
pub(super) fn open_sender(
    interface: Ipv4Addr,
    port: u16,
    buffer_bytes: Option<usize>,
) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    if interface != Ipv4Addr::UNSPECIFIED {
        socket.set_multicast_if_v4(&interface)?;
    }
    socket.set_multicast_loop_v4(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
