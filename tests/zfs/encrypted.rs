//! Encrypted filesets: when their keys are loaded, and what happens where a key is not what it should be.

use crate::lab::{Vm, on_each_release};
use crate::planb::SOURCE;

/// The dataset of the fileset of that name.
pub const WEB1: &str = "tank/BACKUP/web1";

/// Where its key is.
pub const CREDENTIAL: &str = "/etc/credstore.encrypted/planb.key.web1";

/// What `zfs get keystatus,mounted` says of a dataset that nobody uses.
pub const CLOSED: &str = "unavailable no";
pub const OPEN: &str = "available yes";

impl Vm {
    /// Drops in a fileset that is encrypted; `more` are lines for it.
    pub fn drop_in_encrypted(&self, name: &str, more: &str) {
        self.drop_in(name, &format!("encryption = true\nschedule = \"yearly\"\n{more}\n{SOURCE}"));
    }

    /// Whether its key is loaded, and whether it is mounted.
    #[track_caller]
    pub fn state(&self, filesystem: &str) -> String {
        self.zfs("keystatus,mounted", filesystem).replace('\n', " ")
    }

    /// Starts a run that lasts until it is ended: a big file behind a narrow pipe. It is transferring when this returns.
    #[track_caller]
    pub fn begin_long_run(&self, fileset: &str) {
        self.ok(&format!(
            "sed -i 's/^\\[rsync\\]/&\\nbwlimit = \"64K\"/' /etc/planb/conf.d/{fileset}.toml; head -c 64M /dev/urandom >/srv/source/big"
        ));
        self.ok(&format!("planb reload; planb run --no-wait {fileset}"));
        self.wait(60, "pgrep -u planb -x rsync");
    }

    /// Runs are short from now on.
    #[track_caller]
    pub fn end_long_runs(&self, fileset: &str) {
        self.ok(&format!(
            "sed -i '/^bwlimit/d' /etc/planb/conf.d/{fileset}.toml; rm /srv/source/big; planb reload"
        ));
    }

    /// `planb key check`, which finds something: its lines.
    #[track_caller]
    fn faults(&self) -> String {
        self.exits(1, "planb key check").out
    }
}

on_each_release! {
    fn a_key_is_loaded_for_as_long_as_it_is_needed(vm: &Vm, "enc-runs") {
        vm.make_pool();
        vm.drop_in_encrypted("web1", "");
        vm.reload();
        assert!(vm.ok("planb key check").contains("none yet: it is made together with the dataset"));

        // Dataset and key are made together.
        vm.exits(0, "planb run web1");
        let properties = "encryption,encryptionroot,keyformat,keylocation,planb:fileset";
        assert_eq!(
            vm.zfs(properties, WEB1).replace('\n', " "),
            format!("aes-256-gcm {WEB1} raw prompt web1")
        );
        assert_eq!(vm.zfs("encryptionroot", "tank/BACKUP"), "-");
        assert_eq!(vm.state(WEB1), CLOSED);
        assert_eq!(vm.ok("ls -A /etc/credstore.encrypted; stat -c %U:%a /etc/credstore.encrypted/*"), "planb.key.web1\nroot:600");
        let made = vm.ok(&format!("sha256sum {CREDENTIAL}"));

        // It is loaded while a run needs it, whatever becomes of that.
        vm.begin_long_run("web1");
        assert_eq!(vm.state(WEB1), OPEN);
        vm.exits(4, "planb close web1");
        vm.ok("systemctl kill --kill-whom=main -s KILL planb@web1.service");
        vm.wait(60, "[ $(systemctl is-active planb@web1.service) = failed ]");
        assert_eq!(vm.last("web1")["result"], "killed");
        assert_eq!(vm.state(WEB1), CLOSED);
        vm.ok("planb run --no-wait web1");
        vm.wait(60, "pgrep -u planb -x rsync");
        assert_eq!(vm.state(WEB1), OPEN);
        vm.ok("sync; zpool sync");
        vm.crash();
        vm.boot();
        vm.ok("zpool list tank || zpool import tank");
        assert_eq!(vm.state(WEB1), CLOSED);
        vm.end_long_runs("web1");
        vm.ok("mv /srv/source /srv/away");
        vm.refused("web1");
        assert_eq!(vm.state(WEB1), CLOSED);
        vm.ok("mv /srv/away /srv/source");
        vm.exits(0, "planb run web1");
        assert_eq!(vm.state(WEB1), CLOSED);

        // Nor does a run close what a person has open, or the other way round.
        let place = vm.ok("planb open web1");
        vm.exits(0, "planb run --keep meanwhile web1");
        assert_eq!(vm.state(WEB1), OPEN);
        let snapshot = vm.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        assert_eq!(vm.ok(&format!("cat {place}/{snapshot}/data/sub/two")), "two");
        vm.ok("planb close web1");
        assert_eq!(vm.state(WEB1), CLOSED);
        assert_eq!(vm.ok(&format!("planb shell web1 <<<'cat {snapshot}/data/one; zfs get -Ho value keystatus {WEB1}'")), "one\navailable");
        assert_eq!(vm.state(WEB1), CLOSED);
        // One that a person loaded is that person's to unload.
        vm.ok(&format!("systemd-creds decrypt {CREDENTIAL} - | zfs load-key {WEB1}"));
        vm.exits(0, "planb run --keep loaded web1");
        assert_eq!(vm.state(WEB1), "available no");
        vm.ok(&format!("zfs unload-key {WEB1}"));
        assert_eq!(vm.ok(&format!("sha256sum {CREDENTIAL}")), made);
    }

    fn a_key_that_is_not_right_is_told_and_never_made_anew(vm: &Vm, "enc-wrong") {
        vm.make_pool();
        vm.drop_in_encrypted("web1", "");
        vm.reload();
        vm.exits(0, "planb run web1");
        let check = vm.ok("planb key check");
        assert!(check.contains("fits its dataset") && check.contains("no copy of it elsewhere"), "{check}");
        let list = vm.ok("planb key list --json");
        assert!(list.contains("\"present\": true") && list.contains("\"exported\": null"), "{list}");
        let sheet = vm.ok("planb key export web1");
        assert!(!vm.ok("planb key check; planb key list").contains("never"));

        // Missing: what to restore is told, nothing is made, and its sheet brings it back.
        vm.ok(&format!("mv {CREDENTIAL} /root/key"));
        let why = vm.refused("web1");
        assert!(why.contains(CREDENTIAL) && why.contains("planb key import web1"), "{why}");
        for command in ["open web1", "key export web1", "key rotate web1", "key check"] {
            let said = vm.exits(1, &format!("planb {command}"));
            assert!(said.err.contains(CREDENTIAL) || said.out.contains(CREDENTIAL), "{said:?}");
        }
        assert_eq!(vm.ok("ls -A /etc/credstore.encrypted"), "");
        assert_eq!(vm.state(WEB1), CLOSED);
        let slip = sheet.replacen("key 2  ", "key 2  0", 1);
        let said = vm.fed("planb key import web1", slip.as_bytes());
        assert!(said.code == Some(1) && said.err.contains("row 2"), "{said:?}");
        let said = vm.fed("planb key import web1", &[7; 32]);
        assert!(said.code == Some(1) && said.err.contains(&format!("is not that of {WEB1}")), "{said:?}");
        let said = vm.fed("planb key import web1", sheet.as_bytes());
        assert!(said.code == Some(0) && said.err.contains(&format!("it fits {WEB1}")), "{said:?}");
        vm.exits(0, "planb run web1");

        // Wrong, or not to be decrypted: the same.
        for (label, wrong) in [
            ("another", "head -c 32 /dev/urandom | systemd-creds encrypt --name=planb.key.web1 - -"),
            ("empty", "systemd-creds encrypt --name=planb.key.web1 /dev/null -"),
            ("anothers", "head -c 32 /dev/urandom | systemd-creds encrypt --name=planb.key.db1 - -"),
            ("garbage", "echo garbage"),
        ] {
            vm.ok(&format!("{wrong} >{CREDENTIAL}; sha256sum {CREDENTIAL} >/root/sum"));
            let why = vm.refused("web1");
            assert!(why.contains(CREDENTIAL) && why.contains("planb key import --replace web1"), "{why}");
            assert!(vm.faults().contains("planb key import --replace web1"));
            assert!(!vm.faults().contains("planb key export"), "a key of nothing is no key to export");
            vm.exits(1, "planb key rotate web1");
            vm.ok("sha256sum --quiet -c /root/sum");
            let said = vm.fed("planb key import web1", sheet.as_bytes());
            assert!(said.code == Some(1) && said.err.contains("planb key import --replace web1"), "{said:?}");
            let said = vm.fed("planb key import --replace web1", sheet.as_bytes());
            assert_eq!(said.code, Some(0), "{said:?}");
            vm.exits(0, &format!("planb run --keep {label} web1"));
            vm.ok("planb key check");
        }
        assert_eq!(vm.ok("ls -A /etc/credstore.encrypted"), "planb.key.web1");

        // The same key twice.
        let copy = "systemd-creds encrypt --name=planb.key.db1 - /etc/credstore.encrypted/planb.key.db1";
        vm.ok(&format!("systemd-creds decrypt {CREDENTIAL} - | {copy}"));
        vm.drop_in_encrypted("db1", "");
        vm.reload();
        vm.exits(0, "planb run db1");
        let faults = vm.faults();
        assert!(faults.contains("the same key as that of db1") && faults.contains("the same key as that of web1"), "{faults}");
        vm.ok("planb key rotate db1; planb key export --all >/dev/null; planb key check");
        vm.exits(0, "planb run db1");
        assert_eq!(vm.ok("ls -A /etc/credstore.encrypted"), "planb.key.db1\nplanb.key.web1");

        // A key of no fileset, with backups that only it opens and without.
        vm.ok("planb remove db1");
        let check = vm.ok("planb key check");
        assert!(check.contains("planb.key.db1 is the key of no fileset, and opens tank/BACKUP/db1: keep it"), "{check}");
        vm.ok("zfs destroy -r tank/BACKUP/db1");
        let faults = vm.faults();
        assert!(faults.contains("planb.key.db1 is the key of no fileset, and opens nothing"), "{faults}");
        vm.ok("rm /etc/credstore.encrypted/planb.key.db1; planb key check");

        // What is not encrypted does not become so, and what is does not become anything else.
        vm.drop_in("mail", SOURCE);
        vm.reload();
        vm.exits(0, "planb run mail");
        vm.drop_in_encrypted("mail", "");
        vm.ok("sed -i 's/^encryption = true/encryption = false/' /etc/planb/conf.d/web1.toml; planb reload");
        let why = vm.refused("mail");
        assert!(why.contains("tank/BACKUP/mail is not encrypted, and encryption = true"), "{why}");
        let why = vm.refused("web1");
        assert!(why.contains("is encrypted with a key of its own: write encryption = true"), "{why}");
        assert_eq!(vm.ok("ls -A /etc/credstore.encrypted"), "planb.key.web1");
        assert_eq!(vm.state(WEB1), CLOSED);
    }
}
