//! Event types of your own on the bus: who publishes knows nobody who listens.
//!
//! ```text
//!     web shop --> bus --> kitchen     makes pizza
//!                     \--> till        counts money
//! ```
//!
//! `cargo run --example own_event`; `bookstore` and `sensors` are whole applications.

use std::sync::mpsc::channel;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use ringtape::bus::{Bus, BusEvent, Context};
use ringtape::error::Result;

/// Any plain old data of up to 48 bytes is an event once it has a number of its own.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct PizzaOrdered {
    order: u64,
    cents: u32,
    slices: u32,
}

impl BusEvent for PizzaOrdered {
    const ID: u32 = 1;
}

fn main() -> Result<()> {
    let bus = Bus::new("pizzeria")?;
    let (bake, oven) = channel();
    bus.subscribe("kitchen", move |pizza: &PizzaOrdered, _: Context| Ok(bake.send(pizza.slices)?))?;
    let (pay, drawer) = channel();
    bus.subscribe("till", move |pizza: &PizzaOrdered, _: Context| Ok(pay.send(pizza.cents)?))?;

    for order in 0..1000 {
        bus.publish(PizzaOrdered { order, cents: 900, slices: 8 })?;
    }
    let report = bus.shutdown(Duration::from_secs(10));
    assert!(report.is_clean(), "{report:?}");
    println!("kitchen {} slices", oven.iter().sum::<u32>());
    println!("till {} cents", drawer.iter().sum::<u32>());
    Ok(())
}
