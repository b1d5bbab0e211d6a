//! A second backup host, which takes copies of what the first one keeps: both are this machine, in two pools.

use crate::copies::FILESET;
use crate::lab::{Vm, on_each_release};
use crate::planb::SOURCE;

const SETTINGS: &str = r#"
[storage.tank]
type = "zfs"
parent = "tank/BACKUP"
[storage.second]
type = "zfs"
parent = "copies/of.first"
[storage.files]
type = "directory"
path = "/srv/backups"
[defaults]
storage = "tank"
schedule = "yearly"
retry = "1h"
[defaults.rsync]
bwlimit = "none"
"#;

const SECOND: &str = r#"
storage = "second"
[zfs]
host = "localhost"
datasets-from = "tag:offsite"
"#;

const LOGIN: &str = "-o StrictHostKeyChecking=no -o BatchMode=yes -i /var/lib/planb/.ssh/id_ed25519";

/// Where the copies are.
const COPIES: &str = "copies/of.first/second";

impl Vm {
    /// A fileset of the first host.
    fn first(&self, name: &str, head: &str) {
        self.drop_in(name, &format!("{head}{SOURCE}"));
    }

    /// As a run that failed half way leaves it.
    fn half_way(&self, dataset: &str) {
        self.ok(&format!(
            "mount -t zfs -o zfsutil tank/BACKUP/{dataset} /mnt; echo half >/mnt/data/half; umount /mnt"
        ));
    }

    /// The snapshot of this copy is what the first host has as that.
    #[track_caller]
    fn is_copy(&self, name: &str, child: &str, of: &str) {
        let copy = format!("{COPIES}/{child}@{name}");
        let original = format!("tank/BACKUP/{child}@{of}");
        assert_eq!(self.sum(&copy), self.sum(&original), "{copy} is not {original}");
    }

    fn children(&self) -> String {
        self.ok(&format!("zfs list -Hro name -t filesystem,volume {COPIES} | sed 1d"))
            .replace(&format!("{COPIES}/"), "")
            .replace('\n', " ")
    }
}

on_each_release! {
    fn what_another_host_keeps_is_copied_as_it_was_when_its_runs_ended(vm: &Vm, "zfs-second") {
        vm.make_pool();
        vm.write("/etc/planb/planb.toml", SETTINGS);
        vm.make_source_pool();
        vm.make_sums();
        vm.ok("truncate -s 1G /srv/copies.img && zpool create -f -m none copies /srv/copies.img");
        vm.ok("head -c 4M /dev/urandom >/srv/source/big");
        let tagged = "tags = [\"offsite\", \"x\"]\n";
        vm.first("web1", tagged);
        vm.first("secret", &format!("{tagged}encryption = true\n"));
        vm.first("other", "");
        vm.first("files", &format!("storage = \"files\"\n{tagged}"));
        vm.drop_in("vms", &format!("{tagged}{FILESET}"));
        vm.drop_in("second", SECOND);
        vm.reload();

        // What it names is a matter of its configuration, and of nobody's privilege.
        let said = vm.exits(0, "runuser -u nobody -- planb list --tag offsite --datasets");
        assert_eq!(said.out, "tank/BACKUP/secret\ntank/BACKUP/vms\ntank/BACKUP/web1");
        assert!(said.err.contains("files is no dataset of a pool"), "{said:?}");

        // The first host lets in what it is asked to, and the check shows it.
        vm.copy("other");
        vm.ok(&format!("planb authorize second | ssh {LOGIN} root@localhost sh"));
        let said = vm.run("planb check --connect second");
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("may ask planb there for datasets with the tag offsite"), "{said:?}");
        // Nothing that is wanted is there yet.
        let said = vm.exits(75, "planb run second");
        assert!(said.err.contains("has no backup with the tag offsite that is not here already"), "{said:?}");

        let run = |filesets: &str| {
            vm.minute();
            vm.exits(0, &format!("planb run {filesets}"));
        };
        let newest = |fileset: &str| vm.last(fileset)["snapshot"].as_str().expect("a snapshot").to_owned();
        run("web1 vms secret");
        let first = vm.copy("second");
        let children = vm.children();
        assert_eq!(children.trim(), "secret vms vms/data vms/data/secret vms/data/sub vms/data/sub/deep vms/disk web1");
        vm.is_copy(&first, "web1", &newest("web1"));
        for child in ["vms/data", "vms/data/sub/deep", "vms/disk"] {
            vm.is_copy(&first, child, &newest("vms"));
        }
        assert_eq!(vm.zfs("planb:children", &format!("{COPIES}@{first}")), "8");
        // Its key is the first host's, and opens the copy.
        let root = vm.zfs("encryptionroot,keystatus", &format!("{COPIES}/secret")).replace('\n', " ");
        assert_eq!(root, format!("{COPIES}/secret unavailable"));
        let key = "systemd-creds decrypt /etc/credstore.encrypted/planb.key.secret -";
        vm.ok(&format!("{key} | zfs load-key -n {COPIES}/secret"));

        // One without the tag is not let out, whatever zfs would allow.
        let asked = |command: &str| {
            vm.run(&format!("ssh {LOGIN} remotebackup@localhost '{command}' >/dev/null </dev/null")).code
        };
        assert_eq!(asked(&format!("/sbin/zfs send -vP tank/BACKUP/other@{}", newest("other"))), Some(126));
        assert_eq!(asked(&format!("/sbin/zfs send -vP tank/BACKUP/web1@{}", newest("web1"))), Some(0));
        assert_eq!(asked("planb list --datasets"), Some(126));

        // A run there that failed half way is no backup: the one before it is. What has no new one stays out.
        vm.ok("echo two >/srv/source/two");
        run("web1");
        vm.half_way("web1");
        let second = vm.copy("second");
        vm.is_copy(&second, "web1", &newest("web1"));
        assert_eq!(vm.zfs("planb:children", &format!("{COPIES}@{second}")), "2");
        let bytes = vm.last("second")["bytes_transferred"].as_u64().expect("a number");
        assert!(bytes < 1 << 20, "{bytes} bytes for a line");

        // The first host's retention is its own affair: a bookmark is enough to go on from.
        let base = newest("web1");
        vm.ok("echo three >/srv/source/three; echo more >/src/data/more");
        run("web1 vms");
        vm.ok(&format!("zfs destroy tank/BACKUP/web1@{base}"));
        let aside = vm.ok("zfs list -Hro name tank/BACKUP/vms | grep -c before || :");
        assert_eq!(aside, "0", "nobody else's snapshots are in its way");
        vm.half_way("web1");
        let third = vm.copy("second");
        vm.is_copy(&third, "web1", &newest("web1"));
        vm.is_copy(&third, "vms/data", &newest("vms"));
        let bytes = vm.last("second")["bytes_transferred"].as_u64().expect("a number");
        assert!(bytes < 1 << 20, "{bytes} bytes for a few lines");

        // What its configuration does not name any more stays, and is told until somebody says that it is meant; one that is
        // new needs nothing of the source.
        let web = newest("web1");
        vm.first("web1", "");
        vm.first("new", tagged);
        vm.reload();
        run("new");
        vm.copy("second");
        let error = vm.listed("second")["error"].as_str().expect("a concern").to_owned();
        let told = "does not name tank/BACKUP/web1 for tag:offsite any more: the copy web1 is kept";
        assert!(error.contains(told) && error.matches("does not name").count() == 1, "{error}");
        assert!(vm.children().contains("new "));
        vm.is_copy(&third, "web1", &web);
        // A drop-in that cannot be read there costs most of what was there, and is no reason to call that a backup.
        vm.write("/etc/planb/conf.d/vms.toml", "tags = [\n");
        vm.minute();
        let why = vm.refused("second");
        assert!(why.contains("more than max-shrink"), "{why}");
        assert!(vm.said().contains("vms.toml is no valid fileset"), "{}", vm.said());
        vm.drop_in("second", &format!("{SECOND}exclude = [\"tank/BACKUP/web1\", \"tank/BACKUP/vms\"]\n"));
        vm.minute();
        vm.exits(0, "planb run second --accept-shrink");
        assert!(vm.listed("second")["error"].is_null());
        assert!(vm.children().contains("vms/data/sub/deep"));
    }
}
