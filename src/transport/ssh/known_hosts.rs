//! Which keys hosts are known by: `known_hosts.d/HOST`, in the format of `ssh-keyscan` (sshd(8)).
//!
//! The first key a host shows is kept. From then on nothing but that key is good. OpenSSH's `accept-new` never takes a
//! changed key, but it goes by names: should ssh come to call the host otherwise (`HostName` in somebody's
//! configuration, another spelling), it would take whatever is shown for new. So it is in force only as long as no key
//! is known, and then it is over.
//!
//! Where root lets somebody else make the connection ([`provide`]) this does not rest on the other's good will: a file that
//! has a key is root's, and theirs to read. They have no way to forget a key, nor to make one up for a host that they do
//! not reach, since nobody shows them that one's file.

use super::{Error, Place};
use crate::host::account::Account;
use crate::host::process::{Limits, Program};
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, fchown};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An administrator's own statement about hosts, and as good as ours.
pub const SYSTEM: &str = "/etc/ssh/ssh_known_hosts";

/// What is known of a host.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// The host's own file. It is there, maybe empty.
    pub file: PathBuf,
    /// No key is known for this host and port.
    pub is_new: bool,
}

pub fn look_up(host: &str, port: u16, place: Place<'_>, limits: Limits<'_>) -> Result<Known, Error> {
    let dir = place.known_hosts;
    let failed = |source| Error::KnownHosts { path: dir.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let file = dir.join(host);
    let text = match fs::read(&file) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Made here, so that it is private whatever ssh thinks of it.
            OpenOptions::new().append(true).create(true).mode(0o600).open(&file).map_err(failed)?;
            String::new()
        }
        Err(error) => return Err(failed(error)),
    };
    Ok(Known { file, is_new: is_new(&text, host, port, limits) })
}

fn is_new(text: &str, host: &str, port: u16, limits: Limits<'_>) -> bool {
    !has_port(text, port) && !stated(Path::new(SYSTEM), host, port, limits)
}

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;

/// Makes a host's file be there for `writer`, who is going to meet the host: to add the first key to, or else to read.
///
/// Its directory is the writer's own, below a home that is not. What is in there is taken for what it is, and not for what
/// it should be: a link would have us give away a file of somebody else.
pub fn provide(
    host: &str,
    port: u16,
    place: Place<'_>,
    limits: Limits<'_>,
    writer: Account,
) -> Result<(), Error> {
    let path = place.known_hosts.join(host);
    let failed = |source: io::Error| Error::KnownHosts { path: place.known_hosts.to_owned(), source };
    let mut file = open_below(place, host).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.nlink() != 1 || metadata.len() > LONGEST {
        return Err(Error::NoFile { path });
    }
    let mut text = Vec::new();
    Read::by_ref(&mut file).take(LONGEST).read_to_end(&mut text).map_err(failed)?;
    let (owner, mode) = if is_new(&String::from_utf8_lossy(&text), host, port, limits) {
        (writer.uid, Mode::S_IRUSR | Mode::S_IWUSR)
    } else {
        (Uid::effective(), Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP)
    };
    give(&file, owner, writer.gid, mode).map_err(failed)
}

/// Opens the host's file, without following any link but those that lead to the home.
fn open_below(place: Place<'_>, host: &str) -> io::Result<File> {
    let directory = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at = open(place.home, directory, Mode::empty())?;
    // Step by step: openat2(2), which could do it in one, is what RestrictSUIDSGID= forbids.
    for name in place.known_hosts.strip_prefix(place.home).map_err(io::Error::other)? {
        at = openat(at, name, directory | OFlag::O_NOFOLLOW, Mode::empty())?;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(openat(at, host, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
}

fn give(file: &File, owner: Uid, group: Gid, mode: Mode) -> io::Result<()> {
    fchown(file, Some(owner), Some(group))?;
    Ok(fchmod(file, mode)?)
}

/// Whether a host's own file has a key for this port.
///
/// Names are not compared: the file is this host's, and ssh may call it otherwise (`HostName` in its configuration).
/// Lines that can mean any port count for each.
fn has_port(text: &str, port: u16) -> bool {
    text.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let names = match fields.next() {
            None | Some("@revoked") => return false,
            Some(comment) if comment.starts_with('#') => return false,
            Some("@cert-authority") => fields.next().unwrap_or_default(),
            Some(names) => names,
        };
        names.split(',').any(|name| match name.strip_prefix('[').and_then(|name| name.rsplit_once("]:")) {
            Some((_, its)) => its == port.to_string(),
            None => port == 22 || name.starts_with('|') || name.contains(['*', '?']),
        })
    })
}

/// Whether the system's file has a key for this host; ssh-keygen knows all ways to write that.
fn stated(file: &Path, host: &str, port: u16, limits: Limits<'_>) -> bool {
    if !file.exists() {
        return false;
    }
    let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
    Program::find("ssh-keygen")
        .and_then(|program| program.arg("-F").arg(name).arg("-f").arg(file).capture(limits, 0))
        .is_ok_and(|found| found.ending.is_clean())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::signals::Stop;
    use std::os::unix::fs::PermissionsExt;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPxzjT/Od9F9kzoGVzHonBsX8h9p+3tmKDvZGSwPG9Fg";

    #[test]
    fn a_key_counts_for_its_port() {
        assert!(has_port(&format!("web1 {KEY}"), 22));
        assert!(!has_port(&format!("web1 {KEY}"), 2222));
        assert!(has_port(&format!("web1,[192.0.2.1]:2222 {KEY}"), 2222));
        assert!(!has_port(&format!("[web1]:2222 {KEY}"), 22));
        assert!(!has_port(&format!("[web1]:22222 {KEY}"), 2222));
        assert!(has_port(&format!("|1|abc=|def= {KEY}"), 2222));
        assert!(has_port(&format!("@cert-authority *.example {KEY}"), 2222));
        for nothing in ["", "\n# web1\n", &format!("@revoked * {KEY}")] {
            assert!(!has_port(nothing, 22), "{nothing:?}");
        }
    }

    #[test]
    fn the_file_and_its_directory_are_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        let known_hosts = dir.path().join("a/known_hosts.d");
        let place = Place { known_hosts: &known_hosts, home: dir.path() };
        let known = look_up("web1.invalid", 22, place, limits).expect("a file");
        assert!(known.is_new);
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&known_hosts), mode(&known.file)), (0o700, 0o600));
        fs::write(&known.file, format!("web1.invalid {KEY}\n")).expect("written");
        assert!(!look_up("web1.invalid", 22, place, limits).expect("a file").is_new);
    }

    #[test]
    fn who_may_write_it_may_do_so_until_there_is_a_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        let known_hosts = dir.path().join(".ssh/known_hosts.d");
        let place = Place { known_hosts: &known_hosts, home: dir.path() };
        let root = nix::unistd::geteuid().is_root();
        let own = Account::own();
        let writer =
            if root { Account { uid: Uid::from_raw(65534), gid: Gid::from_raw(65534) } } else { own };
        let provide = |host: &str| provide(host, 22, place, limits, writer);
        let file = known_hosts.join("web1.invalid");
        let is = || {
            let metadata = fs::metadata(&file).expect("it is there");
            (Uid::from_raw(metadata.uid()), metadata.permissions().mode() & 0o777)
        };
        provide("web1.invalid").expect_err("nobody made the directory");
        fs::create_dir_all(&known_hosts).expect("a directory");
        provide("web1.invalid").expect("a new file");
        assert_eq!(is(), (writer.uid, 0o600));
        fs::write(&file, format!("[web1.invalid]:2222 {KEY}\n")).expect("written");
        provide("web1.invalid").expect("a key for another port");
        assert_eq!(is(), (writer.uid, 0o600));
        fs::write(&file, format!("web1.invalid {KEY}\n")).expect("written");
        provide("web1.invalid").expect("a key");
        assert_eq!(is(), (own.uid, 0o640));
        // A forgotten key makes it new again.
        fs::write(&file, "").expect("written");
        provide("web1.invalid").expect("no key");
        assert_eq!(is(), (writer.uid, 0o600));

        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "").expect("written");
        std::os::unix::fs::symlink(&elsewhere, known_hosts.join("link")).expect("linked");
        fs::hard_link(&elsewhere, known_hosts.join("hard")).expect("linked");
        fs::create_dir(known_hosts.join("directory")).expect("made");
        for host in ["link", "hard", "directory"] {
            provide(host).expect_err(host);
        }
        fs::rename(&known_hosts, dir.path().join("moved")).expect("moved");
        std::os::unix::fs::symlink("../moved", &known_hosts).expect("linked");
        provide("web1.invalid").expect_err("a link in the way");
        assert_eq!(fs::metadata(&elsewhere).expect("there").uid(), own.uid.as_raw());
    }

    #[test]
    fn an_administrators_statement_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        let file = dir.path().join("ssh_known_hosts");
        assert!(!stated(&file, "web1.example", 22, limits));
        fs::write(&file, format!("*.example,[web2]:2222 {KEY}\n")).expect("written");
        assert!(stated(&file, "web1.example", 22, limits) && stated(&file, "web2", 2222, limits));
        assert!(!stated(&file, "web2", 22, limits));
    }
}
