//! Asking for a key through planb-key@NAME.service, seen from root.
//!
//! Question and answer are the unit's standard input and output, which systemd opens before the unit becomes user planb:
//! they lie in a directory that only root enters. The answer is a named pipe, so no disk and no other process has it.

use super::PATIENCE;
use crate::fileset::key::Question;
use crate::host::lock::Lock;
use crate::host::paths::Paths;
use crate::host::process::{Ending, Limits};
use crate::host::secret::Secret;
use crate::host::signals::Stop;
use crate::host::systemd;
use crate::keys::error::Error;
use crate::keys::key::{Key, LONGEST};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The program ends by itself before; this is for a systemd that does not.
const GRACE: Duration = Duration::from_secs(30);

pub fn ask(paths: &Paths, question: &Question, stop: &Stop) -> Result<Option<Key>, Error> {
    let unit = format!("planb-key@{}.service", question.fileset);
    let program = question.command.program().to_owned();
    let failed = |why: String| Error::Command { program: program.clone(), why };
    let deadline = Instant::now() + PATIENCE + GRACE;
    let directory = paths.runtime_dir("keys");
    make_private(&directory).map_err(Error::io("make", &directory))?;
    let _turn = take_turn(&directory.join(format!(".{}.lock", question.fileset)), stop, deadline)?;

    // One that a killed run has left behind would answer into a pipe that nobody reads.
    systemd::stop(&[&unit])?;
    let exchange = Exchange::make(&directory, question)?;
    let answer = exchange.listen()?;
    let started = systemd::start_and_wait(&unit, Limits { stop, deadline: Some(deadline) })?;
    if !started.ending.is_clean() {
        log::debug!("systemctl start {unit} {}: {}", started.ending, started.said);
        systemd::stop(&[&unit])?;
        return Err(match started.ending {
            Ending::Stopped => Error::Stopped,
            Ending::TimedOut => failed(format!("{unit} took too long")),
            _ => failed(format!("{unit} failed: journalctl -u {unit} has why")),
        });
    }
    // Whoever wrote has ended, and all of it is in the pipe.
    let said = Secret::read(&answer, LONGEST).map_err(|error| failed(error.to_string()))?;
    if said.as_ref().is_some_and(|said| said.is_empty()) {
        return Ok(None);
    }
    Key::of(said.as_ref())
        .map(Some)
        .map_err(|source| Error::NotAKey { place: format!("what {unit} said"), source })
}

/// Two commands may want the same key at once, and there is one unit.
fn take_turn(path: &Path, stop: &Stop, deadline: Instant) -> Result<Lock, Error> {
    loop {
        if let Some(lock) = Lock::try_take(path).map_err(Error::io("lock", path))? {
            return Ok(lock);
        }
        if stop.wished() {
            return Err(Error::Stopped);
        }
        if deadline <= Instant::now() {
            return Err(Error::io("wait for", path)(io::Error::from(io::ErrorKind::TimedOut)));
        }
        let _ = poll(&mut [PollFd::new(stop.as_fd(), PollFlags::POLLIN)], PollTimeout::from(50_u8));
    }
}

/// What the unit reads and writes; gone when dropped.
struct Exchange(PathBuf);

impl Exchange {
    /// It is there whole or not at all: a unit that somebody else starts finds no place to write a file to.
    fn make(directory: &Path, question: &Question) -> Result<Self, Error> {
        let (new, exchange) =
            (directory.join(format!(".{}.new", question.fileset)), directory.join(&question.fileset));
        for left in [&new, &exchange] {
            match fs::remove_dir_all(left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", left)(error));
                }
                _ => {}
            }
        }
        let made = make_private(&new)
            .and_then(|()| fs::write(new.join("question"), serde_json::to_vec(question)?))
            .and_then(|()| Ok(mkfifo(&new.join("answer"), Mode::S_IRUSR | Mode::S_IWUSR)?))
            .and_then(|()| fs::rename(&new, &exchange));
        made.map_err(Error::io("make", &exchange))?;
        Ok(Self(exchange))
    }

    /// Before anybody speaks, or who speaks would wait for us.
    fn listen(&self) -> Result<File, Error> {
        let path = self.0.join("answer");
        let options = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        File::options().read(true).custom_flags(options.bits()).open(&path).map_err(Error::io("open", path))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
