//! Named pipes between a run and its hands at the source: `orders` one way, `answers` and `stream` the other.
//!
//! Named, because who carries them out may be a unit that systemd starts, in a sandbox to which a directory can be bound and
//! to which nothing can be handed down. Pipes and no socket: nothing but bytes comes through one, no descriptor, no
//! credentials, and nobody can connect to anything.
//!
//! Opening one never waits. The run has both ends of `orders` and `answers` open, so that they are there before and after
//! their other user; what it reads from `stream` it opens anew for each order, so that the end of each stream is seen. When
//! the run is gone, so are its ends: who waits for an order then reads the end, who writes is told that nobody reads.

use crate::host::account::Account;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, chown, mkfifo};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

const ORDERS: &str = "orders";
const ANSWERS: &str = "answers";
const STREAM: &str = "stream";

/// The run's ends.
#[derive(Debug)]
pub struct Pipes {
    directory: PathBuf,
    pub orders: File,
    pub answers: File,
}

/// The ends of who carries orders out.
#[derive(Debug)]
pub struct Ends {
    pub orders: File,
    pub answers: File,
    stream: PathBuf,
}

impl Pipes {
    /// Makes them in a directory of their own, for `hands` to use and nobody else.
    pub fn make(directory: &Path, hands: Account) -> io::Result<Self> {
        remove(directory)?;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        for (name, mode) in [(ORDERS, 0o640), (ANSWERS, 0o620), (STREAM, 0o620)] {
            let path = directory.join(name);
            mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
            give(&path, hands.gid, mode)?;
        }
        // Only now: nobody opens what is not yet as it will be.
        give(directory, hands.gid, 0o750)?;
        let both = |name| end(&directory.join(name), OFlag::O_RDWR);
        Ok(Self { directory: directory.to_owned(), orders: both(ORDERS)?, answers: both(ANSWERS)? })
    }

    /// What is read of the next stream: its end is where that stream ends.
    pub fn stream(&self) -> io::Result<File> {
        end(&self.directory.join(STREAM), OFlag::O_RDONLY)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = remove(&self.directory);
    }
}

/// Takes away what a killed run left.
pub fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Ends {
    pub fn open(directory: &Path) -> io::Result<Self> {
        let orders = waiting(end(&directory.join(ORDERS), OFlag::O_RDONLY)?)?;
        let answers = waiting(end(&directory.join(ANSWERS), OFlag::O_WRONLY)?)?;
        Ok(Self { orders, answers, stream: directory.join(STREAM) })
    }

    /// The way to who receives. Nobody there is an error, not a wait.
    pub fn stream(&self) -> io::Result<File> {
        end(&self.stream, OFlag::O_WRONLY)
    }
}

fn give(path: &Path, group: Gid, mode: u32) -> io::Result<()> {
    if group != Gid::effective() {
        chown(path, None, Some(group))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn end(path: &Path, how: OFlag) -> io::Result<File> {
    let flags = how | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(end) => Ok(File::from(end)),
        Err(Errno::ENXIO) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody is at its other end")),
        Err(errno) => Err(errno.into()),
    }
}

/// The same, reading and writing which waits.
fn waiting(file: File) -> io::Result<File> {
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn nobody_waits_for_the_other_end() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("pipes");
        let mut pipes = Pipes::make(&directory, Account::own()).expect("made");
        // What is said before anybody listens is heard.
        pipes.orders.write_all(b"an order\n").expect("there is room");
        let mut ends = Ends::open(&directory).expect("opened");
        ends.stream().expect_err("nobody takes a stream");
        let mut stream = pipes.stream().expect("opened");
        let mut to = ends.stream().expect("somebody takes it");
        to.write_all(b"bytes").expect("there is room");
        drop(to);
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read to its end");
        assert_eq!(text, "bytes");
        ends.answers.write_all(b"an answer\n").expect("there is room");
        // The run dies: whoever waits for an order learns of it, behind those that were given.
        drop(pipes);
        let mut orders = String::new();
        ends.orders.read_to_string(&mut orders).expect("read to its end");
        assert_eq!(orders, "an order\n");
        assert_eq!(ends.answers.write(b"x").expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
        Ends::open(&directory).expect_err("they are gone");
    }
}
