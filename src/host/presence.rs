//! Whether a process that left its number somewhere is still there.

use super::stat::Stat;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process beyond doubt: its number alone is given to others later, its number and start are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    pub pid: i32,
    /// In clock ticks since boot.
    pub started: u64,
}

impl Presence {
    /// Of this process.
    pub fn own() -> Option<Self> {
        Self::of(Pid::this())
    }

    /// Of a process that runs now.
    pub fn of(pid: Pid) -> Option<Self> {
        let stat = Stat::of(pid)?;
        (!stat.is_dead()).then_some(Self { pid: pid.as_raw(), started: stat.started })
    }

    pub fn is_alive(self) -> bool {
        Self::of(Pid::from_raw(self.pid)) == Some(self)
    }

    /// Sends it a signal, unless it is gone.
    pub fn signal(self, signal: Signal) {
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_here_and_nobody_else_is_us() {
        let own = Presence::own().expect("we run");
        assert!(own.is_alive());
        assert!(!Presence { started: own.started + 1, ..own }.is_alive());
        assert!(Presence::of(Pid::from_raw(i32::MAX)).is_none());
    }
}
