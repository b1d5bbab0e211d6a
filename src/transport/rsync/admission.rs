//! What a source has to let us run: the one truth about it, as a regular expression.
//!
//! sudo's rule, the command that sshd forces and what is printed for administrators are made of this. rsync's sending side
//! runs as root there, so what it may be told is written out, letter by letter: `--log-file=` writes files,
//! `--remove-source-files` deletes, and `-s` (`--secluded-args`) makes it take further arguments from its input, where no
//! rule sees them. `rsync --server --sender *` admits all three.

use super::remote;
use super::settings::{Settings, Ssh};
use super::words::Flag;

/// Options of one letter: what to tell of each file, and nothing that names another, changes one or hides an argument.
const LETTERS: &str = "AcDgHIlNnoprStUWXxz";

/// What every transfer can have.
const ALWAYS: [&str; 4] = ["numeric-ids", "inplace", "timeout=[0-9]+", "bwlimit=[0-9]+"];

/// What a flag of the fileset adds on the source's side. Those that are not here add a letter, or nothing.
const OF_FLAGS: [(&str, &str); 10] = [
    ("--checksum-choice", "checksum-choice=[a-z0-9,]+"),
    ("--checksum-seed", "checksum-seed=-?[0-9]+"),
    ("--compress-choice", "compress-choice=[a-z0-9]+|old-compress|new-compress"),
    ("--compress-level", "compress-level=-?[0-9]+"),
    ("--copy-unsafe-links", "copy-unsafe-links"),
    ("--iconv", "iconv=[A-Za-z0-9._:+-]+"),
    ("--max-alloc", "max-alloc=[0-9]+[A-Za-z]*"),
    ("--open-noatime", "open-noatime"),
    ("--safe-links", "safe-links"),
    ("--skip-compress", "skip-compress=[A-Za-z0-9./]+"),
];

/// Why a source cannot be written into a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} has a character in it that neither a shell nor a rule of sudo takes as it is: back up a directory above it, \
     and name it in `include`"
)]
pub struct Odd(String);

/// The arguments that rsync gets there, as an extended regular expression (regex(7)) without its anchors.
pub fn arguments(settings: &Settings, ssh: &Ssh) -> Result<String, Odd> {
    let flag = |name: &str| {
        settings
            .flags
            .iter()
            .map(Flag::as_str)
            .any(|flag| flag == name || flag.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
    };
    let mut words = ALWAYS.to_vec();
    words.extend(OF_FLAGS.iter().filter(|(name, _)| flag(name)).map(|(_, word)| *word));
    let block = if flag("--block-size") { "-B[0-9]+|" } else { "" };
    let words = words.join("|");
    let path = literal(&format!("{}/", ssh.path.as_str().trim_end_matches('/')))?;
    Ok(format!("--server --sender -[{LETTERS}]+e[0-9]*[.][A-Za-z]* (({block}--({words})) )*[.] {path}"))
}

/// All of what sshd is asked to run, likewise.
pub fn command(settings: &Settings, ssh: &Ssh) -> Result<String, Odd> {
    Ok(format!("{} {}", literal(&program(ssh))?, arguments(settings, ssh)?))
}

/// What comes before rsync's arguments, as plain words.
pub fn program(ssh: &Ssh) -> String {
    remote::command(&Ssh { do_not_run: false, ..ssh.clone() })
}

/// Text that stands for itself. Only what means nothing to a shell, to sudoers and between single quotes.
fn literal(text: &str) -> Result<String, Odd> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '@' | '%' | ' ');
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '.' | '+' => escaped.extend(['[', c, ']']),
            c if plain(c) => escaped.push(c),
            _ => return Err(Odd(text.to_owned())),
        }
    }
    if text.starts_with('/') && text.contains(' ') {
        return Err(Odd(text.to_owned()));
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::super::arguments::{self as ours, Files};
    use super::super::metadata::Kept;
    use super::super::settings::{Ionice, Metadata, Source};
    use super::super::tests::{settings, ssh_settings};
    use super::super::words::FLAGS;
    use super::*;
    use crate::fileset::quantity::Size;
    use crate::fileset::workspace::{Workspace, Writes};
    use crate::host::process::{Input, Limits, Program};
    use crate::host::signals::Stop;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn matches(pattern: &str, text: &str) -> bool {
        let stop = Stop::new().expect("a socket pair");
        let grep = Program::find("grep").expect("grep").args(["-Eqx", "-e", pattern]);
        let done = grep
            .stdin(Input::Bytes(format!("{text}\n").into_bytes()))
            .capture(Limits { stop: &stop, deadline: None }, 1 << 10)
            .expect("it runs");
        done.ending.is_clean()
    }

    /// What the real rsync asks its remote shell to run; `None` where it was built without what is wanted.
    fn asked(settings: &Settings, writes: Writes, option: Option<&str>) -> Option<String> {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        let recorder = at("ssh");
        std::fs::write(
            &recorder,
            format!(
                "#!/bin/sh\nwhile [ $1 != 127.0.0.1 ]; do shift; done\nshift\necho \"$*\" >'{}'\n",
                at("asked").display()
            ),
        )
        .and_then(|()| std::fs::set_permissions(&recorder, std::fs::Permissions::from_mode(0o755)))
        .expect("a program");
        std::fs::write(at("filter"), "").expect("written");
        std::fs::create_dir(at("workspace")).expect("a directory");
        let workspace = Workspace::new(at("workspace"), writes);
        let kept = Kept { metadata: settings.metadata, nanoseconds: true };
        let files = Files { filter: &at("filter"), ssh: Path::new("/dev/null") };
        let rsh = format!("--rsh={}", recorder.display());
        let arguments = ours::arguments(settings, kept, &workspace, files).into_iter().map(|argument| {
            let is_rsh = argument.to_string_lossy().starts_with("--rsh=");
            if is_rsh { rsh.clone().into() } else { argument }
        });
        let stop = Stop::new().expect("a socket pair");
        let rsync = Program::find("rsync").expect("rsync").args(option).args(arguments);
        let done = rsync.capture(Limits { stop: &stop, deadline: None }, 1 << 16).expect("it runs");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if said.contains("This rsync does not support") {
            return None;
        }
        Some(
            std::fs::read_to_string(at("asked"))
                .unwrap_or_else(|e| panic!("{e}: {said}"))
                .trim_end()
                .to_owned(),
        )
    }

    fn over_ssh() -> (Settings, Ssh) {
        let mut ssh = ssh_settings(22);
        ssh.path = "/srv/a.b+c".parse().expect("a path");
        (ssh.sudo, ssh.ionice) = (true, Ionice::Idle);
        let mut settings = settings(Source::Ssh(ssh.clone()));
        settings.bwlimit = Some(Size::from_bytes(10 << 20));
        (settings, ssh)
    }

    #[test]
    fn whatever_a_fileset_may_say_is_let_in() {
        let (plain, ssh) = over_ssh();
        let linked = || Writes::Linked { reference: Some("/tmp".into()) };
        let mut basic = plain.clone();
        basic.metadata = Metadata::Basic;
        let mut seen = vec![
            (plain.clone(), linked(), None),
            (plain.clone(), Writes::InPlace, None),
            (plain.clone(), Writes::InPlace, Some("--dry-run")),
            (basic, linked(), None),
        ];
        // rsync takes that one for daemons only.
        for flag in FLAGS.into_iter().filter(|&flag| flag != "--contimeout") {
            let value = match flag {
                "--block-size" => "=8192",
                "--checksum-choice" => "=md5,md4",
                "--compress-choice" => "=zlib",
                "--compress-level" | "--checksum-seed" => "=3",
                "--iconv" => "=utf8,latin1",
                "--max-alloc" | "--max-size" | "--min-size" => "=2g",
                "--skip-compress" => "=gz/jpg",
                "--modify-window" => "=1",
                "--address" => "=::1",
                _ => "",
            };
            let mut settings = plain.clone();
            settings.flags = vec![format!("{flag}{value}").parse().expect("a flag")];
            seen.push((settings, linked(), None));
        }
        for (settings, writes, option) in seen {
            let Some(asked) = asked(&settings, writes, option) else { continue };
            let pattern = command(&settings, &ssh).expect("plain");
            assert!(matches(&pattern, &asked), "{:?}: {asked}\n{pattern}", settings.flags);
        }
    }

    #[test]
    fn nothing_else_is() {
        let (settings, ssh) = over_ssh();
        let pattern = arguments(&settings, &ssh).expect("plain");
        let good = "--server --sender -lHogDtpAXrSe.iLsfxCIvu --timeout=600 --numeric-ids . /srv/a.b+c/";
        assert!(matches(&pattern, good));
        for (what, with) in [
            ("--sender ", ""),
            ("-lHog", "-slHog"),
            ("-lHog", "-lLog"),
            ("-lHog", "-lMog"),
            ("-lHog", "-lTog"),
            ("-lHog", "-lbog"),
            ("Se.iLsfxCIvu", "S"),
            ("--timeout=600", "--log-file=/etc/cron.d/x"),
            ("--timeout=600", "--remove-source-files"),
            ("--timeout=600", "--timeout=600 --secluded-args"),
            ("--timeout=600", "--copy-unsafe-links"),
            ("--timeout=600", "-s"),
            ("--timeout=600", "--files-from=/etc/shadow"),
            ("/srv/a.b+c/", "/"),
            ("/srv/a.b+c/", "/srv/aXb+c/"),
            ("/srv/a.b+c/", "/srv/a.b+c/../../"),
            ("/srv/a.b+c/", "/srv/a.b+c/ --log-file=/x"),
            ("/srv/a.b+c/", "/srv/a.b+c/;id"),
            ("--server", "--daemon --server"),
        ] {
            assert!(!matches(&pattern, &good.replace(what, with)), "{with}");
        }
    }

    #[test]
    fn odd_paths_are_refused_rather_than_escaped() {
        for odd in ["/with space", "/it's", "/a*", "/a$b", "/a\\b", "/a(b)", "/ü", "/a,b", "/a=b", "/a:b"] {
            let mut ssh = ssh_settings(22);
            ssh.path = odd.parse().expect("a path");
            arguments(&settings(Source::Ssh(ssh.clone())), &ssh).expect_err(odd);
        }
    }
}
