//! How a program ended.

use nix::sys::signal::Signal;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// We ended it: its deadline had come.
    TimedOut,
    /// We ended it: somebody wished so, or its output was not wanted any more.
    Stopped,
    /// We ended it: it had read nothing for too long.
    Stalled,
}

impl Ending {
    /// Whether it ended by itself and said all was well.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

impl fmt::Display for Ending {
    /// Fits after the program's name: "rsync exited with 23".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with {code}"),
            Self::Signalled(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            Self::TimedOut => f.write_str("took too long and was ended"),
            Self::Stopped => f.write_str("was stopped"),
            Self::Stalled => f.write_str("made no headway and was ended"),
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signalled(signal),
            (None, None) => Self::Signalled(0),
        }
    }
}
