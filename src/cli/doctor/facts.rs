//! What the system tells of itself, without measuring.

use std::fs;

use ringtape::report::format::{bytes, thousands};
use ringtape::runtime::allowed_cores;
use ringtape::units::CoreId;
use rustix::process::{Resource, getrlimit};
use serde_json::json;

use super::Check;

const CPUS: &str = "/sys/devices/system/cpu";

/// Timer slack in ns above which a parked thread wakes late.
const SLACK_NS_MAX: u64 = 5_000;

/// Wake-up time in us of an idle state that a paced replay feels.
const IDLE_STATE_US_MAX: u64 = 10;

/// Bytes of a socket's buffer that hold a burst of multicast.
const SOCKET_BYTES_MIN: u64 = 8 << 20;

/// Packets that the kernel queues of a burst.
const BACKLOG_MIN: u64 = 5_000;

pub(super) fn all() -> Vec<Check> {
    vec![
        cores(),
        isolated(),
        quota(),
        siblings(),
        governor(),
        turbo(),
        idle_states(),
        hypervisor(),
        tsc(),
        numa(),
        huge_pages(),
        memory_lock(),
        timer_slack(),
        network(),
    ]
}

/// A file of the system without its last line end; empty when there is none.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim_end().to_owned()
}

fn number(path: &str) -> Option<u64> {
    read(path).parse().ok()
}

fn list(cores: &[CoreId]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn has_flag(flag: &str) -> bool {
    let info = read("/proc/cpuinfo");
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|word| word == flag)
}

fn cores() -> Check {
    let allowed = allowed_cores();
    let online = read(&format!("{CPUS}/online"));
    let found = format!("{} of those online ({online}) are allowed", list(&allowed));
    let ids: Vec<_> = allowed.iter().map(|core| core.0).collect();
    Check::new("cores", found, json!({ "allowed": ids, "online": online })).costs(
        allowed.len() < 2,
        "feed, matching, journal and portfolio take turns on one core",
        "allow more: `taskset -c 0-3 ringtape ...`, or give the container more CPUs",
    )
}

fn isolated() -> Check {
    let isolated = read(&format!("{CPUS}/isolated"));
    let tickless = read(&format!("{CPUS}/nohz_full"));
    let tickless = if tickless == "(null)" { String::new() } else { tickless };
    let shown = |list: &str| if list.is_empty() { "none".to_owned() } else { list.to_owned() };
    let found = format!("{}; without timer ticks: {}", shown(&isolated), shown(&tickless));
    Check::new("isolated", found, json!({ "isolated": isolated, "nohz_full": tickless })).costs(
        isolated.is_empty(),
        "other threads and the timer interrupt the runners: stalls of 5 us to some ms",
        isolation(&allowed_cores()),
    )
}

/// How to keep the later half of the cores for the runners; the first ones stay the system's.
fn isolation(allowed: &[CoreId]) -> String {
    let own = list(&allowed[allowed.len().div_ceil(2)..]);
    if own.is_empty() {
        return "run where two cores or more are allowed, and isolate all but the first".to_owned();
    }
    format!(
        "boot with `isolcpus={own} nohz_full={own} rcu_nocbs={own}`, then run with `--cores {own}`"
    )
}

fn quota() -> Check {
    let limit = read("/sys/fs/cgroup/cpu.max");
    let is_limited = !limit.is_empty() && !limit.starts_with("max");
    let found = if is_limited { format!("{limit} us a period") } else { "none".to_owned() };
    Check::new("cpu_quota", found, json!(is_limited.then_some(limit))).costs(
        is_limited,
        "once the quota is used up, all threads stand still until the next period",
        "start the container without a CPU limit, or with a set of CPUs (`--cpuset-cpus`)",
    )
}

fn siblings() -> Check {
    let allowed = allowed_cores();
    let siblings = |core: CoreId| read(&format!("{CPUS}/cpu{core}/topology/thread_siblings_list"));
    let mut groups: Vec<String> = allowed.iter().map(|&core| siblings(core)).collect();
    groups.retain(|group| group.contains([',', '-']));
    let shared = groups.len();
    groups.dedup();
    let is_shared = shared > groups.len();
    let found = match groups.as_slice() {
        [] => "each allowed core is one by itself, as far as the system tells".to_owned(),
        groups => format!("the same core twice: {}", groups.join(" and ")),
    };
    Check::new("smt_siblings", found, json!(groups)).costs(
        is_shared,
        "two runners on one physical core share its units and caches: up to half the speed each",
        "name one of each pair with `--cores`, or `echo off > /sys/devices/system/cpu/smt/control`",
    )
}

fn governor() -> Check {
    let governor = read(&format!("{CPUS}/cpu0/cpufreq/scaling_governor"));
    if governor.is_empty() {
        let found = "not shown here: a virtual machine's host decides, or the hardware";
        return Check::new("governor", found, json!(null));
    }
    let is_slow = governor != "performance";
    Check::new("governor", governor.clone(), json!(governor)).costs(
        is_slow,
        "a core that idled runs slowly until the governor notices: microseconds to milliseconds",
        "`cpupower frequency-set --governor performance`",
    )
}

fn turbo() -> Check {
    let (path, on) = match number(&format!("{CPUS}/intel_pstate/no_turbo")) {
        Some(off) => ("intel_pstate/no_turbo", Some(off == 0)),
        None => ("cpufreq/boost", number(&format!("{CPUS}/cpufreq/boost")).map(|on| on == 1)),
    };
    let found = match on {
        None => "not shown here: a virtual machine's host decides",
        Some(true) => "on",
        Some(false) => "off",
    };
    let value = if path.ends_with("no_turbo") { 1 } else { 0 };
    Check::new("turbo", found, json!(on)).costs(
        on == Some(true),
        "faster, but by how much depends on heat and neighbours: figures do not repeat",
        format!("while comparing: `echo {value} > {CPUS}/{path}`"),
    )
}

fn idle_states() -> Check {
    let states = (0..10).map(|state| format!("{CPUS}/cpu0/cpuidle/state{state}/latency"));
    let deepest = states.filter_map(|path| number(&path)).max();
    let Some(us) = deepest else {
        return Check::new("idle_states", "not shown here: the host decides", json!(null));
    };
    Check::new("idle_states", format!("up to {us} us to wake from"), json!(us)).costs(
        us > IDLE_STATE_US_MAX,
        format!("with `--wait park` or `yield` a core that slept adds up to {us} us to an event"),
        "spin (`--wait spin`), or boot with `intel_idle.max_cstate=1 processor.max_cstate=1`",
    )
}

fn hypervisor() -> Check {
    let is_virtual = has_flag("hypervisor");
    let stat = read("/proc/stat");
    let all = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = all.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let stolen = ticks.get(7).copied().unwrap_or(0);
    let permille = stolen * 1_000 / ticks.iter().take(8).sum::<u64>().max(1);
    let share =
        format!("{}.{} % of the time was stolen since the start", permille / 10, permille % 10);
    let found = if is_virtual { format!("a virtual machine; {share}") } else { "none".to_owned() };
    let value = json!({ "virtual": is_virtual, "steal_permille": permille });
    Check::new("hypervisor", found, value).costs(
        is_virtual,
        "the host takes cores away unasked: stalls of 0.1 to some ms that no setting here cures",
        "claim tails only from real hardware; here look at the hiccups beside every figure",
    )
}

fn tsc() -> Check {
    let source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let is_steady = has_flag("constant_tsc") && has_flag("nonstop_tsc");
    let steadiness = if is_steady { "steady" } else { "not steady" };
    let found = format!("{steadiness}; the system's clock source is {source}");
    let is_slow = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(&source.as_str());
    Check::new("tsc", found, json!({ "steady": is_steady, "clocksource": source })).costs(
        !is_steady || is_slow,
        "times jump or cost a system call each: latencies here mean little",
        "boot with `tsc=reliable clocksource=tsc`, on hardware whose counter is steady",
    )
}

fn numa() -> Check {
    let nodes = read("/sys/devices/system/node/online");
    let is_split = nodes.contains([',', '-']);
    let shown = if nodes.is_empty() { "0" } else { &nodes };
    Check::new("numa", format!("nodes {shown}"), json!(shown)).costs(
        is_split,
        "a ring whose two ends are on different nodes costs 100 ns and more a record",
        "stay on one: `numactl --cpunodebind=0 --membind=0 ringtape ...`",
    )
}

fn huge_pages() -> Check {
    let text = read("/sys/kernel/mm/transparent_hugepage/enabled");
    let mode = text.split(['[', ']']).nth(1).unwrap_or("none");
    Check::new("huge_pages", format!("transparent: {mode}"), json!(mode)).costs(
        !["madvise", "always"].contains(&mode),
        "order index and order slab of a whole day miss the TLB on nearly every message",
        "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`",
    )
}

fn memory_lock() -> Check {
    let limit = getrlimit(Resource::Memlock).current;
    let swap = read("/proc/swaps").lines().count() > 1;
    let shown = limit.map_or_else(|| "unlimited".to_owned(), bytes);
    let swapping = if swap { "there is swap" } else { "there is no swap" };
    let value = json!({ "limit_bytes": limit, "swap": swap });
    Check::new("memory_lock", format!("limit {shown}; {swapping}"), value).costs(
        swap && limit.is_some(),
        "books, rings and journal pages can be swapped out: a fault from disk takes ms",
        "`swapoff -a`, or `ulimit -l unlimited` and lock the process's memory",
    )
}

fn timer_slack() -> Check {
    let slack = number("/proc/self/timerslack_ns").unwrap_or(0);
    Check::new("timer_slack", format!("{} ns", thousands(slack)), json!(slack)).costs(
        slack > SLACK_NS_MAX,
        format!("a runner that sleeps (`--wait park`) wakes up to {} us late", slack / 1_000),
        "use `--wait spin`, `pause` or `yield`, which do not sleep; or, as root, write 1 to \
         /proc/PID/timerslack_ns",
    )
}

fn network() -> Check {
    let most = number("/proc/sys/net/core/rmem_max").unwrap_or(0);
    let backlog = number("/proc/sys/net/core/netdev_max_backlog").unwrap_or(0);
    let found = format!("receive buffers up to {}, backlog {}", bytes(most), thousands(backlog));
    let value = json!({ "rmem_max_bytes": most, "netdev_max_backlog": backlog });
    Check::new("network", found, value).costs(
        most < SOCKET_BYTES_MIN || backlog < BACKLOG_MIN,
        "a burst of multicast that comes while the reader is stopped is lost",
        "`sysctl -w net.core.rmem_max=33554432 net.core.netdev_max_backlog=10000`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cores_to_isolate_are_some_that_there_are_and_leave_the_system_one() {
        let advice = |count: usize| isolation(&(0..count).map(CoreId).collect::<Vec<_>>());
        assert!(advice(1).contains("two cores or more"), "{}", advice(1));
        assert!(advice(2).contains("`isolcpus=1 nohz_full=1 rcu_nocbs=1`"), "{}", advice(2));
        assert!(advice(5).ends_with("`--cores 3,4`"), "{}", advice(5));
    }
}
