//! What comes with time between two events: orders at the venue, reports at the desk, timers.

use super::desk::Office;
use super::member::Call;
use super::trader::Trader;
use crate::book::Replica;
use crate::error::Result;
use crate::event::Execution;
use crate::limits::COMMANDS_PER_EVENT_MAX;
use crate::units::Nanos;

impl Trader {
    /// An event of another day has come: what was due before midnight comes first, then orders of
    /// the day expire, and what is held gets the day's last mark.
    #[cold]
    pub(super) fn turn_day(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let next = Nanos(self.config.clock.day_end(until.0));
        let midnight = std::mem::replace(&mut self.day_end, next);
        // The first event ends no day.
        if midnight == Nanos(0) {
            return Ok(());
        }
        self.receive(Nanos(midnight.0 - 1), ts_event, replica, out)?;
        self.office.now = midnight.max(self.office.now);
        self.office.venue.end_day(ts_event, &mut self.office.reports);
        self.settle(replica, out)?;
        self.tell(replica, out)?;
        self.quote_close(ts_event, replica, out)?;
        self.settle(replica, out)
    }

    /// When the next order or report arrives or the next timer fires.
    #[inline]
    pub(super) fn next_due(&self) -> Option<Nanos> {
        let next = self.office.next_due();
        match self.next_report() {
            Some(report) => Some(next.map_or(report, |next| next.min(report))),
            None => next,
        }
    }

    /// When the next report arrives that takes time; others are told as events complete.
    #[inline]
    fn next_report(&self) -> Option<Nanos> {
        self.untold.front().filter(|_| !self.tells_at_once).map(|told| told.due)
    }

    /// Lets orders and reports arrive and timers fire that are due by `until`; what comes of each
    /// reaches the strategies before the next.
    #[cold]
    pub(super) fn receive(
        &mut self,
        until: Nanos,
        ts_event: Nanos,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        for _ in 0..COMMANDS_PER_EVENT_MAX {
            let is_open = replica.is_event_open(self.last_instrument);
            let timer = self.office.timers.next_due().filter(|due| *due <= until && !is_open);
            let report = self.next_report().filter(|due| *due <= until);
            let order = self.office.venue.next_due();
            // Of what is due at the same time an order goes first, then a report.
            let first_other = report.into_iter().chain(timer).min();
            if first_other.is_none_or(|other| order.is_some_and(|order| order <= other)) {
                let Office { venue, now, reports, .. } = &mut self.office;
                if let Some(due) = venue.receive(until, ts_event, replica, reports) {
                    *now = due.max(*now);
                    self.settle(replica, out)?;
                    self.tell(replica, out)?;
                    continue;
                }
            }
            if let Some(due) = report.filter(|due| timer.is_none_or(|timer| *due <= timer)) {
                self.office.now = due.max(self.office.now);
                if self.tell(replica, out)? > 0 {
                    continue;
                }
            }
            let Some(due) = timer else { return Ok(()) };
            self.office.now = due.max(self.office.now);
            if let Some(timer) = self.office.timers.take() {
                self.call(timer.owner as usize, Call::Timer(timer.id), replica, out)?;
                self.tell(replica, out)?;
            }
        }
        self.office.counts.postponed += 1;
        Ok(())
    }
}
