//! Where a venue is: `tcp://HOST:PORT?heartbeat=1s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::units::duration;

/// How addresses begin.
const SCHEME: &str = "tcp://";

/// Silence after which a heartbeat is sent, unless the address says otherwise.
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(1);

/// Heartbeats at the fastest.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);

/// The address of a venue's door.
///
/// ```
/// use ringtape::engine::GatewayAddress;
///
/// let address: GatewayAddress = "tcp://127.0.0.1:7001?heartbeat=200ms".parse()?;
/// assert_eq!(address.host, "127.0.0.1:7001");
/// assert_eq!(address.heartbeat.as_millis(), 200);
/// assert!("127.0.0.1:7001".parse::<GatewayAddress>().is_err());
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAddress {
    /// Host and port.
    pub host: String,
    /// Silence after which either side sends a heartbeat; after three it gives up.
    pub heartbeat: Duration,
}

impl FromStr for GatewayAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |what: String| {
            Error::usage(what, "write tcp://HOST:PORT, or tcp://HOST:PORT?heartbeat=200ms")
        };
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(bad(format!("`{text}` is no address of a gateway")));
        };
        let (host, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            return Err(bad(format!("`{host}` is no HOST:PORT")));
        }
        let mut heartbeat = HEARTBEAT_DEFAULT;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let time = parameter.strip_prefix("heartbeat=").and_then(duration);
            let time = time.map(|time| Duration::from_nanos(time.0));
            heartbeat = time
                .filter(|time| (HEARTBEAT_MIN..=Duration::from_secs(60)).contains(time))
                .ok_or_else(|| bad(format!("`{parameter}` means nothing here")))?;
        }
        Ok(Self { host: host.to_owned(), heartbeat })
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.host)
    }
}
