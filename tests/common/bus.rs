//! Events for the tests of the bus, and a subscriber that sends what it sees.

#![allow(dead_code, unreachable_pub)]

use std::ops::Range;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use ringtape::bus::{Bus, BusEvent, Context};

/// Longer than anything here takes; who waits that long hangs.
pub const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Add {
    pub number: u64,
}

impl BusEvent for Add {
    const ID: u32 = 1;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Note {
    pub letter: u32,
    pub color: u32,
}

impl BusEvent for Note {
    const ID: u32 = 2;
}

/// An event without a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Stop {}

impl BusEvent for Stop {
    const ID: u32 = 3;
}

/// Subscribes to one type; what is seen can be received.
pub fn watch<E: BusEvent + Send + Sync>(bus: &Bus, name: &str) -> Receiver<(E, Context)> {
    let (send, receive) = channel();
    bus.subscribe(name, move |event: &E, context: Context| Ok(send.send((*event, context))?))
        .expect("a free name and seat");
    receive
}

/// Publishes these numbers.
pub fn numbers(bus: &Bus, numbers: Range<u64>) {
    numbers.for_each(|number| bus.publish(Add { number }).expect("an open bus"));
}
