//! Transfers with the real rsync, over the real sshd and the real rsync daemon.

mod endings;
mod includes;
mod keeping;
mod linking;
mod reaching;

#[path = "../../../../tests/support/sshd.rs"]
pub mod sshd;

use super::settings::*;
use crate::fileset::name::Name;
use crate::fileset::progress::{Totals, Transferred};
use crate::fileset::quantity::Span;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::process::Limits;
use crate::host::signals::Stop;
use crate::transport::ssh::login::Login;
use crate::transport::{Event, Failure, Job, Transport, transfer};
use sshd::Sshd;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Settings that ask for nothing special.
pub fn settings(source: Source) -> Settings {
    Settings {
        source,
        include: vec!["/".parse().expect("a pattern")],
        exclude: Vec::new(),
        bwlimit: None,
        vanished: Vanished::Retry,
        metadata: Metadata::Full,
        stall_timeout: Span::from_secs(600),
        flags: Vec::new(),
    }
}

pub fn ssh_settings(port: u16) -> Ssh {
    Ssh {
        login: Login {
            host: "127.0.0.1".parse().expect("a host"),
            user: Sshd::user().parse().expect("a user"),
            port,
            identity: None,
            jump: None,
            options: Vec::new(),
        },
        path: "/".parse().expect("a path"),
        sudo: false,
        ionice: Ionice::None,
        rsync_path: "rsync".parse().expect("a program"),
        do_not_run: false,
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A source, and the place where its trees are kept.
struct World {
    dir: TempDir,
    stop: Stop,
    timeout: Option<Duration>,
}

/// What came of a transfer.
struct Pulled {
    result: Result<Transferred, Failure>,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        // A blank in the path of everything: each of rsync, ssh and the shell splits at them.
        let dir = tempfile::Builder::new().prefix("it's a world ").tempdir().expect("a directory");
        for name in ["source", "kept", "run"] {
            fs::create_dir(dir.path().join(name)).expect("created");
        }
        Self { dir, stop: Stop::new().expect("a socket pair"), timeout: None }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn source(&self) -> PathBuf {
        self.at("source")
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        fs::write(path, content).expect("written");
    }

    /// The nth tree, linked against the one before it.
    fn tree(&self, n: u32) -> Workspace {
        let path = |n| self.at(&format!("kept/{n}"));
        let _ = fs::create_dir(path(n));
        let reference = Some(path(n.wrapping_sub(1))).filter(|path| path.exists());
        Workspace::new(path(n), Writes::Linked { reference })
    }

    fn in_place(&self) -> Workspace {
        let path = self.at("kept/live");
        let _ = fs::create_dir(&path);
        Workspace::new(path, Writes::InPlace)
    }

    /// The source by its path.
    fn local(&self) -> Settings {
        settings(Source::Local(self.source().to_str().expect("utf-8").parse().expect("a path")))
    }

    /// The source over ssh.
    fn over(&self, sshd: &Sshd) -> Settings {
        let mut ssh = ssh_settings(sshd.port());
        ssh.path = self.source().to_str().expect("utf-8").parse().expect("a path");
        ssh.login.identity = Some(sshd.identity());
        settings(Source::Ssh(ssh))
    }

    fn pull(&self, settings: &Settings, workspace: &Workspace) -> Pulled {
        self.pull_and(settings, workspace, |_| ())
    }

    /// Pulls, and does something at each event.
    fn pull_and(&self, settings: &Settings, workspace: &Workspace, at: impl FnMut(&Event)) -> Pulled {
        let hold = File::open("/dev/null").expect("it is always there");
        self.pull_holding(hold, settings, workspace, at)
    }

    fn pull_holding(
        &self,
        hold: File,
        settings: &Settings,
        workspace: &Workspace,
        mut at: impl FnMut(&Event),
    ) -> Pulled {
        let name: Name = "web1".parse().expect("a name");
        let (scratch, known_hosts, home) = (self.at("run"), self.at("known_hosts.d"), self.at("home"));
        let job = Job {
            name: &name,
            workspace,
            limits: Limits { stop: &self.stop, deadline: self.timeout.map(|t| Instant::now() + t) },
            scratch: &scratch,
            known_hosts: &known_hosts,
            home: &home,
            variables: &[],
            hold,
        };
        let mut events = Vec::new();
        let result = transfer(&Transport::Rsync(settings.clone()), job, &mut |event| {
            at(&event);
            events.push(event);
        });
        Pulled { result, events }
    }
}

impl Pulled {
    #[track_caller]
    fn ok(self) -> Transferred {
        match self.result {
            Ok(transferred) => transferred,
            Err(failure) => panic!("{failure:?}\n{:#?}", self.events),
        }
    }

    #[track_caller]
    fn failed(self) -> Failure {
        let events = self.events;
        self.result.map_or_else(|failure| failure, |ok| panic!("{ok:?}\n{events:#?}"))
    }

    fn degraded(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|e| if let Event::Degraded(text) = e { Some(&**text) } else { None })
            .collect()
    }
}

impl Settings {
    fn ssh(&mut self) -> &mut Ssh {
        match &mut self.source {
            Source::Ssh(ssh) => ssh,
            other => panic!("{other}"),
        }
    }

    fn include(mut self, include: &[&str]) -> Self {
        self.include = include.iter().map(|p| p.parse().expect("a pattern")).collect();
        self
    }

    fn exclude(mut self, exclude: &[&str]) -> Self {
        self.exclude = exclude.iter().map(|p| p.parse().expect("a pattern")).collect();
        self
    }
}

/// Everything below a directory, as paths relative to it, sorted.
fn paths(dir: &Path) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("readable") {
            let path = entry.expect("readable").path();
            if path.symlink_metadata().expect("there").is_dir() {
                walk(&path, found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk(dir, &mut found);
    let mut found: Vec<PathBuf> =
        found.iter().map(|p| p.strip_prefix(dir).expect("below it").to_owned()).collect();
    found.sort();
    found
}

fn names(dir: &Path) -> Vec<String> {
    paths(dir).iter().map(|p| p.to_string_lossy().into_owned()).collect()
}

/// All there is to see of a tree: what must never change of a snapshot, whatever later runs do. Of its inodes' fields
/// only the number of links and the change time may.
fn seen(dir: &Path) -> Vec<String> {
    let mut all = vec![PathBuf::new()];
    all.extend(paths(dir));
    all.iter()
        .map(|relative| {
            let path = dir.join(relative);
            let m = path.symlink_metadata().expect("there");
            let content = match () {
                () if m.is_file() => fs::read(&path).expect("readable"),
                () if m.is_symlink() => {
                    fs::read_link(&path).expect("readable").as_os_str().as_bytes().to_vec()
                }
                () => Vec::new(),
            };
            let mut attributes: Vec<_> = xattr::list(&path)
                .expect("readable")
                .map(|name| (xattr::get(&path, &name).expect("readable"), name))
                .collect();
            attributes.sort();
            let (ino, mode, owner) = (m.ino(), m.mode(), (m.uid(), m.gid()));
            let (time, device) = ((m.mtime(), m.mtime_nsec()), m.rdev());
            format!("{relative:?} {ino} {mode:o} {owner:?} {time:?} {device} {content:?} {attributes:?}")
        })
        .collect()
}
