//! The journal: written and read, damaged, killed, recovered, resumed, followed.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tracer.rs"]
#[allow(unreachable_pub)]
mod tracer;

mod command;
mod damage;
mod faults;
mod full_disk;
mod join;
mod kill;
mod recover;
mod resume;
mod snapshot;
mod tail;
mod told;
mod write_read;
mod written;
