//! What only a computer with a kernel of its own can suffer: no memory, no power.

use crate::lab::on_each_release;
use crate::runs::{MAKE_SLOW, SLOW};

const UNDER_WAY: &str = "pgrep -u planb -x rsync >/dev/null";

/// One of the run's own processes, as systemctl is, grows until the run's memory is used up.
const EAT: &str = "systemctl set-property --runtime planb@slow.service MemoryMax=24M
(echo $BASHPID >/sys/fs/cgroup/planb.slice/planb@slow.service/cgroup.procs && exec tail /dev/zero) || true";

on_each_release! {
    fn a_lack_of_memory_is_the_end_of_the_run_and_is_told(vm: &Vm, "memory") {
        vm.ok(MAKE_SLOW);
        vm.drop_in("slow", &SLOW.replace("bwlimit = \"64K\"", "bwlimit = \"none\""));
        vm.reload();
        vm.exits(0, "planb run slow");
        vm.drop_in("slow", SLOW);
        vm.reload();
        for (unit, lack, why) in [
            ("the transfer", "systemctl set-property --runtime planb-transfer@slow.service MemoryMax=1M", "the transfer used up its memory"),
            ("the run", EAT, "it used up its memory"),
        ] {
            vm.ok("head -c 30000000 /dev/urandom >/srv/slow/big; planb run --no-wait slow");
            vm.wait(120, UNDER_WAY);
            // The snapshot that the new tree is linked from is open to who fills it.
            assert_eq!(vm.ok("stat -c %a /srv/backups/slow/planb-*"), "750", "{unit}");
            vm.ok(lack);
            vm.wait(120, "[ $(systemctl is-active planb@slow.service) = failed ]");
            let run = vm.last("slow");
            assert!(run["result"] == "killed" && run["error"].as_str().is_some_and(|error| error.contains(why)), "{unit}: {run}\n{}", vm.journal());
            let id = run["id"].as_str().expect("an id");
            vm.wait(60, &format!("journalctl -o cat | grep -q 'heard slow killed manual {id}'"));
            assert_eq!(vm.run("pgrep -u planb").out, "", "{unit}: something lives on");
            assert_eq!(vm.ok("stat -c '%a %U' /srv/backups/slow/planb-*"), "700 root", "{unit}: it is not closed");
            vm.wait(60, "systemctl is-active -q planb-retry@slow.timer");
            vm.ok("systemctl revert planb-transfer@slow.service planb@slow.service");
        }
        vm.drop_in("slow", &SLOW.replace("bwlimit = \"64K\"", "bwlimit = \"none\""));
        vm.reload();
        vm.exits(0, "planb run slow");
        assert_eq!(vm.run("systemctl list-timers --no-legend 'planb-retry@*'").out, "");
    }

    fn what_was_listed_outlives_a_power_cut(vm: &Vm, "hard") {
        vm.ok(MAKE_SLOW);
        vm.drop_in("slow", SLOW);
        vm.drop_in("quick", &SLOW.replace("bwlimit = \"64K\"", "bwlimit = \"none\""));
        vm.reload();
        vm.ok("planb run --no-wait slow");
        vm.wait(60, UNDER_WAY);
        vm.exits(0, "planb run quick");
        let run = vm.last("quick");
        let path = run["path"].as_str().expect("a snapshot");
        vm.crash();
        vm.boot();
        assert_eq!(vm.last("quick"), run);
        vm.ok(&format!("cmp /srv/slow/big {path}/big && cat {path}/a"));
    }
}
