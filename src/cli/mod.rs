//! The command line: read arguments, call a story, print. One file per command.
//!
//! Data goes to stdout, everything else to stderr or the log. Only this room and main.rs know the environment.

mod agent;
mod authorize;
mod change;
mod check;
mod exit;
mod follow;
mod generator;
mod history;
mod key;
mod list;
mod log;
mod meter;
mod metrics;
mod monitor;
mod open;
mod out;
mod reload;
mod retention;
mod run;
mod snapshots;
mod stale;
mod stop;
mod terminal;
mod top;
mod unit;
mod world;
mod zabbix;

use crate::host::clock::Clock;
use crate::host::paths::Paths;
use clap::builder::TypedValueParser;
use clap::{CommandFactory, Parser, Subcommand};
use exit::Exit;
use std::ffi::OsString;
use std::path::PathBuf;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use world::World;

/// Pull many hosts' files onto this host and keep their history as snapshots
#[derive(Debug, Parser)]
#[command(name = "planb", version, disable_help_subcommand = true)]
struct Planb {
    /// Put DIR in front of all of planb's own paths; needs no privilege
    #[arg(long, value_name = "DIR", global = true, value_parser = clap::builder::PathBufValueParser::new().try_map(root))]
    root: Option<PathBuf>,
    /// Pretend that it is TIME (RFC 3339) when the command starts; only with --root
    #[arg(long, value_name = "TIME", global = true, hide = true, value_parser = moment, requires = "root")]
    now: Option<OffsetDateTime>,
    /// Say more: what is decided and why
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Authorize(authorize::Authorize),
    List(list::List),
    Status(list::Status),
    Run(run::Run),
    Snapshots(snapshots::Snapshots),
    Prune(snapshots::Prune),
    Retention(retention::Retention),
    History(history::History),
    Monitor(monitor::Monitor),
    Metrics(metrics::Metrics),
    Top(top::Top),
    Stop(stop::Stop),
    Open(open::Open),
    Close(open::Close),
    Shell(open::Shell),
    Key(key::Key),
    Rename(change::Rename),
    Clone(change::Clone),
    Remove(change::Remove),
    Stale(stale::Stale),
    Reload(reload::Reload),
    #[command(hide = true)]
    Agent(agent::Agent),
    #[command(hide = true)]
    Transfer(unit::Transfer),
    #[command(hide = true)]
    Settle(unit::Settle),
    #[command(hide = true)]
    Hooks(unit::Hooks),
    #[command(hide = true)]
    Retry(unit::Retry),
    #[command(hide = true)]
    Trash(unit::Trash),
    #[command(hide = true)]
    /// Ask a command for a key: the question comes in, the key goes out
    AskKey,
    #[command(hide = true)]
    Generator(generator::Generator),
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions {
        shell: clap_complete::Shell,
    },
}

/// A directory's absolute path; whether it is there is found out by whoever needs it.
fn root(path: PathBuf) -> Result<PathBuf, std::io::Error> {
    std::path::absolute(path)
}

fn moment(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}

/// Does what the arguments say.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Exit {
    let arguments = generator::arguments(arguments);
    match Planb::try_parse_from(&arguments) {
        Ok(planb) => match start(planb) {
            Ok(exit) => exit,
            Err(error) => {
                say(format_args!("planb: {error:#}"));
                Exit::Failed
            }
        },
        Err(usage) => {
            // Help and version come this way too, and go to stdout. Nobody is left to tell that nobody reads it.
            let _ = usage.print();
            match usage.use_stderr() {
                // Who calls a plugin wrongly learns nothing of the backups, and must not take that for an answer.
                true if arguments.iter().any(|word| word == "monitor") => Exit::Unknown,
                true => Exit::Usage,
                false => Exit::Done,
            }
        }
    }
}

fn start(planb: Planb) -> anyhow::Result<Exit> {
    let clock = planb.now.map_or_else(Clock::system, Clock::showing);
    let world = World::new(Paths::new(planb.root), clock, planb.verbose);
    match planb.command {
        Command::Check(check) => check.run(&world),
        Command::Authorize(authorize) => authorize.run(&world),
        Command::List(list) => list.run(&world),
        Command::Status(status) => status.run(&world),
        Command::Run(run) => run.run(&world),
        Command::Snapshots(snapshots) => snapshots.run(&world),
        Command::Prune(prune) => prune.run(&world),
        Command::Retention(retention) => retention.run(),
        Command::History(history) => history.run(&world),
        Command::Monitor(monitor) => Ok(monitor.run(&world)),
        Command::Metrics(metrics) => metrics.run(&world),
        Command::Top(top::Top {}) => top::Top::run(&world),
        Command::Stop(stop) => stop.run(&world),
        Command::Open(open) => open.run(&world),
        Command::Close(close) => close.run(&world),
        Command::Shell(shell) => shell.run(&world),
        Command::Key(key) => key.run(&world),
        Command::Rename(rename) => rename.run(&world),
        Command::Clone(clone) => clone.run(&world),
        Command::Remove(remove) => remove.run(&world),
        Command::Stale(stale) => stale.run(&world),
        Command::Reload(reload) => reload.run(&world),
        Command::Agent(agent::Agent {}) => agent::Agent::run(&world),
        Command::Transfer(transfer) => transfer.run(&world),
        Command::Settle(settle) => settle.run(&world),
        Command::Hooks(hooks) => hooks.run(&world),
        Command::Retry(retry) => retry.run(&world),
        Command::Trash(trash) => trash.run(&world),
        Command::AskKey => unit::ask_key(&world),
        Command::Generator(generator) => generator.run(&world.paths),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Planb::command(), "planb", &mut script);
            out::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
    }
}

/// One thing to say on stderr. If nobody listens, that must not change what is done.
fn say(message: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{message}");
}
