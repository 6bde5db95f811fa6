//! Pinning, through `core_affinity`, in this one file.
//!
//! The crate hides cores that the system isolated from this thread's mask, aborts on ids over
//! 1,023, and threads inherit the mask of the thread that starts them. So: the mask is read before
//! anything is pinned, each runner pins itself on its own new thread, and what was got is read
//! back.

use rustix::thread::{CpuSet, sched_getaffinity};

use crate::units::CoreId;

/// The cores that the calling thread may run on, ascending; empty when the system does not tell.
pub fn allowed_cores() -> Vec<CoreId> {
    sched_getaffinity(None).map_or_else(
        |_| Vec::new(),
        |mask| (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).map(CoreId).collect(),
    )
}

/// Pins the calling thread to `core` and returns the cores that it may run on afterwards.
///
/// The pin held when the answer is `core` alone.
pub fn pin_current_thread(core: CoreId) -> Vec<CoreId> {
    if core.0 < CpuSet::MAX_CPU {
        core_affinity::set_for_current(core_affinity::CoreId { id: core.0 });
    }
    allowed_cores()
}

/// Lets the calling thread wait for all others that have work on its core: for what can take its
/// time and must hold up no runner.
///
/// WHY: without it the longest pause of matching was 11 ms on two cores at full speed, while
/// snapshots of two million orders were written beside it.
pub fn yield_to_others() {
    // Nothing is lost where it is refused but that time.
    let _ = rustix::process::nice(19);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_thread_pins_itself_and_the_pin_reads_back() {
        let before = allowed_cores();
        let Some(&core) = before.last() else { return };
        let got = std::thread::spawn(move || pin_current_thread(core)).join().expect("no panic");
        assert_eq!(got, [core]);
        assert_eq!(allowed_cores(), before, "the caller's own mask is as it was");
    }

    #[test]
    fn a_core_beyond_the_mask_changes_nothing() {
        let before = allowed_cores();
        assert_eq!(pin_current_thread(CoreId(CpuSet::MAX_CPU)), before);
    }
}
