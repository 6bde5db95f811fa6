//! The gateway agent: hands commands to the gateway, and posts what it tells to the inbox.

use std::collections::VecDeque;

use super::GatewayReport;
use super::errands::{Errand, Inward};
use super::farewell::Farewell;
use crate::engine::names::GATEWAY;
use crate::engine::outcomes::{Handover, hand_over};
use crate::error::Result;
use crate::event::kinds::Raw;
use crate::event::{Event, ExecutionKind, payload};
use crate::gateway::{Gateway, News, OpenOrder, Report, RunId};
use crate::limits::INBOX_CAPACITY;
use crate::ring::InboxSender;
use crate::runtime::{Agent, StopFlag};
use crate::units::{AccountId, MatchId, Nanos, OrderId};

/// What the agent is made of.
pub(in crate::engine) struct DispatchParts {
    pub(in crate::engine) gateway: Box<dyn Gateway>,
    pub(in crate::engine) inward: Inward,
    pub(in crate::engine) inbox: InboxSender<Event>,
    pub(in crate::engine) farewell: Farewell,
    /// Stops the run when the gateway fails.
    pub(in crate::engine) stop: StopFlag,
    pub(in crate::engine) run: RunId,
    pub(in crate::engine) handover: Handover<GatewayReport>,
}

/// The gateway agent.
pub(in crate::engine) struct Dispatch {
    parts: DispatchParts,
    news: Vec<News>,
    /// Events that found no room in the inbox.
    pending: VecDeque<Event>,
    is_open: bool,
    is_closing: bool,
    is_done: bool,
}

impl Dispatch {
    pub(in crate::engine) fn new(parts: DispatchParts) -> Self {
        let (news, pending) = (Vec::new(), VecDeque::new());
        Self { parts, news, pending, is_open: false, is_closing: false, is_done: false }
    }

    /// Posts what there is room for; how much that was.
    fn post(&mut self) -> usize {
        let before = self.pending.len();
        while let Some(event) = self.pending.pop_front() {
            let inbox = &self.parts.inbox;
            if inbox.len() >= INBOX_CAPACITY || inbox.post(event).is_err() {
                self.pending.push_front(event);
                break;
            }
        }
        before - self.pending.len()
    }

    /// Makes events of what the gateway told.
    fn note_news(&mut self) {
        let run = self.parts.run;
        for news in self.news.drain(..) {
            match news {
                News::Up { next_command } => {
                    self.pending.push_back(session(run, true, next_command));
                }
                News::Down { next_command } => {
                    self.pending.push_back(session(run, false, next_command));
                }
                News::Report(report) => self.pending.extend(of_report(&report)),
                News::OpenOrder(order) => self.pending.extend(of_open_order(&order)),
                News::OrdersListed(listed) => {
                    let end = OpenOrder {
                        order_id: OrderId(0),
                        price: 0,
                        leaves: listed.count,
                        account: AccountId(0),
                    };
                    self.pending.extend(of_open_order(&end));
                }
            }
        }
    }
}

/// The event of a session's beginning or end.
fn session(run: RunId, is_up: bool, next_command: u64) -> Event {
    let session = payload::Session {
        next_command,
        run_number: 0,
        is_up: u8::from(is_up),
        cancel_on_disconnect: 0,
        pad: 0,
        run: Raw(run.0),
    };
    Event::new(0, 0, session)
}

/// The events of a report.
fn of_report(report: &Report) -> [Event; 2] {
    let head = payload::Report {
        number: report.report,
        new_order_id: report.new_order_id,
        leaves: report.leaves,
        account: report.account,
        report: report.kind as u8,
        liquidity: report.liquidity.map_or(0, |liquidity| liquidity as u8),
        reason: report.reason as u16,
    };
    let more = payload::ReportMore {
        order_id: report.order_id,
        price: report.price.cast_unsigned(),
        qty: report.qty,
        match_id: report.match_id,
    };
    let side = report.side.map_or(0, |side| side as u8);
    [Event::new(0, 0, head), Event { side, ..Event::new(0, 0, more) }]
}

/// The events of an open order.
fn of_open_order(order: &OpenOrder) -> [Event; 2] {
    let head = payload::Report {
        number: 0,
        new_order_id: OrderId(0),
        leaves: order.leaves,
        account: order.account,
        report: ExecutionKind::Status as u8,
        liquidity: 0,
        reason: 0,
    };
    let more = payload::ReportMore {
        order_id: order.order_id,
        price: order.price.cast_unsigned(),
        qty: 0,
        match_id: MatchId(0),
    };
    [Event::new(0, 0, head), Event::new(0, 0, more)]
}

impl Agent for Dispatch {
    fn name(&self) -> &str {
        GATEWAY
    }

    fn do_work(&mut self) -> Result<usize> {
        let mut work = self.post();
        while let Some(errand) = self.parts.inward.errands.try_take() {
            work += 1;
            match errand {
                Errand::Open(standing) => {
                    self.is_open = true;
                    self.parts.gateway.open(standing);
                }
                Errand::Send(request) => self.parts.gateway.send(&request),
            }
        }
        // A run that ends before it has caught up still asks what became of its orders.
        let farewell = &self.parts.farewell;
        let is_due = (self.is_open && farewell.is_asked()) || farewell.is_left();
        if is_due && !self.is_closing {
            self.is_closing = true;
            self.parts.gateway.close();
        }
        if self.pending.is_empty() {
            work += self.parts.gateway.poll(&mut self.news)?;
            self.note_news();
            self.post();
        }
        let is_left = self.parts.farewell.is_left();
        let is_told = self.pending.is_empty() || is_left;
        if self.is_closing && is_told && self.parts.gateway.is_closed() {
            self.parts.farewell.say();
            self.is_done = true;
            work += 1;
        } else if is_left {
            self.pending.clear();
        }
        Ok(work)
    }

    fn completed(&mut self, _started: Nanos, _now: Nanos) {}

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn fail(&mut self, _cause: &str) {
        self.parts.stop.set();
    }

    fn finish(&mut self) {
        self.parts.inward.closer.close();
        self.parts.farewell.say();
        let gateway = &self.parts.gateway;
        let address = gateway.address().to_owned();
        let report = GatewayReport { address, counts: gateway.counts(), differences: 0 };
        hand_over(&self.parts.handover, report);
    }
}
