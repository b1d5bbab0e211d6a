//! Where PlanB's own files are.

use std::path::{Path, PathBuf};

/// Where a transfer unit finds the files of a source that is a path of this machine.
///
/// Not at their own place, where its sandbox has other things: an empty /home instead of the one to back up.
pub const LOCAL_SOURCE: &str = "/run/planb/source";

/// All paths of the contract, with `--root` in front of them where one was given. A storage's path and a source's
/// path never get it: they are the user's, not ours.
#[derive(Debug, Clone)]
pub struct Paths {
    root: Option<PathBuf>,
}

impl Paths {
    /// `root` must be absolute.
    pub fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }

    /// Whether this is a private world under `--root`.
    pub fn is_rooted(&self) -> bool {
        self.root.is_some()
    }

    fn at(&self, path: &str) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => PathBuf::from(path),
        }
    }

    /// The host's settings.
    pub fn settings(&self) -> PathBuf {
        self.at("/etc/planb/planb.toml")
    }

    /// Drop-in directories, the winner first.
    pub fn drop_ins(&self) -> [PathBuf; 3] {
        ["/etc/planb/conf.d", "/run/planb/conf.d", "/usr/lib/planb/conf.d"].map(|d| self.at(d))
    }

    /// Hook directories, the winner first.
    pub fn hooks(&self) -> [PathBuf; 2] {
        ["/etc/planb/post-backup.d", "/usr/lib/planb/post-backup.d"].map(|d| self.at(d))
    }

    /// What outlives a reboot. Also the home of user `planb`.
    pub fn state(&self) -> PathBuf {
        self.at("/var/lib/planb")
    }

    /// The UUID by which programs of the administrator's tell this backup host from others.
    pub fn guid(&self) -> PathBuf {
        self.state().join("guid")
    }

    /// SQLite: every run that ended.
    pub fn history(&self) -> PathBuf {
        self.state().join("history.db")
    }

    /// One `known_hosts` file per source host.
    pub fn known_hosts(&self) -> PathBuf {
        self.state().join(".ssh/known_hosts.d")
    }

    /// The last run of each fileset, `NAME.json`: what hooks read and what survives a broken history.
    pub fn last_runs(&self) -> PathBuf {
        self.state().join("last")
    }

    /// Records of runs that the history did not take, until it does.
    pub fn spool(&self) -> PathBuf {
        self.state().join("spool")
    }

    /// The change of filesets that is under way.
    pub fn change(&self) -> PathBuf {
        self.state().join("change.json")
    }

    /// When the key of each fileset was exported, `NAME.json`.
    pub fn exported_keys(&self) -> PathBuf {
        self.state().join("keys")
    }

    /// systemd's encrypted credentials.
    pub fn credentials(&self) -> PathBuf {
        self.at("/etc/credstore.encrypted")
    }

    /// What systemd encrypts credentials with, beside the machine's TPM.
    pub fn credential_secret(&self) -> PathBuf {
        self.at("/var/lib/systemd/credential.secret")
    }

    /// What a reboot may forget: locks, slots, the live state of running filesets.
    pub fn runtime(&self) -> PathBuf {
        self.at("/run/planb")
    }

    /// Where the transfer unit of a fileset writes: its `RuntimeDirectory=`. Whatever is in it comes from the network side.
    pub fn transfer(&self, fileset: impl AsRef<Path>) -> PathBuf {
        self.at("/run/planb-transfer").join(fileset)
    }

    /// A directory below the runtime directory.
    pub fn runtime_dir(&self, name: impl AsRef<Path>) -> PathBuf {
        self.runtime().join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_goes_in_front_of_everything() {
        let rooted = Paths::new(Some("/tmp/demo".into()));
        assert_eq!(rooted.history(), Path::new("/tmp/demo/var/lib/planb/history.db"));
        assert_eq!(rooted.drop_ins()[1], Path::new("/tmp/demo/run/planb/conf.d"));
        assert_eq!(Paths::new(None).settings(), Path::new("/etc/planb/planb.toml"));
    }
}
