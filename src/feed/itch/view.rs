//! Loads from one message: every offset is the specification's, counted from the type letter.
//!
//! A [`View`] shows a fixed number of bytes from the length prefix on, enough for the longest
//! message of the format and the next one's header. One bounds check makes the view; the loads
//! from it need none.

use crate::event::kinds::{Letter, Price32, Text};
use crate::units::{MatchId, Price, Qty};

/// Bytes of the big-endian length that precedes each message.
pub(crate) const PREFIX_BYTES: usize = 2;

/// Bytes that every message starts with: type, locate, tracking number, timestamp.
pub(crate) const HEADER_BYTES: usize = 11;

/// Bytes of a view; a window of the source shows at least so many past its limit.
pub(crate) const VIEW_BYTES: usize = 128;

/// The bytes from a message's length prefix on.
pub(crate) type View = [u8; VIEW_BYTES];

/// Largest offset of a field: the mask that makes loads provably lie inside a view.
const OFFSET_MASK: u8 = 63;

const _: () = assert!(2 * OFFSET_MASK as usize + 2 <= VIEW_BYTES);

/// The view of the message whose prefix is at `at`.
#[inline(always)]
pub(crate) fn view(window: &[u8], at: usize) -> &View {
    window[at..].first_chunk().expect("a window shows a view's bytes past its limit")
}

/// The bytes from `start` on.
///
/// WHY: `copy_from_slice` of the standard library, and the `memcpy` in it, are calls wherever they
/// land in another codegen unit: 339 instead of 133 instructions a message without link-time
/// optimisation, which a program that embeds this crate need not have.
#[inline(always)]
fn chunk<const N: usize>(view: &View, start: usize) -> [u8; N] {
    *view[start..].first_chunk().expect("masked offsets lie inside a view")
}

#[inline(always)]
pub(crate) fn bytes_at<const N: usize>(view: &View, offset: u8) -> [u8; N] {
    chunk(view, PREFIX_BYTES + usize::from(offset & OFFSET_MASK))
}

#[inline(always)]
pub(crate) fn u8_at(view: &View, offset: u8) -> u8 {
    view[PREFIX_BYTES + usize::from(offset & OFFSET_MASK)]
}

#[inline(always)]
pub(crate) fn u32_at(view: &View, offset: u8) -> u32 {
    u32::from_be_bytes(bytes_at(view, offset))
}

#[inline(always)]
pub(crate) fn u64_at(view: &View, offset: u8) -> u64 {
    u64::from_be_bytes(bytes_at(view, offset))
}

/// Eight bytes, `offset` bytes into the frame that starts `frame` bytes into a view.
#[inline(always)]
pub(crate) fn frame_word_at(view: &View, frame: u8, offset: u8) -> u64 {
    let start = usize::from(frame & OFFSET_MASK) + usize::from(offset & OFFSET_MASK);
    u64::from_be_bytes(chunk(view, start))
}

pub(super) fn letter_at(view: &View, offset: u8) -> Letter {
    Letter(u8_at(view, offset))
}

pub(super) fn price_at(view: &View, offset: u8) -> Price {
    Price(i64::from(u32_at(view, offset)))
}

pub(super) fn price32_at(view: &View, offset: u8) -> Price32 {
    Price32(u32_at(view, offset))
}

/// A quantity of eight bytes, as crosses and imbalances have them.
pub(super) fn long_qty_at(view: &View, offset: u8) -> Qty {
    Qty(u64_at(view, offset))
}

pub(super) fn match_at(view: &View, offset: u8) -> MatchId {
    MatchId(u64_at(view, offset))
}

/// A text field of `N` bytes without its padding, in a text of `M` bytes.
pub(super) fn text_at<const N: usize, const M: usize>(view: &View, offset: u8) -> Text<M> {
    Text::from_padded(&bytes_at::<N>(view, offset))
}
