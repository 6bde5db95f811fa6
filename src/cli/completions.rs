//! `ringtape completions`: a script that completes commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use ringtape::error::Result;

use super::{Cli, Ending, term};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to complete in
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ringtape", &mut script);
    term::print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Ending::Done)
}
