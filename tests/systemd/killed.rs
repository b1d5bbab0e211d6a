//! Runs that are killed: whatever dies, what is left is closed, recorded as what it was, told, and gone on with.

use crate::lab::on_each_release;
use crate::runs::{MAKE_SLOW, SLOW};

const UNDER_WAY: &str = "pgrep -u planb -x rsync >/dev/null";

/// Says something when it is told to, and then does what it is asked for.
const LATE: &str = "#!/bin/sh
touch /tmp/came
until [ -e /tmp/go ]; do sleep 0.05; done
echo said late >&2
exec sh -c \"$SSH_ORIGINAL_COMMAND\"
";

on_each_release! {
    fn the_death_of_either_process_is_the_end_of_both_and_is_told(machine: &Machine, "killed") {
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", SLOW);
        machine.reload();
        for (what, kill, result, why) in [
            ("the run", "systemctl kill --kill-whom=main -s KILL planb@slow.service", "killed", "SIGKILL"),
            ("the transfer", "systemctl kill --kill-whom=all -s KILL planb-transfer@slow.service", "killed", "SIGKILL"),
            ("rsync", "pkill -KILL -u planb -x rsync", "failure", "SIGKILL"),
            ("the transfer is stopped", "systemctl stop planb-transfer@slow.service", "interrupted", "stop"),
            ("the run is stopped", "systemctl stop planb@slow.service", "interrupted", "stop"),
        ] {
            machine.ok("planb run --no-wait slow");
            machine.wait(20, UNDER_WAY);
            machine.ok(kill);
            machine.wait(30, "[ $(systemctl is-active planb@slow.service) != active ] && [ $(systemctl is-active planb@slow.service) != deactivating ]");
            let run = machine.last("slow");
            let error = run["error"].as_str().unwrap_or_default();
            assert!(run["result"] == result && error.contains(why), "{what}: {run}\n{}", machine.journal());
            let id = run["id"].as_str().expect("an id");
            machine.wait(10, &format!("journalctl -o cat | grep -q 'heard slow {result} manual {id}'"));
            assert_eq!(machine.run("pgrep -u planb").out, "", "{what}: something lives on");
            assert_eq!(machine.run("ls /run/planb/live /run/planb/queue /run/planb/jobs | grep -v lock").out.replace('\n', ""),
                "/run/planb/jobs:/run/planb/live:/run/planb/queue:", "{what}");
            assert_eq!(machine.ok("ls /srv/backups/slow | wc -l"), "0", "{what}: no snapshot");
            let planned = machine.run("systemctl list-timers --no-legend 'planb-retry@*'").out;
            assert_eq!(planned.is_empty(), result == "interrupted", "{what}: {planned}");
        }
        machine.ok("sed -i 's/^bwlimit.*//' /etc/planb/conf.d/slow.toml");
        machine.exits(0, "planb run slow");
        assert_eq!(machine.run("systemctl list-timers --no-legend 'planb-retry@*'").out, "");
    }

    fn what_the_transfer_of_a_killed_run_said_is_not_lost(machine: &Machine, "said") {
        machine.ok(MAKE_SLOW);
        machine.write("/root/late", LATE);
        machine.ok("chmod 755 /root/late; sed -i 's,^ssh-,command=\"/root/late\" ssh-,' /root/.ssh/authorized_keys");
        machine.drop_in("slow", SLOW);
        machine.reload();
        machine.ok("planb run --no-wait slow");
        machine.wait(20, "[ -e /tmp/came ]");
        let id = machine.ok("systemctl show -P InvocationID planb@slow.service");
        machine.ok("systemctl kill --kill-whom=main -s STOP planb@slow.service; touch /tmp/go");
        machine.wait(20, "grep -q 'said late' /run/planb-transfer/slow/said-*");
        machine.ok("systemctl kill --kill-whom=main -s KILL planb@slow.service");
        machine.wait(30, "[ $(systemctl is-active planb@slow.service) = failed ]");
        machine.ok("journalctl --sync");
        for matches in [format!("_SYSTEMD_INVOCATION_ID={id}"), "PLANB_FILESET=slow".to_owned()] {
            let all = machine.ok(&format!("journalctl -o cat {matches}"));
            assert_eq!(all.matches("said late").count(), 1, "{matches}: {all}");
            assert_eq!(all.matches("Permanently added").count(), 1, "{matches}: {all}");
            assert_eq!(all.matches("it was killed by SIGKILL").count(), 1, "{matches}: {all}");
        }
    }

    fn after_a_power_cut_the_run_is_closed_told_and_tried_again(machine: &Machine, "power") {
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", &format!("retry = \"1h\"\n{SLOW}"));
        machine.reload();
        machine.ok("systemctl enable planb-reload.path planb-reload.service 2>&1");
        machine.ok("planb run --no-wait slow");
        machine.wait(20, UNDER_WAY);
        machine.ok("sync");
        machine.crash();
        machine.boot();
        machine.wait(20, "planb history slow --json | grep -q '\"result\": \"killed\"'");
        let run = machine.last("slow");
        let id = run["id"].as_str().expect("an id");
        machine.wait(20, &format!("journalctl -b -o cat | grep -q 'heard slow killed manual {id}'"));
        machine.wait(10, "systemctl is-active -q planb-retry@slow.timer");
        let told = machine.ok(&format!("journalctl --sync; journalctl -o cat PLANB_FILESET=slow PLANB_RUN_ID={id} PLANB_RESULT=killed"));
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(machine.listed("slow")["state"], "retrying");
        machine.ok("sed -i 's/^bwlimit.*//' /etc/planb/conf.d/slow.toml");
        machine.exits(0, "planb run slow");
        assert_eq!(machine.listed("slow")["state"], "idle");
    }
}
