//! What the kernel tells of processes: /proc/PID/stat, `proc_pid_stat(5)`.

use nix::unistd::Pid;
use std::fs;

/// One process at one moment.
#[derive(Debug)]
pub struct Stat {
    pub pid: Pid,
    /// Of its program, at most 15 bytes.
    pub name: String,
    state: char,
    pub group: Pid,
    /// Hundredths of a second that it worked, the kernel's work for it included.
    pub worked: u64,
    /// In clock ticks since boot.
    pub started: u64,
}

impl Stat {
    pub fn of(pid: Pid) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may hold anything, spaces and parentheses too.
        let (before, after) = text.rsplit_once(") ")?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split(' ').collect();
        // `after` begins with field 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            name,
            state: fields.first()?.chars().next()?,
            group: Pid::from_raw(i32::try_from(number(5)?).ok()?),
            worked: number(14)? + number(15)?,
            started: number(22)?,
        })
    }

    /// Everybody in this process group.
    pub fn of_group(group: Pid) -> impl Iterator<Item = Self> {
        let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw);
        let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok).filter_map(pid);
        processes.filter_map(Self::of).filter(move |stat| stat.group == group)
    }

    /// Whether it has ended and only nobody has asked yet how.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}
