//! A bookstore: an order service publishes orders; inventory, payment and email react, each on its
//! own.
//!
//! ```text
//!     order service --> bus --> inventory      takes the books off the shelf
//!                          \--> payment        takes the money
//!                          \--> email          writes a letter; its mail server is down for a while
//!                          \--> recorder       keeps everything for who comes late
//! ```
//!
//! While the mail server is down, orders, inventory and payment go on as if nothing were. When it
//! is back, email goes on where it stopped and writes a letter for every order exactly once.
//!
//! `cargo run --example bookstore` prints what each of them saw, `cargo run --example bookstore --
//! --letters` also every letter.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};
use ringtape::bus::{Bus, BusEvent, Context, Publisher, SubscriberState};
use ringtape::error::Result;
use ringtape::ring::HandlerResult;

/// A customer has ordered.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct OrderPlaced {
    order: u64,
    customer: u64,
    cents: u64,
    title: u32,
    copies: u32,
}

impl BusEvent for OrderPlaced {
    const ID: u32 = 1;
}

/// Payment has taken the money of an order.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct OrderPaid {
    order: u64,
    cents: u64,
}

impl BusEvent for OrderPaid {
    const ID: u32 = 2;
}

/// What the shop sells, with the price in cents.
const TITLES: [(&str, u64); 4] =
    [("Moby-Dick", 1250), ("Middlemarch", 1490), ("Walden", 890), ("Candide", 750)];

/// Orders of the day.
const ORDERS: RangeInclusive<u64> = 1..=500;

/// The order at whose letter the mail server goes down.
const DOWN_AT: u64 = 121;

/// How long anything here may take before it counts as broken.
const LONG: Duration = Duration::from_secs(20);

/// The order service: knows the bus and nobody behind it.
fn place_orders(publisher: &Publisher) -> Result<()> {
    ORDERS.into_iter().try_for_each(|order| {
        let title = (order * 7 % TITLES.len() as u64) as u32;
        let copies = (1 + order % 3) as u32;
        let cents = TITLES[title as usize].1 * u64::from(copies);
        publisher.publish(OrderPlaced { order, customer: 1000 + order % 83, cents, title, copies })
    })
}

/// What inventory has at the end of the day.
#[derive(Clone, Debug, Default)]
struct Inventory {
    orders: u64,
    sold: BTreeMap<&'static str, u32>,
}

fn start_inventory(bus: &Bus, result: Sender<Inventory>) -> Result<()> {
    bus.subscriber("inventory", Inventory::default())
        .on(|inventory: &mut Inventory, event: &OrderPlaced, _context: Context| {
            let (title, _) = TITLES.get(event.title as usize).ok_or("an unknown title")?;
            inventory.orders += 1;
            *inventory.sold.entry(title).or_default() += event.copies;
            Ok(())
        })
        .on_end(move |inventory, _end| result.send(inventory.clone()).expect("somebody asks"))
        .start()
}

/// What payment has at the end of the day.
#[derive(Clone, Copy, Debug, Default)]
struct Payment {
    orders: u64,
    cents: u64,
}

/// Payment publishes too: an order that is paid is an event of its own.
fn start_payment(bus: &Bus, result: Sender<Payment>) -> Result<()> {
    let publisher = bus.publisher()?;
    bus.subscriber("payment", Payment::default())
        .on(move |payment: &mut Payment, event: &OrderPlaced, _context: Context| {
            payment.orders += 1;
            payment.cents += event.cents;
            Ok(publisher.publish(OrderPaid { order: event.order, cents: event.cents })?)
        })
        .on_end(move |payment, _end| result.send(*payment).expect("somebody asks"))
        .start()
}

/// Letters that have left the house; there is no way to take one back.
type Outbox = Arc<Mutex<Vec<OrderPlaced>>>;

/// Email writes a letter for each order, as long as the mail server is there.
fn email(outbox: Outbox, is_server_up: bool) -> impl FnMut(&OrderPlaced, Context) -> HandlerResult {
    move |event, _context| {
        if !is_server_up && event.order == DOWN_AT {
            return Err(format!("the mail server is down at order {}", event.order).into());
        }
        outbox.lock().map_err(|_| "the outbox is broken")?.push(*event);
        Ok(())
    }
}

fn main() -> Result<()> {
    // The ring holds the day, so that payment, which publishes too, never waits for itself. What
    // email misses it reads in the recording.
    let bus = Bus::builder("bookstore").capacity(1024).recorded().start()?;
    let (inventory_ends, inventory) = channel();
    let (payment_ends, payment) = channel();
    let outbox = Outbox::default();
    start_inventory(&bus, inventory_ends)?;
    start_payment(&bus, payment_ends)?;
    let mut send_letter = email(Arc::clone(&outbox), false);
    bus.subscriber("email", ())
        .detachable()
        .on(move |(), event: &OrderPlaced, context: Context| send_letter(event, context))
        .start()?;

    // The day: email drops out at some time of it, and nobody waits for it.
    let publisher = bus.publisher()?;
    let order_service = thread::spawn(move || place_orders(&publisher));
    order_service.join().expect("the order service does not panic")?;
    assert!(bus.settle(LONG), "everybody else handles everything");
    bus.wait_end("email", LONG)?;
    let stats = bus.stats();
    for subscriber in &stats.subscribers {
        let (name, delivered) = (&subscriber.name, subscriber.delivered);
        let state = match &subscriber.state {
            SubscriberState::Failed(_) => format!("down before order {DOWN_AT}"),
            state => format!("{state:?}").to_lowercase(),
        };
        println!("meanwhile  {name} handled {delivered} events and is {state}");
    }

    // The mail server is back.
    bus.resume("email", email(Arc::clone(&outbox), true))?;
    let report = bus.shutdown(LONG);
    assert!(report.is_clean(), "{report:?}");

    let inventory = inventory.recv().expect("inventory ended");
    let payment = payment.recv().expect("payment ended");
    let letters = outbox.lock().expect("nobody panicked").clone();
    if std::env::args().any(|argument| argument == "--letters") {
        for OrderPlaced { order, customer, cents, title, copies } in &letters {
            let title = TITLES[*title as usize].0;
            println!(
                "letter     order {order} customer {customer} {copies} x {title} cents {cents}"
            );
        }
    }
    println!("orders     {} placed", ORDERS.count());
    println!("inventory  saw {} orders, sold {:?}", inventory.orders, inventory.sold);
    println!("payment    saw {} orders, took {} cents", payment.orders, payment.cents);
    let is_exact = letters.iter().map(|letter| letter.order).eq(ORDERS);
    let verdict = if is_exact { "every order exactly once" } else { "letters are wrong" };
    println!("email      wrote {} letters, {verdict}", letters.len());
    assert!(is_exact);
    Ok(())
}
