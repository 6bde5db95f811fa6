//! The ring and the bus: order, kills, races, misuse, stages that come and go.

#[path = "../common/bus.rs"]
mod bus_events;
#[path = "../common/ring_model/mod.rs"]
mod ring_model;
#[path = "../common/rings.rs"]
mod rings;
#[path = "../common/stream.rs"]
mod stream;

mod attach;
mod bus;
mod bus_away;
mod catch_up;
mod failure;
mod graph;
mod kill;
mod misuse;
mod race;
mod wait;
