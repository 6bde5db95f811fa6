//! The matcher's memory in the steady state, and at the limit of its orders.
//!
//! Would catch an allocation on the hot path, and an order that is dropped in silence.

#[path = "common/allocations.rs"]
mod counting;

use counting::allocated;
use ringtape::engine::generate::{Flow, FlowProfile};
use ringtape::event::{Event, Execution, ExecutionKind, Reason};
use ringtape::matching::{Matcher, MatcherConfig};

/// Applies records and says how often that allocated.
fn allocations(matcher: &mut Matcher, events: &[Event], out: &mut Vec<Execution>) -> u64 {
    let before = allocated();
    for event in events {
        out.clear();
        matcher.apply(event, out);
    }
    allocated() - before
}

/// A cancel of every live order.
fn cancel_all(matcher: &Matcher) -> Vec<Event> {
    use bytemuck::Zeroable;
    use ringtape::event::payload;
    let ids = matcher.instruments().iter().map(|(id, _)| id);
    ids.flat_map(|id| matcher.orders(id))
        .map(|order| {
            let cancel = payload::CancelOrder {
                order_id: order.order_id,
                account: order.account,
                ..payload::CancelOrder::zeroed()
            };
            Event::new(u64::MAX / 2, order.instrument.0, cancel)
        })
        .collect()
}

#[test]
fn a_second_session_like_the_first_allocates_nothing() {
    for flow in Flow::ALL {
        let profile = FlowProfile { commands: 30_000, symbols: 20, live: 2_000, ..flow.profile() };
        let stream = profile.generate().expect("a flow");
        let mut matcher = Matcher::new(MatcherConfig::default());
        let mut out = Vec::with_capacity(8_192);
        let mut counts = [0; 2];
        for count in &mut counts {
            *count += allocations(&mut matcher, &stream.setup, &mut out);
            *count += allocations(&mut matcher, &stream.events, &mut out);
            let cancels = cancel_all(&matcher);
            *count += allocations(&mut matcher, &cancels, &mut out);
            assert_eq!(matcher.live_orders(), 0);
        }
        assert!(counts[0] > 10, "the counter counts");
        assert_eq!(counts[1], 0, "{}", flow.name());
    }
}

#[test]
fn an_order_above_the_limit_is_rejected_and_counted() {
    let profile = FlowProfile { commands: 5_000, symbols: 4, live: 400, ..Flow::Active.profile() };
    let stream = profile.generate().expect("a flow");
    let config = MatcherConfig { orders_max: 300, ..MatcherConfig::default() };
    let mut matcher = Matcher::new(config);
    let mut out = Vec::new();
    for event in &stream.setup {
        matcher.apply(event, &mut out);
        assert!(matcher.live_orders() <= 300);
    }
    let is_refused = |execution: &&Execution| {
        execution.kind() == Some(ExecutionKind::Rejected) && execution.reason() == Reason::Capacity
    };
    let refused = out.iter().filter(is_refused).count() as u64;
    assert_eq!(refused, 100);
    assert_eq!(matcher.counts().rejected(Reason::Capacity), refused);
}
