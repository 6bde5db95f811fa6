//! The plan: which agent on which runner, which runner on which core, and how runners wait.

use crate::error::{Error, Result};
use crate::ring::Wait;
use crate::units::CoreId;

/// An agent and the share of the work it is expected to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLoad {
    /// The agent's name.
    pub name: &'static str,
    /// Expected cost relative to the others.
    pub weight: u32,
}

/// One thread of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRunner {
    /// Names of its agents, in pipeline order.
    pub agents: Vec<&'static str>,
    /// The core to pin it to; `None` leaves it to the system.
    pub core: Option<CoreId>,
}

/// Which agent runs on which thread and core.
///
/// ```
/// use ringtape::ring::Wait;
/// use ringtape::runtime::{AgentLoad, Plan};
/// use ringtape::units::CoreId;
///
/// let agents = [
///     AgentLoad { name: "feed", weight: 3 },
///     AgentLoad { name: "journal", weight: 2 },
///     AgentLoad { name: "matching", weight: 9 },
/// ];
/// let plan = Plan::new(&agents, Some(2), &[CoreId(0), CoreId(1)], Wait::Auto)?;
/// assert_eq!(plan.runners[0].agents, ["feed", "journal"]);
/// assert_eq!(plan.runners[1].agents, ["matching"]);
/// # Ok::<(), ringtape::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The threads, in pipeline order.
    pub runners: Vec<PlannedRunner>,
    /// How each of them waits when its agents had nothing to do.
    pub wait: Wait,
}

impl Plan {
    /// Distributes `agents`, given in pipeline order, over `runners` threads.
    ///
    /// Without a number there are as many runners as cores, at most one an agent. Neighbours in the
    /// pipeline are fused where the heaviest runner comes out lightest. With more runners than
    /// cores none is pinned, and an automatic wait yields; else it pauses as long as no other
    /// thread of the machine wants the runner's core.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for 0 runners.
    pub fn new(
        agents: &[AgentLoad],
        runners: Option<usize>,
        cores: &[CoreId],
        wait: Wait,
    ) -> Result<Self> {
        if runners == Some(0) {
            return Err(Error::usage("0 runners cannot run anything", "ask for 1 or more"));
        }
        let count = runners.unwrap_or(cores.len().max(1)).min(agents.len());
        let is_oversubscribed = count > cores.len();
        let wait = match wait {
            Wait::Auto if is_oversubscribed => Wait::Yield,
            wait => wait,
        };
        let groups = lightest_cut(agents, count);
        let runners = groups
            .into_iter()
            .enumerate()
            .map(|(index, group)| PlannedRunner {
                agents: group.iter().map(|agent| agent.name).collect(),
                core: if is_oversubscribed { None } else { cores.get(index).copied() },
            })
            .collect();
        Ok(Self { runners, wait })
    }

    /// The core of the runner that drives an agent; `None` when it is not pinned.
    pub fn core_of(&self, agent: &str) -> Option<CoreId> {
        self.runners.iter().find(|runner| runner.agents.contains(&agent))?.core
    }
}

/// Cuts `agents` into `count` groups of neighbours so that the heaviest group is lightest.
fn lightest_cut(agents: &[AgentLoad], count: usize) -> Vec<&[AgentLoad]> {
    let weight = |group: &[AgentLoad]| group.iter().map(|agent| agent.weight).sum::<u32>();
    if count <= 1 {
        return vec![agents];
    }
    (1..=agents.len() + 1 - count)
        .map(|first| {
            let mut groups = vec![&agents[..first]];
            groups.extend(lightest_cut(&agents[first..], count - 1));
            groups
        })
        .min_by_key(|groups| groups.iter().map(|group| weight(group)).max())
        .expect("there are at least as many agents as groups")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENTS: [AgentLoad; 5] = [
        AgentLoad { name: "feed", weight: 3 },
        AgentLoad { name: "market journal", weight: 2 },
        AgentLoad { name: "matching", weight: 9 },
        AgentLoad { name: "execution journal", weight: 1 },
        AgentLoad { name: "portfolio", weight: 1 },
    ];

    fn plan(runners: Option<usize>, cores: usize) -> Plan {
        let cores: Vec<_> = (0..cores).map(CoreId).collect();
        Plan::new(&AGENTS, runners, &cores, Wait::Auto).expect("a valid plan")
    }

    fn sizes(plan: &Plan) -> Vec<usize> {
        plan.runners.iter().map(|runner| runner.agents.len()).collect()
    }

    #[test]
    fn agents_are_fused_in_pipeline_order_where_cores_are_few() {
        assert_eq!(sizes(&plan(None, 1)), [5]);
        assert_eq!(sizes(&plan(None, 2)), [2, 3]);
        assert_eq!(sizes(&plan(None, 3)), [2, 1, 2]);
        assert_eq!(sizes(&plan(None, 8)), [1, 1, 1, 1, 1]);
    }

    #[test]
    fn an_oversubscribed_plan_pins_nobody_and_yields() {
        let plan = plan(Some(3), 2);
        assert_eq!(plan.runners.len(), 3);
        assert!(plan.runners.iter().all(|runner| runner.core.is_none()));
        assert_eq!(plan.wait, Wait::Yield);
    }
}
