//! A pool to keep backups in, and what is asked of it.

use crate::lab::Vm;

/// On the machine's second disk, which a new boot imports again. Its partitions are there when udev has seen them: on a busy
/// computer zpool does not wait for long enough, and finds them the second time.
const MAKE: &str = "make() { zpool create \"$@\" -m /tank tank /dev/disk/by-id/virtio-zpool; }
make || { udevadm settle && make -f; }";

const SETTINGS: &str = r#"
[storage.tank]
type = "zfs"
parent = "tank/BACKUP"
[defaults.rsync]
bwlimit = "none"
"#;

impl Vm {
    /// Makes a pool, and a storage on it.
    pub fn make_pool(&self) {
        self.ok(MAKE);
        self.write("/etc/planb/planb.toml", SETTINGS);
    }

    /// A property of a file system or snapshot.
    #[track_caller]
    pub fn zfs(&self, property: &str, name: &str) -> String {
        self.ok(&format!("zfs get -Hpo value {property} {name}"))
    }

    /// Runs a fileset that must not succeed, and gives the error that was recorded.
    #[track_caller]
    pub fn refused(&self, fileset: &str) -> String {
        self.exits(1, &format!("planb run {fileset}"));
        let run = self.last(fileset);
        assert!(run["result"] == "failure" && run["snapshot"].is_null(), "{run}");
        run["error"].as_str().expect("a reason").to_owned()
    }

    /// What PlanB asks of zfs from now on is written to /tmp/calls, a line for each call.
    pub fn count_calls(&self) {
        self.put_before("zfs", "echo \"$*\" >>/tmp/calls; exec $real \"$@\"");
        self.ok("rm -f /tmp/calls");
    }

    /// Who looks for a program finds these lines of sh, until `put_away`; `$real` in them is the program.
    pub fn put_before(&self, program: &str, script: &str) {
        let real = self.ok(&format!("PATH=/usr/sbin:/usr/bin command -v {program}"));
        self.write(&format!("/usr/local/sbin/{program}"), &format!("#!/bin/sh\nreal={real}\n{script}\n"));
        self.ok(&format!("chmod 755 /usr/local/sbin/{program}"));
    }

    pub fn put_away(&self, program: &str) {
        self.ok(&format!("rm /usr/local/sbin/{program}"));
    }

    /// The calls since the last look that begin with this word.
    #[track_caller]
    pub fn calls(&self, verb: &str) -> Vec<String> {
        let all = self.ok("cat /tmp/calls; rm -f /tmp/calls");
        all.lines().filter(|call| call.starts_with(verb)).map(str::to_owned).collect()
    }
}
