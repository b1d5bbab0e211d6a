//! The command line: read arguments, call a story, print. One file per command.

mod check;
mod exit;

use crate::host::paths::Paths;
use clap::{Parser, Subcommand};
use exit::Exit;
use std::ffi::OsString;
use std::path::PathBuf;

/// Pull many hosts' files onto this host and keep their history as snapshots
#[derive(Debug, Parser)]
#[command(name = "planb", version, disable_help_subcommand = true)]
struct Planb {
    /// Put DIR in front of all of planb's own paths; needs no privilege
    #[arg(long, value_name = "DIR", global = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
}

/// Does what the arguments say.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Exit {
    match Planb::try_parse_from(arguments) {
        Ok(planb) => match start(planb) {
            Ok(exit) => exit,
            Err(error) => {
                report(format_args!("planb: {error:#}"));
                Exit::Failed
            }
        },
        Err(usage) => {
            // Help and version come this way too, and go to stdout. Nobody is left to tell that nobody reads it.
            let _ = usage.print();
            if usage.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    }
}

fn start(planb: Planb) -> anyhow::Result<Exit> {
    let root = planb.root.map(std::path::absolute).transpose()?;
    let paths = Paths::new(root);
    match planb.command {
        Command::Check(check) => check.run(&paths),
    }
}

/// One thing to say on stderr. If nobody listens, that must not change what is done.
fn report(message: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{message}");
}
