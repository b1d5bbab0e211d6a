//! Proofs, from here, that a source allows what is needed and nothing more.
//!
//! What must not work is asked for in a way that shows at once if it does: rsync greets whoever starts it, a shell
//! prints, an SFTP server ends well when nobody asks it for anything. Nothing that is asked for changes anything if it should be allowed.

use crate::host::process::{Captured, Ending, Input, Limits, Program};
use crate::transport::rsync::{
    self, admission,
    settings::{Settings, Ssh},
};
use crate::transport::said::printable;
use crate::transport::{Event, Failure, Job};
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
    what: &'static str,
    options: &'static [&'static str],
    command: Option<String>,
    input: &'static [u8],
    allowed: fn(&Captured) -> Answer,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused,
    Allowed,
    Unknown,
}

/// Tries one thing after the other. Where nothing can be read, nothing else is tried: it would prove nothing.
pub fn prove(
    settings: &Settings,
    ssh: &Ssh,
    job: Job<'_>,
    tell: &mut dyn FnMut(Event),
    proven: &mut dyn FnMut(Proof),
) {
    let (limits, config) = (job.limits, job.scratch.join("ssh.conf"));
    let (user, path) = (ssh.login.user.as_str(), ssh.path.as_str());
    let what = format!("{user} may read {path}{}", if ssh.sudo { ", as root" } else { "" });
    let read: Result<(), Failure> = rsync::knock(settings, job, tell);
    let wrong = read.err().map(|failure| failure.reason);
    let can_read = wrong.is_none();
    proven(Proof { what, wrong });
    if !can_read {
        return;
    }
    for temptation in temptations(ssh) {
        let what = format!("{user} may not {}", temptation.what);
        let wrong = match ask(&config, ssh, &temptation, limits) {
            Ok(said) => match (temptation.allowed)(&said) {
                Answer::Refused => None,
                Answer::Allowed => Some("it is allowed".to_owned()),
                Answer::Unknown => {
                    Some(format!("nobody can tell: ssh {}: {}", said.ending, last_line(&said)))
                }
            },
            Err(failure) => Some(failure.reason),
        };
        proven(Proof { what, wrong });
    }
}

fn temptations(ssh: &Ssh) -> Vec<Temptation> {
    let rsync = admission::program(ssh);
    let path = ssh.path.as_str().trim_end_matches('/');
    let server = |what, arguments: String| Temptation {
        what,
        options: &[],
        command: Some(format!("{rsync} {arguments}")),
        input: b"",
        allowed: greeting,
    };
    let mut all = vec![
        server("write: rsync's receiving side", "--server -re.iLsfxCIvu . /tmp/planb-check/".into()),
        server(
            "write a log file: rsync --log-file",
            // The program ends before it opens that file where its directory is not there.
            format!("--server --sender -re.iLsfxCIvu --log-file=/tmp/planb-check/none/log . {path}/"),
        ),
        server(
            "delete: rsync --remove-source-files",
            format!("--server --sender -re.iLsfxCIvu --remove-source-files . {path}/"),
        ),
        Temptation {
            // The arguments come after the greeting was asked for.
            input: b"rsync\0--server\0--sender\0-re.iLsfxCIvu\0.\0/\0\0",
            ..server(
                "hide arguments: rsync --secluded-args",
                format!("--server --sender -se.LsfxCIvu . {path}/"),
            )
        },
        Temptation { command: Some("sh -c 'echo allowed'".into()), ..server("run a shell", String::new()) },
        Temptation {
            command: Some(format!("{rsync} --server --sender -re.iLsfxCIvu . {path}/; echo allowed")),
            ..server("run a second command", String::new())
        },
        Temptation {
            options: &["-s"],
            command: Some("sftp".into()),
            allowed: subsystem,
            ..server("use SFTP", String::new())
        },
        Temptation {
            options: &["-tt"],
            command: Some("true".into()),
            allowed: terminal,
            ..server("have a terminal", String::new())
        },
        Temptation { command: None, allowed: forwarding, ..server("forward ports", String::new()) },
    ];
    if !path.is_empty() {
        all.insert(1, server("read beside that", "--server --sender -re.iLsfxCIvu . /".into()));
    }
    all
}

fn ask(config: &Path, ssh: &Ssh, temptation: &Temptation, limits: Limits<'_>) -> Result<Captured, Failure> {
    let forward = format!("localhost:{}", ssh.login.port);
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
        .args(["--", ssh.login.host.as_str()])
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
