//! The flows of commands that matchers are measured with.
//!
//! Would catch books that run dry or swell during a flow, a mix or share of sweeps other than
//! stated, and a seed that does not decide everything.

use std::collections::BTreeSet;

use ringtape::engine::generate::{CommandFlow, Flow, FlowProfile};
use ringtape::event::{Event, EventView, Execution, ExecutionKind, TimeInForce};
use ringtape::feed::OpenOptions;
use ringtape::feed::orders::OrderFeed;
use ringtape::matching::{Matcher, MatcherConfig};

/// Times in force of aggressive orders.
const IMMEDIATE: [u8; 2] = [TimeInForce::Ioc as u8, TimeInForce::Fok as u8];

fn profile(flow: Flow) -> FlowProfile {
    FlowProfile { commands: 200_000, symbols: 50, live: 5_000, ..flow.profile() }
}

fn full_books(stream: &CommandFlow) -> Matcher {
    let mut matcher = Matcher::new(MatcherConfig::default());
    stream.setup.iter().for_each(|event| matcher.apply(event, &mut Vec::new()));
    matcher
}

/// What the matcher says to a record.
fn said(matcher: &mut Matcher, event: &Event) -> Vec<Execution> {
    let mut out = Vec::new();
    matcher.apply(event, &mut out);
    out
}

#[test]
fn about_as_many_orders_live_all_the_way_as_at_first() {
    for flow in Flow::ALL {
        let profile = profile(flow);
        let stream = profile.generate().expect("a flow");
        let mut matcher = full_books(&stream);
        assert_eq!(matcher.live_orders() as u64, profile.live);
        let (mut fewest, mut most) = (u64::MAX, 0);
        for event in &stream.events {
            said(&mut matcher, event);
            let live = matcher.live_orders() as u64;
            (fewest, most) = (fewest.min(live), most.max(live));
        }
        assert!(fewest * 10 >= profile.live * 9, "{}: {fewest} to {most}", flow.name());
        assert!(most * 10 <= profile.live * 11, "{}: {fewest} to {most}", flow.name());
    }
}

#[test]
fn the_mix_is_the_stated_one_and_a_quarter_of_the_aggressive_orders_sweep() {
    let stated = [[46, 43, 8, 3], [40, 30, 10, 20], [40, 30, 10, 20]];
    for (flow, stated) in Flow::ALL.into_iter().zip(stated) {
        let stream = profile(flow).generate().expect("a flow");
        let mut matcher = full_books(&stream);
        let (mut mix, mut sweeps) = ([0_u64; 4], 0);
        for event in &stream.events {
            let said = said(&mut matcher, event);
            let fills = said.iter().filter(|said| said.kind() == Some(ExecutionKind::Filled));
            let prices: BTreeSet<i64> = fills.map(|fill| fill.price).collect();
            sweeps += u64::from(prices.len() > 1);
            mix[match event.view() {
                EventView::NewOrder(order) if IMMEDIATE.contains(&order.time_in_force) => 3,
                EventView::NewOrder(_) => 0,
                EventView::CancelOrder(_) => 1,
                EventView::ReplaceOrder(_) => 2,
                _ => continue,
            }] += 1;
        }
        let name = flow.name();
        assert_eq!(mix.iter().sum::<u64>(), stream.commands, "{name}");
        for (count, stated) in mix.into_iter().zip(stated) {
            let per_mille = count * 1_000 / stream.commands;
            assert!(per_mille.abs_diff(stated * 10) <= 5, "{name}: {mix:?}");
        }
        if flow != Flow::Rich {
            // In `rich`, triggered stops sweep too, and self-trade prevention ends sweeps.
            let per_cent = sweeps * 100 / mix[3];
            assert!((23..=27).contains(&per_cent), "{name}: {per_cent} % sweep");
        }
    }
}

#[test]
fn the_seed_decides_everything() {
    for flow in Flow::ALL {
        let profile = FlowProfile { commands: 5_000, symbols: 5, live: 500, ..flow.profile() };
        let one = profile.generate().expect("a flow");
        let again = profile.generate().expect("a flow");
        assert!(one.setup == again.setup && one.events == again.events, "{}", flow.name());
        let other = FlowProfile { seed: 43, ..profile }.generate().expect("a flow");
        assert!(one.events != other.events, "{}", flow.name());
    }
}

/// What happened to whom: prices in cents.
fn story(matcher: &mut Matcher, events: &[Event], per_cent: i64) -> Vec<(u8, u64, u64, i64, u64)> {
    let told = events.iter().flat_map(|event| said(matcher, event));
    told.filter(|one| one.order_id != 0)
        .map(|one| (one.kind, one.order_id, one.qty, one.price / per_cent, one.leaves))
        .collect()
}

#[test]
fn a_flow_written_as_an_order_file_gives_the_same_executions() {
    for flow in Flow::ALL {
        let profile = FlowProfile { commands: 20_000, symbols: 20, live: 2_000, ..flow.profile() };
        let stream = profile.generate().expect("a flow");
        let mut file = Vec::new();
        stream.write_orders(&mut file).expect("memory takes all");
        let mut feed = OrderFeed::from_bytes("flow", file, &OpenOptions::default()).expect("rows");
        let mut read = Vec::new();
        while feed.next_row(&mut read).expect("a good row").is_some() {}
        let written = [&stream.setup[..], &stream.events].concat();
        let direct = story(&mut Matcher::new(MatcherConfig::default()), &written, 100);
        let through_file = story(&mut Matcher::new(MatcherConfig::default()), &read, 1);
        assert!(direct.len() > 20_000, "{}", flow.name());
        assert!(direct == through_file, "{}", flow.name());
    }
}
