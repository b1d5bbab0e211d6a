//! What ssh and the source's login say when it does not work, in plain words and with what to do.

use super::login::Login;
use super::{Place, known_hosts};

/// The reason, when one of these lines tells it.
///
/// OpenSSH's client has one exit code, 255, for all its troubles; the lines tell them apart. The texts are those of
/// OpenSSH 7 to 10, the shells' of dash, bash, zsh and busybox.
/// `of_command` reads what the command on the source has to say.
pub fn explain<'l>(
    lines: impl Iterator<Item = &'l str>,
    login: &Login,
    place: &Place<'_>,
    of_command: impl FnOnce(&[&str]) -> Option<String>,
) -> Option<String> {
    let lines: Vec<&str> = lines.collect();
    let find = |text: &str| lines.iter().copied().find(|line| line.contains(text));
    let whom = login.host.as_str();
    name_or_network(&lines, whom)
        .or_else(|| host_key(&lines, whom, place))
        .or_else(|| login_refused(&lines, login))
        .or_else(|| of_command(&lines))
        .or_else(|| {
            // After a jump host's troubles, of which it is a consequence.
            let line = find("kex_exchange_identification: ").or_else(|| find("banner exchange: "))?;
            Some(format!(
                "{whom} hung up before the login ({line}): is that an ssh server, and does it let this host in \
                 (MaxStartups, fail2ban)?"
            ))
        })
        .or_else(|| {
            let line = find("Unable to negotiate with")?;
            let what = line.split(": ").skip(1).collect::<Vec<_>>().join(": ");
            Some(format!("{whom} and this host's ssh have nothing in common: {what}: see `ssh-options`"))
        })
        .or_else(|| {
            let line = find("Bad configuration option").or_else(|| find("ad number").filter(of_ssh))?;
            Some(format!("ssh does not understand its configuration: {line}: check `ssh-options`"))
        })
        .or_else(|| {
            find("is your shell clean?")?;
            let user = login.user.as_str();
            Some(format!("the login of {user} on {whom} prints something before the transfer starts: silence its profile"))
        })
        .or_else(|| {
            find("Timeout, server ")?;
            Some(format!("{whom} stopped answering in the middle of the transfer: check it and the network"))
        })
        .or_else(|| {
            let texts = ["closed by remote host", "Connection reset by", "Broken pipe", "Connection closed by"];
            let line = texts.into_iter().find_map(find).filter(|line| !line.starts_with("rsync"))?;
            Some(format!(
                "the connection to {whom} was lost ({line}): check its sshd, and the network; what came so far is \
                 kept for the next run"
            ))
        })
}

fn of_ssh(line: &&str) -> bool {
    line.contains("ssh.conf")
}

fn name_or_network(lines: &[&str], whom: &str) -> Option<String> {
    let found = |text: &str| lines.iter().find_map(|line| line.split_once(text).map(|(_, rest)| rest));
    // "channel 0: open failed: connect failed: Connection refused". Before the rest, which is what follows from it.
    if let Some(why) = found("open failed: ") {
        return Some(format!(
            "the jump host could not connect to {whom} ({why}): check `host` and `port`, and that the jump host's \
             sshd allows forwarding"
        ));
    }
    for line in lines {
        // "ssh: Could not resolve hostname web1: Name or service not known"
        if let Some((_, rest)) = line.split_once("Could not resolve hostname ") {
            let (name, why) = rest.split_once(": ").unwrap_or((rest, "unknown"));
            return Some(format!(
                "the name {name} cannot be resolved ({why}): check its spelling and the DNS"
            ));
        }
        // "ssh: connect to host web1 port 22: Connection refused"
        if let Some((_, rest)) = line.split_once("connect to host ") {
            let (address, why) = rest.split_once(": ").unwrap_or((rest, "unknown"));
            let advice = match why.trim() {
                "Connection refused" => "is sshd running there, and is it the right port?",
                _ => "check that it is up, and the network and firewalls between",
            };
            return Some(format!("{address} cannot be reached ({}): {advice}", why.trim()));
        }
    }
    None
}

fn host_key(lines: &[&str], whom: &str, place: &Place<'_>) -> Option<String> {
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    if !has("Host key verification failed") {
        return None;
    }
    // "Offending ED25519 key in /var/lib/planb/.ssh/known_hosts.d/web1:1"
    let offending = lines.iter().find_map(|line| {
        line.strip_prefix("Offending ")
            .or_else(|| line.trim_start().strip_prefix("Offending "))
            .and_then(|rest| rest.split_once(" in "))
    });
    let file = match offending {
        Some((_, at)) => at.trim().to_owned(),
        None => place.known_hosts.join(whom).display().to_string(),
    };
    let changed = "make sure at the host itself that this is right (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), \
                   then remove the old key";
    Some(if has("IDENTIFICATION HAS CHANGED") {
        format!("the host key has CHANGED, which can mean that somebody is in between: {changed} from {file}")
    } else if has("you have requested strict checking") {
        format!(
            "no key is known under the name or of the type that ssh asks for now, although one is known for this \
             host: {changed} from {file} (or {})",
            known_hosts::SYSTEM
        )
    } else {
        format!("the host's key was not accepted: see the journal, and {file}")
    })
}

fn login_refused(lines: &[&str], login: &Login) -> Option<String> {
    let (user, host) = (login.user.as_str(), login.host.as_str());
    for line in lines {
        if line.contains("UNPROTECTED PRIVATE KEY FILE") {
            return Some("others can read the private key: chmod 600 it".to_owned());
        }
        // "Load key "/etc/planb/id": error in libcrypto", "no such identity: /x: No such file or directory"
        if line.starts_with("Load key ") || line.starts_with("no such identity: ") {
            return Some(format!(
                "the identity file cannot be used ({line}): check `identity` and who may read it"
            ));
        }
        if line.contains("Too many authentication failures") {
            return Some(format!(
                "{host} gave up after too many wrong keys: name the right one as `identity`"
            ));
        }
        // "remotebackup@web1: Permission denied (publickey,password)."
        if let Some((who, rest)) = line.split_once(": Permission denied (")
            && let Some((name, at)) = who.split_once('@')
            && !who.contains(['"', ' '])
            && rest.trim_end().ends_with(").")
        {
            let key = match &login.identity {
                Some(identity) => format!("{}.pub", identity.display()),
                None => "PlanB's public key (~/.ssh/id_*.pub of the user it runs as)".to_owned(),
            };
            return Some(format!(
                "{at} does not let {name} in: planb authorize {host} prints what sets it up; or add {key} to \
                 ~{name}/.ssh/authorized_keys there"
            ));
        }
        if line.contains("This account is currently not available") {
            return Some(format!("{user} has no login shell on {host}: give it one, or use another `user`"));
        }
    }
    None
}
