//! Keys that a program prints: a vault's client. It needs the network, so it is never root's own child: user planb asks,
//! in a unit of its own where systemd runs, and hands the key through a pipe.

mod unit;

use super::error::Error;
use super::key::{Key, LONGEST};
use crate::fileset::key::Question;
use crate::host::account::Account;
use crate::host::paths::Paths;
use crate::host::process::{Ending, Limits, Program};
use crate::host::signals::Stop;
use crate::host::systemd;
use nix::unistd::Uid;
use std::time::{Duration, Instant};

/// How long a program may take to print a key.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks for keys.
const USER: &str = "planb";

/// The key that the program prints; `None` where it prints nothing.
pub fn ask(paths: &Paths, question: &Question, stop: &Stop) -> Result<Option<Key>, Error> {
    // In a world of one's own, and for who is not root, it runs as who asks.
    if paths.is_rooted() || !Uid::effective().is_root() {
        return ask_here(question, None, stop);
    }
    if systemd::is_running() {
        return unit::ask(paths, question, stop);
    }
    let account = Account::of(USER).map_err(Error::io("look for user", USER))?.ok_or(Error::NoUser)?;
    ask_here(question, Some(account), stop)
}

/// The same, in a child of ours.
pub fn ask_here(question: &Question, account: Option<Account>, stop: &Stop) -> Result<Option<Key>, Error> {
    let Question { command, fileset, group, dataset } = question;
    let mut program = Program::find(command.program())?
        .args(command.arguments())
        .env("PLANB_FILESET", fileset.as_str())
        .env("PLANB_GROUP", group.as_ref().map_or("", |group| group.as_str()))
        .env("PLANB_DATASET", dataset.as_str());
    if let Some(account) = account {
        program = program.run_as(account);
    }
    let said = program.listen(Limits { stop, deadline: Some(Instant::now() + PATIENCE) }, LONGEST)?;
    match said.ending {
        Ending::Exited(0) => {}
        Ending::Stopped => return Err(Error::Stopped),
        ending => {
            let text = String::from_utf8_lossy(&said.stderr);
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
            let why = if last.is_empty() { format!("it {ending}") } else { format!("it {ending}: {last}") };
            return Err(Error::Command { program: command.program().to_owned(), why });
        }
    }
    if said.stdout.as_ref().is_some_and(|said| said.iter().all(|&byte| byte == b'\n')) {
        return Ok(None);
    }
    let place = || format!("what {} printed", command.program());
    Key::of(said.stdout.as_ref()).map(Some).map_err(|source| Error::NotAKey { place: place(), source })
}
