//! Hints to the processor: which slots will be written or read soon.
//!
//! A slot's line goes to and fro between the writer's core and the readers'. Who stores to it or
//! loads from it first waits for that, about 100 ns; who asks for it in time does not. A hint
//! changes nothing that a program can see. Elsewhere than on x86-64 there is none.

use super::Published;

/// Asks for the line of a slot that is to be written.
#[inline(always)]
pub(super) fn expect_to_write<T>(slot: &Published<T>) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    // SAFETY: the instruction changes neither memory nor registers and never faults.
    unsafe {
        std::arch::asm!(
            "prefetchw [{}]",
            in(reg) std::ptr::from_ref(slot),
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    let _ = slot;
}

/// Asks for the line of a slot that is to be read.
#[inline(always)]
pub(super) fn expect_to_read<T>(slot: &Published<T>) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: as above; every x86-64 processor has the instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(slot).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    let _ = slot;
}
