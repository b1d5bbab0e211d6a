//! Changes of filesets where systemd runs: timers follow, and what was to be tried again still is.

use crate::lab::on_each_release;
use crate::planb::SOURCE;

on_each_release! {
    fn timers_follow_a_fileset_to_its_new_name_and_end_with_it(machine: &Machine, "changes") {
        machine.drop_in("web1", &format!("retry = \"1h\"\n{SOURCE}"));
        machine.reload();
        machine.exits(0, "planb run web1");
        // One that failed is to be tried again.
        machine.ok("mv /srv/source /srv/away");
        machine.exits(1, "planb run web1");
        machine.wait(20, "systemctl is-active -q planb-retry@web1.timer");
        let next = |name: &str| machine.ok(&format!("systemctl show -P TimersCalendar planb-retry@{name}.timer"));
        let before = next("web1");
        let said = machine.exits(0, "planb rename web1 web2");
        assert!(said.out.contains("gave the next attempt of web1 to web2"), "{said:?}");
        assert!(said.out.contains("start\tplanb@web2.timer") && said.out.contains("stop\tplanb@web1.timer"), "{said:?}");
        assert_eq!(next("web2"), before);
        let timers = "systemctl list-timers --no-legend --plain --all 'planb*' | grep -o 'planb[^ ]*timer' | sort";
        assert_eq!(machine.ok(timers), "planb-retry@web2.timer\nplanb@web2.timer");
        assert_eq!(machine.listed("web2")["state"], "retrying");

        machine.ok("mv /srv/away /srv/source");
        machine.exits(0, "planb run --keep again web2");
        let results = machine.ok("planb history web2 --json | grep '\"result\"' | tr -d ' \\n'");
        assert_eq!(results, "\"result\":\"success\",\"result\":\"failure\",\"result\":\"success\",");
        assert_eq!(machine.ok("planb snapshots web2 --json | grep -c '\"kind\"'"), "2");

        machine.exits(0, "planb clone web2 web3 --host 127.0.0.1");
        machine.exits(0, "planb run web3");
        assert_eq!(machine.ok(timers), "planb@web2.timer\nplanb@web3.timer");

        machine.ok("mv /srv/source /srv/away");
        machine.exits(1, "planb run web3");
        machine.wait(20, "systemctl is-active -q planb-retry@web3.timer");
        let said = machine.exits(0, "planb remove web3");
        assert!(said.out.contains("stop\tplanb@web3.timer"), "{said:?}");
        assert_eq!(machine.ok(timers), "planb@web2.timer");
        assert_eq!(machine.ok("ls /srv/backups/web3 | wc -l"), "1");
        assert_eq!(machine.ok("planb stale --json | grep -o '\"dataset\": \"[^\"]*\"'"), "\"dataset\": \"web3\"");
        machine.exits(1, "runuser -u nobody -- planb remove web2");
    }
}
