//! Exit codes: a contract with scripts and with systemd.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    Failed = 1,
    /// Wrong usage or wrong configuration: trying again does not help.
    Usage = 2,
    /// Nothing could be found out: the fourth answer of a monitoring plugin, whose others are 0, 1 and 2.
    Unknown = 3,
    /// Another run of the same fileset is busy.
    Busy = 4,
    /// Not now; it will be tried again by itself. `EX_TEMPFAIL` of sysexits.h.
    Deferred = 75,
}

impl Exit {
    /// What several things together came to: what a person has to look at first.
    pub fn worse(self, other: Self) -> Self {
        const RANKS: [Exit; 6] =
            [Exit::Failed, Exit::Usage, Exit::Unknown, Exit::Busy, Exit::Deferred, Exit::Done];
        RANKS.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(self)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
