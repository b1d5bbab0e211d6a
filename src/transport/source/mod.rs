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
use super::zfs::admission::TAGGED;
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
const KEPT: &str = include_str!("kept.sh");
const TAGGED_NOW: &str = include_str!("tagged.sh");

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
    let joined_by = |words: &BTreeSet<String>, by: &str| words.iter().cloned().collect::<Vec<_>>().join(by);
    let joined = |patterns: &BTreeSet<String>| joined_by(patterns, "|");
    let tokens = if needs.resumed.is_empty() {
        String::new()
    } else {
        RESUMED.replace("@ZFS@", ZFS).replace("@RESUMED@", &joined(&needs.resumed))
    };
    let asked = joined_by(&needs.asked, "; ");
    let tagged = if asked.is_empty() { String::new() } else { TAGGED_NOW.replace("@ASKED@", &asked) };
    let serve = SERVE
        .replace("@TAGGED_NOW@\n", &tagged)
        .replace("@TOKENS@\n", &tokens)
        .replace("@ALLOWED@", &joined(&needs.commands))
        .replace("@NOT_NOW@", remote::not_now().trim_end())
        .replace(TAGGED, "'\"$tagged\"'");
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
    let all_grants = || needs.grants.iter().chain(&needs.grants_on_kept);
    if all_grants().next().is_some() {
        line(&format!("permissions of zfs's (zfs-allow(8)) for {user}, on the datasets that are backed up"));
        undo = format!(" zfs unallow -u {user} DATASET takes the permissions back.");
        grants.push_str(if all_grants().any(|grant| grant.contains("destroy")) {
            "\n    # zfs cannot tell the right to destroy a snapshot from that to destroy all. With sudo = true it need not.\n"
        } else {
            "\n    # Nothing that loses anything: what may be destroyed is sudo's matter.\n"
        });
        for grant in &needs.grants {
            let _ = writeln!(grants, "    {ZFS} allow {grant}");
        }
        for grant in &needs.grants_on_kept {
            let _ = writeln!(grants, "    for parent in $parents; do {ZFS} allow {grant} \"$parent\"; done");
        }
    }
    let kept = if needs.asked.is_empty() {
        String::new()
    } else {
        // sudo's rule is all that needs it as a pattern.
        let pattern =
            "    kept=$(echo \"$parents\" | sed 's,[.],[.],g; s,$,/[A-Za-z0-9_.:-]+,' | paste -sd '|' -)\n";
        let kept = KEPT.replace("@ASKED@", &asked).replace("@ZFS@", ZFS);
        kept.replace("@KEPT@\n", if needs.zfs_rules.is_empty() { "" } else { pattern })
    };
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
        .replace("@KEPT@\n", &kept)
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
mod tests;
