//! What only a computer with a kernel of its own can suffer: no memory, no power.

use crate::lab::on_each_release;
use crate::runs::{MAKE_SLOW, SLOW};

const UNDER_WAY: &str = "pgrep -u planb -x rsync >/dev/null";

on_each_release! {
    fn what_was_listed_outlives_a_power_cut(vm: &Vm, "hard") {
        vm.ok(MAKE_SLOW);
        vm.drop_in("slow", SLOW);
        vm.drop_in("quick", &SLOW.replace("bwlimit = \"64K\"", "bwlimit = \"none\""));
        vm.reload();
        vm.ok("planb run --no-wait slow");
        vm.wait(60, UNDER_WAY);
        vm.exits(0, "planb run quick");
        let path = vm.last("quick")["path"].as_str().expect("a snapshot").to_owned();
        vm.crash();
        vm.boot();
        vm.ok(&format!("cmp /srv/slow/big {path}/big && cat {path}/a"));
    }
}
