//! What the processor does and the language has no words for: asking for memory before it is used,
//! and comparing eight numbers at once.
//!
//! WHY: a plain load brings a line in as well, and holds up everything after it once the processor
//! has looked some 500 instructions ahead; a prefetch is done when it was asked for. The comparison
//! as a loop takes 30 instructions where 8 do, and a message of a feed asks for four.
//!
//! This file is one of the few that may use `unsafe`: the instructions belong to SSE2, which the
//! compiler wants to be told is there (it is part of every x86-64), and a prefetch takes an address
//! that nobody checks. It reads nothing into the program and never faults, whatever the address.
//! Other processors do without the one and compare in a loop.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as sse2;

/// Asks for the cache line of an address.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: a prefetch of any address, mapped or not, is a hint without effect on the
        // program; SSE, which has it, is part of every x86-64.
        unsafe { sse2::_mm_prefetch::<{ sse2::_MM_HINT_T0 }>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Asks for the line in which the value `index` places into a slice lies, or would lie.
#[inline(always)]
pub(crate) fn prefetch_at<T>(slice: &[T], index: usize) {
    prefetch(slice.as_ptr().wrapping_add(index));
}

/// A bit for each of the numbers that equals `wanted`.
#[inline(always)]
pub(crate) fn equal_lanes(numbers: &[u32; 8], wanted: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: SSE2, which the function is compiled for, is part of every x86-64.
        unsafe { equal_lanes_sse2(numbers, wanted) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    (0..8).fold(0, |bits, lane| bits | u32::from(numbers[lane] == wanted) << lane)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn equal_lanes_sse2(numbers: &[u32; 8], wanted: u32) -> u32 {
    let [low, high]: [sse2::__m128i; 2] = bytemuck::cast(*numbers);
    let wanted = sse2::_mm_set1_epi32(wanted.cast_signed());
    let low = sse2::_mm_cmpeq_epi32(low, wanted);
    let high = sse2::_mm_cmpeq_epi32(high, wanted);
    let words = sse2::_mm_packs_epi32(low, high);
    let bytes = sse2::_mm_packs_epi16(words, sse2::_mm_setzero_si128());
    sse2::_mm_movemask_epi8(bytes).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_may_be_asked_for() {
        prefetch(std::ptr::null::<u8>());
        prefetch(usize::MAX as *const u64);
        prefetch_at(&[1u8, 2], 1 << 40);
    }

    #[test]
    fn each_equal_number_has_its_bit() {
        let numbers = [7, 0, 7, 0x8000_0000, u32::MAX, 1, 0, 7];
        for wanted in [7, 0, 0x8000_0000, u32::MAX, 1, 2] {
            let expected = (0..8).filter(|&lane| numbers[lane] == wanted).map(|lane| 1 << lane);
            assert_eq!(equal_lanes(&numbers, wanted), expected.sum::<u32>(), "{wanted}");
        }
    }
}
