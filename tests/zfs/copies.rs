//! A source with a pool, which is this same machine over its own sshd, and what the tests of replication ask of both sides.

use crate::lab::Vm;

/// The fileset: everything below one dataset, and a volume by another name.
pub const FILESET: &str = r#"
schedule = "yearly"
retry = "1h"
[zfs]
host = "localhost"
user = "root"
sudo = false
recursive = true
datasets = ["src/data", "src/vol:disk"]
"#;

/// A gigabyte in a file, a pool in that, and in the pool what an evil or careless administrator could have there.
const SOURCE: &str = r"
set -eu
truncate -s 1G /srv/src.img
zpool create -f -m /src src /srv/src.img
zfs create -o setuid=on -o exec=on -o devices=on -o planb:fileset=other src/data
zfs create -o sharenfs=off -o quota=100M src/data/sub
zfs create -o mountpoint=/srv/elsewhere src/data/sub/deep
zfs create -V 16M src/vol
echo 12345678 >/root/passphrase
zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file:///root/passphrase src/data/secret
head -c 3M /dev/urandom >/src/data/file
head -c 1M /dev/urandom >/src/data/sub/file
echo deep >/srv/elsewhere/file
echo secret >/src/data/secret/file
head -c 2M /dev/urandom >/dev/zvol/src/vol
cp /bin/true /src/data/setuid; chmod 6755 /src/data/setuid
udevadm settle
";

impl Vm {
    /// Makes the source, and the fileset `web1` that is a copy of it.
    pub fn make_source(&self) {
        self.make_pool();
        self.make_source_pool();
        self.drop_in("web1", FILESET);
        self.reload();
    }

    pub fn make_source_pool(&self) {
        self.ok(SOURCE);
    }

    /// Lets a minute pass, which the name of a snapshot is of.
    pub fn minute(&self) {
        self.ok("date -s '+61 seconds'");
    }

    /// A run that must come to a good end; the name of its snapshot.
    #[track_caller]
    pub fn copy(&self, fileset: &str) -> String {
        self.minute();
        self.exits(0, &format!("planb run {fileset}"));
        let run = self.last(fileset);
        assert_eq!(run["result"], "success", "{run}");
        run["snapshot"].as_str().expect("a snapshot").to_owned()
    }

    /// A checksum of all that is in a snapshot: of a file system's names, modes and contents, of a volume's bytes.
    #[track_caller]
    pub fn sum(&self, snapshot: &str) -> String {
        self.ok(&format!("/root/sum {snapshot}"))
    }

    /// The snapshot of the source that a snapshot here came from, by its GUID.
    #[track_caller]
    pub fn original(&self, dataset: &str, copy: &str) -> String {
        let guid = self.zfs("guid", copy);
        self.ok(&format!(
            "zfs list -Hpt snapshot -o guid,name -d 1 {dataset} | awk '$1 == \"{guid}\" {{ print $2 }}'"
        ))
    }

    /// What is here of these datasets is, by this name, what the source had.
    #[track_caller]
    pub fn is_same(&self, name: &str, datasets: &[(&str, &str)]) {
        for (dataset, child) in datasets {
            let copy = format!("tank/BACKUP/web1/{child}@{name}");
            let original = self.original(dataset, &copy);
            assert!(
                !original.is_empty(),
                "{copy} has no original\n{}",
                self.ok("zfs list -t all -o name,guid -r src")
            );
            assert_eq!(self.sum(&copy), self.sum(&original), "{copy} is not {original}");
        }
    }

    /// Puts the program there that makes checksums.
    pub fn make_sums(&self) {
        self.write("/root/sum", include_str!("sum"));
        self.ok("chmod 755 /root/sum");
    }

    /// What the last run said of itself.
    pub fn said(&self) -> String {
        self.ok("journalctl -q -o cat -n 60 -t planb -u 'planb*'")
    }
}
