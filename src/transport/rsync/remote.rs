//! The command that ssh runs on the source.

use super::settings::{Ionice, Ssh};

/// Where a source's administrator says "not now": as long as this directory has files, nothing is transferred.
pub const DO_NOT_RUN: &str = "/var/lib/planb/do-not-run.d";

/// What begins the line that lists those files. Printed by the source, so it is believed only when rsync failed too.
const MARKER: &str = "planb: do-not-run.d: ";
const UNREADABLE: &str = "planb: do-not-run.d cannot be read";

/// The value of `--rsync-path`: rsync adds its own arguments behind it.
///
/// It is the one text that a shell reads, and that shell is the source's login shell, whichever it is. Without
/// do-not-run it is plain words, so that `command="rrsync ..."` in `authorized_keys` still recognises it. With it, the
/// test goes through `sh -c` in single quotes, which every shell passes on unread (and which is why it has neither a
/// single quote nor an exclamation mark in it), and happens in the same connection as the transfer.
pub fn command(ssh: &Ssh) -> String {
    let mut rsync = String::new();
    rsync.push_str(match ssh.ionice {
        Ionice::Idle => "ionice -c3 ",
        Ionice::BestEffort => "ionice -c2 -n7 ",
        Ionice::None => "",
    });
    if ssh.sudo {
        rsync.push_str("sudo -n ");
    }
    rsync.push_str(ssh.rsync_path.as_str());
    if !ssh.do_not_run {
        return rsync;
    }
    format!("sh -c '{}exec {rsync} \"$@\"' planb", not_now())
}

/// The test, in the shell's language: it ends with 75 and a line that [`NotNow`] reads, or goes on.
pub fn not_now() -> String {
    let state = DO_NOT_RUN.rsplit_once('/').map_or("/", |(parent, _)| parent);
    // A file name may be anything; what is printed of it may not.
    let names = r#"printf %s "$f" | tr "\n" " " | tr -c "[:alnum:]._ -" "?""#;
    let deferred = format!(r#"printf "{MARKER}%s\n" "$({names})" >&2; exit 75"#);
    // Who cannot look must not conclude that there is nothing.
    let unreadable = format!(r#"echo "{UNREADABLE}" >&2; exit 75"#);
    format!(
        "if f=$(ls {DO_NOT_RUN}/ 2>/dev/null); then if [ -n \"$f\" ]; then {deferred}; fi; \
         elif [ -e {DO_NOT_RUN} ]; then {unreadable}; \
         elif [ -d {state} ]; then if [ -x {state} ]; then :; else {unreadable}; fi; fi; "
    )
}

/// What the test said, where it had something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotNow {
    /// These files are there, as the source spells them.
    Files(String),
    /// The login user may not look.
    Unreadable,
}

impl NotNow {
    pub fn read(line: &str) -> Option<Self> {
        match line.strip_prefix(MARKER) {
            Some(names) => Some(Self::Files(names.trim().to_owned())),
            None => (line == UNREADABLE).then_some(Self::Unreadable),
        }
    }
}

/// What the source's shell and sudo say when the command does not start, in plain words and with what to do.
pub fn trouble(lines: &[&str], ssh: &Ssh) -> Option<String> {
    let (user, host, rsync) = (ssh.login.user.as_str(), ssh.login.host.as_str(), ssh.rsync_path.as_str());
    let missing = |program: &str| {
        lines.iter().any(|line| {
            !line.starts_with("rsync")
                && ["command not found", "not found", "No such file or directory"]
                    .iter()
                    .any(|why| line.ends_with(&format!("{program}: {why}")))
                // zsh says it the other way round.
                || line.ends_with(&format!("command not found: {program}"))
                || line.contains(&format!("failed to execute {program}: "))
        })
    };
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    let set_up = format!("planb authorize {host} prints what sets it up");
    if ssh.sudo && missing("sudo") {
        return Some(format!("sudo is not installed on {host}: install it there, or set sudo = false"));
    }
    if ssh.sudo
        && let Some(line) =
            lines.iter().find(|line| line.starts_with("sudo: ") || line.starts_with("Sorry, user "))
        && !missing(rsync)
    {
        return Some(format!("sudo on {host} refused ({line}): {set_up}"));
    }
    if has("is not in the sudoers file") {
        return Some(format!("sudo on {host} does not know {user}: {set_up}"));
    }
    if missing("ionice") || has("ionice: ioprio_set failed") || has("ionice: unrecognized option") {
        return Some(format!(
            "ionice does not work on {host}: install util-linux there, or set ionice = \"none\""
        ));
    }
    if missing(rsync) {
        return Some(format!("{rsync} is not installed on {host}: install it there, or set `rsync-path`"));
    }
    if has("planb: not allowed here: ") {
        return Some(format!("{host} allows another command than this fileset needs now: {set_up}"));
    }
    if has("SSH_ORIGINAL_COMMAND does not run rsync") {
        return Some(format!(
            "{host} lets {user} run nothing but rsync (rrsync in authorized_keys): set do-not-run = false, \
             ionice = \"none\" and sudo = false"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::ssh_settings;
    use super::*;

    #[test]
    fn without_a_test_the_command_is_plain_words() {
        let mut ssh = ssh_settings(22);
        assert_eq!(command(&ssh), "rsync");
        (ssh.ionice, ssh.sudo) = (Ionice::Idle, true);
        assert_eq!(command(&ssh), "ionice -c3 sudo -n rsync");
        (ssh.ionice, ssh.sudo) = (Ionice::BestEffort, false);
        ssh.rsync_path = "/usr/local/bin/rsync".parse().expect("a program");
        assert_eq!(command(&ssh), "ionice -c2 -n7 /usr/local/bin/rsync");
    }

    #[test]
    fn the_test_survives_any_login_shell() {
        let mut ssh = ssh_settings(22);
        ssh.do_not_run = true;
        let command = command(&ssh);
        assert_eq!(command.matches('\'').count(), 2, "{command}");
        assert!(!command.contains('!') && !command.contains('\n'), "{command}");
    }

    #[test]
    fn names_are_read_back() {
        assert_eq!(
            NotNow::read("planb: do-not-run.d: upgrade db "),
            Some(NotNow::Files("upgrade db".to_owned()))
        );
        assert_eq!(NotNow::read(UNREADABLE), Some(NotNow::Unreadable));
        assert_eq!(NotNow::read("Welcome"), None);
    }
}
