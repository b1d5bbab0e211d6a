//! The one place that starts programs.
//!
//! A child gets a clean environment, a fixed locale, an absolute path, a process group of its own (so that a terminal's
//! Ctrl-C reaches only us, and we decide in which order things end) and nothing of ours open but its three streams, or
//! four where it reports. Its output pipes are drained while it runs. It always has an end: its own, our deadline, or the wish to stop.

mod ending;
mod watch;

pub use ending::Ending;

use super::account::Account;
use super::headway::Headway;
use super::output::Tail;
use super::secret::Secret;
use super::signals::Stop;
use command_fds::{CommandFdExt, FdMapping};
use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use watch::{Watched, wait_until_gone, watch};

/// Where programs are looked for and what children get as `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The descriptor that a program reports on, of those that do.
pub const REPORTS: i32 = 3;

#[cfg(test)]
thread_local! {
    /// How many programs this thread has started: for tests of what is done in one call.
    pub static STARTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A program to run, with all it gets.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Input,
    directory: PathBuf,
    reports: bool,
    patience: Option<Duration>,
    account: Option<Account>,
}

/// What a program reads.
#[derive(Debug, Default)]
pub enum Input {
    #[default]
    Nothing,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These as well, which no other program shall see.
    Secret(Secret),
    /// An open file. A lock's own file here makes the child, and whatever it forks, hold the lock too.
    File(File),
}

/// One of a program's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
    /// [`REPORTS`]: only of a program that was asked to.
    Report,
}

/// When a program must end, whether it is done or not.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    pub stop: &'a Stop,
    pub deadline: Option<Instant>,
}

/// What a program printed and how it ended, kept in memory.
#[derive(Debug)]
pub struct Captured {
    pub ending: Ending,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// What a program printed that nobody else may see, and how it ended.
#[derive(Debug)]
pub struct Whispered {
    pub ending: Ending,
    /// Absent where it was more than there was room for.
    pub stdout: Option<Secret>,
    pub stderr: Vec<u8>,
}

/// A program could not be started or waited for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{program} is not installed (looked in {PATH})")]
    Missing { program: String },
    #[error("failed to start {program}")]
    Start { program: String, source: io::Error },
    #[error("failed to wait for {program}")]
    Wait { program: String, source: io::Error },
}

impl Program {
    /// A program by name, found in the usual directories, or by its absolute path.
    pub fn find(name: &str) -> Result<Self, Error> {
        let candidate = if name.starts_with('/') {
            Some(PathBuf::from(name)).filter(|p| p.exists())
        } else {
            PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|p| p.is_file())
        };
        let path = candidate.ok_or_else(|| Error::Missing { program: name.to_owned() })?;
        Ok(Self {
            path,
            args: Vec::new(),
            env: Vec::new(),
            stdin: Input::Nothing,
            directory: "/".into(),
            reports: false,
            patience: None,
            account: None,
        })
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Adds a variable to the otherwise clean environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn stdin(mut self, stdin: Input) -> Self {
        self.stdin = stdin;
        self
    }

    /// Starts it there instead of in `/`.
    pub fn directory(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Gives it one more output, the descriptor [`REPORTS`], for what is meant for us rather than for people.
    pub fn reports(mut self) -> Self {
        self.reports = true;
        self
    }

    /// Ends the program when neither it nor its forks read a single byte, from wherever, nor work for a second, in that time.
    pub fn stalls_after(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Runs the program as somebody else, without further groups; only root can.
    pub fn run_as(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// The arguments as they will be passed, the program's path first.
    pub fn argv(&self) -> impl Iterator<Item = &OsStr> {
        std::iter::once(self.path.as_os_str()).chain(self.args.iter().map(OsString::as_os_str))
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Runs the program to its end and hands every piece of its output to `sink` as it comes.
    ///
    /// When the limits end it, its whole process group gets SIGTERM, and SIGKILL ten seconds later. Whatever else is
    /// left of the group when the program itself has ended is killed: nothing it started outlives this call, nor does it,
    /// but for what even SIGKILL does not end within five seconds, because it waits in the kernel for a disk that does not
    /// answer.
    pub fn run(self, limits: Limits<'_>, mut sink: impl FnMut(Stream, &[u8])) -> Result<Ending, Error> {
        self.run_while(limits, |stream, bytes| {
            sink(stream, bytes);
            ControlFlow::Continue(())
        })
    }

    /// The same, until the sink wants no more: then it is ended as by a wish. What it still prints is handed over.
    pub fn run_while(
        self,
        limits: Limits<'_>,
        mut sink: impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
    ) -> Result<Ending, Error> {
        let name = self.name();
        let started = |source| Error::Start { program: name.clone(), source };
        let waited = |source| Error::Wait { program: name.clone(), source };

        let (out, out_child) = io::pipe().map_err(started)?;
        let (err, err_child) = io::pipe().map_err(started)?;
        let report = if self.reports { Some(io::pipe().map_err(started)?) } else { None };
        let (stdin, feed) = match self.stdin {
            Input::Nothing => (Stdio::null(), None),
            Input::File(file) => (Stdio::from(file), None),
            Input::Bytes(bytes) => piped(Secret::from(bytes)).map_err(started)?,
            Input::Secret(secret) => piped(secret).map_err(started)?,
        };
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let mut command = Command::new(&self.path);
        command.args(&self.args).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").envs(self.env);
        command.current_dir(&self.directory).process_group(0);
        command.stdin(stdin).stdout(out_child).stderr(err_child);
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let mut outputs = vec![(out, Stream::Out), (err, Stream::Err)];
        if let Some((report, report_child)) = report {
            let mapping = FdMapping { parent_fd: report_child.into(), child_fd: REPORTS };
            command.fd_mappings(vec![mapping]).map_err(|e| started(io::Error::other(e)))?;
            outputs.push((report, Stream::Report));
        }
        let mut child = command.spawn().map_err(started)?;
        #[cfg(test)]
        STARTED.with(|count| count.set(count.get() + 1));
        // Our copies of the child's ends: as long as they are open its output has no end.
        drop(command);

        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let (ended, ended_tell) = io::pipe().map_err(waited)?;
        // These may outlive this call, together with a child that nothing can end.
        let waiting = thread::spawn(move || {
            // Without reaping, so that the process group's number stays ours until the last signal is sent.
            let exited = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), exited) == Err(Errno::EINTR) {}
            drop(ended_tell);
        });
        let feeding = feed.map(|(mut writer, bytes)| {
            // A child that does not read its input is not our trouble; it ends or is ended, and this with it.
            thread::spawn(move || drop(writer.write_all(&bytes)))
        });
        let headway = self.patience.map(|patience| Headway::new(pid, &name, patience));
        let watched = watch(pid, limits, headway, &outputs, &ended, &mut sink);
        if let Ok(Watched::Abandoned(cut)) = watched {
            return Ok(cut);
        }
        let _ = waiting.join();
        let _ = feeding.map(thread::JoinHandle::join);
        let status = child.wait().map_err(waited)?;
        wait_until_gone(pid);
        match watched.map_err(waited)? {
            Watched::Ended => Ok(status.into()),
            Watched::Cut(cut) | Watched::Abandoned(cut) => Ok(cut),
        }
    }

    /// Runs the program to its end and keeps what it prints: of each output the last `limit` bytes.
    pub fn capture(self, limits: Limits<'_>, limit: usize) -> Result<Captured, Error> {
        let (mut stdout, mut stderr) = (Tail::new(limit), Tail::new(limit));
        let ending = self.run(limits, |stream, bytes| match stream {
            Stream::Out => stdout.push(bytes),
            Stream::Err => stderr.push(bytes),
            Stream::Report => {}
        })?;
        Ok(Captured { ending, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
    }

    /// Runs the program to its end and keeps what it prints on its standard output, up to `room` bytes, so that no trace
    /// of it is left in memory afterwards; of its standard error the end.
    pub fn listen(self, limits: Limits<'_>, room: usize) -> Result<Whispered, Error> {
        let (mut stdout, mut stderr) = (Secret::with_room(room), Tail::new(16 * 1024));
        let mut fits = true;
        let ending = self.run(limits, |stream, bytes| match stream {
            Stream::Out => fits &= stdout.push(bytes),
            Stream::Err => stderr.push(bytes),
            Stream::Report => {}
        })?;
        Ok(Whispered { ending, stdout: fits.then_some(stdout), stderr: stderr.into_bytes() })
    }
}

/// Runs a program that a person talks to: it has our terminal, our environment and these variables beside, and works in
/// `directory`. Ctrl-C is for it.
pub fn converse(program: &OsStr, directory: &Path, variables: &[(&str, &str)]) -> Result<Ending, Error> {
    let name = || program.to_string_lossy().into_owned();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut command = Command::new(program);
    command.current_dir(directory).envs(variables.iter().copied());
    let mut child = command.spawn().map_err(|source| Error::Start { program: name(), source })?;
    child.wait().map(Ending::from).map_err(|source| Error::Wait { program: name(), source })
}

/// What a program reads from a pipe, and what is to be written into its other end.
fn piped(bytes: Secret) -> io::Result<(Stdio, Option<(PipeWriter, Secret)>)> {
    let (reader, writer) = io::pipe()?;
    Ok((Stdio::from(reader), Some((writer, bytes))))
}

#[cfg(test)]
mod tests;
