//! Rows of code that is none of ringtape's: by what they changed, the run did.
//!
//! A peer, or a bare store, is the same code in both documents, so its figures are not judged; they
//! tell how far figures move although nothing changed. The rounds of one run cannot tell that:
//! where memory came to lie, and what a neighbour did for the seconds of a row, moves all of them
//! together, and a test of the rounds takes it for a difference of the code.
//!
//! ```text
//!   bench ring ---+--- row unicast-1 ---+--- ringtape           judged beside these,
//!                 |                     +--- rtrb, mpsc, ...    which took turns with it,
//!                 +--- row head --------+--- rtrb, mpsc, ...    and beside all of the bench
//! ```
//!
//! The machine's hiccups in the same seconds are no code at all, and controls too. A peer's figure,
//! or that of hiccups, tells about figures of the same name alone: a throughput that stayed says
//! nothing about a tail. A yardstick, which is how fast the machine was between the rounds, tells
//! about all.

/// How many times the controls' median distance from their median a figure may lie from it.
///
/// WHY: of figures that scatter normally one in some 1,300 lies farther out, so that of a hundred
/// judged ones one does so in fewer than a tenth of the comparisons.
const DISTANCES_MAX: f64 = 5.0;

/// What the controls of two documents changed by.
#[derive(Debug, Default)]
pub(super) struct Controls {
    changes: Vec<Change>,
}

/// What a control changed by.
#[derive(Debug)]
struct Change {
    path: String,
    is_yardstick: bool,
    /// Logarithm of how many times as fast it became.
    log: f64,
}

impl Controls {
    /// Takes in a figure of code that did not change: `ratio` times as fast in the second document.
    pub(super) fn note(&mut self, path: &str, is_yardstick: bool, ratio: f64) {
        if ratio.is_finite() && ratio > 0.0 {
            self.changes.push(Change { path: path.to_owned(), is_yardstick, log: ratio.ln() });
        }
    }

    /// Per cent by which the figure at `path` may have changed although its code did not: as all
    /// controls of its bench did that tell about it, or as the nearest did, whichever is more; 0
    /// without controls.
    pub(super) fn drift_percent(&self, path: &str) -> f64 {
        let tells = |change: &&Change| {
            let is_of_figure = change.is_yardstick || figure_of(&change.path) == figure_of(path);
            is_of_figure && bench_of(&change.path) == bench_of(path)
        };
        let mut in_bench: Vec<&Change> = self.changes.iter().filter(tells).collect();
        let of_bench = farthest(&in_bench);
        let nearest = in_bench.iter().map(|change| shared_parts(path, &change.path)).max();
        in_bench.retain(|change| Some(shared_parts(path, &change.path)) == nearest);
        (of_bench.max(farthest(&in_bench)).exp() - 1.0) * 100.0
    }
}

/// The bench that a figure belongs to in a document of `bench all`; empty in that of one bench.
fn bench_of(path: &str) -> &str {
    let under = path.strip_prefix("benches / ").unwrap_or_default();
    under.split(" / ").next().unwrap_or_default()
}

/// The name of the figure at a path.
fn figure_of(path: &str) -> &str {
    path.rsplit(" / ").next().unwrap_or_default()
}

/// How many parts two paths have in common, from the left.
fn shared_parts(path: &str, other: &str) -> usize {
    path.split(" / ").zip(other.split(" / ")).take_while(|(one, two)| one == two).count()
}

/// How far from no change such controls let a figure lie.
fn farthest(controls: &[&Change]) -> f64 {
    let changes: Vec<f64> = controls.iter().map(|change| change.log).collect();
    let middle = median(changes.clone());
    let distances = changes.iter().map(|change| (change - middle).abs()).collect();
    middle.abs() + DISTANCES_MAX * median(distances)
}

/// The middle one, or the mean of the middle two; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count => f64::midpoint(values[(count - 1) / 2], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::cli::bench::verdict::{Range, Verdict};

    fn controls(changes: &[(&str, f64)]) -> Controls {
        let mut controls = Controls::default();
        changes.iter().for_each(|(path, ratio)| controls.note(path, false, *ratio));
        controls
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn what_all_controls_changed_by_is_the_machines_and_one_that_jumps_alone_is_not() {
        let path = "rows / b / ringtape / p99";
        let peers = |a: f64, b: f64, c: f64| {
            controls(&[("rows / a / x / p99", a), ("rows / b / y / p99", b), ("rows / c / p99", c)])
        };
        assert!(close(peers(0.8, 0.8, 0.8).drift_percent(path), 25.0));
        assert!(close(peers(1.0, 1.0, 9.0).drift_percent(path), 0.0));
        assert!(close(Controls::default().drift_percent(path), 0.0));
        assert!(close(peers(f64::NAN, 0.0, f64::INFINITY).drift_percent(path), 0.0));
    }

    #[test]
    fn a_figure_of_another_name_is_no_control() {
        let both = controls(&[
            ("rates / 10 / latency_ns / hiccups / p50", 1.0),
            ("rates / 10 / latency_ns / hiccups / p99", 0.01),
        ]);
        assert!(close(both.drift_percent("rates / 10 / latency_ns / ring / p99"), 9_900.0));
        assert!(close(both.drift_percent("rates / 10 / latency_ns / ring / p50"), 0.0));
        assert!(close(both.drift_percent("rates / 10 / reached_per_s"), 0.0));
    }

    #[test]
    fn a_yardstick_tells_about_every_figure_of_its_row() {
        let mut controls = Controls::default();
        controls.note("rows / a / yardstick / step_ps", true, 1.0);
        controls.note("rows / b / yardstick / step_ps", true, 1.0);
        controls.note("rows / c / yardstick / step_ps", true, 0.5);
        assert!(close(controls.drift_percent("rows / a / messages_per_s"), 0.0));
        assert!(close(controls.drift_percent("rows / c / messages_per_s"), 100.0));
    }

    #[test]
    fn the_controls_of_the_own_row_count_and_those_of_other_benches_do_not() {
        let row = |bench: &str, row: &str, ratio: f64| {
            (0..3)
                .map(move |peer| (format!("benches / {bench} / rows / {row} / {peer} / ns"), ratio))
                .collect::<Vec<_>>()
        };
        let all = [
            row("ring", "a", 1.0),
            row("ring", "b", 1.0),
            row("ring", "c", 0.5),
            row("match", "a", 0.1),
        ];
        let all: Vec<_> = all.concat();
        let all: Vec<_> = all.iter().map(|(path, ratio)| (path.as_str(), *ratio)).collect();
        let all = controls(&all);
        assert!(close(all.drift_percent("benches / ring / rows / a / ringtape / ns"), 0.0));
        assert!(close(all.drift_percent("benches / ring / rows / c / ringtape / ns"), 100.0));
        assert!(close(all.drift_percent("benches / match / worst / x / ns"), 900.0));
        assert!(close(all.drift_percent("benches / book / rows / a / ns"), 0.0));
    }

    /// Rows of a document, lines of a row, and how many of these are controls; rounds.
    const ROWS: usize = 10;
    const LINES: usize = 6;
    const PEERS: usize = 4;
    const ROUNDS: usize = 7;

    struct Runs(Xoshiro256PlusPlus);

    impl Runs {
        /// About normal, around 0 with a standard deviation of `sigma`.
        fn around(&mut self, sigma: f64) -> f64 {
            let uniform =
                |random: &mut Xoshiro256PlusPlus| random.next_u64() as f64 / u64::MAX as f64;
            ((0..12).map(|_| uniform(&mut self.0)).sum::<f64>() - 6.0) * sigma
        }

        /// A run of the lines of all rows: the rounds of a row, and those of a line in it, have a
        /// part in common that is another in the next run.
        fn run(&mut self, of_row: f64, of_line: f64) -> Vec<Range> {
            let mut ranges = Vec::new();
            for _ in 0..ROWS {
                let row = self.around(of_row);
                for _ in 0..LINES {
                    let line = row + self.around(of_line);
                    let mut rounds: Vec<f64> =
                        (0..ROUNDS).map(|_| (line + self.around(0.02)).exp() * 100.0).collect();
                    rounds.sort_by(f64::total_cmp);
                    let (low, median, high) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
                    ranges.push(Range { low, median, high, count: ROUNDS, rounds });
                }
            }
            ranges
        }

        /// In how many of a hundred comparisons of two runs something of ours is claimed to differ,
        /// where our lines are `slowed` times as slow in the second; with the controls or without.
        fn claims(&mut self, noise: (f64, f64), slowed: f64, has_controls: bool) -> usize {
            let path = |index: usize| format!("rows / {} / {} / ns", index / LINES, index % LINES);
            let is_control = |index: usize| index % LINES < PEERS;
            let mut claims = 0;
            for _ in 0..100 {
                let (a, mut b) = (self.run(noise.0, noise.1), self.run(noise.0, noise.1));
                let mut controls = Controls::default();
                for (index, (a, b)) in a.iter().zip(&mut b).enumerate() {
                    if is_control(index) {
                        controls.note(&path(index), false, a.median / b.median);
                        continue;
                    }
                    b.median *= slowed;
                    b.rounds.iter_mut().for_each(|round| *round *= slowed);
                }
                let differs = |index: usize| {
                    let drift =
                        if has_controls { controls.drift_percent(&path(index)) } else { 0.0 };
                    let figures = ROWS * (LINES - PEERS);
                    let verdict = Verdict::of(false, (&a[index], &b[index]), figures, drift);
                    matches!(verdict, Verdict::Better | Verdict::Worse)
                };
                claims +=
                    usize::from((0..a.len()).any(|index| !is_control(index) && differs(index)));
            }
            claims
        }
    }

    #[test]
    fn runs_that_move_all_rounds_of_a_figure_together_seldom_make_a_difference() {
        let mut runs = Runs(Xoshiro256PlusPlus::seed_from_u64(42));
        for noise in [(0.0, 0.0), (0.0, 0.05), (0.1, 0.05), (0.2, 0.0)] {
            let claims = runs.claims(noise, 1.0, true);
            assert!(claims <= 20, "{claims} of 100 comparisons with {noise:?}");
        }
        let without = runs.claims((0.1, 0.05), 1.0, false);
        assert!(without > 80, "the rounds alone claim differences in {without} of 100");
    }

    #[test]
    fn a_slower_build_is_found_beside_controls_that_scatter_little() {
        let mut runs = Runs(Xoshiro256PlusPlus::seed_from_u64(43));
        let found = runs.claims((0.01, 0.01), 1.4, true);
        assert!(found >= 95, "{found} of 100");
    }
}
