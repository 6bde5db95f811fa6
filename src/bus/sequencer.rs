//! The sequencer: the thread that gives the inbox's events one order and puts them on the ring.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::core::Core;
use super::envelope::Envelope;
use crate::error::{Error, Result};
use crate::limits::BUS_BURST_EVENTS;
use crate::ring::{InboxReceiver, Producer};

/// How long the sequencer waits before it asks whether it is to go on waiting.
const WAIT_SLICE: Duration = Duration::from_millis(5);

/// Owns the ring's producer.
#[derive(Debug)]
pub(super) struct Sequencer {
    core: Arc<Core>,
    producer: Producer<Envelope>,
    inbox: InboxReceiver<Envelope>,
}

impl Sequencer {
    /// Starts the thread.
    pub(super) fn spawn(
        core: Arc<Core>,
        producer: Producer<Envelope>,
        inbox: InboxReceiver<Envelope>,
    ) -> Result<JoinHandle<()>> {
        let name = format!("{} sequencer", core.name);
        let sequencer = Self { core, producer, inbox };
        thread::Builder::new()
            .name(name)
            .spawn(move || sequencer.run())
            .map_err(|source| Error::io("start a thread for", "the sequencer", source))
    }

    fn run(mut self) {
        if let Err(error) = self.publish_all() {
            self.core.fail(&error);
        }
        let mut unpublished = 0;
        while !self.inbox.is_finished() {
            unpublished += u64::from(self.inbox.try_take().is_some());
        }
        self.core.unpublished.fetch_add(unpublished, Ordering::Relaxed);
        self.producer.close();
        // SYNC: Release, pairs with the Acquire of who waits for the bus's end.
        self.core.is_at_rest.store(true, Ordering::Release);
        self.core.is_sealed.store(true, Ordering::Release);
    }

    /// Publishes what comes until the inbox is closed and empty, or the bus is abandoned.
    fn publish_all(&mut self) -> Result<()> {
        while !self.inbox.is_finished() && !self.core.is_abandoned.load(Ordering::Relaxed) {
            match self.inbox.try_take() {
                Some(envelope) => self.publish_burst(envelope)?,
                None => self.rest(),
            }
        }
        Ok(())
    }

    /// Publishes `first` and what else is in the inbox, as far as there is room for it at once.
    fn publish_burst(&mut self, first: Envelope) -> Result<()> {
        // Not more than what is free: nobody is cut off for the room of a whole burst.
        let most = self.producer.free_slots()?.clamp(1, BUS_BURST_EVENTS);
        while !self.core.is_abandoned.load(Ordering::Relaxed) {
            let claim = self.producer.claim_timeout(most, self.core.wait, WAIT_SLICE)?;
            let Some(mut claim) = claim else { continue };
            claim.set(0, first);
            let mut count = 1;
            while count < most
                && let Some(envelope) = self.inbox.try_take()
            {
                claim.set(count, envelope);
                count += 1;
            }
            claim.commit(count);
            return Ok(());
        }
        self.core.unpublished.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Waits for the inbox.
    fn rest(&mut self) {
        // SYNC: SeqCst, so that who finds the inbox empty and this true knows that everything
        // taken is published.
        self.core.is_at_rest.store(true, Ordering::SeqCst);
        self.inbox.wait(self.core.wait, WAIT_SLICE);
        self.core.is_at_rest.store(false, Ordering::SeqCst);
    }
}
