//! What the datagrams of a capture carry, told by the first ones.

use super::Capture;
use crate::feed::moldudp64;
use crate::feed::source::Source;

/// Bytes of an IEX-TP header.
const IEX_HEADER_BYTES: usize = 40;

/// What a capture carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// NASDAQ's MoldUDP64.
    MoldUdp64,
    /// IEX-TP, with the number of the protocol inside.
    IexTp(u16),
    /// Nothing that is known here, in the part that was looked at.
    Unknown,
}

/// What the capture that starts with `head` carries.
pub(crate) fn protocol(head: &[u8]) -> Protocol {
    let capture = Source::from_bytes("", head.to_vec()).and_then(Capture::new);
    let Ok(mut capture) = capture else { return Protocol::Unknown };
    while let Ok(Some(datagram)) = capture.next() {
        if moldudp64::packet::is_packet(datagram.payload) {
            return Protocol::MoldUdp64;
        }
        if let Some(inner) = iex_tp(datagram.payload) {
            return Protocol::IexTp(inner);
        }
    }
    Protocol::Unknown
}

/// The number of the protocol inside an IEX-TP segment; `None` when the payload is none.
fn iex_tp(payload: &[u8]) -> Option<u16> {
    let header = payload.first_chunk::<IEX_HEADER_BYTES>()?;
    let field = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (protocol, length) = (field(2), usize::from(field(12)));
    let is_segment = header[0] == 1
        && (0x8001..=0x80ff).contains(&protocol)
        && IEX_HEADER_BYTES + length == payload.len();
    is_segment.then_some(protocol)
}
