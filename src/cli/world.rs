//! What a command finds when it starts: whose paths, what time, who asked. Read once, handed down from here.

use super::exit::Exit;
use super::{log as target, say};
use crate::change;
use crate::config::{self, Configuration, Fileset, Log};
use crate::fileset::record::Trigger;
use crate::hooks;
use crate::host::account::Account;
use crate::host::clock::Clock;
use crate::host::paths::Paths;
use crate::host::random;
use crate::host::signals::Stop;
use crate::host::systemd;
use crate::run::Host;
use crate::run::carry::Carrier;
use crate::run::settle::End;
use crate::run::slot::Slots;
use anyhow::{Context, Result};
use log::LevelFilter;
use nix::unistd::{Uid, User};
use std::ffi::OsString;
use std::path::PathBuf;

/// The surroundings of one call of planb.
#[derive(Debug)]
pub struct World {
    pub paths: Paths,
    pub clock: Clock,
    pub user: Uid,
    /// systemd's name for this start of the unit, in a unit.
    pub invocation: Option<String>,
    pub trigger: Trigger,
    pub verbose: bool,
}

impl World {
    /// Reads what systemd says of this start: `$INVOCATION_ID`, and `$TRIGGER_UNIT` where a timer was the cause.
    #[expect(clippy::disallowed_methods, reason = "cli/ reads the environment")]
    pub fn new(paths: Paths, clock: Clock, verbose: bool) -> Self {
        let invocation = std::env::var("INVOCATION_ID").ok().filter(|id| is_id(id));
        let trigger = match std::env::var("TRIGGER_UNIT") {
            Ok(unit) if unit.strip_suffix(".timer").is_some() => Trigger::Timer,
            _ => Trigger::Manual,
        };
        Self { paths, clock, user: nix::unistd::geteuid(), invocation, trigger, verbose }
    }

    /// Reads the configuration and begins to log where it says.
    pub fn configuration(&self) -> Configuration {
        let configuration = config::load(&self.paths, self.user);
        self.log(configuration.settings.log, &[]);
        if let Ok(Some(change)) = change::interrupted(&self.paths) {
            let command = change.command;
            say(format_args!("planb: `{command}` was interrupted: call it again, and it comes to its end"));
        }
        configuration
    }

    /// Begins to log where the configuration says, each message with these fields in the journal.
    pub fn log(&self, to: Option<Log>, fields: &[(&str, &str)]) {
        let level = if self.verbose { LevelFilter::Debug } else { LevelFilter::Info };
        let chosen = match to {
            Some(Log::Journal) => target::Target::Journal,
            Some(Log::Syslog) => target::Target::Syslog,
            None if systemd_journal_logger::connected_to_journal() => target::Target::Journal,
            Some(Log::Stderr) | None => target::Target::Stderr,
        };
        target::to(chosen, level, fields);
    }

    /// Whether runs are units of systemd's here, rather than processes of whoever asks for them.
    pub fn has_units(&self) -> bool {
        !self.paths.is_rooted() && systemd::is_running()
    }

    /// Whether we may do what only root may; says so where not.
    pub fn is_root(&self, to: &str) -> bool {
        if !self.user.is_root() {
            say(format_args!(
                "planb: only root may {to}: use sudo, or --root DIR for a world of your own without systemd"
            ));
        }
        self.user.is_root()
    }

    /// What runs share that are units.
    pub fn unit_host<'a>(&'a self, slots: &'a Slots, stop: &'a Stop, log: Option<Log>) -> Result<Host<'a>> {
        let carrier = Carrier::Unit(Self::account()?);
        Ok(Host { paths: &self.paths, slots, stop, clock: self.clock, carrier, log })
    }

    /// The user that transfers and hooks run as.
    pub fn account() -> Result<Account> {
        Account::of(hooks::USER)
            .context("failed to look for the user planb")?
            .context("there is no user planb: install the package, or call systemd-sysusers")
    }

    /// `$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS`: how the main process of our unit ended.
    #[expect(clippy::disallowed_methods, reason = "cli/ reads the environment")]
    pub fn main_process_end() -> End {
        let read = |name| std::env::var(name).unwrap_or_default();
        End { result: read("SERVICE_RESULT"), code: read("EXIT_CODE"), status: read("EXIT_STATUS") }
    }

    /// `$RUNTIME_DIRECTORY`: the directory of our unit's own below /run.
    #[expect(clippy::disallowed_methods, reason = "cli/ reads the environment")]
    pub fn runtime_directory() -> Option<PathBuf> {
        std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from)
    }

    /// The shell of whoever calls us: `$SHELL`.
    #[expect(clippy::disallowed_methods, reason = "cli/ reads the environment")]
    pub fn shell() -> OsString {
        std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
    }

    /// Who calls us, for other people: `$SUDO_USER` where that is known.
    #[expect(clippy::disallowed_methods, reason = "cli/ reads the environment")]
    pub fn person() -> String {
        let known = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
        let own = || User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
        known.or_else(own).unwrap_or_else(|| format!("uid {}", nix::unistd::geteuid()))
    }

    /// The id of a run: the unit's where it is the only run of this process, else a fresh one.
    pub fn run_id(&self, only: bool) -> Result<String> {
        match &self.invocation {
            Some(id) if only => Ok(id.clone()),
            _ => random::id().context("failed to make a run's id"),
        }
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The filesets of these names, each once. What is wrong with the others is said, and is the exit code.
pub fn choose<'c>(configuration: &'c Configuration, names: &[String]) -> (Vec<&'c Fileset>, Exit) {
    let mut chosen: Vec<&Fileset> = Vec::new();
    let mut exit = Exit::Done;
    for name in names {
        if let Some(fileset) = configuration.fileset(name) {
            if !chosen.iter().any(|known| known.name == fileset.name) {
                chosen.push(fileset);
            }
            continue;
        }
        exit = Exit::Usage;
        match configuration.invalid(name) {
            Some(invalid) => invalid.diagnostics.iter().for_each(say),
            None => say(format_args!("planb: {}", configuration.unknown(name))),
        }
    }
    (chosen, exit)
}

/// The one fileset of this name, or the exit code that says why not.
pub fn one<'c>(configuration: &'c Configuration, name: &String) -> Result<&'c Fileset, Exit> {
    let (chosen, exit) = choose(configuration, std::slice::from_ref(name));
    chosen.first().copied().ok_or(exit)
}

/// The wish to stop, as SIGINT, SIGTERM and SIGHUP tell it.
pub fn stop() -> Result<Stop> {
    Stop::on_signals().context("failed to listen for signals")
}
