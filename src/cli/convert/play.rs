//! Playing a recorded feed to whoever listens: packets at their time, messages again on request.

use std::time::{Duration, Instant};

use ringtape::error::Result;
use ringtape::feed::moldudp64::{Packed, Packer};
use ringtape::feed::udp::{SenderConfig, UdpAddress, UdpSender};
use ringtape::feed::{Feed, Pace, Pacer};
use ringtape::report::format::{duration, thousands};
use ringtape::runtime::StopFlag;

use super::super::{Ending, parse};
use super::tape::{Transcript, impairment};
use super::{ConvertArgs, drive, ending, stop_on_interrupt};

/// Time between two packets that say that the session has ended.
const END_INTERVAL: Duration = Duration::from_millis(20);

/// Time for which the end is told and requests are answered.
const LINGER: &str = "2s";

/// Silence after which a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Time before a packet is due up to which the thread may sleep.
const SLEEP_MIN: Duration = Duration::from_micros(150);

/// A feed on its way out.
struct Player {
    sender: UdpSender,
    packer: Packer,
    pacer: Pacer,
    started: Instant,
    last_sent: Instant,
    /// How far behind its time the latest packet was sent.
    late: Duration,
}

/// Plays `feed` to `address`.
pub(super) fn play(
    args: &ConvertArgs,
    mut feed: Box<dyn Feed>,
    address: UdpAddress,
) -> Result<Ending> {
    let stop = stop_on_interrupt()?;
    let pace = match (&args.speed, &args.rate) {
        (Some(speed), _) => speed.parse()?,
        (None, Some(rate)) => Pace::per_second(parse::count(rate)?)?,
        (None, None) => "1x".parse()?,
    };
    let linger = Duration::from_nanos(parse::duration(args.linger.as_deref().unwrap_or(LINGER))?);
    let config = SenderConfig { impairment: impairment(args)?, seed: args.seed };
    let now = Instant::now();
    let mut player = Player {
        sender: UdpSender::open(address, config)?,
        packer: Packer::new(&args.session),
        pacer: Pacer::new(pace),
        started: now,
        last_sent: now,
        late: Duration::ZERO,
    };
    let mut transcript = Transcript::new(&*feed);
    let mut full = Vec::new();
    let driven = drive(&mut *feed, &stop, |records| {
        if let Some((frames, ts_ns)) = transcript.take(records)? {
            player.pack(&frames, ts_ns, &mut full);
        }
        full.drain(..).try_for_each(|packed| player.send(&packed))
    });
    if let Some((frames, ts_ns)) = transcript.rest() {
        player.pack(&frames, ts_ns, &mut full);
    }
    full.extend(player.packer.flush());
    full.drain(..).try_for_each(|packed| player.send(&packed))?;
    let wall = player.started.elapsed();
    // Who was told the end of a session that was stopped would take a part for the whole.
    if driven.is_ok() && !stop.is_set() {
        player.linger(linger, &stop)?;
    }
    transcript.tell(&*feed, &player.summary(wall));
    driven.map(|()| ending(&stop))
}

impl Player {
    /// Packs the messages of an exchange event; `full` gets the packets that this fills.
    ///
    /// WHY at the time they are due: a packet spans a stretch of the sending. By the feed's own
    /// time a quiet day that is played fast would go out in packets of one or two messages, and
    /// the system calls would bound the rate.
    fn pack(&mut self, frames: &[u8], ts_ns: u64, full: &mut Vec<Packed>) {
        let due = self.pacer.intended(ts_ns, self.packer.next() - 1).unwrap_or(0);
        self.packer.add(frames, due, |packed| full.push(packed));
    }

    /// Sends a packet when it is due, and answers requests until then.
    fn send(&mut self, packed: &Packed) -> Result<()> {
        let is_paced = self.pacer.is_paced();
        let due = is_paced.then(|| self.started + Duration::from_nanos(packed.ts_ns));
        loop {
            self.sender.serve(&self.packer)?;
            let now = Instant::now();
            let Some(left) = due.and_then(|due| due.checked_duration_since(now)) else { break };
            if left.is_zero() {
                break;
            }
            if now - self.last_sent > HEARTBEAT {
                self.sender.put(&self.packer.heartbeat())?;
                self.last_sent = now;
            }
            if left > SLEEP_MIN {
                std::thread::sleep((left - SLEEP_MIN / 2).min(HEARTBEAT / 100));
            } else {
                std::hint::spin_loop();
            }
        }
        self.last_sent = Instant::now();
        if let Some(due) = due {
            self.late = self.late.max(self.last_sent.saturating_duration_since(due));
        }
        self.sender.send(packed)
    }

    /// Tells the session's end, once at least, and answers requests, until nobody has asked for
    /// `linger`, or until a stop.
    fn linger(&mut self, linger: Duration, stop: &StopFlag) -> Result<()> {
        let mut last_asked = Instant::now();
        let mut last_told = None;
        loop {
            if last_told.is_none_or(|told: Instant| told.elapsed() >= END_INTERVAL) {
                self.sender.put(&self.packer.end())?;
                last_told = Some(Instant::now());
            }
            if last_asked.elapsed() >= linger || stop.is_set() {
                return Ok(());
            }
            if self.sender.serve(&self.packer)? > 0 {
                last_asked = Instant::now();
            } else {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    fn summary(&self, wall: Duration) -> String {
        let ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX).max(1);
        let rate = u128::from(self.sender.sent()) * 1_000_000_000 / u128::from(ns);
        let lost: Vec<_> = self.sender.lost().into_iter().map(thousands).collect();
        format!(
            "sent in {}, {} a second, at most {} late; packets lost on purpose {}; packets sent \
             again {}",
            duration(ns),
            thousands(rate as u64),
            duration(u64::try_from(self.late.as_nanos()).unwrap_or(u64::MAX)),
            lost.join(" and "),
            thousands(self.sender.answers()),
        )
    }
}
