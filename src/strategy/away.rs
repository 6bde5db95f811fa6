//! The trader whose orders go to a real venue: what it hears from there, and what it sends.

use super::door::Door;
use super::entry::OrderEntry;
use super::trader::Trader;
use crate::book::Replica;
use crate::error::Result;
use crate::event::{Event, EventView, Execution};
use crate::gateway::{Request, Standing};
use crate::strategy::risk::Limit;
use crate::units::Nanos;

impl Trader {
    /// The same trader, whose orders go out of the door to a real venue instead of the simulated
    /// one.
    ///
    /// It trades once the market ring brings a `session` event that says that there is one, and
    /// hears of its orders by `report` events; see [`crate::gateway`].
    #[must_use]
    pub fn through_gateway(mut self) -> Self {
        self.office.venue = OrderEntry::Away(Box::<Door>::default());
        self.tells_at_once = true;
        self
    }

    /// Whether orders go to a real venue.
    pub fn is_away(&self) -> bool {
        matches!(self.office.venue, OrderEntry::Away(_))
    }

    /// Where the run stands with the real venue; `None` where orders go to the simulated one.
    pub fn standing(&self) -> Option<Standing> {
        let OrderEntry::Away(door) = &self.office.venue else { return None };
        let cancels = |member: &super::member::Member| {
            let limits = self.office.gate.limits(member.seat.account);
            limits.get(Limit::CancelOnDisconnect).is_some_and(|value| value != 0)
        };
        let cancel_on_disconnect = self.members.iter().any(cancels);
        Some(Standing { cancel_on_disconnect, ..door.standing() })
    }

    /// Whether there are commands to be sent.
    #[inline]
    pub fn has_requests(&self) -> bool {
        matches!(&self.office.venue, OrderEntry::Away(door) if door.has_requests())
    }

    /// Appends the commands that are to be sent to a real venue, in their order.
    pub fn take_requests(&mut self, replica: &Replica, to: &mut Vec<Request>) {
        if let OrderEntry::Away(door) = &mut self.office.venue {
            door.take_requests(replica, to);
        }
    }

    /// Orders of which the real venue said something else than is known here.
    pub fn differences(&self) -> u64 {
        match &self.office.venue {
            OrderEntry::Away(door) => door.differences,
            OrderEntry::Simulated(_) => 0,
        }
    }

    /// Takes in what a gateway tells; other events pass by.
    pub(super) fn hear(
        &mut self,
        event: &Event,
        replica: &Replica,
        out: &mut Vec<Execution>,
    ) -> Result<()> {
        let at = Nanos(event.ts_event).max(self.office.now);
        let OrderEntry::Away(door) = &mut self.office.venue else { return Ok(()) };
        let reports = &mut self.office.reports;
        match event.view() {
            EventView::Session(session) => door.session(session, at, reports),
            EventView::Report(head) => door.head = Some(*head),
            EventView::ReportMore(more) => {
                door.report((more, event.side()), at, replica, reports)?;
            }
            _ => return Ok(()),
        }
        self.office.now = at;
        self.settle(replica, out)?;
        self.tell(replica, out)?;
        // What strategies sent in answer and found no session for is refused at once.
        if self.next_due().is_some_and(|due| due <= at) {
            self.receive(at, at, replica, out)?;
        }
        Ok(())
    }
}
