//! The words of an ssh login. Each is checked once, so that none can become an option, a command or a second argument on
//! its way to ssh or a shell.

use crate::fileset::invalid::Invalid;
use crate::fileset::word::word;

word!(
    /// A source's host: a DNS name, an address, or an alias from ssh's configuration. IPv6 addresses without brackets.
    Host,
    host
);
word!(
    /// A login name on the source.
    User,
    user
);
word!(
    /// `[user@]host[:port]` of a jump host.
    Jump,
    jump
);
word!(
    /// `Keyword=value` for ssh.
    SshOption,
    ssh_option
);
/// Finds the first character that is not allowed.
pub(in crate::transport) fn only(
    text: &str,
    what: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), Invalid> {
    match text.char_indices().find(|&(_, c)| !allowed(c)) {
        Some((at, wrong)) => {
            Err(Invalid::at(at..at + wrong.len_utf8(), format!("{wrong:?} cannot be in a {what}")))
        }
        None if text.is_empty() => Err(Invalid::new(format!("a {what} cannot be empty"))),
        None => Ok(()),
    }
}

pub(in crate::transport) fn no_dash(text: &str, what: &str) -> Result<(), Invalid> {
    if text.starts_with('-') {
        return Err(Invalid::at(0..1, format!("a {what} cannot begin with '-'")));
    }
    Ok(())
}

pub(in crate::transport) fn no_control(text: &str, what: &str) -> Result<(), Invalid> {
    only(text, what, |c| !c.is_control())
}

pub(in crate::transport) fn no_parent(text: &str, what: &str) -> Result<(), Invalid> {
    let mut at = 0;
    for part in text.split('/') {
        if part == ".." {
            return Err(Invalid::at(at..at + 2, format!("\"..\" cannot be in a {what}")));
        }
        at += part.len() + 1;
    }
    Ok(())
}

fn host(text: &str) -> Result<(), Invalid> {
    no_dash(text, "host")?;
    if let Some(at) = text.find('@') {
        return Err(Invalid::at(at..at + 1, "'@' cannot be in a host: write the login name as `user`"));
    }
    if text.contains(':') && text.parse::<std::net::Ipv6Addr>().is_err() {
        let at = text.find(':').unwrap_or(0);
        return Err(Invalid::at(
            at..text.len(),
            "a host has no ':': write the port as `port`, the path as `source`",
        ));
    }
    only(text, "host", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))?;
    if matches!(text, "." | "..") || text.len() > 253 {
        return Err(Invalid::new(format!("{text:?} is not a host")));
    }
    Ok(())
}

fn user(text: &str) -> Result<(), Invalid> {
    no_dash(text, "user")?;
    only(text, "user", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn jump(text: &str) -> Result<(), Invalid> {
    let rest = match text.split_once('@') {
        Some((name, rest)) => {
            user(name)?;
            rest
        }
        None => text,
    };
    let start = text.len() - rest.len();
    let (name, port) = rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port)));
    host(name).map_err(|e| Invalid { at: e.at.map(|at| at.start + start..at.end + start), ..e })?;
    match port {
        Some(port) if port.parse::<u16>().is_ok_and(|p| p > 0) => Ok(()),
        Some(port) => Err(Invalid::at(
            text.len() - port.len()..text.len(),
            format!("{port:?} is not a port: 1 to 65535"),
        )),
        None => Ok(()),
    }
}

/// Options of ssh that PlanB sets itself or that would run a command on this host.
const RESERVED_SSH: [(&str, &str); 22] = [
    ("batchmode", "nobody is there to answer"),
    ("canonicalizehostname", "the host's name is what its known_hosts file is called"),
    ("controlmaster", "a connection belongs to one run"),
    ("controlpath", "a connection belongs to one run"),
    ("controlpersist", "a connection belongs to one run"),
    ("escapechar", "the connection carries data"),
    ("forkafterauthentication", "the connection belongs to the run"),
    ("globalknownhostsfile", "the host's key is kept in known_hosts.d/HOST"),
    ("host", "it would begin another section"),
    ("hostkeyalias", "the host's key is kept in known_hosts.d/HOST"),
    ("identityfile", "write it as `identity`"),
    ("include", "it would read another file"),
    ("knownhostscommand", "it would run a command on this host"),
    ("localcommand", "it would run a command on this host"),
    ("match", "it would begin another section"),
    ("permitlocalcommand", "it would run a command on this host"),
    ("port", "write it as `port`"),
    ("proxycommand", "it would run a command on this host: use `jump`"),
    ("proxyjump", "write it as `jump`"),
    ("stricthostkeychecking", "an unknown key is accepted once, a changed one never"),
    ("user", "write it as `user`"),
    ("userknownhostsfile", "the host's key is kept in known_hosts.d/HOST"),
];

fn ssh_option(text: &str) -> Result<(), Invalid> {
    no_control(text, "ssh option")?;
    let Some((keyword, value)) = text.split_once('=') else {
        return Err(Invalid::new(format!("{text:?} is not an ssh option: write \"Keyword=value\"")));
    };
    only(keyword, "ssh option's keyword", |c| c.is_ascii_alphanumeric())?;
    if value.trim().is_empty() {
        return Err(Invalid::new(format!("{keyword} has no value: write \"{keyword}=value\"")));
    }
    if let Some(at) = value.find(['"', '\\']) {
        let at = at + keyword.len() + 1;
        return Err(Invalid::at(at..at + 1, "quotes and backslashes cannot be in an ssh option"));
    }
    let lower = keyword.to_ascii_lowercase();
    match RESERVED_SSH.iter().find(|(reserved, _)| *reserved == lower) {
        Some((_, why)) => Err(Invalid::at(0..keyword.len(), format!("{keyword} cannot be set here: {why}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn refuses<T: FromStr<Err = Invalid> + std::fmt::Debug>(words: &[&str]) {
        for word in words {
            word.parse::<T>().expect_err(word);
        }
    }

    fn takes<T: FromStr<Err = Invalid>>(words: &[&str]) {
        for word in words {
            assert_eq!(word.parse::<T>().err(), None, "{word:?}");
        }
    }

    #[test]
    fn no_word_becomes_an_option_or_a_command() {
        refuses::<Host>(&[
            "",
            "-oProxyCommand=id",
            "a b",
            "a;id",
            "$(id)",
            "root@web1",
            "web1:22",
            "a/b",
            "..",
            "a\nb",
        ]);
        takes::<Host>(&["web1", "web1.acme.example", "192.0.2.1", "2001:db8::1", "fe80::1", "WEB_1"]);
        refuses::<User>(&["", "-l", "a b", "a@b", "a;b"]);
        refuses::<Jump>(&["", "-x", "a@-b", "a@b:0", "a@b:99999", "b:22:33", "a@b c", "%h"]);
        takes::<Jump>(&["bastion", "me@bastion", "me@bastion:2222"]);
    }

    #[test]
    fn reserved_options_say_why() {
        refuses::<SshOption>(&[
            "ProxyCommand=id",
            "proxycommand=id",
            "StrictHostKeyChecking=no",
            "Ciphers",
            "Ciphers=",
            "A B=c",
            "Ciphers=a\"b",
            "Ciphers=a\nProxyCommand=id",
        ]);
        takes::<SshOption>(&["Ciphers=aes128-gcm@openssh.com", "Compression=yes", "HostName=192.0.2.1"]);
    }
}
