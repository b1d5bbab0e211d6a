//! Has the disk write while the transfer goes on.
//!
//! A snapshot is on the disk when it is listed. The kernel by itself begins to write after half a minute, or when a tenth of
//! the memory waits for it: most of what came would be written when the transfer is over, the network idle, and a run waiting.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::syncfs;
use std::fs;
use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{self, JoinHandle};

/// How often it is looked at how much there is to be written, in milliseconds.
const PACE: u16 = 250;

/// How much is worth the while, in KiB: small files are better left alone until there are many.
pub const MUCH: u64 = 64 * 1024;

/// Ends when it is dropped.
#[derive(Debug)]
pub struct WriteBack {
    /// Closed, it is over.
    over: PipeWriter,
    thread: JoinHandle<io::Result<()>>,
}

impl WriteBack {
    /// For the file system of `data`, which is open since before the first byte, whenever `much` waits to be written.
    pub fn start(data: OwnedFd, much: u64) -> io::Result<Self> {
        let (wait, over) = io::pipe()?;
        let thread = thread::Builder::new().name("write-back".into()).spawn(move || {
            loop {
                let mut fds = [PollFd::new(wait.as_fd(), PollFlags::POLLIN)];
                if poll(&mut fds, PollTimeout::from(PACE)).is_ok_and(|ready| ready > 0) {
                    return Ok(());
                }
                if waiting().is_some_and(|waiting| waiting >= much) {
                    // An error is told once for each open file, and `data` is one whoever calls: it must not be lost here.
                    syncfs(&data)?;
                }
            }
        })?;
        Ok(Self { over, thread })
    }

    /// Whether it has come to an end by itself, which only an error is.
    #[cfg(test)]
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it. What could not be written is an error.
    pub fn end(self) -> io::Result<()> {
        drop(self.over);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
    }
}

/// Memory that is waiting to be written to a disk, in KiB: `Dirty` of `proc_meminfo(5)`.
fn waiting() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Dirty:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
