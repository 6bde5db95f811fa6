//! The bounded channel of `crossbeam-channel`.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::chain::Pipe;
use super::job::How;
use super::watch::Line;

pub(crate) struct Crossbeam;

impl Pipe for Crossbeam {
    type Sender = Sender<Line>;
    type Receiver = Receiver<Line>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        bounded(capacity)
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
