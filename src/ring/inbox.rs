//! The inbox: how others hand things to a ring's single writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;

/// Makes a bounded inbox: any number of senders, one receiver, no lock.
///
/// The ring's writer drains it between its own records and so gives everything one order.
///
/// ```
/// let (sender, mut receiver) = ringtape::ring::inbox::<u64>(1);
/// assert_eq!(sender.post(7), Ok(()));
/// assert_eq!(sender.post(8), Err(8));
/// assert_eq!((receiver.try_take(), receiver.try_take()), (Some(7), None));
/// assert_eq!(sender.refused(), 1);
/// ```
///
/// # Panics
///
/// If `capacity` is 0.
pub fn inbox<T>(capacity: usize) -> (InboxSender<T>, InboxReceiver<T>) {
    let inbox = Arc::new(Inbox { queue: ArrayQueue::new(capacity), refused: AtomicU64::new(0) });
    (InboxSender { inbox: Arc::clone(&inbox) }, InboxReceiver { inbox })
}

#[derive(Debug)]
struct Inbox<T> {
    queue: ArrayQueue<T>,
    refused: AtomicU64,
}

/// Posts to an inbox from any thread.
#[derive(Debug)]
pub struct InboxSender<T> {
    inbox: Arc<Inbox<T>>,
}

/// Takes from an inbox; belongs to the ring's writer.
#[derive(Debug)]
pub struct InboxReceiver<T> {
    inbox: Arc<Inbox<T>>,
}

impl<T> InboxSender<T> {
    /// Posts `value`.
    ///
    /// # Errors
    ///
    /// Returns `value` while the inbox is full, and counts the refusal.
    pub fn post(&self, value: T) -> Result<(), T> {
        self.inbox.queue.push(value).inspect_err(|_| {
            // WHY: Relaxed, because the count orders nothing.
            self.inbox.refused.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// The number of posts, of all senders, that found the inbox full.
    pub fn refused(&self) -> u64 {
        self.inbox.refused.load(Ordering::Relaxed)
    }
}

impl<T> Clone for InboxSender<T> {
    fn clone(&self) -> Self {
        Self { inbox: Arc::clone(&self.inbox) }
    }
}

impl<T> InboxReceiver<T> {
    /// The oldest value, or `None` when the inbox is empty.
    #[inline]
    pub fn try_take(&mut self) -> Option<T> {
        self.inbox.queue.pop()
    }

    /// The number of posts, of all senders, that found the inbox full.
    pub fn refused(&self) -> u64 {
        self.inbox.refused.load(Ordering::Relaxed)
    }
}
