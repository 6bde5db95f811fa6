//! The recorder: the subscriber that keeps everything, for those who come late.

use std::sync::Arc;

use super::envelope::Envelope;
use super::member::{AnyRecording, Member};
use crate::error::Result;
use crate::ring::{Handler, HandlerResult};

/// The name of the subscriber that records.
pub(super) const RECORDER: &str = "recorder";

/// Where events are recorded, and how the recording is read.
pub(super) struct Recorder {
    pub(super) writer: Box<dyn Handler<Envelope> + Send>,
    pub(super) reader: Box<dyn Fn() -> AnyRecording + Send + Sync>,
}

/// Hands everything to whoever records, and notes how far that is.
pub(super) struct Recording {
    pub(super) writer: Box<dyn Handler<Envelope> + Send>,
    pub(super) member: Arc<Member>,
}

impl Handler<Envelope> for Recording {
    fn start(&mut self) {
        self.writer.start();
    }

    fn batch(&mut self, first: u64, len: usize, depth: usize) {
        self.writer.batch(first, len, depth);
    }

    fn event(&mut self, sequence: u64, envelope: &Envelope) -> HandlerResult {
        self.writer.event(sequence, envelope)?;
        self.member.handled(sequence + 1, sequence + 1);
        Ok(())
    }

    fn idle(&mut self) {
        self.writer.idle();
    }

    fn stop(&mut self, end: &Result<()>) {
        self.writer.stop(end);
    }
}
