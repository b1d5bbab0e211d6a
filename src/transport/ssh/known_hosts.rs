//! Which keys hosts are known by: `known_hosts.d/HOST`, in the format of `ssh-keyscan` (sshd(8)).
//!
//! The first key a host shows is kept. From then on nothing but that key is good. OpenSSH's `accept-new` never takes a
//! changed key, but it goes by names: should ssh come to call the host otherwise (`HostName` in somebody's
//! configuration, another spelling), it would take whatever is shown for new. So it is in force only as long as no key
//! is known, and then it is over.

use super::{Error, Place};
use crate::host::process::{Limits, Program};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
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
    let is_new = !has_port(&text, port) && !stated(Path::new(SYSTEM), host, port, limits);
    Ok(Known { file, is_new })
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
