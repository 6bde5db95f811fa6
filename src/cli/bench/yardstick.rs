//! A fixed piece of work that is none of ours: how fast the machine is at the moment.
//!
//! Neighbours, heat and other programs make one and the same build slower by ten per cent and more
//! for minutes. What a bench measures is compared only beyond what this changed by.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Map, Value, json};

/// What a control is called that tells how fast the machine was, whatever is measured.
pub(super) const CONTROL: &str = "yardstick";

/// Words of the table: 1 MiB, more than the nearest caches and less than the farthest hold.
const WORDS: usize = 1 << 18;

/// Steps of a round: some 10 ms.
const STEPS: u32 = 3_000_000;

/// Rounds of which the median is taken.
const ROUNDS: usize = 7;

/// Picoseconds of a step now, in the median of some rounds.
pub(super) fn measure() -> u64 {
    let mut table = vec![0; WORDS];
    let mut rounds: [u64; ROUNDS] = std::array::from_fn(|_| round(&mut table));
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

/// Picoseconds of a step in one round: a multiplication that waits for the one before, and a word
/// of the table that it chooses and changes.
fn round(table: &mut [u32]) -> u64 {
    let start = Instant::now();
    let mut state = 1_u64;
    for _ in 0..STEPS {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let word = &mut table[(state >> 46) as usize % WORDS];
        *word = word.rotate_left(5) ^ state as u32;
        state ^= u64::from(*word);
    }
    black_box(state);
    start.elapsed().as_nanos() as u64 * 1_000 / u64::from(STEPS)
}

/// Looks at the machine between the rounds of a row, which no other code takes turns with.
///
/// WHY: a machine may be half as fast for some seconds, which are all the rounds of a row, and all
/// of them between two looks around a bench.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Picoseconds of a step.
    rounds: Vec<u64>,
}

impl Looks {
    /// Takes a look: after a round, since it leaves its table in the caches.
    pub(super) fn look(&mut self) {
        self.rounds.push(round(&mut vec![0; WORDS]));
    }

    /// A control for `bench compare`.
    pub(super) fn to_json(&self) -> Value {
        let mut sorted = self.rounds.clone();
        sorted.sort_unstable();
        let (min, median, max) = (sorted.first(), sorted.get(sorted.len() / 2), sorted.last());
        json!({
            "control": CONTROL,
            "step_ps": { "min": min, "median": median, "max": max, "rounds": self.rounds },
        })
    }
}

/// What a document of `bench all` says of a bench: the machine before and after it.
pub(super) fn to_json(before: u64, after: u64) -> Value {
    json!({ "before_ps": before, "after_ps": after })
}

/// By how much per cent the machine's speed changed around all benches of two documents; 0 where
/// they do not tell.
///
/// WHY: of all and not of one, since a figure takes its rounds within a second between two looks.
/// In two runs of one build on a machine that compiled meanwhile, a figure changed by 240 %,
/// where the looks before and after its bench differed by 148 %, and all of them by 300 %.
pub(super) fn drift_percent(a: &Value, b: &Value) -> f64 {
    let benches = [a, b].into_iter().filter_map(Value::as_object).flat_map(Map::values);
    let looks = benches.flat_map(|bench| [&bench["before_ps"], &bench["after_ps"]]);
    let speeds: Vec<u64> = looks.filter_map(Value::as_u64).collect();
    match (speeds.iter().min(), speeds.iter().max()) {
        (Some(&least), Some(&most)) if least > 0 => (most as f64 / least as f64 - 1.0) * 100.0,
        _ => 0.0,
    }
}
