//! The inbox: how others hand things to a ring's single writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;

use super::bell::Bell;
use super::wait::{Wait, Waiter};

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
    let inbox = Arc::new(Inbox {
        queue: ArrayQueue::new(capacity),
        refused: AtomicU64::new(0),
        is_closed: AtomicBool::new(false),
        posted: Bell::new(),
        taken: Bell::new(),
    });
    (
        InboxSender { inbox: Arc::clone(&inbox) },
        InboxReceiver { inbox, is_plugging: false, plugs: 0 },
    )
}

#[derive(Debug)]
struct Inbox<T> {
    /// `None` is a plug: once the inbox is closed, its receiver fills it with them.
    queue: ArrayQueue<Option<T>>,
    refused: AtomicU64,
    is_closed: AtomicBool,
    /// Rings for the receiver.
    posted: Bell,
    /// Rings for senders that wait for room.
    taken: Bell,
}

impl<T> Inbox<T> {
    fn push(&self, value: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(value);
        }
        self.queue.push(Some(value)).map_err(|value| value.expect("senders post no plugs"))?;
        self.posted.ring();
        Ok(())
    }

    fn is_closed(&self) -> bool {
        // SYNC: Acquire, pairs with the Release in `InboxSender::close`.
        self.is_closed.load(Ordering::Acquire)
    }
}

/// Posts to an inbox from any thread.
///
/// ```
/// let (sender, mut receiver) = ringtape::ring::inbox::<u64>(2);
/// let other = sender.clone();
/// assert_eq!((sender.post(7), other.post(8), sender.post(9)), (Ok(()), Ok(()), Err(9)));
/// assert_eq!((sender.len(), sender.refused()), (2, 1));
/// assert!(receiver.try_take().is_some() && receiver.try_take().is_some());
/// assert!(sender.is_empty() && !sender.is_closed());
/// other.close();
/// assert!(sender.is_closed(), "for all senders");
/// ```
#[derive(Debug)]
pub struct InboxSender<T> {
    inbox: Arc<Inbox<T>>,
}

/// Takes from an inbox; belongs to the ring's writer.
///
/// ```
/// let (sender, mut receiver) = ringtape::ring::inbox::<u64>(2);
/// let posts = [10, 11, 12].map(|value| sender.post(value).is_ok());
/// assert_eq!((posts, receiver.refused()), ([true, true, false], 1));
/// sender.close();
/// let mut taken = Vec::new();
/// while !receiver.is_finished() {
///     taken.extend(receiver.try_take());
/// }
/// assert_eq!(taken, [10, 11]);
/// ```
#[derive(Debug)]
pub struct InboxReceiver<T> {
    inbox: Arc<Inbox<T>>,
    /// Whether it has begun to plug the closed inbox.
    is_plugging: bool,
    /// Plugs in a row that came out of the closed inbox.
    plugs: usize,
}

impl<T> InboxSender<T> {
    /// Posts `value`.
    ///
    /// # Errors
    ///
    /// Returns `value` while the inbox is full, and counts the refusal; also once it is closed.
    pub fn post(&self, value: T) -> Result<(), T> {
        self.inbox.push(value).inspect_err(|_| {
            // WHY: Relaxed, because the count orders nothing.
            self.inbox.refused.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Posts `value`, waiting for room up to `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringtape::ring::Wait;
    ///
    /// let (sender, _receiver) = ringtape::ring::inbox::<u64>(1);
    /// assert_eq!(sender.post_within(7, Wait::Park, Duration::from_secs(1)), Ok(()));
    /// assert_eq!(sender.post_within(8, Wait::Park, Duration::from_millis(1)), Err(8));
    /// assert_eq!(sender.refused(), 0, "who waits is not counted");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns `value` when there was no room, or once the inbox is closed.
    pub fn post_within(&self, value: T, wait: Wait, timeout: Duration) -> Result<(), T> {
        let Err(mut value) = self.inbox.push(value) else { return Ok(()) };
        let begin = Instant::now();
        let mut waiter = Waiter::new(wait);
        while !self.is_closed() && begin.elapsed() < timeout {
            let has_room = || !self.inbox.queue.is_full() || self.is_closed();
            waiter.idle(&self.inbox.taken, has_room);
            match self.inbox.push(value) {
                Ok(()) => return Ok(()),
                Err(refused) => value = refused,
            }
        }
        Err(value)
    }

    /// Closes the inbox for all senders. Whatever was posted successfully before is still taken.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringtape::ring::Wait;
    ///
    /// let (sender, mut receiver) = ringtape::ring::inbox::<u64>(4);
    /// sender.post(7).expect("there is room");
    /// sender.close();
    /// assert_eq!(sender.post(8), Err(8));
    /// assert_eq!((receiver.try_take(), receiver.is_finished()), (Some(7), false));
    /// assert_eq!((receiver.try_take(), receiver.is_finished()), (None, true));
    /// ```
    pub fn close(&self) {
        // SYNC: Release, pairs with the Acquire in `Inbox::is_closed`.
        self.inbox.is_closed.store(true, Ordering::Release);
        self.inbox.posted.ring();
        self.inbox.taken.ring();
    }

    /// Whether somebody has closed the inbox.
    pub fn is_closed(&self) -> bool {
        self.inbox.is_closed()
    }

    /// The number of values in the inbox; 0 once it is closed.
    pub fn len(&self) -> usize {
        if self.is_closed() { 0 } else { self.inbox.queue.len() }
    }

    /// Whether nothing is in the inbox, or it is closed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        if self.is_plugging {
            return self.take_last();
        }
        match self.inbox.queue.pop() {
            Some(value) => {
                self.inbox.taken.ring();
                value
            }
            None if self.inbox.is_closed() => self.take_last(),
            None => None,
        }
    }

    /// Takes what is left in a closed inbox.
    ///
    /// A sender that found the inbox open just before may still post, and what it posted has to
    /// come out. So the inbox is filled up with plugs, and from then on every value that leaves is
    /// replaced by one: it stays full, no post succeeds any more, and once as many plugs in a row
    /// have come out as it holds, there is nothing else in it.
    #[cold]
    fn take_last(&mut self) -> Option<T> {
        self.is_plugging = true;
        while !self.is_finished() {
            match self.inbox.queue.force_push(None) {
                None => {}
                Some(None) => self.plugs += 1,
                Some(value) => {
                    self.plugs = 0;
                    return value;
                }
            }
        }
        None
    }

    /// Whether the inbox is closed and everything was taken from it.
    pub fn is_finished(&self) -> bool {
        self.plugs == self.inbox.queue.capacity()
    }

    /// Waits until there is something to take or the inbox is closed, at most about `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringtape::ring::Wait;
    ///
    /// let (sender, mut receiver) = ringtape::ring::inbox::<u64>(4);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| sender.post(7));
    ///     while receiver.is_empty() {
    ///         receiver.wait(Wait::Park, Duration::from_secs(1));
    ///     }
    /// });
    /// assert_eq!(receiver.try_take(), Some(7));
    /// ```
    pub fn wait(&self, wait: Wait, timeout: Duration) {
        let has_news = || !self.is_empty() || self.inbox.is_closed();
        let begin = Instant::now();
        let mut waiter = Waiter::new(wait);
        while !has_news() && begin.elapsed() < timeout {
            waiter.idle(&self.inbox.posted, has_news);
        }
    }

    /// Whether nothing is there to take.
    pub fn is_empty(&self) -> bool {
        self.inbox.queue.is_empty()
    }

    /// The number of posts, of all senders, that found the inbox full.
    pub fn refused(&self) -> u64 {
        self.inbox.refused.load(Ordering::Relaxed)
    }
}
