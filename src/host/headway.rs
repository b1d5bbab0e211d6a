//! Whether a program that runs gets anywhere.

use super::stat::Stat;
use nix::unistd::Pid;
use std::fs;
use std::time::{Duration, Instant};

/// Whether a program still reads.
///
/// Asked of the kernel (`rchar` in /proc/PID/io) of all processes of the group that are called as the program is: a
/// program that talks through another one hears from that one only what came from the far end, whereas the other's own
/// figures go up with every sign of life the two exchange.
#[derive(Debug)]
pub struct Headway {
    group: Pid,
    name: String,
    patience: Duration,
    read: Option<u64>,
    since: Instant,
    /// When to ask again.
    pub next_look: Instant,
}

impl Headway {
    pub fn new(group: Pid, name: &str, patience: Duration) -> Self {
        let now = Instant::now();
        // The kernel's own limit for a process's name.
        let name = name.chars().take(15).collect();
        Self { group, name, patience, read: None, since: now, next_look: now + patience / 8 }
    }

    /// Looks when it is time to. Where the kernel does not tell, nothing is ever over.
    pub fn is_over(&mut self) -> bool {
        let now = Instant::now();
        if now < self.next_look {
            return false;
        }
        self.next_look = now + self.patience / 8;
        let read = self.look();
        if read != self.read {
            (self.read, self.since) = (read, now);
        }
        read.is_some() && now.duration_since(self.since) >= self.patience
    }

    fn look(&self) -> Option<u64> {
        let mut sum = None;
        for process in Stat::of_group(self.group).filter(|process| process.name == self.name) {
            let io = fs::read_to_string(format!("/proc/{}/io", process.pid)).ok()?;
            let read: u64 = io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())?;
            // Whole seconds of work are headway too: deleting a large tree reads nothing.
            sum = Some(sum.unwrap_or(0) + read + process.worked / 100);
        }
        sum
    }
}
