//! Calls of planb while they go on, and what they came to.

use crate::sshd::descendants;
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a call of planb came to.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; of one that was killed, the signal's number and 128.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A call of planb that goes on. Dropping it ends it.
pub struct Running {
    pub(super) child: Child,
    pub(super) output: TempDir,
}

/// A process beyond doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: Pid,
    started: String,
}

impl Ran {
    /// Whether it said something on stderr.
    pub fn said(&self, words: &str) -> bool {
        self.stderr.contains(words)
    }
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// The same where it may be over by now.
    pub fn signal_if_running(&self, signal: Signal) {
        // It has not been waited for: its number is still its own.
        let _ = kill(self.pid(), signal);
    }

    /// What it started and what that started, as of now.
    pub fn children(&self) -> Vec<Process> {
        descendants(self.child.id()).into_iter().skip(1).filter_map(Process::of).collect()
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output.path().join("stderr")).expect("read")).into_owned()
    }

    /// Waits until it has its place in the queue for a slot.
    #[track_caller]
    pub fn wait_until_queued(&self) {
        wait_for("a place in the queue", || self.said().contains("waiting for a slot"));
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }

    /// Its end, which has to come by itself.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let mut status = None;
        wait_for("planb's end", || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        let status = status.expect("it ended");
        let text = |name: &str| {
            let bytes = fs::read(self.output.path().join(name)).expect("read");
            String::from_utf8(bytes).expect("planb prints UTF-8")
        };
        let code = status.code().or_else(|| status.signal().map(|signal| signal + 128)).expect("one of both");
        Ran { code, stdout: text("stdout"), stderr: text("stderr") }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub fn of(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        (fields[0] != "Z").then(|| Self { pid, started: fields[19].to_owned() })
    }

    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// The name of its program.
    pub fn name(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.pid)).unwrap_or_default().trim().to_owned()
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        // What other processes do to files and processes tells nobody: look again shortly.
        let _ = poll(&mut [], PollTimeout::from(10_u8));
    }
}
