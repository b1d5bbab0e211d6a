//! Runs as systemd makes them, and `planb run` and `planb stop` as people call them.

use crate::lab::on_each_release;
use crate::planb::SOURCE;

/// A transfer that lasts until it is ended: a big file behind a narrow pipe.
pub const SLOW: &str = r#"[rsync]
host = "localhost"
user = "root"
source = "/srv/slow"
include = ["/"]
ionice = "none"
sudo = false
bwlimit = "64K"
"#;

/// Makes the slow source.
pub const MAKE_SLOW: &str =
    "mkdir -p /srv/slow && head -c 30000000 /dev/urandom >/srv/slow/big && echo small >/srv/slow/a";

on_each_release! {
    fn a_timer_starts_a_run_and_everybody_hears_of_it(machine: &Machine, "timer") {
        machine.drop_in("web1", &format!("group = \"acme\"\nschedule = \"*-*-* *:*:0/4\"\n{SOURCE}"));
        machine.reload();
        let listed = machine.ok("systemctl list-timers --no-legend 'planb@*'");
        assert!(listed.contains("planb@web1.timer") && listed.contains("planb@web1.service"), "{listed}");
        machine.wait(30, "planb history web1 --json | grep -q '\"result\": \"success\"'");
        machine.ok("systemctl stop planb@web1.timer");
        machine.wait(80, "! systemctl is-active -q planb@web1.service");
        machine.wait(20, "! systemctl is-active -q planb-hooks@web1.service");
        let run = machine.last("web1");
        assert_eq!((&run["trigger"], &run["result"]), (&"timer".into(), &"success".into()), "{run}");
        let path = run["snapshot"].as_str().expect("a snapshot");
        assert_eq!(machine.ok(&format!("cat /srv/backups/web1/{path}/data/sub/two")), "two");
        // The files are planb's, whose transfer wrote them; the way to them is root's alone.
        let modes = machine.ok(&format!("stat -c %U:%G:%a /srv/backups/web1 /srv/backups/web1/{path}"));
        assert_eq!(modes, "root:planb:750\nroot:planb:700");

        let id = run["id"].as_str().expect("an id");
        machine.ok("journalctl --sync");
        let journal = |matches: &str| machine.ok(&format!("journalctl --no-pager -o cat {matches}"));
        let of_run = journal(&format!("_SYSTEMD_INVOCATION_ID={id}"));
        assert!(of_run.starts_with("web1: its timer starts a run") && of_run.contains(path), "{of_run}");
        let of_event = journal(&format!(
            "MESSAGE_ID=e9303d198d5b46ae88305ee4c50370b9 PLANB_FILESET=web1 PLANB_RUN_ID={id} PLANB_GROUP=acme \
             PLANB_RESULT=success PLANB_SNAPSHOT={path}"
        ));
        assert_eq!(of_event.lines().count(), 1, "{of_event}");
        let hooks = journal(&format!("PLANB_RUN_ID={id} PLANB_FILESET=web1"));
        assert!(hooks.contains(&format!("heard web1 success timer {id} planb")), "{hooks}");
        // What ssh said to the first run of them is that run's, and is said once.
        let runs: serde_json::Value = serde_json::from_str(&machine.ok("planb history web1 --json")).expect("json");
        let first = runs["runs"].as_array().and_then(|runs| runs.last()).expect("a run")["id"].as_str().expect("an id");
        let all = journal("PLANB_FILESET=web1");
        assert_eq!(all.matches("Permanently added").count(), 1, "{all}");
        let of_first = journal(&format!("_SYSTEMD_INVOCATION_ID={first} PLANB_FROM=transfer"));
        assert!(of_first.contains("web1: Warning: Permanently added"), "{of_first}");
        let twice = machine.run("journalctl -o json PLANB_FILESET=web1 | grep -c '\"PLANB_[A-Z_]*\":\\['");
        assert_eq!(twice.out, "0", "a field is there twice");
        let explained = machine.ok(&format!("journalctl --no-pager -x _SYSTEMD_INVOCATION_ID={id}"));
        assert!(explained.contains("Defined-By: PlanB"), "{explained}");
        assert_eq!(machine.ok("systemctl list-units --failed --no-legend --plain 'planb*'"), "");
    }

    fn people_start_runs_and_are_told_how_they_ended(machine: &Machine, "people") {
        machine.drop_in("web1", &format!("[guard]\nmax-shrink = \"10%\"\n{SOURCE}"));
        machine.drop_in("gone", &SOURCE.replace("\"/srv/source\"", "\"/srv/nowhere\""));
        machine.drop_in("off", &format!("enabled = false\n{SOURCE}"));
        machine.reload();
        let said = machine.exits(0, "planb run web1");
        assert!(said.out.is_empty() && said.err.contains("web1: planb-"), "{said:?}");
        assert_eq!(machine.last("web1")["trigger"], "manual");
        machine.exits(2, "planb run nothing");
        machine.exits(2, "planb run off");
        let said = machine.exits(1, "planb run gone");
        assert!(said.err.contains("gone: failure"), "{said:?}");
        let error = machine.last("gone")["error"].as_str().expect("an error").to_owned();
        assert!(said.err.contains(&error), "{said:?}");
        // The root of all of it is not whom the network meets.
        let owner = machine.ok("find /srv/backups/web1 -path '*/data/*' -printf '%U\\n' | sort -u");
        assert_eq!(owner, machine.ok("id -u planb"));

        // A person's wishes reach the unit, once.
        machine.ok("rm -r /srv/source/sub /srv/source/one; echo 1 >/srv/source/1");
        let said = machine.exits(1, "planb run web1");
        assert!(said.err.contains("--accept-shrink"), "{said:?}");
        machine.exits(0, "planb run --accept-shrink --keep before-upgrade web1");
        let snapshot = machine.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        assert!(snapshot.starts_with("before-upgrade-"), "{snapshot}");
        assert_eq!(machine.ok("ls /run/planb/requests /run/planb/live"), "/run/planb/live:\n\n/run/planb/requests:");

        let said = machine.exits(1, "runuser -u nobody -- planb run web1");
        assert!(said.err.contains("only root may start a run"), "{said:?}");
        let said = machine.exits(1, "runuser -u nobody -- planb stop web1");
        assert!(said.err.contains("only root may stop a run"), "{said:?}");
    }

    fn a_run_outlives_who_watches_it_and_can_be_stopped(machine: &Machine, "watch") {
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", SLOW);
        machine.reload();
        let said = machine.run("timeout --preserve-status -s INT 4 planb run slow");
        assert!(said.err.contains("slow: the backup goes on; to stop it: planb stop slow"), "{said:?}");
        assert_eq!(machine.ok("systemctl is-active planb@slow.service planb-transfer@slow.service || true"), "active\nactivating");
        assert_eq!(machine.listed("slow")["state"], "running");
        let status = machine.ok("systemctl show -P StatusText planb@slow.service");
        assert!(status.starts_with("transferring") && status.contains("until"), "{status}");
        machine.exits(4, "planb run slow");
        machine.exits(4, "planb run --direct slow");
        machine.ok("planb stop slow");
        let run = machine.last("slow");
        assert_eq!((&run["result"], &run["snapshot"]), (&"interrupted".into(), &serde_json::Value::Null), "{run}");
        assert_eq!(machine.run("systemctl is-active planb@slow.service planb-transfer@slow.service").out, "inactive\ninactive");
        assert_eq!(machine.run("systemctl list-timers --no-legend 'planb-retry@*'").out, "");
        machine.wait(10, "journalctl -o cat | grep -q 'heard slow interrupted manual'");
        assert!(machine.exits(0, "planb stop slow").err.contains("not running"));
        machine.exits(0, "planb run --no-wait slow");
        machine.wait(10, "systemctl is-active -q planb-transfer@slow.service || systemctl show -P ActiveState planb-transfer@slow | grep -q activating");
        machine.ok("planb stop slow");
    }

    fn a_source_on_this_machine_needs_no_network(machine: &Machine, "local") {
        machine.ok("mkdir -p /home/me && echo mine >/home/me/file && chmod 600 /home/me/file && chmod 700 /home/me");
        machine.drop_in("self", "[rsync]\nsource = \"/home\"\ninclude = [\"/\"]\n");
        machine.reload();
        machine.exits(0, "planb run self");
        let run = machine.last("self");
        let snapshot = run["snapshot"].as_str().expect("a snapshot");
        assert_eq!(machine.ok(&format!("cat /srv/backups/self/{snapshot}/data/me/file")), "mine");
        // What is wrong with it is told of where it is, in the journal and in the record.
        machine.drop_in("self", "[rsync]\nsource = \"/home/me/file\"\ninclude = [\"/\"]\n");
        machine.reload();
        machine.exits(1, "planb run self");
        let error = machine.last("self")["error"].as_str().expect("an error").to_owned();
        let journal = machine.ok("journalctl --sync; journalctl -o cat PLANB_FILESET=self");
        assert!(error.contains("\"/home/me/file\"") && journal.contains(": rsync: ") && journal.contains("\"/home/me/file\""), "{error}\n{journal}");
        assert!(!error.contains("/run/planb") && !journal.contains("/run/planb"), "{error}\n{journal}");
    }

    fn the_next_run_never_writes_beside_a_transfer_that_lives(machine: &Machine, "beside") {
        machine.drop_in("web1", SOURCE);
        machine.reload();
        machine.exits(0, "planb run web1");
        // A transfer that nothing can end, as the lock says.
        machine.ok("systemd-run --quiet --unit=undead --uid=planb flock --exclusive /run/planb/jobs/web1.lock sleep 1000");
        machine.wait(10, "! flock --nonblock /run/planb/jobs/web1.lock true");
        let said = machine.exits(1, "planb run --direct web1");
        assert!(said.err.contains("still writes"), "{said:?}");
        let better = "planb run web1 has user planb do that";
        assert!(said.err.contains(better), "root would have talked to the source: {said:?}");
        machine.exits(1, "planb run web1");
        machine.ok("systemctl stop undead");
        let said = machine.exits(0, "planb run --keep later web1");
        assert!(!said.err.contains(better), "{said:?}");
    }
}
