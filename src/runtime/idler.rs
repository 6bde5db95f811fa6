//! What a runner does between two duty cycles in which no agent had work.

use std::time::Duration;

use crate::clock::Clock;
use crate::ring::Wait;

/// How long a parked runner sleeps.
const PARK: Duration = Duration::from_micros(50);

/// Looks in vain from one offer of the core to the next, while nobody else wants it; and prompt
/// returns in a row after which nobody does.
const LOOKS_PER_OFFER: u32 = 64;

/// An offer of the core that takes longer than this was taken up, in ns.
// WHY: on a core of its own a thread was back after 0.2 us, with another one there after 1.0 us at
// the least.
const TAKEN_UP_NS: u64 = 500;

/// A runner's way of waiting.
///
/// The automatic one pauses on a core of its own and yields on one that it shares, with whatever
/// process: it offers the core now and then and sees from the time of that whether anybody took it.
/// A thread that spins where others want to run holds them up for milliseconds at a time.
#[derive(Debug)]
pub(super) struct Idler {
    wait: Wait,
    is_shared: bool,
    /// Looks since the last offer while the core is not shared; prompt returns while it is.
    looks: u32,
}

impl Idler {
    pub(super) fn new(wait: Wait) -> Self {
        Self { wait, is_shared: false, looks: 0 }
    }

    /// Waits once.
    pub(super) fn idle(&mut self, clock: &Clock) {
        match self.wait {
            Wait::Spin => {}
            Wait::Pause => std::hint::spin_loop(),
            Wait::Yield => std::thread::yield_now(),
            // A runner has agents on several rings and nobody who rings for all of them.
            Wait::Park => std::thread::sleep(PARK),
            Wait::Auto => self.idle_auto(clock),
        }
    }

    fn idle_auto(&mut self, clock: &Clock) {
        if !self.is_offer_due() {
            return std::hint::spin_loop();
        }
        let before = clock.now();
        std::thread::yield_now();
        self.note_offer(clock.now().0.saturating_sub(before.0));
    }

    /// Whether the core is to be offered at this look.
    fn is_offer_due(&mut self) -> bool {
        if !self.is_shared {
            self.looks += 1;
        }
        self.is_shared || self.looks >= LOOKS_PER_OFFER
    }

    /// The core was offered, and back after so many ns.
    fn note_offer(&mut self, took_ns: u64) {
        if took_ns > TAKEN_UP_NS {
            (self.is_shared, self.looks) = (true, 0);
        } else if self.is_shared {
            self.looks += 1;
            if self.looks >= LOOKS_PER_OFFER {
                (self.is_shared, self.looks) = (false, 0);
            }
        } else {
            self.looks = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: u64 = TAKEN_UP_NS;
    const TAKEN_UP: u64 = TAKEN_UP_NS + 1;

    /// Offers among `looks` looks, each of which takes so long.
    fn offers(idler: &mut Idler, looks: u32, took_ns: u64) -> u32 {
        let mut offers = 0;
        for _ in 0..looks {
            if idler.is_offer_due() {
                idler.note_offer(took_ns);
                offers += 1;
            }
        }
        offers
    }

    #[test]
    fn a_core_is_offered_now_and_then_and_at_every_look_while_it_is_shared() {
        let mut idler = Idler::new(Wait::Auto);
        assert_eq!(offers(&mut idler, 10 * LOOKS_PER_OFFER, PROMPT), 10);
        // The first offer that is taken up shows it.
        assert_eq!(offers(&mut idler, LOOKS_PER_OFFER + 99, TAKEN_UP), 100);
        // The others leave, and it takes as many prompt returns in a row to believe it.
        assert_eq!(offers(&mut idler, LOOKS_PER_OFFER - 1, PROMPT), LOOKS_PER_OFFER - 1);
        assert_eq!(offers(&mut idler, 1, TAKEN_UP), 1);
        assert_eq!(offers(&mut idler, LOOKS_PER_OFFER, PROMPT), LOOKS_PER_OFFER);
        assert_eq!(offers(&mut idler, LOOKS_PER_OFFER - 1, PROMPT), 0);
        assert_eq!(offers(&mut idler, 1, PROMPT), 1);
    }
}
