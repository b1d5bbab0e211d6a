//! What zfs on the source, its shell and its sudo say when something cannot be done. The texts are those of OpenZFS 2.1 to 2.3.

use super::command::ZFS;
use super::settings::Settings;
use super::wire::Why;
use crate::transport::{Failure, Verdict, ssh};

/// Why zfs did not do what it was asked, where that is one of the things that can be dealt with, and the line that says so.
/// `base`: what a stream should have built on, as zfs calls it.
pub fn why<'l>(lines: &[&'l str], base: Option<&str>) -> Option<(Why, &'l str)> {
    let find = |words: &str| lines.iter().copied().find(|line| line.contains(words));
    // A stream that goes on. Before the rest, which is less exact: a token's source is a dataset, too.
    if let Some(line) = find("cannot resume send") {
        return Some((Why::TokenGone, line));
    }
    if let Some(base) = base {
        let gone = find(&format!("'{base}': dataset does not exist"));
        // ESRCH, which zfs has no words for when there is no such bookmark.
        if let Some(line) = gone.or_else(|| find("No such process")) {
            return Some((Why::BaseGone, line));
        }
    }
    let known = [
        ("incremental source", Why::BaseGone),
        ("not an earlier snapshot", Why::BaseNotEarlier),
        ("permission denied", Why::NotAllowed),
        ("key must be loaded", Why::KeyNotLoaded),
        ("key is not loaded", Why::KeyNotLoaded),
        ("out of space", Why::NoRoom),
        ("quota exceeded", Why::NoRoom),
        ("already exists", Why::Taken),
        ("does not exist", Why::SnapshotGone),
    ];
    known.into_iter().find_map(|(words, why)| Some((why, find(words)?)))
}

/// In plain words and with what to do: what the lines say of the source, of its login, or of ssh.
pub fn explain(lines: &[&str], settings: &Settings, place: &ssh::Place<'_>) -> Option<String> {
    ssh::explain(lines.iter().copied(), &settings.login, place, |lines| of_command(lines, settings))
}

fn of_command(lines: &[&str], settings: &Settings) -> Option<String> {
    let (user, host) = (settings.login.user.as_str(), settings.login.host.as_str());
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    let missing = |program: &str| {
        lines.iter().any(|line| {
            ["command not found", "not found", "No such file or directory"]
                .iter()
                .any(|why| line.ends_with(&format!("{program}: {why}")))
                || line.ends_with(&format!("command not found: {program}"))
                || line.ends_with(&format!("no such file or directory: {program}"))
        })
    };
    let set_up = format!("planb authorize {host} prints what sets it up");
    if has("planb: not allowed here: ") {
        return Some(format!("{host} allows another command than this fileset needs now: {set_up}"));
    }
    if missing(ZFS) {
        return Some(format!(
            "there is no zfs on {host} ({ZFS}): install it there, or back up the files with [rsync]"
        ));
    }
    if missing("planb") {
        return Some(format!(
            "there is no planb on {host}: `datasets-from` is about what another planb keeps; name others in `datasets`"
        ));
    }
    if missing("sudo") {
        return Some(format!("sudo is not installed on {host}: install it there, or set sudo = false"));
    }
    if let Some(line) =
        lines.iter().find(|line| line.starts_with("sudo: ") || line.starts_with("Sorry, user "))
    {
        return Some(format!("sudo on {host} refused ({line}): {set_up}"));
    }
    if has("must be run as root") || has("Permission denied the ZFS utilities") {
        return Some(format!("{user} may not use ZFS at all on {host}: is /dev/zfs of mode 666 there?"));
    }
    if has("modules are not loaded") || has("modules cannot be auto-loaded") {
        return Some(format!("ZFS is not loaded on {host}: modprobe zfs there"));
    }
    if has("pool I/O is currently suspended") {
        return Some(format!("a pool of {host} is suspended: see zpool status there, then zpool clear"));
    }
    None
}

/// A reason for an answer, with the remedy where there is one.
pub fn reason(why: Why, said: &str, settings: &Settings) -> String {
    let (user, host) = (settings.login.user.as_str(), settings.login.host.as_str());
    match why {
        Why::NotAllowed => format!(
            "{user} may not do that on {host} ({said}): planb authorize {host} prints what sets it up"
        ),
        Why::NoRoom => format!("there is no room on {host} for a snapshot ({said}): make room there"),
        Why::KeyNotLoaded => format!(
            "{said}: load its key on {host}, or let it come as it is encrypted there (raw = \"auto\")"
        ),
        Why::TokenGone
        | Why::BaseGone
        | Why::BaseNotEarlier
        | Why::SnapshotGone
        | Why::Taken
        | Why::NotTaken => format!("{host} says: {said}"),
    }
}

/// What ended a command that we ended.
pub fn ended(stop: bool) -> Failure {
    let (verdict, reason) = if stop {
        (Verdict::Interrupted, "the transfer was stopped")
    } else {
        let reason = "the transfer took longer than `timeout` and was stopped: the next run goes on from there; \
                      raise `timeout` or `bwlimit` if that is not enough";
        (Verdict::TimedOut, reason)
    };
    Failure { verdict, reason: reason.to_owned(), exit_code: None }
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;
    use std::path::Path;

    #[test]
    fn what_can_be_dealt_with_is_recognised() {
        for (base, line, wanted) in [
            (Some("a@x"), "cannot open 'a@x': dataset does not exist", Some(Why::BaseGone)),
            (Some("a@x"), "cannot open 'a@b': dataset does not exist", Some(Why::SnapshotGone)),
            (Some("a#x"), "warning: cannot send 'a@b': No such process", Some(Why::BaseGone)),
            (
                Some("a@x"),
                "warning: cannot send 'a@b': incremental source (@x) does not exist",
                Some(Why::BaseGone),
            ),
            (
                Some("a@x"),
                "warning: cannot send 'a@b': not an earlier snapshot from the same fs",
                Some(Why::BaseNotEarlier),
            ),
            (None, "warning: cannot send 'a@b': permission denied", Some(Why::NotAllowed)),
            (None, "warning: cannot send 'a@b': dataset key must be loaded", Some(Why::KeyNotLoaded)),
            (None, "cannot open 'a@none': dataset does not exist", Some(Why::SnapshotGone)),
            (
                None,
                "cannot resume send: 'a@b' used in the initial send no longer exists",
                Some(Why::TokenGone),
            ),
            (
                None,
                "cannot resume send: 'a@b' is no longer the same snapshot used in the initial send",
                Some(Why::TokenGone),
            ),
            (None, "cannot resume send: resume token is corrupt (incorrect checksum)", Some(Why::TokenGone)),
            (None, "cannot create snapshots : out of space", Some(Why::NoRoom)),
            (None, "cannot create snapshots : permission denied", Some(Why::NotAllowed)),
            (None, "cannot create snapshot 'a@b': dataset already exists", Some(Why::Taken)),
            (None, "internal error: zebra", None),
            (None, "", None),
        ] {
            assert_eq!(why(&[line], base).map(|(why, _)| why), wanted, "{line}");
        }
    }

    #[test]
    fn what_cannot_is_explained_with_a_remedy() {
        let settings = settings(&["rpool/data"], &[], false);
        let place = ssh::Place { known_hosts: Path::new("/kh"), home: Path::new("/home") };
        for (line, wanted) in [
            ("sh: 1: /sbin/zfs: not found", "there is no zfs on web1"),
            ("bash: line 1: /sbin/zfs: No such file or directory", "there is no zfs on web1"),
            ("zsh:1: no such file or directory: /sbin/zfs", "there is no zfs on web1"),
            ("sh: 1: planb: not found", "there is no planb on web1"),
            ("sudo: a password is required", "sudo on web1 refused"),
            ("planb: not allowed here: the backup host may read", "planb authorize web1"),
            ("ssh: connect to host web1 port 22: Connection refused", "web1 port 22 cannot be reached"),
            ("Permission denied the ZFS utilities must be run as root.", "/dev/zfs"),
        ] {
            let said = explain(&[line], &settings, &place).unwrap_or_default();
            assert!(said.contains(wanted), "{line}: {said}");
        }
        assert_eq!(explain(&["internal error: zebra"], &settings, &place), None);
    }
}
