//! Runs onto a pool: what is made, what is mounted when, what a change costs, what is destroyed, and whose it is.

use crate::lab::on_each_release;
use crate::planb::SOURCE;

/// A megabyte in the middle of a file.
const CHANGE: &str = "dd if=/dev/urandom of=/srv/source/big bs=1M seek=30 count=1 conv=notrunc status=none; touch /srv/source/big";

/// A transfer that lasts until it is ended: a big file behind a narrow pipe.
const SLOW: &str = "64K";

on_each_release! {
    fn a_fileset_lives_on_a_pool(vm: &Vm, "zfs-runs") {
        vm.make_pool();
        vm.ok("head -c 64M /dev/urandom >/srv/source/big; touch /srv/source/-n; ln -s /etc/passwd /srv/source/link");
        vm.drop_in("web1", &format!("schedule = \"yearly\"\n{SOURCE}"));
        vm.reload();

        // The dataset is made, and mounted for no longer than it takes.
        vm.exits(0, "planb run web1");
        let first = vm.last("web1");
        assert_eq!(first["result"], "success", "{first}");
        let properties = "compression,atime,acltype,canmount,exec,setuid,devices,planb:fileset,mounted";
        assert_eq!(
            vm.zfs(properties, "tank/BACKUP/web1").replace('\n', " "),
            "lz4 off posix noauto off off off web1 no"
        );
        // zfs has two words for it, and which one it shows depends on its version.
        vm.ok("zfs create -o xattr=sa -o canmount=off tank/attributes");
        assert_eq!(vm.zfs("xattr", "tank/BACKUP/web1"), vm.zfs("xattr", "tank/attributes"));
        assert_eq!(vm.zfs("canmount,mounted", "tank/BACKUP").replace('\n', " "), "off no");

        // In place: a megabyte that changed costs about that.
        vm.ok(CHANGE);
        vm.wait(70, &format!("[ $(date -u +%Y%m%dT%H%M) != {} ]", &snapshot(&first)[6..19]));
        vm.exits(0, "planb run web1");
        let cost: u64 = vm.zfs("written", &format!("tank/BACKUP/web1@{}", snapshot(&vm.last("web1")))).parse().expect("a number");
        assert!((1 << 20..3 << 20).contains(&cost), "{cost} bytes for a megabyte");
        eprintln!("1 MiB changed in 64 MiB: {cost} bytes");

        // What was mounted before stays, and history is there to be read.
        vm.ok("zfs mount tank/BACKUP/web1");
        for run in [&first, &vm.last("web1")] {
            let path = run["path"].as_str().expect("a path");
            assert_eq!(vm.ok(&format!("cat {path}/sub/two; ls {path} | wc -l")), "two\n5");
        }
        let modes = vm.ok("stat -c %U:%a /tank/BACKUP/web1 /tank/BACKUP/web1/data");
        assert_eq!(modes.replace('\n', " "), "root:700 planb:755");
        vm.ok("echo three >/srv/source/three");
        vm.exits(0, "planb run --keep before-upgrade web1");
        assert_eq!(vm.zfs("mounted", "tank/BACKUP/web1"), "yes");
        vm.ok("zfs unmount tank/BACKUP/web1");
        assert_eq!(vm.listed("web1")["snapshots"], 3);

        // Who is killed leaves nothing open.
        vm.ok(&format!("sed -i 's/^\\[rsync\\]/&\\nbwlimit = \"{SLOW}\"/' /etc/planb/conf.d/web1.toml; rm /srv/source/big; head -c 64M /dev/urandom >/srv/source/big"));
        vm.reload();
        vm.ok("planb run --no-wait web1");
        vm.wait(60, "pgrep -u planb -x rsync");
        assert_eq!(vm.zfs("mounted", "tank/BACKUP/web1"), "yes");
        // It reaches the files, and neither the history nor another dataset.
        let inside = "nsenter -t $(pgrep -o -u planb -x rsync) -m";
        assert_eq!(vm.ok(&format!("{inside} ls -A /tank/BACKUP /tank/BACKUP/web1 | tr '\\n' ' '")), "/tank/BACKUP: web1  /tank/BACKUP/web1: data");
        vm.exits(2, &format!("{inside} ls /tank/BACKUP/web1/.zfs"));
        vm.ok("systemctl kill --kill-whom=main -s KILL planb@web1.service");
        vm.wait(60, "[ $(systemctl is-active planb@web1.service) = failed ]");
        assert_eq!(vm.zfs("mounted", "tank/BACKUP/web1"), "no");
        assert_eq!(vm.last("web1")["result"], "killed");
        vm.ok("planb run --no-wait web1");
        vm.wait(60, "pgrep -u planb -x rsync");
        vm.ok("sync; zpool sync");
        vm.crash();
        vm.boot();
        vm.ok("zpool list tank || zpool import tank");
        vm.wait(60, "planb history web1 --json | grep -q '\"result\": \"killed\"'");
        assert_eq!(vm.zfs("mounted", "tank/BACKUP/web1"), "no");
        vm.ok("sed -i 's/^bwlimit.*//' /etc/planb/conf.d/web1.toml");
        vm.exits(0, "planb run web1");
        assert_eq!(vm.listed("web1")["snapshots"], 4);
    }

    fn only_what_nobody_uses_is_destroyed_and_in_one_call(vm: &Vm, "zfs-prune") {
        vm.make_pool();
        vm.drop_in("web1", &format!("retain = \"2d\"\n{SOURCE}"));
        vm.drop_in("db1", SOURCE);
        vm.reload();
        vm.exits(0, "planb run --all");
        let old: Vec<String> = (1..=28).map(|day| format!("planb-202601{day:02}T0300Z")).collect();
        for name in &old {
            vm.ok(&format!("zfs snapshot tank/BACKUP/web1@{name}"));
        }
        vm.ok("zfs snapshot tank/BACKUP/web1@by-hand; zfs snapshot tank/BACKUP/web1@kept-20260102T0304Z");
        vm.ok(&format!("zfs hold mine tank/BACKUP/web1@{}; zfs clone -o canmount=off tank/BACKUP/web1@{} tank/clone", old[3], old[4]));
        vm.count_calls();

        let shown = vm.ok("planb prune --dry-run --json web1");
        let plan: serde_json::Value = serde_json::from_str(&shown).expect("json");
        let _ = vm.calls("");
        let said = vm.exits(1, "planb prune web1").err;
        assert!(said.contains("it is held") && said.contains("there are clones of it: tank/clone"), "{said}");
        let destroy = vm.calls("destroy");
        assert_eq!(destroy.len(), 1, "{destroy:?}");
        let left = vm.ok("zfs list -Hro name -t snapshot tank/BACKUP/web1 | sed 's/.*@//'");
        for name in [&old[3], &old[4], &"by-hand".to_owned(), &"kept-20260102T0304Z".to_owned()] {
            assert!(left.lines().any(|there| there == name), "{name} is gone: {left}");
        }
        let doomed = plan["destroyed"].as_array().expect("a list").len();
        assert_eq!(left.lines().count(), 28 + 3 - (doomed - 2), "{left}");

        // A run is a success although some stay, and says so.
        vm.ok("zfs snapshot tank/BACKUP/web1@planb-20260201T0300Z");
        vm.ok("for d in 02 03 04 05; do zfs snapshot tank/BACKUP/web1@planb-202602${d}T0300Z; done");
        let _ = vm.calls("");
        vm.exits(0, "planb run web1");
        assert_eq!(vm.calls("destroy").len(), 1);

        // One listing of snapshots and one of the room, however many filesets.
        vm.ok("planb list");
        assert_eq!(vm.calls("list").len(), 2);
        vm.ok("zfs destroy tank/clone");
    }

    fn a_dataset_has_one_owner_and_one_place(vm: &Vm, "zfs-owner") {
        vm.make_pool();
        // As an earlier PlanB left it: its own name, its files, its snapshots.
        vm.ok("zfs create -p tank/BACKUP/acme-web1 && mkdir /tank/BACKUP/acme-web1/data && echo old >/tank/BACKUP/acme-web1/data/gone \
               && chown -R planb: /tank/BACKUP/acme-web1/data && zfs snapshot tank/BACKUP/acme-web1@planb-20260102T0304Z");
        vm.drop_in("web1", &format!("dataset = \"acme-web1\"\n{SOURCE}"));
        vm.drop_in("db1", SOURCE);
        vm.reload();
        vm.exits(0, "planb run web1");
        assert_eq!(vm.zfs("planb:fileset,mounted,canmount", "tank/BACKUP/acme-web1").replace('\n', " "), "web1 yes on");
        assert_eq!(vm.listed("web1")["snapshots"], 2);
        assert_eq!(vm.ok("cat /tank/BACKUP/acme-web1/.zfs/snapshot/planb-20260102T0304Z/data/gone; ls /tank/BACKUP/acme-web1/data"), "old\none\nsub");

        vm.ok("zfs create -o planb:fileset=other tank/BACKUP/db1");
        let why = vm.refused("db1");
        assert!(why.contains("belongs to the fileset \"other\"") && why.contains("zfs set planb:fileset=db1 tank/BACKUP/db1"), "{why}");
        vm.ok("zfs inherit planb:fileset tank/BACKUP/db1");

        // Received with its mount point: over all there is.
        vm.ok("zfs create -o canmount=off -o mountpoint=/ tank/evil; zfs snapshot tank/evil@x; zfs destroy -r tank/BACKUP/db1");
        vm.ok("zfs send -p tank/evil@x | zfs receive -u tank/BACKUP/db1");
        let why = vm.refused("db1");
        assert!(why.contains("would be mounted at / (received)") && why.contains("zfs set mountpoint=/tank/BACKUP/db1 tank/BACKUP/db1"), "{why}");
        vm.ok("zfs destroy -r tank/BACKUP/db1; mkdir -p /tank/BACKUP/db1; echo mine >/tank/BACKUP/db1/file");
        let why = vm.refused("db1");
        assert!(why.contains("/tank/BACKUP/db1 is in the way") && why.contains("it has files in it"), "{why}");
        assert_eq!(vm.ok("cat /tank/BACKUP/db1/file"), "mine");
        vm.ok("rm -r /tank/BACKUP/db1; ln -s /etc /tank/BACKUP/db1");
        let why = vm.refused("db1");
        assert!(why.contains("it is a link"), "{why}");
        vm.ok("rm /tank/BACKUP/db1; zfs destroy tank/BACKUP/db1; zfs create -V 10M tank/vol && zfs rename tank/vol tank/BACKUP/db1");
        let why = vm.refused("db1");
        assert!(why.contains("is a volume"), "{why}");
        vm.ok("zfs destroy tank/BACKUP/db1");
        vm.exits(0, "planb run db1");
    }
}

/// The name of a run's snapshot.
fn snapshot(run: &serde_json::Value) -> &str {
    run["snapshot"].as_str().expect("a snapshot")
}
