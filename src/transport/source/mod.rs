//! How a source lets us in: the script that sets it up. What it allows is what the filesets need, to the letter.
//!
//! Three locks, one behind the other, each of which holds alone: sshd gives the key no terminal, no forwarding and no command
//! but ours (`restrict`, `command=`); that command lets nothing pass but rsync's sending side and zfs, with known arguments;
//! sudo and zfs's permissions let nothing else be done either. The patterns of the last two are one (`admission` of each
//! transport).

mod needs;
pub mod proof;

use super::Transport;
use super::rsync::admission::Odd;
use super::rsync::remote;
use super::ssh::login;
use super::zfs::command::ZFS;
use crate::fileset::invalid::Invalid;
use crate::fileset::name::Name;
use needs::Needs;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::str::FromStr;

const SERVE: &str = include_str!("serve.sh");
const INSTALL: &str = include_str!("install.sh");
const USERADD: &str = include_str!("useradd.sh");
const SUDO: &str = include_str!("sudo.sh");
const RESUMED: &str = include_str!("resumed.sh");

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
pub struct Alike<'a> {
    /// What the administrator asked for.
    pub asked: &'a str,
    pub key: &'a PublicKey,
    /// Never empty; all with the same host and user.
    pub filesets: Vec<(&'a Name, &'a Transport)>,
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
pub fn script(of: &Alike<'_>) -> Result<String, Error> {
    let mut needs = Needs::default();
    let mut first: Option<&login::Login> = None;
    for &(name, transport) in &of.filesets {
        needs.add(name, transport)?;
        first = first.or(transport.login());
    }
    let Some(login) = first else { return Ok(String::new()) };
    let user = login.user.as_str();
    let program = format!("/usr/local/lib/planb/serve-{user}");
    let sudoers = format!("/etc/sudoers.d/planb-{user}");
    let joined = |patterns: &BTreeSet<String>| patterns.iter().cloned().collect::<Vec<_>>().join("|");
    let tokens = if needs.resumed.is_empty() {
        String::new()
    } else {
        RESUMED.replace("@ZFS@", ZFS).replace("@RESUMED@", &joined(&needs.resumed))
    };
    let serve = SERVE
        .replace("@TOKENS@\n", &tokens)
        .replace("@ALLOWED@", &joined(&needs.commands))
        .replace("@NOT_NOW@", remote::not_now().trim_end());
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
    let sudo = match needs.rules(user) {
        None => String::new(),
        Some(rules) => {
            let mut may = Vec::new();
            let mut programs = "";
            if !needs.rsync_rules.is_empty() {
                may.push("rsync's sending side");
                programs = "    rsync=$(command -v @RSYNC@)\n";
            }
            if !needs.zfs_rules.is_empty() {
                may.push("zfs destroy of PlanB's own snapshots");
            }
            line(&format!("{sudoers}, with {} and nothing else", may.join(", ")));
            SUDO.replace("@PROGRAMS@\n", programs).replace("@RULES@", &rules).replace("@SUDOERS@", &sudoers)
        }
    };
    let (mut grants, mut undo) = (String::new(), String::new());
    if !needs.grants.is_empty() {
        line(&format!("permissions of zfs's (zfs-allow(8)) for {user}, on the datasets that are backed up"));
        undo = format!(" zfs unallow -u {user} DATASET takes the permissions back.");
        grants.push_str(if needs.grants.iter().any(|grant| grant.contains("destroy")) {
            "\n    # zfs cannot tell the right to destroy a snapshot from that to destroy all. With sudo = true it need not.\n"
        } else {
            "\n    # Nothing that loses anything: what may be destroyed is sudo's matter.\n"
        });
        for grant in &needs.grants {
            let _ = writeln!(grants, "    {ZFS} allow {grant}");
        }
    }
    let mut wanted = String::new();
    for program in &needs.programs {
        let _ =
            writeln!(wanted, "    command -v {program} >/dev/null || fail \"{program} is not installed\"");
    }
    let names: Vec<&str> = of.filesets.iter().map(|(name, _)| name.as_str()).collect();
    let useradd = if is_root { "" } else { USERADD };
    let rsync = needs.rsync.map_or("rsync", |(_, program)| program.as_str());
    let text = INSTALL
        .replace("@WHAT@\n", &what)
        .replace("@UNDO@", &undo)
        .replace("@NEEDS@\n", &wanted)
        .replace("@USERADD@\n", useradd)
        .replace("@SUDO@\n", &sudo)
        .replace("@GRANTS@\n", &grants)
        .replace("@SERVE@", &serve)
        .replace("@PROGRAM@", &program)
        .replace("@KEY@", &of.key.0)
        .replace("@COMMENT@", "planb")
        .replace("@FILESETS@", &names.join(", "))
        .replace("@NAME@", of.asked)
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@RSYNC@", rsync)
        .replace("@USER@", user);
    Ok(text.replace("@HOST@", login.host.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::rsync::settings::{Ionice, Metadata, Settings, Source, Ssh, Vanished};
    use super::super::zfs;
    use super::*;
    use crate::fileset::quantity::Span;
    use crate::host::process::{Ending, Input, Limits, Program};
    use crate::host::signals::Stop;

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
        let transports: Vec<Transport> = settings.iter().cloned().map(Transport::Rsync).collect();
        let filesets = transports.iter().map(|transport| (&name, transport)).collect();
        script(&Alike { asked: "web1", key: &key, filesets })
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

    fn zfs_settings(user: &str) -> zfs::settings::Settings {
        let mut settings = zfs::settings::tests::settings(&["rpool/data", "rpool/vm/a.b"], &[], true);
        settings.login.host = "web1.example".parse().expect("a host");
        settings.login.user = user.parse().expect("a user");
        settings.sudo = user != "root";
        settings
    }

    #[test]
    fn datasets_and_files_of_one_login_have_one_script() {
        let stop = Stop::new().expect("a socket pair");
        let (web, vms): (Name, Name) = ("web1".parse().expect("a name"), "vms".parse().expect("a name"));
        let key = "ssh-ed25519 AAAA".parse().expect("a key");
        for user in ["remotebackup", "root"] {
            let files = Transport::Rsync(settings("/srv", user));
            let datasets = Transport::Zfs(zfs_settings(user));
            let filesets = vec![(&web, &files), (&vms, &datasets)];
            let text = script(&Alike { asked: "web1.example", key: &key, filesets }).expect("a script");
            let is_root = user == "root";
            assert_eq!(text.matches("NOPASSWD").count(), if is_root { 0 } else { 2 }, "{text}");
            assert_eq!(text.matches("/sbin/zfs allow -u").count(), if is_root { 0 } else { 2 });
            assert!(
                text.contains("--server --sender") && text.contains("toname") && !text.contains(",destroy")
            );
            let left = text.split('@').skip(1).step_by(2);
            let left = left
                .filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
            assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{text}");
            for part in [text.as_str(), served(&text)] {
                let shellcheck = Program::find("shellcheck").expect("shellcheck").args(["-s", "sh", "-"]);
                let checked = shellcheck
                    .stdin(Input::Bytes(part.as_bytes().to_vec()))
                    .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
                    .expect("it runs");
                assert!(checked.ending.is_clean(), "{}\n{part}", String::from_utf8_lossy(&checked.stdout));
            }
        }
        let mut alone = zfs_settings("remotebackup");
        alone.sudo = false;
        let alone = Transport::Zfs(alone);
        let text =
            script(&Alike { asked: "vms", key: &key, filesets: vec![(&vms, &alone)] }).expect("a script");
        assert!(text.contains(",destroy,mount rpool/data") && !text.contains("sudoers.d"), "{text}");
    }

    #[test]
    fn every_command_of_a_row_is_allowed_or_none_is_run() {
        let stop = Stop::new().expect("a socket pair");
        let (name, key): (Name, _) =
            ("vms".parse().expect("a name"), "ssh-ed25519 AAAA".parse().expect("a key"));
        let datasets = Transport::Zfs(zfs_settings("remotebackup"));
        let text =
            script(&Alike { asked: "vms", key: &key, filesets: vec![(&name, &datasets)] }).expect("a script");
        // zfs says which words it got.
        let served = served(&text).replace("/sbin/zfs", "echo");
        let asked = |command: &str| {
            let sh = Program::find("sh").expect("sh").args(["-c", &served]);
            let said = sh
                .env("SSH_ORIGINAL_COMMAND", command.replace("/sbin/zfs", "echo"))
                .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
                .expect("it runs");
            (said.ending, String::from_utf8(said.stdout).expect("text"))
        };
        let mark = "planb-20260102T030405Z-0000000000000007";
        let one = format!("/sbin/zfs hold planb-0000000000000007 rpool/data@{mark}");
        let other = format!("/sbin/zfs bookmark rpool/data@{mark} rpool/data#{mark}");
        let said = |command: &str| format!("{}\n", command.trim_start_matches("/sbin/zfs "));
        assert_eq!(asked(&one), (Ending::Exited(0), said(&one)));
        assert_eq!(asked(&format!("{one} ; {other}")), (Ending::Exited(0), said(&one) + &said(&other)));
        for bad in [
            "",
            " ",
            ";",
            "id",
            &format!("{one} ; id"),
            &format!("id ; {one}"),
            &format!("{one};id"),
            &format!("{one} ; ; {other}"),
            &format!("{one} & id"),
            &format!("{one} | id"),
            &format!("{one}\nid"),
            &format!("{one} $(id)"),
            &format!("{one} ; /sbin/zfs send -vP -t 1-0"),
            &format!("{one} *"),
        ] {
            assert_eq!(asked(bad), (Ending::Exited(126), String::new()), "{bad:?}");
        }
    }

    /// The forced command.
    fn served(script: &str) -> &str {
        let (_, from) = script.split_once("<<'END_OF_SERVE'\n").expect("a here-document");
        from.split_once("END_OF_SERVE\n").expect("its end").0
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
