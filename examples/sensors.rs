//! Sensors: real-time analytics over a stream of readings, in windows of one second, and an alert
//! that is added while the stream flows.
//!
//! ```text
//!     sensor 0 --\                                   /--> dashboard
//!     sensor 1 ---+--> bus --> analytics --> bus ---+
//!     sensor 2 --/   Reading               Window    \--> alert   (from the second minute on)
//! ```
//!
//! Each sensor is a thread with a publisher of its own. Analytics subscribes to readings and
//! publishes a window once the first reading behind it has come; dashboard and alert subscribe to
//! windows and know nothing of sensors. Time is that of the readings, so the result is the same
//! every time, however fast the sensors are replayed.
//!
//! `cargo run --example sensors` prints what each consumer saw.

use std::ops::Range;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use ringtape::bus::{Bus, BusEvent, Context, Publisher};
use ringtape::error::Result;
use ringtape::ring::HandlerResult;

/// What one sensor measured.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Reading {
    time_ms: u64,
    sensor: u32,
    millidegrees: i32,
}

impl BusEvent for Reading {
    const ID: u32 = 1;
}

/// A sensor was switched off.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct SwitchedOff {
    sensor: u32,
}

impl BusEvent for SwitchedOff {
    const ID: u32 = 2;
}

/// One second of one sensor.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Window {
    second: u64,
    sensor: u32,
    readings: u32,
    millidegrees_min: i32,
    millidegrees_mean: i32,
    millidegrees_max: i32,
    reserved: u32,
}

impl BusEvent for Window {
    const ID: u32 = 3;
}

const SENSORS: u32 = 3;
const READINGS_PER_SECOND: u64 = 100;

/// A mean above this is an alert.
const HOT_MILLIDEGREES: i32 = 30_000;

/// How long anything here may take before it counts as broken.
const LONG: Duration = Duration::from_secs(20);

/// What sensor `sensor` measures at that time: a wave, and two short fires.
fn measure(sensor: u32, time_ms: u64) -> Reading {
    let wave = (time_ms / 10 % 200) as i32;
    let wave = if wave < 100 { wave } else { 200 - wave };
    let is_fire = matches!((sensor, time_ms / 1000), (1, 30..33) | (2, 75..80));
    let fire = if is_fire { 15_000 } else { 0 };
    Reading { time_ms, sensor, millidegrees: 18_000 + 2_000 * sensor as i32 + 10 * wave + fire }
}

/// Runs all sensors through some seconds, each on its own thread.
fn run_sensors(publishers: &[Publisher], seconds: Range<u64>) -> Result<()> {
    thread::scope(|scope| {
        let sensors = publishers.iter().zip(0..).map(|(publisher, sensor)| {
            let step = 1000 / READINGS_PER_SECOND;
            let mut times = (seconds.start * 1000..seconds.end * 1000).step_by(step as usize);
            scope.spawn(move || times.try_for_each(|time| publisher.publish(measure(sensor, time))))
        });
        let sensors: Vec<_> = sensors.collect();
        sensors.into_iter().try_for_each(|sensor| sensor.join().expect("no sensor panics"))
    })
}

/// The open window of each sensor.
#[derive(Debug, Default)]
struct Analytics {
    open: [Option<Window>; SENSORS as usize],
    sums: [i64; SENSORS as usize],
}

impl Analytics {
    /// Adds a reading; the window before it, if the reading begins a new one.
    fn add(&mut self, reading: &Reading) -> Option<Window> {
        let sensor = reading.sensor as usize;
        let second = reading.time_ms / 1000;
        let is_next = self.open[sensor].is_some_and(|window| window.second != second);
        let closed = if is_next { self.close(reading.sensor) } else { None };
        let value = reading.millidegrees;
        let window = self.open[sensor].get_or_insert(Window {
            second,
            sensor: reading.sensor,
            millidegrees_min: value,
            millidegrees_max: value,
            ..Window::zeroed()
        });
        window.readings += 1;
        window.millidegrees_min = window.millidegrees_min.min(value);
        window.millidegrees_max = window.millidegrees_max.max(value);
        self.sums[sensor] += i64::from(value);
        window.millidegrees_mean = (self.sums[sensor] / i64::from(window.readings)) as i32;
        closed
    }

    /// Closes the sensor's window.
    fn close(&mut self, sensor: u32) -> Option<Window> {
        self.sums[sensor as usize] = 0;
        self.open[sensor as usize].take()
    }
}

fn start_analytics(bus: &Bus) -> Result<()> {
    let publisher = bus.publisher()?;
    let publish = move |window: Option<Window>| -> HandlerResult {
        Ok(window.map_or(Ok(()), |window| publisher.publish(window))?)
    };
    let publish_last = publish.clone();
    bus.subscriber("analytics", Analytics::default())
        .on(move |analytics: &mut Analytics, reading: &Reading, _context: Context| {
            publish(analytics.add(reading))
        })
        .on(move |analytics: &mut Analytics, off: &SwitchedOff, _context: Context| {
            publish_last(analytics.close(off.sensor))
        })
        .start()
}

/// A subscriber that keeps the windows it is interested in; they can be received at its end.
fn keep_windows(
    bus: &Bus,
    name: &str,
    is_interesting: impl Fn(&Window) -> bool + Send + 'static,
) -> Result<std::sync::mpsc::Receiver<Vec<Window>>> {
    let (send, receive) = channel();
    bus.subscriber(name, Vec::new())
        .on(move |kept: &mut Vec<Window>, window: &Window, _context: Context| {
            kept.extend(is_interesting(window).then_some(*window));
            Ok(())
        })
        .on_end(move |kept, _end| send.send(std::mem::take(kept)).expect("somebody asks"))
        .start()?;
    Ok(receive)
}

fn main() -> Result<()> {
    // The ring holds both minutes, so that analytics, which publishes too, never waits for itself.
    let bus = Bus::builder("sensors").capacity(1 << 16).start()?;
    start_analytics(&bus)?;
    let dashboard = keep_windows(&bus, "dashboard", |_| true)?;
    let publishers = (0..SENSORS).map(|_| bus.publisher()).collect::<Result<Vec<_>>>()?;

    run_sensors(&publishers, 0..60)?;
    assert!(bus.settle(LONG), "the first minute is analysed");

    // A new consumer: nobody else is touched, restarted or told.
    let alert = keep_windows(&bus, "alert", |window| window.millidegrees_mean > HOT_MILLIDEGREES)?;
    run_sensors(&publishers, 60..120)?;
    for (publisher, sensor) in publishers.iter().zip(0..) {
        publisher.publish(SwitchedOff { sensor })?;
    }
    let report = bus.shutdown(LONG);
    assert!(report.is_clean(), "{report:?}");

    let (dashboard, alert) = (dashboard.recv(), alert.recv());
    let (dashboard, alert) = (dashboard.expect("it ended"), alert.expect("it ended"));
    let delivered = |name: &str| report.stats.subscriber(name).map_or(0, |it| it.delivered);
    println!("analytics  saw {} readings and switches", delivered("analytics"));
    println!("dashboard  saw {} windows", delivered("dashboard"));
    for sensor in 0..SENSORS {
        let own = || dashboard.iter().filter(|window| window.sensor == sensor);
        let readings: u32 = own().map(|window| window.readings).sum();
        let min = own().map(|window| window.millidegrees_min).min().unwrap_or_default();
        let max = own().map(|window| window.millidegrees_max).max().unwrap_or_default();
        let windows = own().count();
        println!(
            "dashboard  sensor {sensor}: {windows} windows, {readings} readings, {min} to {max}"
        );
    }
    println!("alert      joined after a minute and saw {} windows", delivered("alert"));
    for window in &alert {
        let Window { second, sensor, millidegrees_mean, .. } = window;
        println!("alert      sensor {sensor} at second {second}: mean {millidegrees_mean}");
    }
    Ok(())
}
