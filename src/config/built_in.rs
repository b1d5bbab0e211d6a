//! What holds where nobody says otherwise, written as an administrator would.

use super::document::Document;
use super::keys::Kind;
use super::reader;
use super::written::Layer;
use std::sync::Arc;

/// For every fileset. `retry` (a 24th of the schedule's period), `schedule` (the finest period of `retain`, else
/// daily), `timezone` (the system's), `storage` (the only one) and `dataset` (the fileset's name) have no constant.
const FILESET: &str = r#"
tags = []
enabled = true
blacklist-hours = "none"
timeout = "24h"

[rsync]
exclude = []
vanished = "retry"
metadata = "full"
stall-timeout = "10m"
flags = []

[zfs]
user = "remotebackup"
port = 22
ssh-options = []
sudo = true
recursive = false
exclude = []
raw = "auto"
compressed = true
large-block = true
bwlimit = "10M"
source-keep = 3

[exec]
extra-paths = []
snapshots = "planb"

[guard]
max-shrink = "50%"
min-free = "5%"
"#;

const SSH: &str = r#"
[rsync]
source = "/"
user = "remotebackup"
port = 22
ssh-options = []
sudo = true
ionice = "idle"
rsync-path = "rsync"
do-not-run = true
bwlimit = "10M"
"#;

/// Who logs in as root needs no sudo.
const SSH_AS_ROOT: &str = r"
[rsync]
sudo = false
";

const ZFS_AS_ROOT: &str = r"
[zfs]
sudo = false
";

const DAEMON: &str = r#"
[rsync]
port = 873
bwlimit = "10M"
"#;

/// No network to spare: no limit.
const LOCAL: &str = r#"
[rsync]
source = "/"
bwlimit = "none"
"#;

/// Our layers, parsed once.
#[derive(Debug)]
pub struct BuiltIn {
    fileset: Layer,
    ssh: Layer,
    ssh_as_root: Layer,
    zfs_as_root: Layer,
    daemon: Layer,
    local: Layer,
}

impl BuiltIn {
    pub fn new() -> Self {
        let read = |text: &str| {
            reader::built_in(&Arc::new(Document { path: "built in".into(), text: text.to_owned() }))
        };
        Self {
            fileset: read(FILESET),
            ssh: read(SSH),
            ssh_as_root: read(SSH_AS_ROOT),
            zfs_as_root: read(ZFS_AS_ROOT),
            daemon: read(DAEMON),
            local: read(LOCAL),
        }
    }

    /// The layers for that kind of source, the most specific first. Two logins may be root's: that of `[rsync]`, and that
    /// of `[zfs]`.
    pub fn layers(&self, kind: Kind, rsync_as_root: bool, zfs_as_root: bool) -> Vec<&Layer> {
        let mut layers = match kind {
            Kind::Ssh if rsync_as_root => vec![&self.ssh_as_root, &self.ssh],
            Kind::Ssh => vec![&self.ssh],
            Kind::Daemon => vec![&self.daemon],
            Kind::Local => vec![&self.local],
        };
        layers.extend(zfs_as_root.then_some(&self.zfs_as_root));
        layers.push(&self.fileset);
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;
    use crate::config::zones::Zones;

    #[test]
    fn what_is_built_in_is_valid() {
        let built_in = BuiltIn::new();
        for kind in [Kind::Ssh, Kind::Daemon, Kind::Local] {
            for layer in built_in.layers(kind, true, true) {
                assert_eq!(layer.faults, [], "{kind:?}");
                for (&(table, name), written) in &layer.values {
                    let key = keys::find(table, name).expect("a known key");
                    assert_eq!(key.check(layer, &written.value, &Zones::default()), [], "{name}");
                    assert!(layer.document.path.starts_with("built in") && key.is_for(kind), "{name}");
                }
            }
        }
    }
}
