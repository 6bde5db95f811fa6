//! The runtime: agents, the runners that drive them, and the plan that puts runners on cores.
//!
//! ```text
//!   plan:   runner 0 on core 0           runner 1 on core 1
//!           feed · market journal        matching · execution journal · portfolio
//!
//!   runner: loop { for agent { do_work } ; all returned 0? idle, and measure the gap }
//! ```
//!
//! An [`Agent`] has a duty cycle and never blocks; waiting belongs to the [`Runner`], which idles
//! only when all of its agents had nothing to do. So any number of agents may share a thread, down
//! to all of them on one. A runner catches a panic or error of an agent, tells the agent to poison
//! what it reads and writes, and drives the others on: nothing hangs.

mod agent;
mod buckets;
mod idler;
mod live;
mod meter;
mod pin;
mod plan;
mod runner;
mod shutdown;
mod timeline;
mod usage;

pub use agent::Agent;
pub use live::{LiveMeter, LiveReader, Recent};
pub use meter::{LatencySummary, Meter, StageMeter};
pub use pin::{allowed_cores, pin_current_thread};
pub use plan::{AgentLoad, Plan, PlannedRunner};
pub use runner::{AgentUsage, Failure, Runner, RunnerReport};
pub use shutdown::StopFlag;
pub use timeline::{Interval, Timeline};
pub use usage::ThreadUsage;
