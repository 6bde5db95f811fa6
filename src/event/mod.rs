//! The records that ride the rings: [`Event`] on the market ring, [`Execution`] on the execution
//! ring.
//!
//! Both are plain old data of fixed size without padding, little-endian on disk. Their kinds and
//! payload fields stand in one table, [`kinds`], with the types of [`fields`]; instruments are
//! gathered from records by [`InstrumentTable`].

mod codes;
pub(crate) mod decimal;
mod describe;
mod execution;
pub mod fields;
mod hours;
pub mod instrument;
pub mod kinds;
mod overrides;
mod rejects;
mod ticks;
mod zone;

use std::mem::{offset_of, size_of};

use bytemuck::{Pod, Zeroable};

pub use codes::{
    ExecutionKind, Instructions, Liquidity, OrderType, Reason, SelfTrade, TimeInForce,
};
pub use execution::{Execution, Listing, Quote};
pub use hours::TradingHours;
pub use instrument::{Instrument, InstrumentTable, format_price};
pub use kinds::{EventView, KINDS, Kind, Payload, payload};
pub use overrides::{InstrumentOverride, InstrumentOverrides};
pub use rejects::RejectCounts;
pub use ticks::{TICK_BANDS_MAX, TickBands};
pub use zone::{Date, Moment, TimeOfDay, Zone};

use crate::limits::{EVENT_BYTES, EXECUTION_BYTES, FEEDS_MERGED_MAX};
use crate::units::Side;

/// A record of the market ring: 56 bytes.
///
/// ```text
///  0        8         16   17   18     20         24                              56
///  | ts_event | ts_ingest | kind side flags instrument | payload by kind (32 bytes) |
/// ```
///
/// ```
/// use ringtape::event::{Event, EventView, Kind, payload};
/// use ringtape::event::kinds::Text;
/// use ringtape::units::{OrderId, Price, Qty, Side};
///
/// let add = payload::Add {
///     order_id: OrderId(7),
///     price: Price(3_201_400),
///     qty: Qty(100),
///     attribution: Text::new(""),
///     pad: 0,
/// };
/// let event = Event::new(34_200_000_000_000, 13, add).with_side(Side::Buy);
/// assert_eq!(event.kind(), Some(Kind::Add));
/// assert!(matches!(event.view(), EventView::Add(a) if a.price == Price(3_201_400)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Event {
    /// Exchange time in ns since the Unix epoch, or since midnight when the feed has no date.
    pub ts_event: u64,
    /// Engine clock in ns; in a paced replay the intended time.
    pub ts_ingest: u64,
    /// Code of the [`Kind`].
    pub kind: u8,
    /// Code of the [`Side`]; 0 for none.
    pub side: u8,
    /// Bits of [`Flags`].
    pub flags: u16,
    /// Number of the instrument; 0 when the event is of none.
    pub instrument: u32,
    /// The payload; [`Event::view`] types it.
    pub payload: [u64; 4],
}

const _: () = {
    assert!(size_of::<Event>() == EVENT_BYTES);
    assert!(offset_of!(Event, ts_ingest) == 8);
    assert!(offset_of!(Event, kind) == 16);
    assert!(offset_of!(Event, side) == 17);
    assert!(offset_of!(Event, flags) == 18);
    assert!(offset_of!(Event, instrument) == 20);
    assert!(offset_of!(Event, payload) == 24);
    assert!(size_of::<Execution>() == EXECUTION_BYTES);
};

/// Bits of [`Event::flags`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags;

impl Flags {
    /// Last record of one exchange event of this instrument.
    pub const LAST: u16 = 1 << 0;
    /// Part of a snapshot of the venue's book.
    pub const SNAPSHOT: u16 = 1 << 1;
    /// A print that counts as volume.
    pub const PRINTABLE: u16 = 1 << 2;
    /// The book may be wrong: messages before this one were lost.
    pub const MAYBE_BAD: u16 = 1 << 3;
    /// The next record belongs to this one.
    pub const CONTINUED: u16 = 1 << 4;
    /// The number of the feed that the event is of, among several that are read as one: bits 8 to
    /// 14, 0 for a feed alone. [`Event::source`] reads it.
    pub const SOURCE: u16 = 0x7f << Self::SOURCE_SHIFT;

    const SOURCE_SHIFT: u32 = 8;
}

const _: () = assert!(FEEDS_MERGED_MAX == (Flags::SOURCE >> Flags::SOURCE_SHIFT) as usize);

impl Event {
    /// An event with a typed payload, no side and no flags.
    #[inline]
    pub fn new<P: Payload>(ts_event: u64, instrument: u32, payload: P) -> Self {
        Self {
            ts_event,
            ts_ingest: 0,
            kind: P::KIND as u8,
            side: 0,
            flags: 0,
            instrument,
            payload: bytemuck::cast(payload),
        }
    }

    /// The same event with a side.
    #[inline]
    #[must_use]
    pub fn with_side(mut self, side: Side) -> Self {
        self.side = side as u8;
        self
    }

    /// The same event with more flags.
    #[inline]
    #[must_use]
    pub fn with_flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// The same event, of the feed `source`, from 1, of several that are read as one.
    #[inline]
    #[must_use]
    pub(crate) fn with_source(mut self, source: u16) -> Self {
        debug_assert!((1..=FEEDS_MERGED_MAX).contains(&usize::from(source)));
        self.flags = self.flags & !Flags::SOURCE | source << Flags::SOURCE_SHIFT;
        self
    }

    /// The number, from 1, of the feed that the event is of, among several that are read as one;
    /// `None` for a feed alone, and for what the engine added but findings in that feed.
    #[inline]
    pub fn source(&self) -> Option<u32> {
        let source = (self.flags & Flags::SOURCE) >> Flags::SOURCE_SHIFT;
        (source > 0).then_some(source.into())
    }

    /// The kind; `None` for a code that this version does not know.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind)
    }

    /// The side; `None` when the event has none.
    #[inline]
    pub fn side(&self) -> Option<Side> {
        Side::from_code(self.side)
    }

    /// Whether the next record belongs to this one.
    #[inline]
    pub fn is_continued(&self) -> bool {
        self.flags & Flags::CONTINUED != 0
    }

    /// Whether this is the last record of an exchange event of its instrument.
    #[inline]
    pub fn is_last(&self) -> bool {
        self.flags & Flags::LAST != 0
    }

    /// Whether all of `flags` are set.
    #[inline]
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }
}
