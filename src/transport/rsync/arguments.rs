//! rsync's arguments. Everything PlanB promises about a transfer is one line here, with its reason.

use super::metadata::Kept;
use super::remote;
use super::settings::{Metadata, Settings, Source};
use crate::fileset::quantity::Size;
use crate::fileset::workspace::{Workspace, Writes};
use std::ffi::OsString;
use std::path::Path;

/// Where a file in the making survives an interruption, in the directory it belongs to. rsync leaves out a *directory*
/// of this name on the source, so it is one that only PlanB's own unfinished trees have.
pub const PARTIAL_DIR: &str = ".planb-partial";

/// Seconds an rsync daemon has to take the connection; ssh has its own in its configuration.
const CONNECT_TIMEOUT: u32 = 30;

/// Files of this run that rsync is told to read.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The filter rules.
    pub filter: &'a Path,
    /// ssh's configuration; unused where the source is not reached over ssh.
    pub ssh: &'a Path,
}

/// All arguments, without the program.
///
/// None of them can be taken for another: values are joined to their long options with `=`, the two paths come behind
/// `--`, and a path is absolute or begins with a host, which has no leading dash.
pub fn arguments(settings: &Settings, kept: Kept, workspace: &Workspace, files: Files<'_>) -> Vec<OsString> {
    let mut list = List(Vec::new());
    match kept.metadata {
        Metadata::Full => {
            list.add("--archive").add("--hard-links").add("--acls").add("--xattrs").add("--numeric-ids");
            // Owners, devices, ACLs and the like as extended attributes: nobody here needs to be root to keep them,
            // and nothing that was setuid or a device over there is one here. In a local copy the option would also
            // make rsync *read* such attributes from the source's files; there it goes to the writing side alone.
            list.add(match settings.source {
                Source::Local(_) => "--remote-option=--fake-super",
                Source::Ssh(_) | Source::Daemon(_) => "--fake-super",
            });
        }
        Metadata::Basic => {
            list.add("--recursive").add("--links").add("--perms").add("--times").add("--hard-links");
            // Files belong to whoever runs this, so another host's setuid bits must not be theirs; and a directory
            // its owner cannot enter could not be brought up to date, nor ever be destroyed.
            list.add("--chmod=ug-s,Du+rwx");
        }
    }
    // Times to the nanosecond. By default rsync takes a file of the same size for unchanged that was written twice in
    // one second, and would keep the first state for ever.
    if kept.nanoseconds {
        list.add("--modify-window=-1");
    }
    // Where the file system makes holes of zeros by itself, rsync must not: in place it also punches them into blocks that
    // it found unchanged, for a single zero at their edge, and each is a block written anew (with rsync 3.5, 20 MB for 1 MB
    // that changed in 300 MB on zfs).
    if !workspace.makes_holes() {
        list.add("--sparse");
    }

    // What is gone or excluded goes, too, also from a tree that an interrupted run left. After a reading error rsync
    // deletes nothing, and such a run fails: hence no --ignore-errors.
    list.add("--delete-excluded");
    match workspace.writes() {
        // Only changed blocks are written, so that only they cost room in the file system's snapshots.
        Writes::InPlace => {
            list.add("--delete-during").add("--inplace").add("--no-whole-file");
        }
        // Deleting comes last, so that what is left of an interrupted file is used before it is cleared away.
        Writes::Linked { reference } => {
            list.add("--delete-delay").with("--partial-dir=", PARTIAL_DIR);
            if let Some(reference) = reference {
                list.with("--link-dest=", reference);
            }
        }
    }

    // Bytes and percent of the whole, in plain numbers, as they come.
    list.add("--info=progress2").add("--stats").add("--no-human-readable").add("--outbuf=L");
    // For the source's side, and for ours as long as it has nothing to say. Later ours counts what it writes as a sign
    // of life, too, and would wait for ever: that is why the run has a patience of its own.
    list.with("--timeout=", settings.stall_timeout.secs().max(1).to_string());
    if let Some(limit) = settings.bwlimit {
        list.with("--bwlimit=", kibibytes(limit));
    }
    list.with("--filter=merge ", files.filter);

    let source = match &settings.source {
        Source::Local(path) => format!("{}/", path.as_str().trim_end_matches('/')),
        Source::Ssh(ssh) => {
            list.with("--rsh=", quoted("ssh -F ", files.ssh)).with("--rsync-path=", remote::command(ssh));
            // The source's shell gets the path escaped by rsync, but for wildcards.
            let path = escaped(ssh.path.as_str().trim_end_matches('/'), &['*', '?', '[', ']']);
            format!("{}:{path}/", bracketed(ssh.login.host.as_str()))
        }
        Source::Daemon(daemon) => {
            list.with("--port=", daemon.port.to_string());
            list.with("--contimeout=", CONNECT_TIMEOUT.to_string());
            if let Some(file) = &daemon.password_file {
                list.with("--password-file=", file);
            }
            let user = daemon.user.as_ref().map_or(String::new(), |user| format!("{}@", user.as_str()));
            let path = daemon.source.as_str().trim_end_matches('/');
            // The daemon takes a path for a pattern as soon as it has a wildcard, and reads backslashes only then.
            let path = if path.contains(['*', '?', '[']) {
                escaped(path, &['*', '?', '[', ']', '\\'])
            } else {
                path.to_owned()
            };
            // Behind the module's name the daemon would take a leading dash for its own option.
            let path = match path.split_once('/') {
                Some((module, rest)) => format!("{module}/./{rest}"),
                None => path,
            };
            format!("{user}{}::{path}/", bracketed(daemon.host.as_str()))
        }
    };
    for flag in &settings.flags {
        list.add(flag.as_str());
    }
    list.add("--").add(source).with(workspace.path(), "/");
    list.0
}

struct List(Vec<OsString>);

impl List {
    fn add(&mut self, argument: impl Into<OsString>) -> &mut Self {
        self.0.push(argument.into());
        self
    }

    fn with(&mut self, start: impl Into<OsString>, end: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        let mut argument = start.into();
        argument.push(end);
        self.add(argument)
    }
}

/// rsync counts in KiB. Rounded up, because its 0 is no limit at all.
fn kibibytes(limit: Size) -> String {
    limit.bytes().div_ceil(1024).max(1).to_string()
}

/// A path as the last word of `--rsh`: rsync splits that at spaces, except between quotes, where a doubled quote is
/// one (rsync(1), --rsh).
fn quoted(command: &str, path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut word = command.as_bytes().to_vec();
    word.push(b'\'');
    for &byte in path.as_os_str().as_bytes() {
        word.extend(std::iter::repeat_n(byte, if byte == b'\'' { 2 } else { 1 }));
    }
    word.push(b'\'');
    OsString::from_vec(word)
}

fn escaped(path: &str, special: &[char]) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if special.contains(&c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// An IPv6 address as rsync wants it before a colon.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Daemon;
    use super::super::tests::{settings, ssh_settings};
    use super::*;
    use std::path::PathBuf;

    fn list(settings: &Settings, metadata: Metadata, writes: Writes) -> Vec<String> {
        let workspace = Workspace::new("/srv/web1/data".into(), writes);
        let files = Files { filter: Path::new("/run/x/filter"), ssh: Path::new("/run/it's a/ssh.conf") };
        let kept = Kept { metadata, nanoseconds: metadata == Metadata::Full };
        let list = arguments(settings, kept, &workspace, files);
        list.into_iter().map(|a| a.into_string().expect("utf-8")).collect()
    }

    fn linked() -> Writes {
        Writes::Linked { reference: Some(PathBuf::from("/srv/web1/last/data")) }
    }

    #[test]
    fn a_linked_tree_over_ssh() {
        let mut ssh = ssh_settings(22);
        ssh.login.host = "2001:db8::1".parse().expect("a host");
        ssh.path = "/srv/a [b]".parse().expect("a path");
        let mut settings = settings(Source::Ssh(ssh));
        settings.bwlimit = Some(Size::from_bytes(10 << 20));
        settings.flags = vec!["--iconv=utf8,latin1".parse().expect("a flag")];
        assert_eq!(
            list(&settings, Metadata::Full, linked()),
            [
                "--archive",
                "--hard-links",
                "--acls",
                "--xattrs",
                "--numeric-ids",
                "--fake-super",
                "--modify-window=-1",
                "--sparse",
                "--delete-excluded",
                "--delete-delay",
                "--partial-dir=.planb-partial",
                "--link-dest=/srv/web1/last/data",
                "--info=progress2",
                "--stats",
                "--no-human-readable",
                "--outbuf=L",
                "--timeout=600",
                "--bwlimit=10240",
                "--filter=merge /run/x/filter",
                "--rsh=ssh -F '/run/it''s a/ssh.conf'",
                "--rsync-path=rsync",
                "--iconv=utf8,latin1",
                "--",
                "[2001:db8::1]:/srv/a \\[b\\]/",
                "/srv/web1/data/",
            ]
        );
    }

    #[test]
    fn in_place_nothing_is_written_that_did_not_change() {
        let settings = settings(Source::Local("/".parse().expect("a path")));
        let list = list(&settings, Metadata::Full, Writes::InPlace);
        assert!(list.iter().any(|a| a == "--inplace") && list.iter().any(|a| a == "--no-whole-file"));
        assert!(list.iter().any(|a| a == "--sparse"));
        // rsync refuses the two together.
        assert!(!list.iter().any(|a| a.starts_with("--partial-dir")));
        assert!(list.iter().any(|a| a == "--remote-option=--fake-super"));
        assert!(!list.iter().any(|a| a == "--fake-super"));
        assert_eq!(list[list.len() - 3..], ["--", "/", "/srv/web1/data/"]);
    }

    #[test]
    fn a_file_system_that_makes_holes_is_left_to_it() {
        let settings = settings(Source::Local("/".parse().expect("a path")));
        let workspace = Workspace::new("/tank/web1/data".into(), Writes::InPlace).on_holes(true);
        let files = Files { filter: Path::new("/f"), ssh: Path::new("/s") };
        let kept = Kept { metadata: Metadata::Full, nanoseconds: true };
        assert!(!arguments(&settings, kept, &workspace, files).iter().any(|a| a == "--sparse"));
    }

    #[test]
    fn a_daemon_has_its_own_port_and_password() {
        let settings = settings(Source::Daemon(Daemon {
            host: "web1".parse().expect("a host"),
            source: "module/a b".parse().expect("a source"),
            user: Some("me".parse().expect("a user")),
            port: 873,
            password_file: Some("/etc/planb/secret".into()),
        }));
        let list = list(&settings, Metadata::Basic, linked());
        assert_eq!(list[list.len() - 2], "me@web1::module/./a b/");
        assert!(list.iter().any(|a| a == "--password-file=/etc/planb/secret"));
        assert!(list.iter().any(|a| a == "--contimeout=30") && list.iter().any(|a| a == "--port=873"));
        assert!(!list.iter().any(|a| a.contains("super") || a.contains("window") || a.starts_with("--rsh")));
    }

    #[test]
    fn a_limit_is_never_rounded_to_none() {
        assert_eq!(kibibytes(Size::from_bytes(0)), "1");
        assert_eq!(kibibytes(Size::from_bytes(1025)), "2");
    }
}
