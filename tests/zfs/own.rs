//! Snapshots that a program of the administrator's makes itself, as who it is in its sandbox.

use crate::lab::on_each_release;

/// Makes its snapshot, and then tries all that user planb was not allowed.
const PROGRAM: &str = r#"#!/bin/sh -eu
id -un >who
zfs snapshot "$planb_storage_name@$planb_snapshot_target"
printf '%s\n' 'total-files 2' 'total-bytes 6' >&3
[ "$(zfs list -Ho name "$planb_storage_name")" = "$planb_storage_name" ]
while read -r more; do
    if zfs $more 2>/dev/null; then
        echo "allowed: zfs $more" >&2
        exit 9
    fi
done <<X
destroy $planb_storage_name@$planb_snapshot_target
destroy -r tank/BACKUP/db1
rollback $planb_storage_name@$planb_snapshot_target
hold mine $planb_storage_name@$planb_snapshot_target
set readonly=on $planb_storage_name
rename $planb_storage_name tank/mine
allow -u planb destroy $planb_storage_name
send $planb_storage_name@$planb_snapshot_target
snapshot tank/BACKUP/db1@mine
create tank/BACKUP/web1/mine
X
"#;

on_each_release! {
    fn a_program_makes_its_own_snapshots_where_that_was_allowed(vm: &Vm, "zfs-own") {
        vm.make_pool();
        vm.ok("zfs create -p -o canmount=off tank/BACKUP/db1; zfs snapshot tank/BACKUP/db1@theirs");
        vm.write("/usr/local/bin/my-transfer", PROGRAM);
        vm.ok("chmod 755 /usr/local/bin/my-transfer");
        vm.drop_in("web1", "retain = \"1d\"\n[exec]\ncommand = [\"/usr/local/bin/my-transfer\"]\nsnapshots = \"own\"\n");
        vm.reload();

        // Whoever may not is told what to call, and that is what helps.
        let why = vm.refused("web1");
        let (said, remedy) = why.split_once("; to let it make snapshots: ").unwrap_or_else(|| panic!("{why}"));
        assert!(said.contains("permission denied"), "{why}");
        assert_eq!(remedy, "zfs allow -u planb snapshot tank/BACKUP/web1");
        assert_eq!(vm.ok("zfs list -Ht snapshot -o name -r tank/BACKUP/web1"), "");
        vm.ok(remedy);
        vm.exits(0, "planb run web1");

        // There is the one, it holds what came, and nothing is left open.
        let run = vm.last("web1");
        let (snapshot, path) = (run["snapshot"].as_str().expect("a snapshot"), run["path"].as_str().expect("a path"));
        assert_eq!(vm.ok("zfs list -Ht snapshot -o name -r tank/BACKUP/web1"), format!("tank/BACKUP/web1@{snapshot}"));
        assert_eq!(run["bytes_total"], 6, "{run}");
        assert_eq!(vm.zfs("mounted,readonly", "tank/BACKUP/web1").replace('\n', " "), "no off");
        vm.ok("zfs mount tank/BACKUP/web1");
        assert_eq!(vm.ok(&format!("cat {path}/who; stat -c %U {path}/who")), "planb\nplanb");
        vm.ok("zfs unmount tank/BACKUP/web1");
        assert_eq!(vm.ok("zfs list -Ht snapshot -o name -r tank/BACKUP/db1"), "tank/BACKUP/db1@theirs");

        // Nobody but the program knows sizes, and retention is the run's.
        vm.ok("for day in 01 02 03 04; do zfs snapshot tank/BACKUP/web1@planb-202601${day}T0300Z; done");
        vm.ok("sed -i '/total-files/d' /usr/local/bin/my-transfer");
        vm.wait(70, &format!("[ $(date -u +%Y%m%dT%H%M) != {} ]", &snapshot[6..19]));
        vm.exits(0, "planb run web1");
        vm.wait(20, "journalctl -o cat | grep -q 'web1: .*guards nothing'");
        let run = vm.last("web1");
        assert!(run["destroyed"].as_array().is_some_and(|gone| gone.len() >= 3) && run["bytes_total"].is_null(), "{run}");

        // An old snapshot is no new one.
        vm.ok("echo '#!/bin/sh' >/usr/local/bin/my-transfer");
        let why = vm.refused("web1");
        assert!(why.contains("made no snapshot that is listed") && why.contains(remedy), "{why}");
    }
}
