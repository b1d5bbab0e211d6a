//! One stream on its way into a child.

use super::stream::{RECORD, complaint};
use super::{Replica, SOURCE};
use crate::fileset::replica::{Child, Dataset, Kind};
use crate::host::output::Tail;
use crate::host::process::{Ending, Input, Limits, Program, Stream};
use crate::storage::Error as StorageError;
use crate::storage::zfs::error::Error;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, ErrorKind, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

/// What a receive of anything makes of a dataset. Nobody writes to it but zfs itself.
const ALWAYS: [(&str, &str); 2] = [("readonly", "on"), ("com.sun:auto-snapshot", "false")];
/// Nothing of what it says of itself happens here: nobody mounts it by mistake, and nothing in it has any power.
const FILESYSTEM: [(&str, &str); 4] =
    [("canmount", "noauto"), ("setuid", "off"), ("exec", "off"), ("devices", "off")];
/// It has no device node here, in which the host could find its own partitions or volume groups, and takes no more room
/// than its data.
const VOLUME: [(&str, &str); 2] = [("volmode", "none"), ("refreservation", "none")];
/// What belongs to the source's machine. What a stream may not have with it anyhow is not taken either.
const NEVER: [&str; 6] = ["mountpoint", "sharenfs", "sharesmb", "quota", "refquota", "reservation"];

/// How much may be under way in a pipe: a source that stutters does not make the disks stutter.
const PIPE: i32 = 1 << 20;
const AT_ONCE: usize = 256 << 10;

/// What is to come.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub child: &'a Child,
    pub source: &'a Dataset,
    /// What it is called here.
    pub name: &'a str,
    pub kind: Kind,
    /// The child is not there yet.
    pub is_new: bool,
    pub guid: u64,
    /// The GUID of what it builds on, 0 for nothing; absent where only the token knows.
    pub base: Option<u64>,
    pub raw: bool,
}

/// How a receive ended.
#[derive(Debug)]
pub enum Received {
    Whole,
    /// There was less, or else, than there should be. What of it was good stays, to be gone on with.
    Broken {
        said: String,
    },
    /// Something is still at work in there, perhaps what a killed run left.
    Busy,
    Stopped,
    TimedOut,
}

impl Replica {
    /// Receives a stream, which ends where `stream` does.
    ///
    /// `zfs receive -s`: what came of it before it broke off stays. Never `-F`, which would undo what is here.
    pub fn receive(
        &self,
        expected: &Expected<'_>,
        mut stream: File,
        limits: Limits<'_>,
    ) -> Result<Received, StorageError> {
        let io = |what| Error::io(what, self.full(expected.child));
        let _ = fcntl(&stream, FcntlArg::F_SETPIPE_SZ(PIPE));
        let mut record = [0; RECORD];
        match wait_and_fill(&mut stream, &mut record, limits).map_err(io("read the stream of"))? {
            Filled::Whole => {}
            Filled::Ended => return Ok(Received::Broken { said: "nothing came".into() }),
            Filled::Stopped => return Ok(Received::Stopped),
            Filled::TimedOut => return Ok(Received::TimedOut),
        }
        if let Some(what) = complaint(&record, expected) {
            return Err(Error::OtherStream { child: expected.child.clone(), what }.into());
        }
        let (reader, writer) = io::pipe().map_err(io("make a pipe for"))?;
        let _ = fcntl(&reader, FcntlArg::F_SETPIPE_SZ(PIPE));
        let mut said = Tail::new(16 * 1024);
        let program = Program::find("zfs").map_err(Error::from)?.args(self.arguments(expected));
        let program = program.stdin(Input::File(File::from(OwnedFd::from(reader))));
        let ending = thread::scope(|scope| {
            scope.spawn(|| feed(&record, stream, writer));
            program.run(limits, |from, bytes| {
                if from == Stream::Err {
                    said.push(bytes);
                }
            })
        })
        .map_err(Error::from)?;
        let said = String::from_utf8_lossy(&said.into_bytes()).into_owned();
        match ending {
            Ending::Exited(0) => Ok(Received::Whole),
            Ending::Stopped => Ok(Received::Stopped),
            Ending::TimedOut => Ok(Received::TimedOut),
            _ if said.contains("is busy") => Ok(Received::Busy),
            _ if ["incomplete stream", "failed to read from stream", "invalid stream"]
                .iter()
                .any(|words| said.contains(words)) =>
            {
                Ok(Received::Broken { said: said.lines().next().unwrap_or_default().to_owned() })
            }
            ending => Err(Error::of("zfs receive".into(), &self.full(expected.child), ending, &said).into()),
        }
    }

    fn arguments(&self, expected: &Expected<'_>) -> Vec<String> {
        let mut arguments = vec!["receive".to_owned(), "-s".into(), "-u".into()];
        if expected.is_new {
            for (name, value) in own(expected.kind).chain([(SOURCE, expected.source.as_str())]) {
                arguments.extend(["-o".into(), format!("{name}={value}")]);
            }
            // A volume has none of these, and zfs a warning for each.
            let never = NEVER.iter().filter(|_| expected.kind == Kind::Filesystem);
            arguments.extend(never.flat_map(|name| ["-x".to_owned(), (*name).to_owned()]));
        }
        arguments.push(format!("{}@{}", self.full(expected.child), expected.name));
        arguments
    }
}

/// What a child of ours has of its own.
pub fn own<'a>(kind: Kind) -> impl Iterator<Item = (&'a str, &'a str)> {
    let own: &'static [(&'static str, &'static str)] = match kind {
        Kind::Filesystem => &FILESYSTEM,
        Kind::Volume => &VOLUME,
    };
    ALWAYS.iter().chain(own).copied()
}

/// Passes on what comes, until that ends or nobody reads it any more: the reader's end is known without waiting for more.
fn feed(record: &[u8; RECORD], mut from: File, mut to: PipeWriter) {
    if to.write_all(record).is_err() {
        return;
    }
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let mut watched = [
            PollFd::new(from.as_fd(), PollFlags::POLLIN),
            // POLLERR, which needs not be asked for, is all there is to know.
            PollFd::new(to.as_fd(), PollFlags::empty()),
        ];
        let woken = poll(&mut watched, PollTimeout::NONE);
        if watched[1].revents().is_some_and(|events| !events.is_empty()) {
            return;
        }
        match woken.map_err(io::Error::from).and_then(|_| from.read(&mut buffer)) {
            Ok(0) => return,
            Ok(n) if to.write_all(&buffer[..n]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

enum Filled {
    Whole,
    Ended,
    Stopped,
    TimedOut,
}

/// Reads so many bytes, however long they take, within the limits.
fn wait_and_fill(from: &mut File, into: &mut [u8], limits: Limits<'_>) -> io::Result<Filled> {
    let mut filled = 0;
    while filled < into.len() {
        let left =
            limits.deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
        if limits.stop.wished() {
            return Ok(Filled::Stopped);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Filled::TimedOut);
        }
        let patience =
            left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        let mut watched = [
            PollFd::new(from.as_fd(), PollFlags::POLLIN),
            PollFd::new(limits.stop.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut watched, patience)?;
        if watched[0].revents().is_none_or(|events| events.is_empty()) {
            continue;
        }
        match from.read(&mut into[filled..]) {
            Ok(0) => return Ok(Filled::Ended),
            Ok(n) => filled += n,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Filled::Whole)
}
