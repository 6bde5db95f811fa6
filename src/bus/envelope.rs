//! What a slot of a bus holds: a header and one event of any type.

use bytemuck::{Pod, Zeroable};

use crate::limits::BUS_PAYLOAD_BYTES;

/// A type of event: plain old data with a number that no other type on the same bus has.
///
/// It has at most 48 bytes and an alignment of at most 8, so that a slot is one cache line; both
/// are checked at compile time. `bytemuck`'s derive checks the rest: no padding, no pointers.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use ringtape::bus::BusEvent;
///
/// #[derive(Clone, Copy, Debug, Pod, Zeroable)]
/// #[repr(C)]
/// struct OrderPlaced {
///     order: u64,
///     title: u32,
///     copies: u32,
/// }
///
/// impl BusEvent for OrderPlaced {
///     const ID: u32 = 1;
/// }
/// ```
///
/// A larger one does not compile where it is published or subscribed to:
///
/// ```compile_fail,E0080
/// use ringtape::bus::{BusEvent, Envelope};
///
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
/// #[repr(C)]
/// struct Letter {
///     text: [u64; 7],
/// }
///
/// impl BusEvent for Letter {
///     const ID: u32 = 2;
/// }
///
/// Envelope::new(0, Letter { text: [0; 7] });
/// ```
pub trait BusEvent: Pod {
    /// The number of the type; what else it means is up to the application.
    const ID: u32;
}

/// An event on its way: which type, who published it, and its bytes.
///
/// ```text
///   0        4       6           8                                    56
///   | id u32 | bytes | publisher | the event, then zeros               |
/// ```
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use ringtape::bus::{BusEvent, Envelope};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
/// #[repr(C)]
/// struct Paid {
///     order: u64,
/// }
///
/// impl BusEvent for Paid {
///     const ID: u32 = 3;
/// }
///
/// let envelope = Envelope::new(9, Paid { order: 17 });
/// assert_eq!((envelope.id(), envelope.publisher()), (3, 9));
/// assert_eq!(envelope.event(), Some(&Paid { order: 17 }));
/// assert_eq!(envelope.bytes(), 17_u64.to_ne_bytes());
/// assert_eq!(size_of::<Envelope>(), 56);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Envelope {
    id: u32,
    bytes: u16,
    publisher: u16,
    payload: [u64; BUS_PAYLOAD_BYTES / 8],
}

impl Envelope {
    /// Puts `event` of `publisher` into an envelope.
    #[inline]
    pub fn new<E: BusEvent>(publisher: u16, event: E) -> Self {
        const {
            assert!(size_of::<E>() <= BUS_PAYLOAD_BYTES, "an event on a bus has at most 48 bytes");
            assert!(align_of::<E>() <= 8, "an event on a bus has an alignment of at most 8");
        }
        let mut payload = [0; BUS_PAYLOAD_BYTES / 8];
        bytemuck::bytes_of_mut(&mut payload)[..size_of::<E>()]
            .copy_from_slice(bytemuck::bytes_of(&event));
        Self { id: E::ID, bytes: size_of::<E>() as u16, publisher, payload }
    }

    /// The [`BusEvent::ID`] of the event's type.
    #[inline]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The number of the publisher.
    #[inline]
    pub fn publisher(&self) -> u16 {
        self.publisher
    }

    /// The event's bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::bytes_of(&self.payload)[..usize::from(self.bytes).min(BUS_PAYLOAD_BYTES)]
    }

    /// The event, if it is an `E`: both number and size are those of the type.
    #[inline]
    pub fn event<E: BusEvent>(&self) -> Option<&E> {
        const {
            assert!(size_of::<E>() <= BUS_PAYLOAD_BYTES, "an event on a bus has at most 48 bytes");
            assert!(align_of::<E>() <= 8, "an event on a bus has an alignment of at most 8");
        }
        let is_one = self.id == E::ID && usize::from(self.bytes) == size_of::<E>();
        is_one.then(|| bytemuck::from_bytes(self.bytes()))
    }
}

/// Where an event stands on its bus, and who published it.
///
/// ```
/// use ringtape::bus::Context;
///
/// fn describe(context: Context) -> String {
///     format!("event {} of publisher {}", context.sequence, context.publisher)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The event's sequence, the same for all subscribers.
    pub sequence: u64,
    /// The number of the publisher; 0 is the bus itself.
    pub publisher: u16,
}
