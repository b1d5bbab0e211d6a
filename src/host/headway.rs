//! Whether a program that runs gets anywhere.

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
        for entry in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
            let path = entry.path();
            let Ok(stat) = fs::read_to_string(path.join("stat")) else { continue };
            // pid (name) state parent group ...
            let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(") ")) else {
                continue;
            };
            let fields: Vec<&str> = rest.split(' ').collect();
            let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
            let group = number(2).and_then(|group| i32::try_from(group).ok()).map(Pid::from_raw);
            if name != self.name || group != Some(self.group) {
                continue;
            }
            let io = fs::read_to_string(path.join("io")).ok()?;
            let read: u64 = io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())?;
            // Whole seconds of work (utime and stime, in hundredths) are headway too: deleting a large tree reads nothing.
            let worked = (number(11).unwrap_or(0) + number(12).unwrap_or(0)) / 100;
            sum = Some(sum.unwrap_or(0) + read + worked);
        }
        sum
    }
}
