//! One connection that any number of commands share, one after the other: a login takes longer than most of them.

use super::login::Login;
use super::{Error, Place, prepare};
use crate::fileset::name::Name;
use crate::host::process::{self, Input, Limits, Program};
use crate::host::signals::Stop;
use nix::poll::{PollTimeout, poll};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The socket, in the run's own directory and named from there: the whole of such a path is easily longer than a socket's
/// may be (unix(7)).
const SOCKET: &str = "ssh";

/// How long a login may take until commands log in themselves: they say better what is wrong.
const PATIENCE: Duration = Duration::from_secs(45);

/// A connection. Where it could not be made, or is lost, each command makes its own.
#[derive(Debug)]
pub struct Shared {
    config: PathBuf,
    directory: PathBuf,
    host: String,
    end: Stop,
    holder: Option<JoinHandle<()>>,
}

impl Shared {
    /// Logs in. That it cannot be done is told by the first command. `hold` is the fileset's lock: should we be killed, who
    /// takes the fileset next finds the connection by it, and ends it.
    pub fn open(
        name: &Name,
        login: &Login,
        place: Place<'_>,
        scratch: &Path,
        limits: Limits<'_>,
        hold: File,
    ) -> Result<Self, Error> {
        let config = prepare(name, login, place, scratch, limits)?;
        let end = Stop::new().map_err(|source| Error::Write { path: scratch.join(SOCKET), source })?;
        let (host, directory) = (login.host.to_string(), scratch.to_owned());
        let mut shared = Self { config, directory, host, end, holder: None };
        let holder = shared.ssh()?.args(["-M", "-N", "--", &shared.host]).stdin(Input::File(hold));
        let ended = shared.end.clone();
        let thread = thread::spawn(move || {
            // What it has to say of a connection that was lost or refused, the next command says again.
            let _ = holder.capture(Limits { stop: &ended, deadline: None }, 1 << 12);
        });
        let until = Instant::now() + PATIENCE;
        let until = limits.deadline.map_or(until, |deadline| deadline.min(until));
        let socket = shared.directory.join(SOCKET);
        while !socket.exists() && !thread.is_finished() && Instant::now() < until && !limits.stop.wished() {
            // ssh tells nobody but who looks.
            let _ = poll(&mut [], PollTimeout::from(10_u8));
        }
        shared.holder = Some(thread);
        Ok(shared)
    }

    /// The ssh that has this run there.
    pub fn command(&self, command: &str) -> Result<Program, process::Error> {
        Ok(self.ssh()?.args(["--", &self.host, command]))
    }

    fn ssh(&self) -> Result<Program, process::Error> {
        let ssh = Program::find("ssh")?.directory(&self.directory);
        Ok(ssh.arg("-F").arg(&self.config).args(["-S", SOCKET]))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end.wish();
        // It ends by itself or is killed, and says nothing that anybody waits for.
        let _ = self.holder.take().map(JoinHandle::join);
    }
}
