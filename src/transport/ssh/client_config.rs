//! The text of ssh's configuration for one connection (man 5 `ssh_config`).

use super::known_hosts::{self, Known};
use super::login::Login;
use super::words::SshOption;
use super::{Error, Place};
use crate::fileset::name::Name;
use crate::host::process::Limits;
use std::fmt::Write;
use std::path::Path;

/// One connection: to the source, or to the jump host before it.
#[derive(Debug)]
pub struct Hop<'a> {
    pub host: &'a str,
    pub user: Option<&'a str>,
    pub port: Option<u16>,
    pub identity: Option<&'a Path>,
    pub options: &'a [SshOption],
    /// The jump host, and the configuration to reach it with.
    pub through: Option<(&'a Path, &'a str)>,
}

/// Keys that ssh looks for by itself, in the order it tries them.
pub const IDENTITIES: [&str; 4] = ["id_rsa", "id_ecdsa", "id_ed25519", "id_ed25519_sk"];

impl<'a> Hop<'a> {
    pub fn source(login: &'a Login) -> Self {
        Self {
            host: login.host.as_str(),
            user: Some(login.user.as_str()),
            port: Some(login.port),
            identity: login.identity.as_deref(),
            options: &login.options,
            through: None,
        }
    }
}

/// Of each keyword the first value wins. Hence the order: what PlanB relies on, what the fileset asks for, what is good
/// unless asked otherwise, and last what the administrator has for everything.
pub fn text(name: &Name, hop: &Hop<'_>, place: Place<'_>, limits: Limits<'_>) -> Result<String, Error> {
    let host = hop.host;
    let Known { file, is_new } = known_hosts::look_up(host, hop.port.unwrap_or(22), place, limits)?;
    let known = quoted(&file)?;
    let system = known_hosts::SYSTEM;
    let strict = if is_new {
        "# No key of this host is known: the one it shows now is kept, and from then on only that one is good.\n    \
         StrictHostKeyChecking accept-new"
    } else {
        "# Its key is known. When it changed for a good reason, remove the old one from that file.\n    \
         StrictHostKeyChecking yes"
    };

    let mut login = String::new();
    if let Some(user) = hop.user {
        line(&mut login, "User", user);
    }
    if let Some(port) = hop.port {
        line(&mut login, "Port", &port.to_string());
    }
    if let Some(identity) = hop.identity {
        line(&mut login, "IdentityFile", &quoted(identity)?);
        line(&mut login, "IdentitiesOnly", "yes");
    } else {
        // ssh takes the home directory from the user database; ours may be another (--root).
        for file in IDENTITIES.map(|name| place.home.join(".ssh").join(name)) {
            if file.exists() {
                line(&mut login, "IdentityFile", &quoted(&file)?);
            }
        }
    }
    if let Some((config, jump)) = hop.through {
        line(&mut login, "ProxyCommand", &proxy_command(config, jump)?);
    }
    for option in hop.options {
        if let Some((keyword, value)) = option.as_str().split_once('=') {
            line(&mut login, keyword, value);
        }
    }

    let mut includes = String::new();
    for file in [place.home.join(".ssh/config"), "/etc/ssh/ssh_config".into()] {
        if file.exists() {
            line(&mut includes, "Include", &pattern(&file)?);
        }
    }
    Ok(format!(
        "\
# How PlanB reaches {host} for the fileset {name}. Written anew for each run, gone after it.
# To see what a run sees: ssh -F THIS-FILE {host}
# Of each keyword the first value wins (ssh_config(5)).

Host {host}
    # Nobody is there to answer, and the connection carries one run's data and nothing else.
    BatchMode yes
    ClearAllForwardings yes
    ControlMaster no
    ControlPath none
    EscapeChar none
    ForkAfterAuthentication no
    ForwardAgent no
    ForwardX11 no
    PermitLocalCommand no
    RemoteCommand none
    RequestTTY no
    SessionType default
    StdinNull no
    Tunnel no

    # Which key the host must have.
    UserKnownHostsFile {known}
    GlobalKnownHostsFile {system}
    {strict}
    CheckHostIP no
    HashKnownHosts no
    NoHostAuthenticationForLocalhost no
    UpdateHostKeys no
    VerifyHostKeyDNS no

    # The fileset's own.
{login}
    # Good for most; `ssh-options` can say otherwise.
    ConnectTimeout 30
    ServerAliveInterval 15
    ServerAliveCountMax 4

# The administrator's, for all that is still open.
Match all
{includes}"
    ))
}

fn line(text: &mut String, keyword: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    {keyword} {value}");
}

/// What `ProxyJump` would run, written out because it would pass on the path of our configuration unquoted: ssh always
/// starts a proxy through a shell, with `exec` before it. The host was checked when it was read, the path is quoted.
fn proxy_command(config: &Path, jump: &str) -> Result<String, Error> {
    let config = plain(config)?.replace('%', "%%").replace('\'', r"'\''");
    Ok(format!("ssh -F '{config}' -W '[%h]:%p' {jump}"))
}

/// A path as one literal word: `%` begins a token in it.
fn quoted(path: &Path) -> Result<String, Error> {
    Ok(format!("\"{}\"", plain(path)?.replace('%', "%%")))
}

/// A path for `Include`, which takes patterns and no tokens.
fn pattern(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    for c in plain(path)?.chars() {
        if matches!(c, '*' | '?' | '[') {
            text.push('\\');
        }
        text.push(c);
    }
    Ok(format!("\"{text}\""))
}

/// A path that needs nothing but quotes. What ssh has no way to quote is refused.
fn plain(path: &Path) -> Result<&str, Error> {
    path.to_str()
        .filter(|text| {
            !text.contains(['"', '\\']) && !text.contains("${") && !text.contains(char::is_control)
        })
        .ok_or_else(|| Error::Path { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process::Program;
    use crate::host::signals::Stop;
    use std::fs;

    /// What ssh makes of a configuration: `ssh -G -F FILE HOST`, one `keyword value` a line.
    fn understood(text: &str, dir: &Path, host: &str) -> Vec<String> {
        let file = dir.join("ssh.conf");
        fs::write(&file, text).expect("written");
        let stop = Stop::new().expect("a socket pair");
        let ssh = Program::find("ssh").expect("ssh").arg("-G").arg("-F").arg(&file).arg(host);
        let done = ssh.capture(Limits { stop: &stop, deadline: None }, 1 << 20).expect("it runs");
        assert!(done.ending.is_clean(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("utf-8").lines().map(str::to_owned).collect()
    }

    #[test]
    fn ssh_understands_it_and_nobody_can_undo_what_we_rely_on() {
        let world = tempfile::Builder::new().prefix("100% it's [a] ").tempdir().expect("a directory");
        let (dir, home) = (world.path(), world.path().join("home"));
        fs::create_dir_all(home.join(".ssh")).expect("created");
        let theirs = "ForwardAgent yes\nStrictHostKeyChecking no\nRemoteCommand id\nControlMaster auto\n\
                      RequestTTY force\nUserKnownHostsFile /dev/null\nHostName 192.0.2.7\nCompression yes\n";
        fs::write(home.join(".ssh/config"), theirs).expect("written");
        let options = ["ForwardX11=yes", "ConnectTimeout=5", "Ciphers=aes256-ctr"]
            .map(|o| o.parse().expect("an option"));
        let (identity, jump) = (dir.join("id"), dir.join("jump.conf"));
        let hop = Hop {
            host: "web1",
            user: Some("me"),
            port: Some(2222),
            identity: Some(&identity),
            options: &options,
            through: Some((&jump, "bastion")),
        };
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        let known_hosts = dir.join("known_hosts.d");
        let place = Place { known_hosts: &known_hosts, home: &home };
        let text = text(&"web1".parse().expect("a name"), &hop, place, limits).expect("a text");
        let understood = understood(&text, dir, "web1");
        for line in [
            "user me",
            "port 2222",
            "hostname 192.0.2.7",
            "batchmode yes",
            "clearallforwardings yes",
            "forwardagent no",
            "forwardx11 no",
            "controlmaster false",
            "requesttty false",
            "stricthostkeychecking accept-new",
            "connecttimeout 5",
            "serveraliveinterval 15",
            "compression yes",
            "ciphers aes256-ctr",
            "identitiesonly yes",
        ] {
            assert!(understood.iter().any(|l| l == line), "{line}: {understood:#?}");
        }
        assert!(!understood.iter().any(|l| l.starts_with("remotecommand")), "{understood:#?}");
        let path = |path: &Path| path.display().to_string();
        let value = |keyword: &str| {
            understood.iter().find_map(|l| l.strip_prefix(keyword)).expect(keyword).to_owned()
        };
        // ssh -G prints tokens as they were written.
        assert_eq!(value("userknownhostsfile ").replace("%%", "%"), path(&known_hosts.join("web1")));
        assert_eq!(value("identityfile ").replace("%%", "%"), path(&identity));
        assert_eq!(
            value("proxycommand ").replace("%%", "%"),
            format!("ssh -F '{}' -W '[%h]:%p' bastion", path(&jump).replace('\'', "'\\''"))
        );
    }

    #[test]
    fn what_ssh_cannot_quote_is_refused() {
        for bad in ["/a\"b", "/a\nb", "/a\\b", "/${HOME}"] {
            assert!(matches!(quoted(Path::new(bad)), Err(Error::Path { .. })), "{bad:?}");
        }
    }
}
