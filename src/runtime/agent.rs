//! What a runner drives.

use crate::error::Result;
use crate::units::Nanos;

/// A unit of work with a duty cycle.
///
/// The runner calls [`do_work`](Agent::do_work) in a loop until [`is_done`](Agent::is_done), and
/// [`finish`](Agent::finish) exactly once afterwards, also after a failure.
pub trait Agent: Send {
    /// The agent's name in plans, failures and reports.
    fn name(&self) -> &str;

    /// Does some work without ever blocking and says how much; 0 means there was nothing to do.
    ///
    /// # Errors
    ///
    /// An error ends the agent: the runner calls [`fail`](Agent::fail) and does not call again.
    fn do_work(&mut self) -> Result<usize>;

    /// Learns when the work that `do_work` last reported was begun and when it was complete.
    ///
    /// One clock read of the runner serves its own accounting and the agent's latencies: what was
    /// begun is the end of what the runner did before.
    fn completed(&mut self, started: Nanos, now: Nanos);

    /// Whether nothing is left to do, ever.
    fn is_done(&self) -> bool;

    /// Tells those before and behind this agent that it failed, so that they do not wait for it.
    fn fail(&mut self, cause: &str);

    /// Hands over what the agent has gathered; called once, on its runner's thread.
    fn finish(&mut self);
}
