//! Messages out of a stream of bytes.

use super::message::Message;
use crate::error::{Error, Result};

/// Bytes that came and are not messages yet.
///
/// ```
/// use ringtape::gateway::{Heartbeat, Incoming, Message};
///
/// let mut bytes = Vec::new();
/// Message::from(Heartbeat { next: 7 }).encode(&mut bytes);
/// let mut incoming = Incoming::new("the venue");
/// incoming.take(&bytes[..5]);
/// assert_eq!(incoming.next_message()?, None);
/// incoming.take(&bytes[5..]);
/// assert_eq!(incoming.next_message()?, Some(Heartbeat { next: 7 }.into()));
/// incoming.finish()?;
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Incoming {
    peer: String,
    bytes: Vec<u8>,
    /// Those before this one are messages already.
    taken: usize,
    /// Bytes of the stream before the first of `bytes`.
    before: u64,
}

impl Incoming {
    /// Nothing yet, from a peer that errors name.
    pub fn new(peer: impl Into<String>) -> Self {
        Self { peer: peer.into(), bytes: Vec::new(), taken: 0, before: 0 }
    }

    /// Takes bytes that came.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message; `None` until more has come.
    ///
    /// # Errors
    ///
    /// [`Error::BadMessage`] for bytes that are none; nothing behind them can be read any more.
    pub fn next_message(&mut self) -> Result<Option<Message>> {
        match Message::decode(&self.bytes[self.taken..]) {
            Ok(Some((message, length))) => {
                self.taken += length;
                Ok(Some(message))
            }
            Ok(None) => {
                self.bytes.drain(..self.taken);
                self.before += std::mem::take(&mut self.taken) as u64;
                Ok(None)
            }
            Err(what) => Err(self.fault(what)),
        }
    }

    /// The stream is at its end.
    ///
    /// # Errors
    ///
    /// [`Error::BadMessage`] if it ended within a message.
    pub fn finish(&self) -> Result<()> {
        match self.bytes.len() - self.taken {
            0 => Ok(()),
            left => Err(self.fault(format!("the stream ends {left} bytes into a message"))),
        }
    }

    fn fault(&self, what: String) -> Error {
        let offset = self.before + self.taken as u64;
        Error::BadMessage { peer: self.peer.clone(), offset, what }
    }
}
