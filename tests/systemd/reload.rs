//! systemd follows the configuration by itself.

use crate::lab::{Machine, on_each_release};
use crate::planb::SOURCE;
use crate::runs::{MAKE_SLOW, SLOW};

fn timers(machine: &Machine) -> String {
    machine
        .ok("systemctl list-units --plain --no-legend --type=timer --state=active 'planb@*' | cut -d' ' -f1")
}

fn schedule(machine: &Machine, name: &str) -> String {
    machine.ok(&format!("systemctl show -P TimersCalendar planb@{name}.timer"))
}

fn at(time: &str) -> String {
    format!("timezone = \"UTC\"\nschedule = \"{time}\"\n{SOURCE}")
}

/// How long a change may take to be in force.
const SOON: u32 = 5;

on_each_release! {
    fn a_change_is_in_force_by_itself_within_seconds(machine: &Machine, "change") {
        machine.ok("systemctl start planb-reload.path");
        machine.drop_in("a", &at("02:00"));
        machine.wait(SOON, "systemctl is-active -q planb@a.timer");
        // A run that goes on has nothing to do with it.
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", SLOW);
        machine.wait(SOON, "systemctl is-active -q planb@slow.timer");
        machine.ok("planb run --no-wait slow");
        machine.wait(20, "pgrep -u planb -x rsync >/dev/null");
        let transfer = machine.ok("systemctl show -P MainPID planb-transfer@slow.service");

        machine.drop_in("a", &at("03:30"));
        machine.wait(SOON, "systemctl show -P TimersCalendar planb@a.timer | grep -q '03:30:00 UTC'");
        machine.ok("mv /etc/planb/conf.d/a.toml /etc/planb/conf.d/b.toml");
        machine.wait(SOON, "systemctl is-active -q planb@b.timer && ! systemctl is-active -q planb@a.timer");
        machine.ok("sed -i 1ienabled=false /etc/planb/conf.d/b.toml");
        machine.wait(SOON, "! systemctl is-active -q planb@b.timer");
        machine.ok("sed -i 1d /etc/planb/conf.d/b.toml");
        machine.wait(SOON, "systemctl is-active -q planb@b.timer");
        machine.ok("rm /etc/planb/conf.d/b.toml /etc/planb/conf.d/slow.toml");
        machine.wait(SOON, "! systemctl is-active -q planb@b.timer && ! systemctl is-active -q planb@slow.timer");

        assert_eq!(machine.ok("systemctl show -P MainPID planb-transfer@slow.service"), transfer, "the run was disturbed");
        machine.ok("systemctl stop planb@slow.service");
        assert_eq!(timers(machine), "");
        // Nothing is backed up any more: that is not how it should end.
        machine.wait(10, "systemctl is-failed -q planb-reload.service");
    }

    fn a_burst_of_changes_is_one_reload(machine: &Machine, "burst") {
        machine.ok("systemctl start planb-reload.path");
        machine.ok("journalctl --sync; date +%s.%N >/tmp/since");
        let text = at("02:00").replace('"', "\\\"");
        machine.ok(&format!("for i in $(seq 200); do printf \"{text}\" >/etc/planb/conf.d/f$i.toml; done"));
        machine.wait(SOON + 3, "[ $(systemctl list-units --plain --no-legend --type=timer --state=active 'planb@*' | wc -l) = 200 ]");
        machine.ok("journalctl --sync");
        let reloads = machine.ok("journalctl -o cat --since=@$(cat /tmp/since) _PID=1 | grep -c '^Reloading\\.\\|^Reloading requested' || true");
        assert!(reloads.parse::<u32>().expect("a number") <= 2, "{reloads} reloads");
    }

    fn an_invalid_file_keeps_its_old_schedule_and_is_reported(machine: &Machine, "invalid") {
        machine.ok("systemctl enable --now planb-reload.path planb-reload.service 2>&1");
        machine.drop_in("a", &at("02:00"));
        machine.drop_in("b", &at("04:00"));
        machine.wait(SOON, "systemctl is-active -q planb@a.timer && systemctl is-active -q planb@b.timer");
        let before = schedule(machine, "a");
        assert!(before.contains("02:00:00 UTC"), "{before}");
        machine.drop_in("a", &at("whenever"));
        machine.wait(SOON, "journalctl -o cat MESSAGE_ID=bb14962dc1094e37988ccf4a65ffb636 PLANB_FILESET=a | grep -q 'old schedule goes on'");
        let calendar = |text: &str| text.split(" ; ").next().unwrap_or_default().to_owned();
        assert_eq!(calendar(&schedule(machine, "a")), calendar(&before));
        machine.exits(2, "planb reload");
        assert_eq!(timers(machine), "planb@a.timer\nplanb@b.timer");
        assert_eq!(machine.listed("a")["state"], "invalid");

        // Its run says what is the matter, to whoever listens for failures.
        machine.exits(2, "systemctl start planb@a.service; while systemctl is-active -q planb@a.service; do sleep 0.1; done; exit $(systemctl show -P ExecMainStatus planb@a.service)");
        let run = machine.last("a");
        assert!(run["result"] == "failure" && run["error"].as_str().is_some_and(|e| e.contains("a.toml")), "{run}");
        machine.wait(10, "journalctl -o cat | grep -q 'heard a failure manual'");

        machine.ok("sync");
        machine.crash();
        machine.boot();
        machine.wait(20, "systemctl is-active -q planb@a.timer");
        assert_eq!(calendar(&schedule(machine, "a")), calendar(&before), "after a reboot");
        machine.drop_in("a", &at("05:00"));
        machine.wait(SOON, "systemctl show -P TimersCalendar planb@a.timer | grep -q '05:00:00 UTC'");
        assert_eq!(machine.run("ls /run/systemd/system | grep planb; ls /var/lib/planb/schedules").out, "");
        machine.write("/etc/planb/planb.toml", "[storage\n");
        machine.wait(SOON, "journalctl -b -o cat MESSAGE_ID=bb14962dc1094e37988ccf4a65ffb636 PLANB_FILESET=b | grep -q 'old schedule goes on'");
        assert_eq!(timers(machine), "planb@a.timer\nplanb@b.timer", "a broken planb.toml stops nothing");
    }

    fn a_dry_run_prints_what_would_change_and_changes_nothing(machine: &Machine, "dry") {
        machine.drop_in("a", &at("02:00"));
        assert_eq!(machine.ok("planb reload --dry-run"), "start\tplanb@a.timer");
        assert_eq!(timers(machine), "");
        assert_eq!(machine.ok("planb reload"), "start\tplanb@a.timer");
        assert_eq!(machine.ok("planb reload"), "");
        machine.drop_in("a", &at("03:00"));
        machine.drop_in("c", &at("03:00"));
        assert_eq!(machine.ok("planb reload --dry-run"), "start\tplanb@c.timer\nrestart\tplanb@a.timer");
        machine.ok("planb reload; rm /etc/planb/conf.d/*");
        assert_eq!(machine.ok("planb reload --dry-run"), "stop\tplanb@a.timer\nstop\tplanb@c.timer");
        let said = machine.exits(1, "planb reload");
        assert!(said.err.contains("nothing is backed up"), "{said:?}");
        machine.exits(0, "planb reload");
        let said = machine.exits(1, "runuser -u nobody -- planb reload");
        assert!(said.err.contains("only root may reload"), "{said:?}");
    }
}
