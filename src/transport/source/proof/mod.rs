//! Proofs, from here, that a source allows what is needed and nothing more.
//!
//! What must not work is asked for in a way that shows at once if it does: rsync greets whoever starts it, a shell
//! prints, an SFTP server ends well when nobody asks it for anything, zfs says that it knows no such dataset. Nothing that is
//! asked for changes anything if it should be allowed.

mod rsync;
mod zfs;

use crate::host::process::{Captured, Ending, Input, Limits, Program};
use crate::transport::rsync::settings::Source;
use crate::transport::said::printable;
use crate::transport::ssh::login::Login;
use crate::transport::{Event, Failure, Job, Transport};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much of an answer is looked at.
const ENOUGH: usize = 4096;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What is so, or should be.
    pub what: String,
    /// Why it is not, or why nobody can tell.
    pub wrong: Option<String>,
}

/// Something that must not be allowed.
struct Temptation {
    what: String,
    options: &'static [&'static str],
    command: Option<String>,
    input: &'static [u8],
    allowed: fn(&Captured) -> Answer,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused,
    Allowed,
    /// Started, so that only what was started stands in the way.
    Run,
    Unknown,
}

/// Tries one thing after the other. Where nothing can be read, nothing else is tried: it would prove nothing. `None`: it is
/// not reached over ssh, and there is nothing to prove.
pub fn prove(
    transport: &Transport,
    job: Job<'_>,
    tell: &mut dyn FnMut(Event),
    proven: &mut dyn FnMut(Proof),
) -> Option<()> {
    let login = transport.login()?;
    let (limits, config) = (job.limits, job.scratch.join("ssh.conf"));
    let user = login.user.as_str();
    let has = |proof: Proof| {
        let good = proof.wrong.is_none();
        proven(proof);
        good
    };
    let (can_read, temptations, allowed) = match transport {
        Transport::Rsync(settings) => {
            let Source::Ssh(ssh) = &settings.source else { return None };
            let can_read = rsync::may(settings, ssh, job, tell, has);
            (can_read, rsync::temptations(ssh), rsync::allowed(ssh))
        }
        Transport::Zfs(settings) => {
            let can_read = zfs::may(settings, &job, tell, has);
            (can_read, zfs::temptations(settings), zfs::allowed(settings))
        }
        Transport::Exec(_) => return None,
    };
    if !can_read {
        return Some(());
    }
    for temptation in temptations.into_iter().chain(of_every_login(&allowed)) {
        let what = format!("{user} may not {}", temptation.what);
        let wrong = match ask(&config, login, &temptation, limits) {
            Ok(said) => match (temptation.allowed)(&said) {
                Answer::Refused => None,
                Answer::Allowed => Some("it is allowed".to_owned()),
                Answer::Run => Some("it is run there: only zfs's own permissions are in its way".to_owned()),
                Answer::Unknown => {
                    Some(format!("nobody can tell: ssh {}: {}", said.ending, last_line(&said)))
                }
            },
            Err(failure) => Some(failure.reason),
        };
        proven(Proof { what, wrong });
    }
    Some(())
}

/// What no login may do, whatever it is for. `allowed`: a command that is.
fn of_every_login(allowed: &str) -> [Temptation; 5] {
    let command = |what: &str, command: &str| Temptation {
        what: what.to_owned(),
        options: &[],
        command: Some(command.to_owned()),
        input: b"",
        allowed: greeting,
    };
    [
        command("run a shell", "sh -c 'echo allowed'"),
        Temptation { ..command("run a second command", &format!("{allowed}; echo allowed")) },
        Temptation { options: &["-s"], allowed: subsystem, ..command("use SFTP", "sftp") },
        Temptation { options: &["-tt"], allowed: terminal, ..command("have a terminal", "true") },
        Temptation { command: None, allowed: forwarding, ..command("forward ports", "") },
    ]
}

fn ask(
    config: &Path,
    login: &Login,
    temptation: &Temptation,
    limits: Limits<'_>,
) -> Result<Captured, Failure> {
    let forward = format!("localhost:{}", login.port);
    let mut program = Program::find("ssh")
        .map_err(|e| Failure::because("failed to run ssh", &e))?
        .arg("-F")
        .arg(config)
        .args(temptation.options);
    if temptation.command.is_none() {
        program = program.args(["-W", &forward]);
    }
    let until = Instant::now() + PATIENCE;
    let deadline = limits.deadline.map_or(until, |deadline| deadline.min(until));
    program
        .args(["--", login.host.as_str()])
        .args(&temptation.command)
        .stdin(Input::Bytes(temptation.input.to_vec()))
        .capture(Limits { deadline: Some(deadline), ..limits }, ENOUGH)
        .map_err(|e| Failure::because("failed to run ssh", &e))
}

/// Of what would greet us.
fn greeting(said: &Captured) -> Answer {
    match said.ending {
        _ if !said.stdout.is_empty() => Answer::Allowed,
        // ssh's own troubles, which are neither.
        Ending::Exited(255) => Answer::Unknown,
        Ending::Exited(_) => Answer::Refused,
        _ => Answer::Unknown,
    }
}

fn subsystem(said: &Captured) -> Answer {
    match said.ending {
        Ending::Exited(0) => Answer::Allowed,
        _ if stderr(said).contains("subsystem request failed") => Answer::Refused,
        _ => greeting(said),
    }
}

fn terminal(said: &Captured) -> Answer {
    match said.ending {
        _ if stderr(said).contains("PTY allocation request failed") => Answer::Refused,
        Ending::Exited(255) => Answer::Unknown,
        Ending::Exited(_) => Answer::Allowed,
        _ => Answer::Unknown,
    }
}

fn forwarding(said: &Captured) -> Answer {
    let text = stderr(said);
    match () {
        () if !said.stdout.is_empty() || text.contains("connect failed") => Answer::Allowed,
        () if text.contains("administratively prohibited") => Answer::Refused,
        () => Answer::Unknown,
    }
}

fn stderr(said: &Captured) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}

fn last_line(said: &Captured) -> String {
    stderr(said).lines().last().map(|line| printable(line.as_bytes())).unwrap_or_default()
}
