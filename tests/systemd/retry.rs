//! Another attempt: when it is made, and when not.

use crate::lab::{Machine, on_each_release};
use crate::planb::SOURCE;

/// The hour that is now in UTC, with `ahead` more.
fn hour(machine: &Machine, ahead: u32) -> u32 {
    let hour: u32 = machine.ok("date -u +%-H").parse().expect("an hour");
    (hour + ahead) % 24
}

on_each_release! {
    fn a_failure_is_tried_again_at_an_exact_time_until_it_succeeds(machine: &Machine, "again") {
        let away = SOURCE.replace("\"/srv/source\"", "\"/srv/later\"");
        machine.drop_in("web1", &format!("retry = \"1m\"\n{away}"));
        machine.reload();
        machine.exits(1, "planb run web1");
        let first = machine.last("web1");
        let planned = machine.ok("systemctl list-timers --no-legend 'planb-retry@*'");
        assert!(planned.contains("planb-retry@web1.timer"), "{planned}");
        assert_eq!(machine.listed("web1")["state"], "retrying");
        machine.ok("mkdir /srv/later && echo now >/srv/later/file");
        machine.wait(90, "planb history web1 --json | grep -q '\"result\": \"success\"'");
        machine.wait(20, "! systemctl is-active -q planb@web1.service");
        let again = machine.last("web1");
        assert_eq!((&again["trigger"], &again["result"]), (&"retry".into(), &"success".into()), "{again}");
        let seconds = |value: &serde_json::Value| {
            machine.ok(&format!("date -d {} +%s", value.as_str().expect("a time"))).parse::<i64>().expect("seconds")
        };
        let pause = seconds(&again["started"]) - seconds(&first["finished"]);
        assert!((60..=65).contains(&pause), "{pause} s: {first} {again}");
        assert_eq!(machine.run("systemctl list-timers --all --no-legend 'planb-retry@*'").out, "");
        assert_eq!(machine.run("ls /run/planb/retry").out, "");
        assert_eq!(machine.listed("web1")["state"], "idle");
    }

    fn a_timer_obeys_the_blacklist_hours_and_a_person_does_not(machine: &Machine, "hours") {
        let (now, then) = (hour(machine, 0), hour(machine, 2));
        machine.drop_in("web1", &format!("timezone = \"UTC\"\nblacklist-hours = \"{now}-{then}\"\n{SOURCE}"));
        machine.reload();
        // As if the machine had been down when it was due.
        machine.ok("mkdir -p /run/systemd/system/planb@web1.timer.d && printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\n' \
                    >/run/systemd/system/planb@web1.timer.d/90-catch-up.conf && systemctl daemon-reload && systemctl restart planb@web1.timer");
        machine.wait(20, "planb history web1 --json | grep -q '\"result\": \"deferred\"'");
        machine.ok("rm /run/systemd/system/planb@web1.timer.d/90-catch-up.conf && systemctl daemon-reload && systemctl restart planb@web1.timer");
        machine.wait(10, "systemctl is-active -q planb-retry@web1.timer");
        let next = machine.ok("systemctl show -P NextElapseUSecRealtime planb-retry@web1.timer");
        let at = machine.ok(&format!("date -u -d '{next}' '+%-H %-M'"));
        let (at_hour, at_minute) = at.split_once(' ').expect("two numbers");
        assert_eq!(at_hour, then.to_string(), "{next}");
        assert!(at_minute.parse::<u32>().expect("a minute") < 30, "{next}");
        assert_eq!(machine.ok("systemctl list-units --failed --no-legend --plain 'planb*'"), "");
        machine.exits(0, "planb run web1");
        assert_eq!(machine.run("systemctl list-timers --all --no-legend 'planb-retry@*'").out, "");
    }

    fn an_attempt_that_was_planned_outlives_a_reboot(machine: &Machine, "reboot") {
        machine.ok("systemctl enable planb-reload.path planb-reload.service 2>&1");
        machine.drop_in("web1", &format!("retry = \"1h\"\n{}", SOURCE.replace("\"/srv/source\"", "\"/srv/later\"")));
        machine.reload();
        machine.exits(1, "planb run web1");
        let planned = machine.ok("systemctl show -P NextElapseUSecRealtime planb-retry@web1.timer");
        machine.ok("sync");
        machine.crash();
        machine.boot();
        machine.wait(20, "systemctl is-active -q planb-retry@web1.timer");
        assert_eq!(machine.ok("systemctl show -P NextElapseUSecRealtime planb-retry@web1.timer"), planned);
    }
}
