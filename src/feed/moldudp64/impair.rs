//! A line that loses, doubles and reorders packets, to try a receiver.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Shares are of a million.
const MILLION: u64 = 1_000_000;

/// How bad a line is, in packets of a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Packets that are lost.
    pub loss: u32,
    /// Packets that come twice.
    pub duplicates: u32,
    /// Packets that come behind the one after them.
    pub reordered: u32,
}

/// A line of packets; the same seed gives the same faults.
///
/// ```
/// use ringtape::feed::moldudp64::{Impairment, Line};
///
/// let mut line = Line::new(Impairment { loss: 100_000, ..Impairment::default() }, 7);
/// let mut came = 0;
/// for _ in 0..10_000 {
///     line.pass(b"packet", |_| came += 1);
/// }
/// assert_eq!(came + line.lost(), 10_000);
/// assert!((900..1_100).contains(&line.lost()));
/// ```
#[derive(Clone, Debug)]
pub struct Line {
    impairment: Impairment,
    random: Xoshiro256PlusPlus,
    /// A packet that is let pass behind the next one.
    held: Option<Vec<u8>>,
    lost: u64,
}

impl Line {
    /// A line as bad as `impairment` says.
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { impairment, random, held: None, lost: 0 }
    }

    /// Packets that were lost so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Puts a packet on the line; `receive` gets what comes out.
    pub fn pass(&mut self, packet: &[u8], mut receive: impl FnMut(&[u8])) {
        if self.comes_up(self.impairment.loss) {
            self.lost += 1;
            return;
        }
        if self.held.is_none() && self.comes_up(self.impairment.reordered) {
            self.held = Some(packet.to_vec());
            return;
        }
        receive(packet);
        if self.comes_up(self.impairment.duplicates) {
            receive(packet);
        }
        if let Some(late) = self.held.take() {
            receive(&late);
        }
    }

    /// Lets what is still held pass.
    pub fn drain(&mut self, mut receive: impl FnMut(&[u8])) {
        if let Some(late) = self.held.take() {
            receive(&late);
        }
    }

    fn comes_up(&mut self, of_a_million: u32) -> bool {
        of_a_million > 0 && self.random.next_u64() % MILLION < u64::from(of_a_million)
    }
}
