//! `ringtape bench`: figures of this machine.

mod all;
mod book;
mod compare;
mod controls;
mod door;
mod journal;
mod matching;
mod pipeline;
mod ring;
mod sweep;
mod sweep_page;
mod verdict;
mod yardstick;

use clap::Subcommand;
use ringtape::error::Result;

use super::Ending;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Every bench, each in a process of its own, as one table or document
    All(all::AllArgs),
    /// Messages to books on one core, decoding alone beside it, and the worst cases
    Book(book::BookArgs),
    /// Two documents of `bench ... --json`: what differs by more than its noise; exit 1 if worse
    ///
    /// A figure differs where its rounds in the one rank above those in the other, as chance would
    /// make of so many figures and rounds in fewer than one of five comparisons, and where its
    /// median changed by 3 % or more beyond what the machine did. The machine's part is the largest
    /// of what a fixed piece of work changed by, which `bench all` measures before and after each
    /// bench, over all of both documents, and of what the controls did in that bench and beside the
    /// figure: their median change and five times their median distance from it. Controls are rows
    /// that say `"control"` in the documents: of peers and of the bare mapped store, whose code is
    /// in both runs the same; of the hiccups in the same seconds, which are no code; and of the
    /// fixed piece of work, done once more after each round of rows that have no peer. They are
    /// shown and not judged. Neither is a row of `bench ring` whose best way to wait was another in
    /// each document; the row `ringtape, default` always waits the same way.
    ///
    /// The rounds of one run are alike in more than two runs are: where nothing is claimed, the
    /// builds may differ still. A bench without controls is judged by the fixed piece of work
    /// alone, and a document of one bench without both by its rounds.
    Compare(compare::CompareArgs),
    /// From a feed's event to an order's fill at a venue in another process, over TCP
    Door(door::DoorArgs),
    /// The matcher on flows of commands in memory, beside the crate `matchcore`
    ///
    /// matchcore comes with the feature `peers`; the rounds take turns. Allocations are not counted
    /// here, since the program has no allocator that could count. tests/matcher_alloc.rs counts
    /// none in a second session like the first; a round here is a first session, in which the
    /// matcher still grows a little.
    Match(matching::MatchArgs),
    /// Appending to a journal at each durability, beside a bare mapped store, and reading it
    ///
    /// The bare store is made twice: into pages that are there, and into those of a file that grows
    /// as a journal does, which a thread brings in ahead. What the second takes beyond the first
    /// the machine takes for new pages; what an append takes beyond the second is the journal's.
    Journal(journal::JournalArgs),
    /// The whole engine over a generated session in memory: full speed, and latency at fixed rates
    Pipeline(pipeline::PipelineArgs),
    /// The ring beside other rings and channels: throughput, latency, graphs, too few cores
    Ring(ring::RingArgs),
    /// One round of `bench ring` in this process, as one line of JSON
    #[command(hide = true)]
    RingRound(ring::RoundArgs),
}

pub(super) fn run(command: &BenchCommand) -> Result<Ending> {
    match command {
        BenchCommand::All(args) => all::run(args),
        BenchCommand::Compare(args) => compare::run(args),
        BenchCommand::Door(args) => door::run(args),
        BenchCommand::Book(args) => book::run(args),
        BenchCommand::Match(args) => matching::run(args),
        BenchCommand::Journal(args) => journal::run(args),
        BenchCommand::Pipeline(args) => pipeline::run(args),
        BenchCommand::Ring(args) => ring::run(args),
        BenchCommand::RingRound(args) => ring::run_round(args),
    }
}
