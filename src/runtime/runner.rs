//! The runner: one thread, one or more agents, one loop.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use super::agent::Agent;
use super::idler::Idler;
use super::meter::Meter;
use super::pin::pin_current_thread;
use super::plan::PlannedRunner;
use super::usage::ThreadUsage;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::ring::Wait;
use crate::units::{CoreId, Nanos};

/// A thread that drives agents until all of them are done.
#[derive(Debug)]
pub struct Runner {
    thread: JoinHandle<RunnerReport>,
}

/// What an agent did on its runner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentUsage {
    /// The agent's name.
    pub name: String,
    /// Time in which it had work.
    pub busy: Nanos,
    /// Work that it reported.
    pub work: u64,
    /// Duty cycles with work.
    pub batches: u64,
}

/// An agent that ended before it was done.
#[derive(Debug)]
pub struct Failure {
    /// The agent's name.
    pub agent: String,
    /// Its error, or its panic as [`Error::AgentPanicked`].
    pub error: Error,
}

/// What a runner did and what was done to it.
#[derive(Debug)]
pub struct RunnerReport {
    /// The agents, in pipeline order.
    pub agents: Vec<AgentUsage>,
    /// The core that was asked for.
    pub core_asked: Option<CoreId>,
    /// The cores that the thread was left with.
    pub cores_got: Vec<CoreId>,
    /// Time from start to end.
    pub wall: Nanos,
    /// Time in which no agent had work.
    pub idle: Nanos,
    /// Gaps between the clock reads of idle duty cycles.
    pub gaps: Meter,
    /// Switches, faults and steal during the run.
    pub usage: ThreadUsage,
    /// Agents that failed, in the order in which they did.
    pub failures: Vec<Failure>,
}

impl Runner {
    /// Starts a thread that drives `agents`, pinned and waiting as planned.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system cannot start a thread.
    pub fn start(
        plan: &PlannedRunner,
        wait: Wait,
        clock: &Clock,
        agents: Vec<Box<dyn Agent>>,
    ) -> Result<Self> {
        let core = plan.core;
        let clock = clock.clone();
        let name = plan.agents.first().copied().unwrap_or("runner").to_owned();
        std::thread::Builder::new()
            .name(name)
            .spawn(move || Duty::new(core, clock, agents).run(wait))
            .map(|thread| Self { thread })
            .map_err(|source| Error::io("start a thread for", "a runner", source))
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread's end.
    pub fn join(self) -> RunnerReport {
        self.thread.join().expect("a runner catches the panics of its agents")
    }
}

/// A runner from inside its thread.
struct Duty {
    clock: Clock,
    /// The agents that are neither done nor failed, with their index in the report.
    active: Vec<(usize, Box<dyn Agent>)>,
    started: Nanos,
    usage_before: ThreadUsage,
    report: RunnerReport,
}

impl Duty {
    fn new(core: Option<CoreId>, clock: Clock, agents: Vec<Box<dyn Agent>>) -> Self {
        let cores_got = core.map_or_else(super::pin::allowed_cores, pin_current_thread);
        let usage = |agent: &dyn Agent| AgentUsage {
            name: agent.name().to_owned(),
            ..AgentUsage::default()
        };
        let report = RunnerReport {
            agents: agents.iter().map(|agent| usage(agent.as_ref())).collect(),
            core_asked: core,
            cores_got,
            wall: Nanos(0),
            idle: Nanos(0),
            gaps: Meter::new(),
            usage: ThreadUsage::default(),
            failures: Vec::new(),
        };
        Self {
            started: clock.now(),
            usage_before: ThreadUsage::of_current_thread(core),
            active: agents.into_iter().enumerate().collect(),
            clock,
            report,
        }
    }

    fn run(mut self, wait: Wait) -> RunnerReport {
        let mut last = self.clock.now();
        let (mut was_idle, mut idler) = (false, Idler::new(wait));
        while !self.active.is_empty() {
            let worked = self.cycle(&mut last);
            if worked {
                was_idle = false;
                continue;
            }
            idler.idle(&self.clock);
            let now = self.clock.now();
            let gap = now.0.saturating_sub(last.0);
            self.report.idle.0 += gap;
            if was_idle {
                self.report.gaps.record(gap);
            }
            was_idle = true;
            last = now;
        }
        self.report.wall = Nanos(self.clock.now().0.saturating_sub(self.started.0));
        let usage = ThreadUsage::of_current_thread(self.report.core_asked);
        self.report.usage = usage.since(self.usage_before);
        self.report
    }

    /// Gives every agent one turn; whether any had work, was done or failed.
    fn cycle(&mut self, last: &mut Nanos) -> bool {
        let mut worked = false;
        let mut index = 0;
        while index < self.active.len() {
            let (slot, agent) = &mut self.active[index];
            let duty = catch_unwind(AssertUnwindSafe(|| agent.do_work()));
            match duty.unwrap_or_else(|panic| Err(panicked(agent.as_ref(), panic.as_ref()))) {
                Ok(0) => {}
                Ok(work) => {
                    let now = self.clock.now();
                    agent.completed(*last, now);
                    let usage = &mut self.report.agents[*slot];
                    usage.busy.0 += now.0.saturating_sub(last.0);
                    usage.work += work as u64;
                    usage.batches += 1;
                    *last = now;
                    worked = true;
                }
                Err(error) => {
                    self.fail(index, error);
                    worked = true;
                    continue;
                }
            }
            if agent.is_done() {
                self.finish(index);
                worked = true;
            } else {
                index += 1;
            }
        }
        worked
    }

    /// Ends the agent at `index` of the active ones, which is done.
    fn finish(&mut self, index: usize) {
        let (_, mut agent) = self.active.remove(index);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| agent.finish())) {
            let error = panicked(agent.as_ref(), panic.as_ref());
            self.report.failures.push(Failure { agent: agent.name().to_owned(), error });
        }
    }

    /// Ends the agent at `index` of the active ones with an error.
    fn fail(&mut self, index: usize, error: Error) {
        let (_, mut agent) = self.active.remove(index);
        let cause = error.to_string();
        // A failed agent is in an unknown state: what it does now must not take the others down.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            agent.fail(&cause);
            agent.finish();
        }));
        self.report.failures.push(Failure { agent: agent.name().to_owned(), error });
    }
}

/// The error of an agent that panicked.
fn panicked(agent: &dyn Agent, panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of unknown cause");
    Error::AgentPanicked { agent: agent.name().to_owned(), panic: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Works `left` times, then panics or errs if told to, and tells what became of it.
    struct Worker {
        left: u64,
        ends_well: bool,
        panics_at_finish: bool,
        end: fn() -> Result<usize>,
        events: Arc<[AtomicU64; 2]>,
    }

    const FAILED: usize = 0;
    const FINISHED: usize = 1;

    impl Agent for Worker {
        fn name(&self) -> &str {
            "worker"
        }
        fn do_work(&mut self) -> Result<usize> {
            if self.left == 0 {
                return (self.end)();
            }
            self.left -= 1;
            Ok(1)
        }
        fn completed(&mut self, _started: Nanos, _now: Nanos) {}
        fn is_done(&self) -> bool {
            self.left == 0 && self.ends_well
        }
        fn fail(&mut self, _cause: &str) {
            self.events[FAILED].fetch_add(1, Ordering::Relaxed);
        }
        fn finish(&mut self) {
            self.events[FINISHED].fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics_at_finish, "at the finish");
        }
    }

    type End = fn() -> Result<usize>;

    fn run(ends: [Option<End>; 2], panics_at_finish: bool) -> (RunnerReport, [u64; 2]) {
        let events: Arc<[AtomicU64; 2]> = Arc::default();
        let worker = |end: Option<End>| Worker {
            left: 100,
            ends_well: end.is_none(),
            panics_at_finish,
            end: end.unwrap_or(|| Ok(0)),
            events: events.clone(),
        };
        let agents = ends.map(|end| Box::new(worker(end)) as Box<dyn Agent>).into();
        let plan = PlannedRunner { agents: vec!["worker"], core: None };
        let runner = Runner::start(&plan, Wait::Yield, &Clock::new(), agents).expect("a thread");
        let report = runner.join();
        (report, [FAILED, FINISHED].map(|event| events[event].load(Ordering::Relaxed)))
    }

    #[test]
    fn agents_that_are_done_are_finished_once() {
        let (report, events) = run([None, None], false);
        assert_eq!(events, [0, 2]);
        assert!(report.failures.is_empty());
        assert!(report.agents.iter().all(|agent| agent.work == 100 && agent.batches == 100));
    }

    #[test]
    fn a_panic_while_finishing_is_reported_as_a_failure() {
        let (report, events) = run([None, None], true);
        assert_eq!(events, [0, 2]);
        let text = report.failures[0].error.to_string();
        assert_eq!(
            (report.failures.len(), text.as_str()),
            (2, "agent `worker` panicked: at the finish")
        );
    }

    #[test]
    fn an_error_or_panic_ends_one_agent_and_the_other_goes_on() {
        let ends: [(End, &str); 2] = [
            (|| Err(Error::usage("no", "yes")), "no: yes"),
            (|| panic!("at the end"), "agent `worker` panicked: at the end"),
        ];
        for (end, text) in ends {
            let (report, events) = run([Some(end), None], false);
            assert_eq!(events, [1, 2]);
            assert_eq!(report.failures.len(), 1);
            assert_eq!(report.failures[0].error.to_string(), text);
            assert_eq!(report.agents[1].work, 100);
        }
    }
}
