//! How a source lets us in: the script that sets it up. What it allows is what the filesets need, to the letter.
//!
//! Three locks, one behind the other, each of which holds alone: sshd gives the key no terminal, no forwarding and no command
//! but ours (`restrict`, `command=`); that command lets nothing pass but rsync's sending side with known arguments;
//! sudo lets root do nothing else either. The patterns of the last two are one ([`admission`]).

pub mod proof;

use super::rsync::admission::{self, Odd};
use super::rsync::remote;
use super::rsync::settings::{Settings, Source, Ssh};
use crate::fileset::invalid::Invalid;
use crate::fileset::name::Name;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::str::FromStr;

const SERVE: &str = include_str!("serve.sh");
const INSTALL: &str = include_str!("install.sh");
const USERADD: &str = include_str!("useradd.sh");
const SUDO: &str = include_str!("sudo.sh");

/// The half of a key that may be seen, as ssh-keygen(1) writes it into `.pub`: its kind and its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(String);

impl FromStr for PublicKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut words = text.split_ascii_whitespace();
        let (kind, digits) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let of = |text: &str, more: &[char]| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
        };
        if !of(kind, &['-', '.', '@']) || !of(digits, &['+', '/', '=']) || text.trim().lines().count() != 1 {
            return Err(Invalid::new("is not a public key: one line, as \"ssh-ed25519 AAAA...\""));
        }
        Ok(Self(format!("{kind} {digits}")))
    }
}

/// Filesets of one source that log in alike.
#[derive(Debug)]
pub struct Login<'a> {
    /// What the administrator asked for.
    pub asked: &'a str,
    pub key: &'a PublicKey,
    /// Never empty; all with the same host and user.
    pub filesets: Vec<(&'a Name, &'a Settings)>,
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{fileset} is not reached over ssh: there is nothing to authorize")]
    NotSsh { fileset: Name },
    #[error("failed to write a rule for {fileset}")]
    Odd { fileset: Name, source: Odd },
    #[error("{one} and {other} have another `rsync-path` for the same login: use one")]
    TwoPrograms { one: Name, other: Name },
}

/// The script for the source, for sh.
pub fn script(login: &Login<'_>) -> Result<String, Error> {
    let over_ssh = |&(name, settings): &(&'_ Name, &'_ Settings)| match &settings.source {
        Source::Ssh(ssh) => Ok((name.clone(), settings.clone(), ssh.clone())),
        Source::Local(_) | Source::Daemon(_) => Err(Error::NotSsh { fileset: name.clone() }),
    };
    let filesets: Vec<(Name, Settings, Ssh)> =
        login.filesets.iter().map(over_ssh).collect::<Result<_, _>>()?;
    let Some((first, _, ssh)) = filesets.first() else { return Ok(String::new()) };
    if let Some((other, ..)) = filesets.iter().find(|(_, _, its)| its.rsync_path != ssh.rsync_path) {
        return Err(Error::TwoPrograms { one: first.clone(), other: other.clone() });
    }
    let mut commands = BTreeSet::new();
    let mut rules = BTreeSet::new();
    for (name, settings, ssh) in &filesets {
        let odd = |source| Error::Odd { fileset: name.clone(), source };
        commands.insert(admission::command(settings, ssh).map_err(odd)?);
        if ssh.sudo {
            rules.insert(admission::arguments(settings, ssh).map_err(odd)?);
        }
    }
    let user = ssh.login.user.as_str();
    let program = format!("/usr/local/lib/planb/serve-{user}");
    let sudoers = format!("/etc/sudoers.d/planb-{user}");
    let allowed = commands.into_iter().collect::<Vec<_>>().join("|");
    let serve = SERVE.replace("@ALLOWED@", &allowed).replace("@NOT_NOW@", remote::not_now().trim_end());
    let is_root = user == "root";

    let mut what = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(what, "#   {text}");
    };
    if !is_root {
        line(&format!("user {user}, without a password"));
    }
    line(&format!("{program}, the only thing that the backup host's key can start"));
    line(&format!("a line for that key in .ssh/authorized_keys of {user}"));
    let sudo = if rules.is_empty() {
        String::new()
    } else {
        line(&format!("{sudoers}, with rsync's sending side and nothing else"));
        // In an unquoted here-document only these mean something, and no pattern has another.
        let rule = |arguments: &String| {
            format!(
                "{user} ALL=(root) NOPASSWD: $rsync ^{}\\$",
                arguments.replace('\\', r"\\").replace('$', r"\$")
            )
        };
        let rules = rules.iter().map(rule).collect::<Vec<_>>().join("\n");
        SUDO.replace("@RULES@", &rules).replace("@SUDOERS@", &sudoers)
    };
    let names: Vec<&str> = filesets.iter().map(|(name, ..)| name.as_str()).collect();
    let useradd = if is_root { "" } else { USERADD };
    let text = INSTALL
        .replace("@WHAT@\n", &what)
        .replace("@USERADD@\n", useradd)
        .replace("@SUDO@\n", &sudo)
        .replace("@SERVE@", &serve)
        .replace("@PROGRAM@", &program)
        .replace("@KEY@", &login.key.0)
        .replace("@COMMENT@", "planb")
        .replace("@FILESETS@", &names.join(", "))
        .replace("@NAME@", login.asked)
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@RSYNC@", ssh.rsync_path.as_str())
        .replace("@USER@", user);
    Ok(text.replace("@HOST@", ssh.login.host.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::rsync::settings::{Ionice, Metadata, Vanished};
    use super::*;
    use crate::fileset::quantity::Span;
    use crate::host::process::{Input, Limits, Program};
    use crate::host::signals::Stop;
    use crate::transport::ssh::login;

    fn settings(path: &str, user: &str) -> Settings {
        Settings {
            source: Source::Ssh(Ssh {
                login: login::Login {
                    host: "web1.example".parse().expect("a host"),
                    user: user.parse().expect("a user"),
                    port: 22,
                    identity: None,
                    jump: None,
                    options: Vec::new(),
                },
                path: path.parse().expect("a path"),
                sudo: user != "root",
                ionice: Ionice::Idle,
                rsync_path: "rsync".parse().expect("a program"),
                do_not_run: true,
            }),
            include: vec!["/".parse().expect("a pattern")],
            exclude: Vec::new(),
            bwlimit: None,
            vanished: Vanished::Retry,
            metadata: Metadata::Full,
            stall_timeout: Span::from_secs(600),
            flags: Vec::new(),
        }
    }

    fn of(settings: &[Settings]) -> Result<String, Error> {
        let key = "ssh-ed25519 AAAAC3Nza+/= somebody@somewhere; id".parse().expect("a key");
        let name: Name = "web1".parse().expect("a name");
        let filesets = settings.iter().map(|settings| (&name, settings)).collect();
        script(&Login { asked: "web1", key: &key, filesets })
    }

    #[test]
    fn the_script_is_whole_and_a_shell_has_nothing_to_say_about_it() {
        let stop = Stop::new().expect("a socket pair");
        for (settings, has_rules) in [
            (vec![settings("/", "remotebackup"), settings("/srv/a.b", "remotebackup")], true),
            (vec![settings("/", "root")], false),
        ] {
            let text = of(&settings).expect("a script");
            assert_eq!(text.contains("sudoers.d"), has_rules);
            assert_eq!(text.contains("useradd"), has_rules);
            assert_eq!(text.matches("NOPASSWD").count(), if has_rules { 2 } else { 0 });
            assert!(!text.contains("somebody"), "nothing of a key's comment is a word of the script");
            let left =
                text.split('@').skip(1).step_by(2).find(|word| {
                    !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                });
            assert_eq!(left, None, "{text}");
            let shellcheck = Program::find("shellcheck").expect("shellcheck").args(["-s", "sh", "-"]);
            let checked = shellcheck
                .stdin(Input::Bytes(text.clone().into_bytes()))
                .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
                .expect("it runs");
            assert!(checked.ending.is_clean(), "{}\n{text}", String::from_utf8_lossy(&checked.stdout));
            let start = text.find("<<'END_OF_SERVE'\n").expect("a here-document") + 18;
            let end = text.find("END_OF_SERVE\n    chmod").expect("its end");
            let shellcheck = Program::find("shellcheck").expect("shellcheck").args(["-s", "sh", "-"]);
            let checked = shellcheck
                .stdin(Input::Bytes(text.as_bytes()[start - 1..end].to_vec()))
                .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
                .expect("it runs");
            assert!(checked.ending.is_clean(), "{}", String::from_utf8_lossy(&checked.stdout));
        }
    }

    #[test]
    fn what_no_rule_can_say_gets_no_script() {
        let mut two = [settings("/", "remotebackup"), settings("/srv", "remotebackup")];
        if let Source::Ssh(ssh) = &mut two[1].source {
            ssh.rsync_path = "/opt/rsync".parse().expect("a program");
        }
        assert!(matches!(of(&two), Err(Error::TwoPrograms { .. })));
        assert!(matches!(of(&[settings("/with space", "remotebackup")]), Err(Error::Odd { .. })));
        let mut local = settings("/", "remotebackup");
        local.source = Source::Local("/".parse().expect("a path"));
        assert!(matches!(of(&[local]), Err(Error::NotSsh { .. })));
    }

    #[test]
    fn a_public_key_is_one_line_of_two_words() {
        for bad in
            ["", "ssh-ed25519", "ssh-ed25519 AA'A", "a b\nc d", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"]
        {
            bad.parse::<PublicKey>().expect_err(bad);
        }
        let key: PublicKey = "ssh-ed25519 AAAA== me@here\n".parse().expect("a key");
        assert_eq!(key.0, "ssh-ed25519 AAAA==");
    }

    #[test]
    fn no_manual_has_rules_of_its_own() {
        for text in [include_str!("../../../README.md"), include_str!("../../../man/planb.8")] {
            assert!(text.contains("planb authorize") && !text.contains("NOPASSWD"));
        }
    }
}
