//! One TCP connection that carries messages, and never waits.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::gateway::{Heartbeat, Incoming, Message};

/// Bytes that are read at a time.
const READ_BYTES: usize = 16 << 10;

/// Bytes that may wait to be written before the peer counts as gone.
const UNSENT_BYTES_MAX: usize = 64 << 20;

/// Heartbeats that may stay out.
const PATIENCE: u32 = 3;

/// A connection of either side.
#[derive(Debug)]
pub(in crate::engine) struct Connection {
    stream: TcpStream,
    peer: String,
    incoming: Incoming,
    /// Room for reading.
    room: Box<[u8]>,
    unsent: Vec<u8>,
    heartbeat: Duration,
    last_heard: Instant,
    last_sent: Instant,
}

impl Connection {
    /// A connection of a stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system does not let the stream be read without waiting.
    pub(in crate::engine) fn new(
        stream: TcpStream,
        peer: String,
        heartbeat: Duration,
    ) -> Result<Self> {
        stream
            .set_nonblocking(true)
            .and_then(|()| stream.set_nodelay(true))
            .map_err(|source| Error::io("prepare the connection to", &peer, source))?;
        let now = Instant::now();
        Ok(Self {
            incoming: Incoming::new(&peer),
            stream,
            peer,
            room: vec![0; READ_BYTES].into(),
            unsent: Vec::new(),
            heartbeat,
            last_heard: now,
            last_sent: now,
        })
    }

    /// Who is at the other end.
    pub(in crate::engine) fn peer(&self) -> &str {
        &self.peer
    }

    /// Silence after which a heartbeat is due from now on.
    pub(in crate::engine) fn set_heartbeat(&mut self, heartbeat: Duration) {
        self.heartbeat = heartbeat;
    }

    /// Puts a message behind those that are to be sent.
    pub(in crate::engine) fn send(&mut self, message: impl Into<Message>) {
        message.into().encode(&mut self.unsent);
    }

    /// The next message that has come; `None` when there is none yet.
    ///
    /// # Errors
    ///
    /// [`Error::BadMessage`], and [`Error::Io`] when the connection is broken or at its end.
    pub(in crate::engine) fn receive(&mut self) -> Result<Option<Message>> {
        if let Some(message) = self.incoming.next_message()? {
            return Ok(Some(message));
        }
        match self.stream.read(&mut self.room) {
            Ok(0) => {
                self.incoming.finish()?;
                Err(self.broken(ErrorKind::ConnectionAborted.into()))
            }
            Ok(count) => {
                self.last_heard = Instant::now();
                self.incoming.take(&self.room[..count]);
                self.incoming.next_message()
            }
            Err(error) if is_later(error.kind()) => Ok(None),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Writes what the system takes; whether something was written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the connection is broken, or the peer reads nothing.
    pub(in crate::engine) fn flush(&mut self) -> Result<bool> {
        if self.unsent.is_empty() {
            return Ok(false);
        }
        match self.stream.write(&self.unsent) {
            Ok(0) => Err(self.broken(ErrorKind::WriteZero.into())),
            Ok(count) => {
                self.unsent.drain(..count);
                self.last_sent = Instant::now();
                Ok(true)
            }
            Err(error) if is_later(error.kind()) && self.unsent.len() < UNSENT_BYTES_MAX => {
                Ok(false)
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Sends a heartbeat when one is due; `next` is the number of what would be sent next.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when nothing was heard for too long.
    pub(in crate::engine) fn keep_alive(&mut self, now: Instant, next: u64) -> Result<()> {
        if now.duration_since(self.last_heard) > self.heartbeat * PATIENCE {
            return Err(self.broken(ErrorKind::TimedOut.into()));
        }
        if now.duration_since(self.last_sent) >= self.heartbeat {
            self.last_sent = now;
            self.send(Heartbeat { next });
        }
        Ok(())
    }

    /// Whether everything was written.
    pub(in crate::engine) fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    fn broken(&self, source: std::io::Error) -> Error {
        Error::io("keep the connection to", &self.peer, source)
    }
}

fn is_later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
