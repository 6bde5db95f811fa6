//! The bounded channel of the standard library, `std::sync::mpsc::sync_channel`.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::chain::Pipe;
use super::job::How;
use super::watch::Line;

pub(crate) struct Mpsc;

impl Pipe for Mpsc {
    type Sender = SyncSender<Line>;
    type Receiver = Receiver<Line>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        sync_channel(capacity)
    }

    #[inline]
    fn send(sender: &mut Self::Sender, count: usize, line: impl FnMut(usize) -> Line, how: How) {
        for line in (0..count).map(line) {
            if how == How::Block {
                sender.send(line).expect("the receiver outlives the stream");
                continue;
            }
            while sender.try_send(line).is_err() {
                how.idle();
            }
        }
    }

    #[inline]
    fn look(
        receiver: &mut Self::Receiver,
        max: usize,
        how: How,
        mut read: impl FnMut(&Line),
    ) -> usize {
        let len = receiver.try_iter().take(max).map(|line| read(&line)).count();
        if len == 0 && how == How::Block {
            read(&receiver.recv().expect("the sender outlives the stream"));
            return 1;
        }
        len
    }
}
