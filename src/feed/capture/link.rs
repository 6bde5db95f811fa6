//! From a frame to the UDP datagram in it, by `etherparse`.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, IpNumber, NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::Linktype;

/// What a frame holds.
pub(super) enum Frame<'a> {
    Datagram {
        payload: &'a [u8],
        destination: SocketAddr,
    },
    /// A part of a UDP datagram.
    Fragment,
    /// A part of a frame, too short for what its headers say.
    Cut,
    /// Something that is no UDP datagram.
    Other,
}

/// How frames of a link begin.
#[derive(Clone, Copy)]
enum Link {
    Ethernet,
    /// So many bytes before the IP header.
    Ip(usize),
    /// Linux's cooked captures, old and new.
    Cooked,
    Cooked2,
}

/// Bytes of the new cooked header; its first two are the type of what follows.
const COOKED2_BYTES: usize = 20;

fn link(link: Linktype) -> Option<Link> {
    match link.0 {
        1 => Some(Link::Ethernet),
        // Raw IP has three numbers.
        12 | 14 | 101 | 228 | 229 => Some(Link::Ip(0)),
        // The loopbacks of BSD: a family before the header.
        0 | 108 => Some(Link::Ip(4)),
        113 => Some(Link::Cooked),
        276 => Some(Link::Cooked2),
        _ => None,
    }
}

/// Whether frames of such links can be read.
pub(super) fn is_known(linktype: Linktype) -> bool {
    link(linktype).is_some()
}

/// What a frame holds; `is_cut` when it was longer on the wire.
pub(super) fn frame(linktype: Linktype, data: &[u8], is_cut: bool) -> Frame<'_> {
    let parsed = match link(linktype) {
        Some(Link::Ethernet) => SlicedPacket::from_ethernet(data),
        Some(Link::Ip(before)) => match data.get(before..) {
            Some(rest) => SlicedPacket::from_ip(rest),
            None => return Frame::Other,
        },
        Some(Link::Cooked) => SlicedPacket::from_linux_sll(data),
        Some(Link::Cooked2) => match data.split_at_checked(COOKED2_BYTES) {
            Some(([high, low, ..], rest)) => {
                let kind = EtherType(u16::from_be_bytes([*high, *low]));
                SlicedPacket::from_ether_type(kind, rest)
            }
            _ => return Frame::Other,
        },
        None => return Frame::Other,
    };
    let Ok(packet) = parsed else {
        return if is_cut { Frame::Cut } else { Frame::Other };
    };
    let Some(address) = destination(&packet) else { return Frame::Other };
    let is_udp = |packet: &SlicedPacket<'_>| {
        packet.ip_payload().is_some_and(|payload| payload.ip_number == IpNumber::UDP)
    };
    match packet.transport {
        _ if packet.is_ip_payload_fragmented() => match is_udp(&packet) {
            true => Frame::Fragment,
            false => Frame::Other,
        },
        Some(TransportSlice::Udp(udp)) => Frame::Datagram {
            payload: udp.payload(),
            destination: SocketAddr::new(address, udp.destination_port()),
        },
        _ => Frame::Other,
    }
}

fn destination(packet: &SlicedPacket<'_>) -> Option<IpAddr> {
    match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => Some(ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => Some(ip.header().destination_addr().into()),
        _ => None,
    }
}
