//! `replay --metrics 127.0.0.1:PORT`: the gauges as Prometheus reads them.
//!
//! A thread of its own answers; it reads the gauges when asked and never touches the engine.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringtape::engine::{Engine, Gauges};
use ringtape::error::{Error, Result};

use super::term;

/// How long a client may take to ask and to listen.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a request's head that are read at most.
const HEAD_BYTES_MAX: u64 = 8 << 10;

/// Clients that are listened to at a time.
const CLIENTS_MAX: usize = 64;

/// How often it is looked whether one of them has left.
const LOOK: Duration = Duration::from_millis(5);

/// Listens at an address, which must be this machine's own.
pub(super) fn listen(text: &str) -> Result<TcpListener> {
    let address: Option<SocketAddr> = text.parse().ok();
    let address = address.filter(|address| address.ip().is_loopback()).ok_or_else(|| {
        Error::usage(
            format!("`{text}` is no address of this machine alone"),
            "write 127.0.0.1:9100, or [::1]:9100; port 0 takes a free one",
        )
    })?;
    TcpListener::bind(address).map_err(|error| {
        Error::usage(format!("cannot listen at {address}: {error}"), "choose another port")
    })
}

/// Answers whoever comes, until the program ends.
pub(super) fn serve(listener: TcpListener, engine: &Engine) -> Result<()> {
    let at = listener.local_addr().map_err(|error| Error::io("listen at", "a port", error))?;
    let gauges = engine.handle().gauges();
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || answer_all(&listener, &gauges))
        .map_err(|source| Error::io("start a thread for", "metrics", source))?;
    term::tell(format_args!("metrics    at http://{at}/metrics"));
    Ok(())
}

/// Answers each client on a thread of its own, so that none that says nothing holds others up.
fn answer_all(listener: &TcpListener, gauges: &Gauges) {
    let seats = Arc::new(());
    for stream in listener.incoming().flatten() {
        while Arc::strong_count(&seats) > CLIENTS_MAX {
            thread::sleep(LOOK);
        }
        let (seat, gauges) = (seats.clone(), gauges.clone());
        let client = move || {
            // Whoever hangs up in the middle has no use for an error.
            let _ = answer(stream, &gauges);
            drop(seat);
        };
        // Where the system has no thread left, the client sees the connection end.
        let _ = thread::Builder::new().name("metrics".to_owned()).spawn(client);
    }
}

fn answer(mut stream: TcpStream, gauges: &Gauges) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?.take(HEAD_BYTES_MAX)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let target = request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    let path = target.and_then(|target| target.split('?').next());
    let (status, body) = match matches!(path, Some("/metrics" | "/")) {
        true => ("200 OK", text(gauges)),
        false => ("404 Not Found", "ask for /metrics\n".to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The gauges in the text format.
fn text(gauges: &Gauges) -> String {
    let reading = gauges.read();
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, rows: &[(String, u64)]| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let one = |value: u64| vec![(String::new(), value)];
    let counter = "counter";
    metric(
        "ringtape_messages_total",
        counter,
        "Messages taken from the feed.",
        &one(reading.messages),
    );
    metric(
        "ringtape_running_seconds",
        "gauge",
        "Time since the start.",
        &one(reading.at.0 / 1_000_000_000),
    );
    let rings = || gauges.rings().iter().zip(&reading.rings);
    let of_ring: Vec<_> = rings()
        .map(|(ring, now)| (format!("{{ring=\"{}\"}}", ring.name), now.depth, now.handled))
        .collect();
    let pick = |depth: bool| {
        let row = |(labels, depth_now, handled): &(String, u64, u64)| {
            (labels.clone(), if depth { *depth_now } else { *handled })
        };
        of_ring.iter().map(row).collect::<Vec<_>>()
    };
    metric(
        "ringtape_ring_depth",
        "gauge",
        "Records published and not yet handled by the slowest stage.",
        &pick(true),
    );
    metric(
        "ringtape_ring_handled_total",
        counter,
        "Records that the furthest stage has handled.",
        &pick(false),
    );
    let lags: Vec<_> = rings()
        .flat_map(|(ring, now)| {
            ring.stages
                .iter()
                .zip(&now.lags)
                .map(|(stage, &lag)| (format!("{{ring=\"{}\",stage=\"{stage}\"}}", ring.name), lag))
        })
        .collect();
    metric(
        "ringtape_stage_lag",
        "gauge",
        "Records published and not yet handled by this stage.",
        &lags,
    );
    text
}
