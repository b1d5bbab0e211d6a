//! A transfer that this process makes itself.

use super::pipes::Pipes;
use super::talk::{Broken, Hands, Talk};
use super::{serve, variables};
use crate::fileset::name::Name;
use crate::fileset::progress::Transferred;
use crate::fileset::record::Outcome;
use crate::fileset::replica::CopyId;
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::host::process::Limits;
use crate::run::Event;
use crate::run::attempt::{Cut, Surroundings};
use crate::transport::{self, Transport};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Instant;
use std::{fs, io};

pub fn transfer(
    s: &Surroundings<'_>,
    workspace: &Workspace,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Transferred, Cut> {
    let name = &s.fileset.name;
    let failed =
        |what: &str, error: &io::Error| Cut::new(Outcome::Failure, format!("failed to {what}: {error}"));
    let variables = variables::of(s, workspace)?;
    let scratch = Scratch::make(&s.host.paths.runtime_dir("scratch").join(name))
        .map_err(|e| failed("make a directory for the transfer", &e))?;
    let job = transport::Job {
        name,
        workspace,
        limits: Limits { stop: s.host.stop, deadline: Some(Instant::now() + s.fileset.timeout.duration()) },
        scratch: scratch.path(),
        known_hosts: &s.host.paths.known_hosts(),
        home: &s.host.paths.state(),
        variables: &variables,
        hold: s.lock.share().map_err(|e| failed("share the fileset's lock", &e))?,
    };
    Ok(transport::transfer(&s.fileset.transport, job, &mut |event| tell(name, event, watch))?)
}

/// Talks with hands that are a thread of ours.
pub fn converse<T>(
    s: &Surroundings<'_>,
    copy: CopyId,
    workspace: &Workspace,
    watch: &mut dyn FnMut(Event<'_>),
    talk: impl FnOnce(&mut Talk<'_>) -> Result<T, Broken>,
) -> Result<T, Cut> {
    let Transport::Zfs(settings) = &s.fileset.transport else {
        return Err(Cut::new(Outcome::Failure, "there is nothing to talk about with this transport"));
    };
    let name = &s.fileset.name;
    let failed =
        |what: &str, error: &io::Error| Cut::new(Outcome::Failure, format!("failed to {what}: {error}"));
    let scratch = Scratch::make(&s.host.paths.runtime_dir("scratch").join(name))
        .map_err(|e| failed("make a directory for the transfer", &e))?;
    let directory = scratch.path().join("pipes");
    let pipes = Pipes::make(&directory, Account::own()).map_err(|e| failed("make pipes", &e))?;
    let limits = Limits { stop: s.host.stop, deadline: Some(Instant::now() + s.fileset.timeout.duration()) };
    let (known_hosts, home) = (s.host.paths.known_hosts(), s.host.paths.state());
    let hold = s.lock.share().map_err(|e| failed("share the fileset's lock", &e))?;
    let job = transport::Job {
        name,
        workspace,
        limits,
        scratch: scratch.path(),
        known_hosts: &known_hosts,
        home: &home,
        variables: &[],
        hold,
    };
    let (say, said) = mpsc::channel();
    let (told, served) = thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let say = say;
            serve::serve(settings, copy, &directory, &job, &mut |event| drop(say.send(event)))
        });
        let mut hands = Thread { name, said, watch };
        // It ends with the pipes, which end with the talk.
        let told = talk(&mut Talk::new(pipes, &mut hands, limits));
        let served = serving.join();
        hands.look();
        (told, served)
    });
    let failure = match served {
        Ok(Ok(_)) => None,
        Ok(Err(failure)) => Some(Cut::from(failure)),
        Err(_) => Some(Cut::new(Outcome::Failure, "the transfer panicked: see what it printed")),
    };
    ended(name, told, failure)
}

/// Hands that are a thread.
struct Thread<'a> {
    name: &'a Name,
    /// Its other end is gone when the thread is done.
    said: mpsc::Receiver<transport::Event>,
    watch: &'a mut dyn FnMut(Event<'_>),
}

impl Hands for Thread<'_> {
    fn look(&mut self) -> bool {
        loop {
            match self.said.try_recv() {
                Ok(event) => tell(self.name, event, self.watch),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn watch(&mut self, event: Event<'_>) {
        (self.watch)(event);
    }
}

/// What a conversation came to, and what its hands did: `None` where they ended well.
pub fn ended<T>(name: &Name, told: Result<T, Broken>, hands: Option<Cut>) -> Result<T, Cut> {
    match (told, hands) {
        (Ok(told), None) => Ok(told),
        (Ok(told), Some(cut)) => {
            log::warn!("{name}: all of it came, but then {}", cut.reason);
            Ok(told)
        }
        (Err(Broken::Cut(cut)), _) | (Err(Broken::Gone), Some(cut)) => Err(cut),
        (Err(Broken::Gone), None) => {
            Err(Cut::new(Outcome::Failure, "the transfer ended without an answer, and says that all is well"))
        }
    }
}

/// Passes on what a transport tells.
pub fn tell(name: &Name, event: transport::Event, watch: &mut dyn FnMut(Event<'_>)) {
    match event {
        transport::Event::Progress(progress) => watch(Event::Progress(&progress)),
        transport::Event::Line { level, text } => log::log!(level, "{name}: {text}"),
        transport::Event::Degraded(what) => log::warn!("{name}: {what}"),
    }
}

/// A private directory for one transfer, gone afterwards.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn make(path: &Path) -> io::Result<Self> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
