//! What a source has to let us run for its datasets: the one truth about it, as a regular expression, and what of zfs's own
//! permissions it takes.
//!
//! The command that sshd forces, sudo's rule and the grants of zfs-allow(8) are made of this. Every command is written out,
//! word by word. What is destroyed stands behind a dataset's `@` or `#` and is called as only our snapshots are: a dataset
//! cannot be named. zfs's own permission could not tell the two apart, which is why sudo's rule stands in its place.

use super::command::{COLUMNS, SUDO, WRITTEN, ZFS};
use super::settings::{Selected, Settings};
use super::wire::OURS;

/// A component of a name.
const WORD: &str = "[A-Za-z0-9_.:-]+";

/// A snapshot or a bookmark of some copy's.
const MARK: &str = "planb-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}";

/// What a login may do that is not root: nothing that loses anything. `userprop` is for the mark on snapshots.
const HARMLESS: &str = "bookmark,hold,release,send,snapshot,userprop";

/// The datasets, as an extended regular expression (regex(7)).
fn datasets(settings: &Settings) -> String {
    let of = |selected: &Selected| {
        let name = literal(selected.dataset.as_str());
        if settings.recursive { format!("{name}(/{WORD})*") } else { name }
    };
    format!("({})", settings.datasets.iter().map(of).collect::<Vec<_>>().join("|"))
}

/// All that sshd is asked to run, likewise and without anchors.
pub fn commands(settings: &Settings) -> Vec<String> {
    let of = datasets(settings);
    let zfs = literal(ZFS);
    let (columns, ours) = (literal(COLUMNS), literal(OURS));
    let depth = if settings.recursive { "-r" } else { "-d 1" };
    let sudo = if settings.sudo { literal(SUDO) } else { String::new() };
    vec![
        format!("{zfs} list -Hp -o {columns} -t filesystem,volume,snapshot,bookmark {depth}( {of})+"),
        format!("{zfs} list -Hp -o {columns} -t snapshot( {of}@{MARK})+"),
        format!("{zfs} list -Hp -o {WRITTEN}@{MARK} -t snapshot( {of}@{MARK})+"),
        format!("{zfs} snapshot -o {ours}=[0-9a-f]{{16}}( {of}@{MARK})+"),
        format!("{zfs} send -vPw?c?L?( -i {of}[@#]{WORD})? {of}@{WORD}"),
        format!("{zfs} send -vP -t [0-9a-f-]+"),
        format!("{zfs} (hold|release) planb-[0-9a-f]{{16}}( {of}@{MARK})+"),
        format!("{zfs} bookmark {of}@{MARK} {of}#{MARK}"),
        format!("{sudo}{zfs} {}", destroy(settings)),
    ]
}

/// What zfs gets under sudo.
pub fn destroy(settings: &Settings) -> String {
    format!("destroy {}(@{MARK}(,{MARK})*|#{MARK})", datasets(settings))
}

/// The snapshots that a stream that goes on may be of.
pub fn resumed(settings: &Settings) -> String {
    format!("{}@{WORD}", datasets(settings))
}

/// What is granted on each dataset, as words for `zfs allow`.
pub fn grants(settings: &Settings) -> Vec<String> {
    let user = settings.login.user.as_str();
    let local = if settings.recursive { "" } else { "-l " };
    // It takes the one as well as the other to destroy a snapshot, and nothing is ever mounted by who is not root.
    let rights = if settings.sudo { HARMLESS.to_owned() } else { format!("{HARMLESS},destroy,mount") };
    let grant = |selected: &Selected| format!("{local}-u {user} {rights} {}", selected.dataset);
    settings.datasets.iter().map(grant).collect()
}

/// Text that stands for itself.
fn literal(text: &str) -> String {
    text.replace('.', "[.]")
}

#[cfg(test)]
mod tests {
    use super::super::command::tests::all;
    use super::super::settings::tests::settings;
    use super::*;
    use crate::host::process::{Input, Limits, Program};
    use crate::host::signals::Stop;

    /// Which of these lines a forced command lets through.
    fn passes(settings: &Settings, lines: &[String]) -> Vec<String> {
        let stop = Stop::new().expect("a socket pair");
        let pattern = commands(settings).join("|");
        let said = Program::find("grep")
            .expect("grep")
            .args(["-Ex", "-e", &pattern])
            .stdin(Input::Bytes(lines.join("\n").into_bytes()))
            .capture(Limits { stop: &stop, deadline: None }, 1 << 20)
            .expect("it runs");
        String::from_utf8(said.stdout).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn whatever_a_transfer_says_is_let_in() {
        let mut settings = settings(&["rpool/data", "rpool/x.y"], &[], true);
        let said: Vec<String> = all().into_iter().filter(|line| !line.contains(" -d 1 ")).collect();
        assert_eq!(passes(&settings, &said), said);
        settings.sudo = true;
        let destroys: Vec<String> = said.iter().filter(|line| line.contains(" destroy ")).cloned().collect();
        assert!(destroys.len() == 2 && passes(&settings, &destroys).is_empty());
        let with_sudo: Vec<String> = destroys.iter().map(|line| format!("sudo -n {line}")).collect();
        assert_eq!(passes(&settings, &with_sudo), with_sudo);
    }

    #[test]
    fn nothing_else_is() {
        let mark = "planb-20260102T030405Z-0000000000000007";
        let flat = settings(&["rpool/data"], &[], false);
        let lines: Vec<String> = [
            "/sbin/zfs destroy rpool/data",
            "/sbin/zfs destroy -r rpool/data",
            "/sbin/zfs destroy rpool/data@daily",
            "/sbin/zfs destroy rpool/data@%",
            &format!("/sbin/zfs destroy -r rpool/data@{mark}"),
            &format!("/sbin/zfs destroy -R rpool/data@{mark}"),
            &format!("/sbin/zfs destroy rpool/data@{mark},daily"),
            &format!("/sbin/zfs destroy rpool/data@{mark}%{mark}"),
            &format!("/sbin/zfs destroy rpool/data@{mark} rpool/data"),
            &format!("/sbin/zfs destroy rpool/data#{mark},{mark}"),
            &format!("/sbin/zfs destroy rpool/data/sub@{mark}"),
            &format!("/sbin/zfs destroy rpool/data2@{mark}"),
            &format!("/sbin/zfs snapshot -r -o planb:copy=0000000000000007 rpool/data@{mark}"),
            &format!("/sbin/zfs snapshot -o mountpoint=0000000000000007 rpool/data@{mark}"),
            &format!("/sbin/zfs snapshot rpool/data@{mark}"),
            "/sbin/zfs snapshot -o planb:copy=0000000000000007 rpool/data@daily",
            "/sbin/zfs hold other rpool/data@x",
            &format!("/sbin/zfs release other rpool/data@{mark}"),
            "/sbin/zfs send -vPR rpool/data@x",
            "/sbin/zfs send -vPp rpool/data@x",
            "/sbin/zfs send rpool/data@x",
            "/sbin/zfs send -vP rpool/other@x",
            "/sbin/zfs send -vP -i rpool/other@a rpool/data@x",
            "/sbin/zfs send -vP -t 1-abc; id",
            "/sbin/zfs receive rpool/data",
            "/sbin/zfs rollback rpool/data@x",
            "/sbin/zfs set mountpoint=/ rpool/data",
            "/sbin/zfs list",
            "/sbin/zfs list -r rpool",
            &format!("/sbin/zfs list -Hp -o name,written@{mark},value@x -t snapshot rpool/data@{mark}"),
            &format!("/sbin/zfs list -Hp -o name,written@{mark} -t snapshot rpool/other@{mark}"),
            "sh -c id",
            "",
        ]
        .map(str::to_owned)
        .into();
        assert_eq!(passes(&flat, &lines), [""; 0]);
        let good = format!("/sbin/zfs destroy rpool/data@{mark}");
        assert_eq!(passes(&flat, std::slice::from_ref(&good)), [good]);
        // A dot is a dot.
        let dotted = settings(&["rpool/a.b"], &[], false);
        assert_eq!(passes(&dotted, &[format!("/sbin/zfs destroy rpool/axb@{mark}")]), [""; 0]);
    }

    #[test]
    fn a_login_gets_no_right_that_loses_anything_unless_it_must() {
        let mut settings = settings(&["rpool/data", "rpool/b"], &[], true);
        settings.sudo = true;
        assert_eq!(
            grants(&settings)[0],
            "-u remotebackup bookmark,hold,release,send,snapshot,userprop rpool/data"
        );
        (settings.sudo, settings.recursive) = (false, false);
        assert_eq!(
            grants(&settings)[1],
            "-l -u remotebackup bookmark,hold,release,send,snapshot,userprop,destroy,mount rpool/b"
        );
    }
}
