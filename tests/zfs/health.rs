//! What monitoring and the bus say of pools and keys: to root, to who may read, and to who may not.

use crate::lab::{Said, Vm, on_each_release};
use crate::planb::SOURCE;

/// One storage for each thing that can happen to a pool, and one that is no pool.
const SETTINGS: &str = r#"
slots-per-source = 4
[storage.tank]
type = "zfs"
parent = "tank/BACKUP"
[storage.pair]
type = "zfs"
parent = "pair/BACKUP"
[storage.frail]
type = "zfs"
parent = "frail"
[storage.plain]
type = "directory"
path = "/srv/backups"
[defaults]
storage = "tank"
retry = "1h"
[defaults.rsync]
bwlimit = "none"
"#;

const POOLS: &str = "set -e
truncate -s 100M /srv/a /srv/b /srv/c
zpool create -m /pair pair mirror /srv/a /srv/b
zpool create -m /frail -O compression=off frail /srv/c
mkdir -m 700 /etc/planb/keys
useradd alice; usermod -aG planb alice; useradd bob";

/// A vault's client.
const VAULT: &str = "#!/bin/sh\necho 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

const OK: i32 = 0;
const WARNING: i32 = 1;
const CRITICAL: i32 = 2;
const UNKNOWN: i32 = 3;

/// What `planb monitor` says; all of these words are in it.
#[track_caller]
fn says(vm: &Vm, who: &str, filesets: &str, code: i32, words: &[&str]) -> Said {
    let said = vm.exits(code, &format!("runuser -u {who} -- planb monitor {filesets}"));
    for word in words {
        assert!(said.out.contains(word), "{word:?} is not in {}", said.out);
    }
    said
}

/// What busctl prints of a call or a property of the bus.
#[track_caller]
fn bus(vm: &Vm, fileset: &str, asked: &str) -> String {
    vm.ok(&format!(
        "runuser -u bob -- busctl {} org.planb.PlanB1 /org/planb/PlanB1/fileset/{fileset} org.planb.PlanB1.Fileset {asked}",
        if asked.contains("Snapshots") { "call" } else { "get-property" },
    ))
}

on_each_release! {
    fn pools_and_keys_are_watched(vm: &Vm, "zfs-health") {
        vm.make_pool();
        vm.ok(POOLS);
        vm.write("/etc/planb/planb.toml", SETTINGS);
        vm.write("/usr/local/bin/vault", VAULT);
        vm.ok("chmod 755 /usr/local/bin/vault");
        vm.drop_in("web1", SOURCE);
        vm.drop_in("direct", &format!("retain = \"1d\"\n{SOURCE}"));
        vm.drop_in("plain", &format!("storage = \"plain\"\n{SOURCE}"));
        vm.drop_in("on-pair", &format!("storage = \"pair\"\n{SOURCE}"));
        vm.drop_in("on-frail", &format!("storage = \"frail\"\n{SOURCE}"));
        for (name, key) in [
            ("file", "\"file:/etc/planb/keys/{fileset}\""),
            ("credential", "\"credential\""),
            ("vault", "[\"/usr/local/bin/vault\"]"),
        ] {
            vm.drop_in(name, &format!("encryption = true\nkey = {key}\n{SOURCE}"));
        }
        vm.reload();
        // Not one of them has a dataset yet, nor a key: nothing is missing.
        says(vm, "root", "", OK, &["8 filesets"]);
        vm.exits(0, "planb run web1 on-pair on-frail file credential vault");
        vm.exits(0, "HOME=/var/lib/planb planb run --direct direct plain");
        let asked = || vm.ok("journalctl --sync; journalctl -o cat | grep -c 'Finished planb-key@vault'");
        let asked_before = asked();
        let said = says(vm, "root", "", OK, &["8 filesets", "keyless=0;;0;0"]);
        assert!(said.out.contains("storage_tank_free=") && said.out.contains("storage_plain_free="), "{said:?}");
        let key = |name: &str| vm.listed(name)["key"].clone();
        assert_eq!(
            ["web1", "file", "credential", "vault"].map(key),
            [serde_json::Value::Null, "present".into(), "present".into(), "unknown".into()]
        );

        // The agent, which is user planb in its sandbox, sees all of them, whoever made them.
        for name in ["web1", "direct", "plain", "on_2dpair", "on_2dfrail", "file", "credential", "vault"] {
            assert_eq!(bus(vm, name, "SnapshotCount"), "x 1", "{name}");
            assert!(bus(vm, name, "Snapshots").starts_with("a(stsastts) 1 \"planb-"), "{name}");
            let size = vm.listed(&name.replace("_2d", "-"))["size_bytes"].as_u64().expect("bytes");
            assert_eq!(bus(vm, name, "Size"), format!("t {size}"), "{name}");
        }
        let storages = || vm.ok("runuser -u bob -- busctl call org.planb.PlanB1 /org/planb/PlanB1 org.planb.PlanB1.Manager Storages");
        assert!(storages().contains("\"pair\" \"zfs\" \"ok\" 0 "), "{}", storages());
        assert!(storages().contains("\"plain\" \"directory\" \"ok\" 0 "), "{}", storages());

        // Who may not look is told so; it is neither good news nor an alarm.
        says(vm, "alice", "web1 plain on-pair", OK, &[]);
        says(vm, "alice", "file", UNKNOWN, &["file: its key cannot be seen"]);
        says(vm, "alice", "vault", OK, &[]);
        let said = says(vm, "bob", "", UNKNOWN, &[]);
        assert!(!said.out.contains("critical:") && !said.out.contains("warning:"), "{said:?}");
        // The file collector's unit is root without most of what root may.
        vm.ok("mkdir -p /var/lib/prometheus/node-exporter; systemctl start planb-metrics.service");
        let metrics = || vm.ok("systemctl start planb-metrics.service; cat /var/lib/prometheus/node-exporter/planb.prom");
        for line in [
            "planb_storage_problem_level{storage=\"tank\",type=\"zfs\"} 0",
            "planb_storage_problem_level{storage=\"plain\",type=\"directory\"} 0",
            "planb_fileset_key_present{fileset=\"file\"} 1",
            "planb_fileset_snapshots{fileset=\"credential\"} 1",
        ] {
            assert!(metrics().lines().any(|said| said == line), "{line}: {}", metrics());
        }

        // Keys that are gone, and nobody has asked the vault for its own.
        vm.ok("mv /etc/planb/keys/file /root/; mv /etc/credstore.encrypted/planb.key.credential /root/");
        let said = says(vm, "root", "", CRITICAL, &["file: its key is missing", "credential: its key is missing", "keyless=2;;0;0"]);
        assert!(said.out.contains("restore the file /etc/planb/keys/file") && said.out.contains("planb key import credential"), "{said:?}");
        assert_eq!((key("file"), key("credential"), key("vault")), ("missing".into(), "missing".into(), "unknown".into()));
        assert!(vm.ok("planb monitor --zabbix").contains("\"keyless\": 2"));
        assert!(metrics().contains("planb_fileset_key_present{fileset=\"file\"} 0"));
        says(vm, "alice", "file", UNKNOWN, &["file: its key cannot be seen"]);
        vm.ok("mv /root/file /etc/planb/keys/; mv /root/planb.key.credential /etc/credstore.encrypted/");
        says(vm, "root", "", OK, &[]);
        assert_eq!(asked(), asked_before);

        // Retention should have destroyed these two, but for the one that somebody holds.
        vm.ok("touch -d '1 hour ago' /etc/planb/planb.toml /etc/planb/conf.d/direct.toml
               for day in 1 2 3; do zfs snapshot tank/BACKUP/direct@planb-2020010${day}T0000Z; done
               zfs hold mine tank/BACKUP/direct@planb-20200101T0000Z");
        says(vm, "root", "", WARNING, &["direct: 1 snapshot older than `retain` allows, the oldest planb-20200102T0000Z"]);
        vm.ok("zfs destroy tank/BACKUP/direct@planb-20200102T0000Z");
        says(vm, "root", "", OK, &[]);

        // A disk less, then all of them again.
        vm.ok("zpool offline pair /srv/b");
        let words = "storage pair: the pool pair is DEGRADED: One or more devices has been taken offline";
        says(vm, "root", "", WARNING, &[words]);
        says(vm, "root", "on-pair", WARNING, &[words]);
        says(vm, "root", "web1", OK, &[]);
        says(vm, "alice", "on-pair", WARNING, &[words]);
        assert!(storages().contains("\"pair\" \"zfs\" \"warning\" 1 \"the pool pair is DEGRADED"), "{}", storages());
        assert!(metrics().contains("planb_storage_problem_level{storage=\"pair\",type=\"zfs\"} 1"));
        assert!(vm.run("planb list").out.contains(words) && vm.ok("planb status on-pair").contains("is DEGRADED"));
        assert!(vm.ok("planb top").contains("storage pair          warning  the pool pair is DEGRADED"));
        vm.ok("zpool online pair /srv/b");
        vm.wait(60, "zpool status -x pair | grep -q healthy");
        says(vm, "root", "", OK, &[]);

        // For writing or away.
        vm.ok("zpool export pair; zpool import -d /srv -o readonly=on pair");
        says(vm, "root", "", CRITICAL, &["storage pair: pair is read-only"]);
        vm.ok("zpool export pair");
        says(vm, "root", "", CRITICAL, &["storage pair: the pool pair is not there: import it (zpool import pair)"]);
        says(vm, "root", "web1", OK, &[]);
        assert!(storages().contains("\"pair\" \"zfs\" \"critical\" 1 \"the pool pair is not there"), "{}", storages());
        vm.ok("zpool import -d /srv pair");
        says(vm, "root", "", OK, &[]);

        // Nearly full, and too full to begin.
        let ballast = |share: u32| format!("zfs create -o reservation=$(( $(zfs get -Hpo value available tank) * {share} / 100 )) tank/ballast");
        vm.ok(&ballast(93));
        says(vm, "root", "", WARNING, &["storage tank: ", "(min-free) no run begins"]);
        vm.ok(&format!("zfs destroy tank/ballast; {}", ballast(97)));
        says(vm, "root", "", CRITICAL, &["storage tank: ", "no run of 5 filesets begins until there is room"]);
        let why = vm.refused("web1");
        assert!(why.contains("min-free"), "{why}");
        vm.ok("zfs destroy tank/ballast");
        vm.exits(0, "planb run --keep again web1");

        // zpool calls it ONLINE, and it has lost what was written to it.
        vm.ok("zfs mount frail/on-frail; head -c 30M /dev/urandom >/frail/on-frail/file; zpool sync frail; zfs unmount frail/on-frail
               dd if=/dev/zero of=/srv/c bs=1M seek=10 count=30 conv=notrunc status=none; zpool scrub -w frail");
        assert_eq!(vm.ok("zpool list -Ho health frail"), "ONLINE");
        says(vm, "root", "on-frail", CRITICAL, &["storage frail: the pool frail has lost data ("]);
        says(vm, "bob", "on-frail", CRITICAL, &["storage frail: the pool frail has lost data ("]);

        // A name space of users hides datasets: what is not shown is not gone.
        let hidden = vm.run("unshare --user --map-root-user planb monitor web1");
        assert!(matches!(hidden.code, Some(OK | UNKNOWN)) && !hidden.out.contains("critical:"), "{hidden:?}");
    }
}
