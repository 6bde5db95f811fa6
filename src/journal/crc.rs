//! CRC32C of journal slots, in the processor where it can.
//!
//! This file is one of the few that may use `unsafe`, for one instruction. `crc32` of SSE 4.2 takes
//! eight bytes a cycle, but its intrinsic cannot be inlined into a caller that is compiled for any
//! x86-64, and a call for each record costs more than the checksum. An `asm!` block can, behind a
//! check at run time that the processor has the instruction.
#![allow(unsafe_code)]

/// The CRC of slots of one epoch: CRC32C over epoch, sequence (both `u64`) and the slot's words.
///
/// Source: CRC-32C (Castagnoli), as in RFC 3720, appendix B.4.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotCrc {
    /// The CRC of the epoch, which every slot of the segment begins with.
    of_epoch: u32,
    /// Whether the processor has the instruction.
    hardware: bool,
}

impl SlotCrc {
    /// The CRC for slots of `epoch`.
    pub(super) fn new(epoch: u64) -> Self {
        Self { of_epoch: crc32c::crc32c(&epoch.to_le_bytes()), hardware: has_instruction() }
    }

    /// The CRC of a slot as it is stored: never 0, which would read as "not written".
    #[inline]
    pub(super) fn of(self, sequence: u64, words: &[[u8; 8]]) -> u32 {
        let crc = if self.hardware {
            // SAFETY: the processor has the instruction.
            unsafe { by_instruction(self.of_epoch, sequence, words) }
        } else {
            by_table(self.of_epoch, sequence, words)
        };
        if crc == 0 { u32::MAX } else { crc }
    }
}

fn by_table(of_epoch: u32, sequence: u64, words: &[[u8; 8]]) -> u32 {
    let crc = crc32c::crc32c_append(of_epoch, &sequence.to_le_bytes());
    crc32c::crc32c_append(crc, words.as_flattened())
}

#[cfg(target_arch = "x86_64")]
fn has_instruction() -> bool {
    is_x86_feature_detected!("sse4.2")
}

/// # Safety
///
/// The processor has the instruction: [`has_instruction`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn by_instruction(of_epoch: u32, sequence: u64, words: &[[u8; 8]]) -> u32 {
    // SAFETY: as the caller promised.
    let mut state = unsafe { step(u64::from(!of_epoch), sequence) };
    for word in words {
        // SAFETY: as the caller promised.
        state = unsafe { step(state, u64::from_le_bytes(*word)) };
    }
    !(state as u32)
}

/// Takes in eight bytes.
///
/// # Safety
///
/// The processor has the instruction: [`has_instruction`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn step(mut state: u64, word: u64) -> u64 {
    // SAFETY: the caller promised that the instruction is there; it touches no memory, stack or
    // flags.
    unsafe {
        std::arch::asm!(
            "crc32 {state}, {word}",
            state = inout(reg) state,
            word = in(reg) word,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    state
}

#[cfg(not(target_arch = "x86_64"))]
fn has_instruction() -> bool {
    false
}

/// # Safety
///
/// None needed.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn by_instruction(of_epoch: u32, sequence: u64, words: &[[u8; 8]]) -> u32 {
    by_table(of_epoch, sequence, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruction_and_table_agree_and_both_are_crc32c() {
        let words: Vec<[u8; 8]> =
            (0..15u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
        for count in 0..=words.len() {
            let words = &words[..count];
            for (epoch, sequence) in [(0, 0), (1, u64::MAX), (7, 1 << 40)] {
                let crc = SlotCrc::new(epoch);
                let plain =
                    [&epoch.to_le_bytes(), &sequence.to_le_bytes(), words.as_flattened()].concat();
                assert_eq!(crc.of(sequence, words), crc32c::crc32c(&plain));
                assert_eq!(by_table(crc.of_epoch, sequence, words), crc32c::crc32c(&plain));
            }
        }
    }

    #[test]
    fn another_sequence_or_epoch_gives_another_crc() {
        let words = [[0; 8]; 7];
        let crc = SlotCrc::new(0);
        assert_ne!(crc.of(0, &words), crc.of(1 << 32, &words));
        assert_ne!(crc.of(0, &words), SlotCrc::new(1).of(0, &words));
    }
}
