//! Keys that are kept elsewhere than in the credential store, that are exchanged, and that go to another fileset: whatever
//! dies meanwhile, the dataset has a key that is there.

use crate::encrypted::{CLOSED, WEB1};
use crate::lab::{Vm, on_each_release};

/// A vault, for who connects to it. A transfer's host has it on its network, and the process that is root has none.
const VAULT: &str = "printf '[Socket]\\nListenStream=127.0.0.1:8200\\nAccept=yes\\n' >/etc/systemd/system/vault.socket
printf '[Service]\\nExecStart=/bin/cat /root/vault\\nStandardOutput=socket\\n' >/etc/systemd/system/vault@.service
head -c 32 /dev/urandom >/root/vault; chmod 600 /root/vault
systemctl daemon-reload && systemctl start vault.socket";

/// Its client, which gives the key to nobody but user planb, in the unit that is there for it.
const CLIENT: &str = r#"#!/bin/bash
[ "$* $PLANB_FILESET $(id -un)" = "get asked planb" ] || exit 3
grep -q /planb-key@asked.service /proc/self/cgroup || exit 4
exec 3<>/dev/tcp/127.0.0.1/8200 && exec cat <&3
"#;

/// Where a rotation is killed, as what stands in front of zfs then: `does`, which of its calls this is.
const DEATHS: [(&str, &str); 5] = [
    ("loaded", "$real \"$@\"; code=$?; [ $does != load ] || kill -9 $PPID; exit $code"),
    ("unchanged", "[ $does != change ] || kill -9 $PPID; [ $does = change ] || exec $real \"$@\""),
    // The program that changes it outlives who started it.
    (
        "orphaned",
        "[ $does = change ] || exec $real \"$@\"
         cat >/run/new; kill -9 $PPID; while kill -0 $PPID 2>/dev/null; do :; done; exec $real \"$@\" </run/new",
    ),
    ("changed", "$real \"$@\"; code=$?; [ $does != change ] || kill -9 $PPID; exit $code"),
    (
        "proven",
        "$real \"$@\"; code=$?; [ $does != change ] || touch /run/changed
         [ $does != try ] || ! rm /run/changed 2>/dev/null || kill -9 $PPID; exit $code",
    ),
];

const WHICH: &str = "case \"$1 $2\" in 'load-key -n') does=try ;; load-key*) does=load ;; change-key*) does=change ;; *) does=else ;; esac";

/// What stands in front of a program whose caller is killed after the call of that verb.
fn last_call(verb: &str) -> String {
    format!("$real \"$@\"; code=$?; [ \"$1\" != {verb} ] || kill -9 $PPID; exit $code")
}

impl Vm {
    /// Runs what is killed by what stands in front of a program.
    #[track_caller]
    fn dies(&self, command: &str, program: &str, script: &str) {
        self.put_before(program, script);
        self.ok(&format!("{command}; [ $? = 137 ]"));
        self.put_away(program);
        self.wait(60, &format!("! pgrep -x {program}"));
    }

    #[track_caller]
    fn credentials(&self) -> String {
        self.ok("ls -A /etc/credstore.encrypted")
    }
}

on_each_release! {
    fn a_key_is_kept_where_the_administrator_wants_it(vm: &Vm, "enc-places") {
        vm.make_pool();
        // A new one in a file, which is not made where its medium may be missing.
        vm.drop_in_encrypted("raw", "key = \"file:/etc/planb/keys/{fileset}\"");
        vm.reload();
        let why = vm.refused("raw");
        assert!(why.contains("the directory /etc/planb/keys for the key is not there"), "{why}");
        vm.exits(1, "zfs list tank/BACKUP/raw");
        vm.ok("mkdir -m 700 /etc/planb/keys");
        vm.exits(0, "planb run raw");
        assert_eq!(vm.ok("stat -c %U:%a:%s /etc/planb/keys/raw"), "root:600:32");

        // An existing dataset with its key in digits, as another tool made it.
        vm.ok("(umask 077; head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' >/etc/planb/keys/hex)");
        vm.ok("zfs create -o encryption=on -o keyformat=hex -o keylocation=file:///etc/planb/keys/hex tank/BACKUP/hex");
        vm.ok("zfs unmount tank/BACKUP/hex && zfs unload-key tank/BACKUP/hex");
        vm.drop_in_encrypted("hex", "key = \"file:/etc/planb/keys/{fileset}\"");
        vm.reload();
        vm.exits(0, "planb run hex");
        assert_eq!(vm.ok("stat -c %s /etc/planb/keys/hex"), "64");

        // A program that asks over the network: user planb's, and in a unit of its own.
        vm.ok(VAULT);
        vm.write("/usr/local/bin/vault", CLIENT);
        vm.ok("chmod 755 /usr/local/bin/vault");
        vm.drop_in_encrypted("asked", "key = [\"/usr/local/bin/vault\", \"get\"]");
        vm.reload();
        vm.exits(0, "planb run asked");
        vm.ok("systemctl stop vault.socket");
        let why = vm.refused("asked");
        assert!(why.contains("planb-key@asked.service failed"), "{why}");
        vm.ok("systemctl start vault.socket");

        vm.ok("planb key check");
        for name in ["raw", "hex", "asked"] {
            vm.exits(0, &format!("planb run --keep again {name}"));
            assert_eq!(vm.state(&format!("tank/BACKUP/{name}")), CLOSED);
        }
        // Exchanged in its file; a vault's is the vault's to exchange.
        let said = vm.exits(1, "planb key rotate raw hex asked");
        assert!(said.err.contains("raw has a new key") && said.err.contains("hex has a new key"), "{said:?}");
        assert!(said.err.contains("change the key where /usr/local/bin/vault gets it from"), "{said:?}");
        for name in ["raw", "hex", "asked"] {
            vm.exits(0, &format!("planb run --keep rotated {name}"));
        }
        assert_eq!(vm.ok("ls -A /etc/planb/keys"), "hex\nraw");
        assert_eq!(vm.ok("ls -A /etc/credstore.encrypted 2>/dev/null || true"), "");
    }

    fn whatever_dies_while_a_key_changes_hands_the_dataset_has_one_that_is_there(vm: &Vm, "enc-hands") {
        vm.make_pool();
        vm.drop_in_encrypted("web1", "");
        vm.reload();
        vm.exits(0, "planb run web1");
        let first = vm.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        let sheet = vm.ok("planb key export web1");

        for (death, script) in DEATHS {
            vm.dies("planb key rotate web1", "zfs", &format!("{WHICH}\n{script}"));
            assert_eq!(vm.credentials(), "planb.key-pending.web1\nplanb.key.web1", "{death}");
            vm.ok("planb key check web1");
            vm.exits(0, &format!("planb run --keep {death} web1"));
            assert_eq!(vm.state(WEB1), CLOSED, "{death}");
            // Called again it comes to its end, or gives it another one.
            vm.exits(0, "planb key rotate web1");
            assert_eq!(vm.state(WEB1), CLOSED, "{death}");
            assert_eq!(vm.credentials(), "planb.key-previous.web1\nplanb.key.web1", "{death}");
            vm.exits(0, &format!("planb run --keep after-{death} web1"));
            assert_eq!(vm.credentials(), "planb.key.web1", "{death}");
        }
        let said = vm.fed("planb key import --replace web1", sheet.as_bytes());
        assert!(said.code == Some(1) && said.err.contains("is not that of"), "{said:?}");
        assert!(vm.ok("planb key check").contains("no copy of it elsewhere"));
        vm.ok("planb key export web1 >/dev/null");

        // Another name, which nobody takes away from under a person's hands.
        let place = vm.ok("planb open web1");
        let said = vm.exits(1, "planb rename web1 www");
        assert!(said.err.contains("tank/BACKUP/web1 is open for people"), "{said:?}");
        vm.ok("planb close web1");
        for (program, verb) in [("zfs", "set"), ("zfs", "rename"), ("systemd-creds", "encrypt")] {
            vm.dies("planb rename web1 www", program, &last_call(verb));
            let why = vm.refused("web1");
            assert!(why.contains("`planb rename web1 www` was interrupted"), "{why}");
            let said = vm.run("planb list");
            assert!(said.err.contains("`planb rename web1 www` was interrupted"), "{said:?}");
        }
        vm.exits(0, "planb rename web1 www");
        assert_eq!(vm.credentials(), "planb.key.www");
        assert_eq!(vm.ok("zfs list -Hro name tank/BACKUP"), "tank/BACKUP\ntank/BACKUP/www");
        assert_eq!(vm.zfs("planb:fileset,encryptionroot", "tank/BACKUP/www").replace('\n', " "), "www tank/BACKUP/www");
        assert_eq!(vm.ok("ls /etc/planb/conf.d; systemctl list-timers --no-legend 'planb@*' | grep -o 'planb@.*timer'"), "www.toml\nplanb@www.timer");
        vm.ok("! systemctl list-timers --no-legend 'planb-retry@*' | grep web1");
        let check = vm.ok("planb key check");
        assert!(check.contains("fits its dataset") && !check.contains("no copy"), "{check}");
        assert!(vm.ok("planb history www -n 100").contains(&first), "its runs are its runs");
        vm.exits(0, "planb run --keep renamed www");
        let place = place.replace("web1", "www");
        assert_eq!(vm.ok("planb open www"), place);
        assert_eq!(vm.ok(&format!("cat {place}/{first}/data/sub/two")), "two");
        vm.ok("planb close www");
        assert_eq!(vm.state("tank/BACKUP/www"), CLOSED);
    }
}
