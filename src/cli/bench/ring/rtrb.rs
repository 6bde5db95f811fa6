//! The `rtrb` crate: a ring of one producer and one consumer, with chunks.

use super::chain::Pipe;
use super::job::How;
use super::watch::Line;

pub(crate) struct Rtrb;

impl Pipe for Rtrb {
    type Sender = rtrb::Producer<Line>;
    type Receiver = rtrb::Consumer<Line>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        rtrb::RingBuffer::new(capacity)
    }

    #[inline]
    fn send(
        sender: &mut Self::Sender,
        count: usize,
        mut line: impl FnMut(usize) -> Line,
        how: How,
    ) {
        if count == 1 {
            let line = line(0);
            while sender.push(line).is_err() {
                how.idle();
            }
            return;
        }
        loop {
            if let Ok(chunk) = sender.write_chunk_uninit(count) {
                chunk.fill_from_iter((0..count).map(line));
                return;
            }
            how.idle();
        }
    }

    #[inline]
    fn look(
        receiver: &mut Self::Receiver,
        max: usize,
        _how: How,
        mut read: impl FnMut(&Line),
    ) -> usize {
        let Ok(chunk) = receiver.read_chunk(receiver.slots().min(max)) else { return 0 };
        let (head, tail) = chunk.as_slices();
        head.iter().for_each(&mut read);
        tail.iter().for_each(&mut read);
        let len = chunk.len();
        chunk.commit_all();
        len
    }

    #[inline]
    fn relay(
        receiver: &mut Self::Receiver,
        sender: &mut Self::Sender,
        max: usize,
        how: How,
        mut read: impl FnMut(&Line),
    ) -> usize {
        let len = receiver.slots().min(max);
        if len == 0 {
            return 0;
        }
        let lines = receiver.read_chunk(len).expect("so many are there");
        loop {
            if let Ok(room) = sender.write_chunk_uninit(len) {
                let (head, tail) = lines.as_slices();
                let both = head.iter().chain(tail);
                room.fill_from_iter(both.inspect(|line| read(line)).copied());
                break;
            }
            how.idle();
        }
        lines.commit_all();
        len
    }
}
