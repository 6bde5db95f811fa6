//! Where a live feed is, as an address in one word.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result, nearest};

/// What an address starts with.
pub const SCHEME: &str = "udp://";

/// Names of what may follow the question mark.
const KEYS: [&str; 7] = ["b", "request", "interface", "buffer", "busy", "from", "patience"];

/// Bytes that a socket should hold: a fifth of a second of a feed of 1 GB/s at its opening burst.
const BUFFER_BYTES: usize = 8 << 20;

/// Time for which missing messages are awaited on the other line, and from a server.
const PATIENCE: Duration = Duration::from_millis(100);
const PATIENCE_WITH_SERVER: Duration = Duration::from_secs(3);

/// Where a live MoldUDP64 feed is, and how it is received.
///
/// `udp://GROUP:PORT[?key=value&...]`, with these keys:
///
/// | key | what | unless given |
/// |---|---|---|
/// | `b` | `GROUP:PORT` of the second line | one line |
/// | `request` | `ADDRESS:PORT` of the server that sends messages again | none: a loss stays |
/// | `interface` | address of the interface that the groups are on | the system's choice |
/// | `buffer` | bytes that each socket should hold, `8M` | `8M` |
/// | `busy` | time that the kernel polls the network card, `50us` | 0: as the system is set |
/// | `from` | number of the first message wanted | 1 with a server, else the lowest to come |
/// | `patience` | time that missing messages are awaited | `3s` with a server, else `100ms` |
///
/// ```
/// use ringtape::feed::udp::UdpAddress;
///
/// let address: UdpAddress = "udp://233.54.12.1:26477?b=233.49.196.1:26477&buffer=16M".parse()?;
/// assert_eq!(address.lines.len(), 2);
/// assert_eq!(address.buffer_bytes, 16 << 20);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpAddress {
    /// One line or two: groups, or addresses of this machine.
    pub lines: Vec<SocketAddrV4>,
    /// The server that sends messages again.
    pub request: Option<SocketAddrV4>,
    /// Address of the interface that the groups are on.
    pub interface: Ipv4Addr,
    /// Bytes that each socket should hold.
    pub buffer_bytes: usize,
    /// Time that the kernel polls the network card for a packet, in us; 0 leaves it as it is.
    pub busy_poll_us: u32,
    /// Number of the first message wanted.
    pub from: Option<u64>,
    /// How long missing messages are awaited.
    pub patience: Duration,
}

impl FromStr for UdpAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |what: String| {
            let cure =
                "write udp://GROUP:PORT, for example udp://239.1.2.3:26477?interface=127.0.0.1";
            Error::usage(what, cure)
        };
        let rest =
            text.strip_prefix(SCHEME).ok_or_else(|| bad(format!("`{text}` is no address")))?;
        let (line, options) = rest.split_once('?').unwrap_or((rest, ""));
        let socket = |text: &str| {
            let address = text.parse::<SocketAddrV4>();
            let address = address.map_err(|_| bad(format!("`{text}` is no ADDRESS:PORT")))?;
            match address.port() {
                0 => Err(bad(format!("`{text}` has no port: 0 is none"))),
                _ => Ok(address),
            }
        };
        let mut address = Self {
            lines: vec![socket(line)?],
            request: None,
            interface: Ipv4Addr::UNSPECIFIED,
            buffer_bytes: BUFFER_BYTES,
            busy_poll_us: 0,
            from: None,
            patience: PATIENCE,
        };
        let mut patience = None;
        let mut given = Vec::new();
        for pair in options.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wrong = || bad(format!("`{value}` is no value of `{key}`"));
            if given.contains(&key) {
                return Err(bad(format!("`{key}` is given twice")));
            }
            given.push(key);
            match key {
                "b" => address.lines.push(socket(value)?),
                "request" => address.request = Some(socket(value)?),
                "interface" => address.interface = value.parse().map_err(|_| wrong())?,
                "buffer" => address.buffer_bytes = bytes(value).ok_or_else(wrong)?,
                "busy" => {
                    let us = time(value).ok_or_else(wrong)?.as_micros();
                    address.busy_poll_us = i32::try_from(us).map_err(|_| wrong())? as u32;
                }
                "from" => address.from = Some(value.parse().map_err(|_| wrong())?),
                "patience" => patience = Some(time(value).ok_or_else(wrong)?),
                other => {
                    let meant = nearest(other, KEYS.into_iter());
                    let hint = meant.map_or(String::new(), |key| format!(", `{key}` perhaps"));
                    return Err(bad(format!("an address has no `{other}`{hint}")));
                }
            }
        }
        let usual = if address.request.is_some() { PATIENCE_WITH_SERVER } else { PATIENCE };
        address.patience = patience.unwrap_or(usual);
        Ok(address)
    }
}

/// Bytes, `65536`, `512k` or `8M`.
fn bytes(text: &str) -> Option<usize> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        _ => (text, 0),
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift).filter(|&bytes| bytes > 0)
}

/// A time of whole units, `50us`, `100ms` or `3s`.
fn time(text: &str) -> Option<Duration> {
    const UNITS_US: [(&str, u64); 3] = [("us", 1), ("ms", 1_000), ("s", 1_000_000)];
    let (digits, us) =
        UNITS_US.iter().find_map(|(name, us)| Some((text.strip_suffix(name)?, *us)))?;
    digits.parse::<u64>().ok()?.checked_mul(us).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_all_that_can_be_said_and_mistakes_are_named() {
        let text = "udp://239.0.0.1:1?b=239.0.0.2:2&request=127.0.0.1:3&interface=127.0.0.1&\
                    buffer=512k&busy=50us&from=7&patience=2s";
        let address: UdpAddress = text.parse().expect("an address");
        assert_eq!(address.lines.len(), 2);
        assert_eq!(address.request.map(|request| request.port()), Some(3));
        assert_eq!((address.buffer_bytes, address.busy_poll_us), (512 << 10, 50));
        assert_eq!((address.from, address.patience), (Some(7), Duration::from_secs(2)));
        for (text, told) in [
            ("udp://239.0.0.1", "no ADDRESS:PORT"),
            ("udp://host:1", "no ADDRESS:PORT"),
            ("udp://239.0.0.1:1?bufer=1M", "`buffer` perhaps"),
            ("udp://239.0.0.1:1?busy=5", "no value of `busy`"),
            ("tcp://239.0.0.1:1", "no address"),
            ("udp://239.0.0.1:0", "has no port"),
            ("udp://239.0.0.1:1?request=127.0.0.1:0", "has no port"),
            ("udp://239.0.0.1:1?from=1&from=2", "`from` is given twice"),
            ("udp://239.0.0.1:1?b=239.0.0.2:1&b=239.0.0.3:1", "`b` is given twice"),
        ] {
            let error = text.parse::<UdpAddress>().expect_err("a mistake");
            assert!(error.to_string().contains(told), "{text}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
