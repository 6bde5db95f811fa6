//! What the processor does and the language has no words for: asking for memory before it is used,
//! and comparing sixteen bytes at once.
//!
//! WHY: a plain load brings a line in as well, and holds up everything after it once the processor
//! has looked some 500 instructions ahead; a prefetch is done when it was asked for. The comparison
//! as a loop takes 60 instructions where 6 do, and a message of a feed asks for three.
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

/// A bit for each of the bytes that equals `wanted`.
#[inline(always)]
pub(crate) fn equal_bytes(bytes: &[u8; 16], wanted: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: SSE2, which the function is compiled for, is part of every x86-64.
        unsafe { equal_bytes_sse2(bytes, wanted) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    (0..16).fold(0, |bits, lane| bits | u32::from(bytes[lane] == wanted) << lane)
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn equal_bytes_sse2(bytes: &[u8; 16], wanted: u8) -> u32 {
    let wanted = sse2::_mm_set1_epi8(wanted.cast_signed());
    let equal = sse2::_mm_cmpeq_epi8(bytemuck::cast(*bytes), wanted);
    sse2::_mm_movemask_epi8(equal).cast_unsigned()
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
    fn each_equal_byte_has_its_bit() {
        let bytes = [7, 0, 7, 0x80, 255, 1, 0, 7, 9, 9, 0, 128, 127, 7, 2, 255];
        for wanted in [7, 0, 0x80, 255, 1, 2, 3] {
            let expected = (0..16).filter(|&lane| bytes[lane] == wanted).map(|lane| 1 << lane);
            assert_eq!(equal_bytes(&bytes, wanted), expected.sum::<u32>(), "{wanted}");
        }
    }
}
