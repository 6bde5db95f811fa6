//! What a run tells of its orders: tables of fills and positions, and the story of one.

use std::path::PathBuf;

use ringtape::engine::RunReport;
use ringtape::error::{Error, Result};
use ringtape::report;

use super::ReplayArgs;
use crate::cli::config::without_strategy;
use crate::cli::term;

/// Refuses tables that cannot be written, before anything is run.
pub(super) fn check(args: &ReplayArgs) -> Result<()> {
    let ReplayArgs { fills_out, positions_out, feeds, config_file, control, .. } = args;
    let files: Vec<_> = fills_out.iter().chain(positions_out).collect();
    if args.report.force && files.is_empty() && !args.report.is_wanted() {
        return Err(Error::usage(
            "--force does nothing without --report, --fills-out or --positions-out",
            "leave it out; a journal is never overwritten",
        ));
    }
    let inputs: Vec<_> = feeds.iter().chain(config_file).chain(control).cloned().collect();
    term::check_files(&files, &inputs, args.journal.as_deref(), args.report.force)
}

/// Refuses to tell of orders, or to check their money, where there are none.
pub(super) fn check_trading(
    args: &ReplayArgs,
    has_strategy: bool,
    is_of_orders: bool,
) -> Result<()> {
    let has_orders = has_strategy || is_of_orders;
    if args.control.is_some() && !has_strategy {
        return Err(without_strategy("control"));
    }
    let given = [
        ("fills-out", args.fills_out.is_some()),
        ("positions-out", args.positions_out.is_some()),
        ("explain", args.explain.is_some()),
        ("audit", args.audit),
    ];
    match given.iter().find(|(_, is_given)| *is_given && !has_orders) {
        Some((name, _)) => Err(without_strategy(name)),
        None => Ok(()),
    }
}

/// Writes the tables that were asked for.
pub(super) fn write(args: &ReplayArgs, report: &RunReport) -> Result<()> {
    let write = |path: &Option<PathBuf>, table: &dyn Fn(&RunReport) -> String| match path {
        Some(path) => term::write_whole(path, |mut file| {
            std::io::Write::write_all(&mut file, table(report).as_bytes())
        }),
        None => Ok(()),
    };
    write(&args.fills_out, &report::fills_csv)?;
    write(&args.positions_out, &report::positions_csv)
}
