//! PlanB on the system's bus: what everybody sees, who may act, and that nothing depends on it. With the real bus daemons,
//! polkit, and clients that are not ours: busctl, gdbus, and a script in Python.

use crate::lab::{Machine, on_each_release};
use crate::planb::SOURCE;
use crate::runs::{MAKE_SLOW, SLOW};
use serde_json::{Value, json};

/// One who may, one who may with a password, one who may not.
const PEOPLE: &str = "set -e
useradd alice; usermod -aG planb alice
useradd carol; usermod -aG sudo carol
useradd bob";

/// A call of the object of a fileset, as a script.
fn call(who: &str, fileset: &str, rest: &str) -> String {
    format!(
        "runuser -u {who} -- busctl call org.planb.PlanB1 /org/planb/PlanB1/fileset/{fileset} org.planb.PlanB1.Fileset {rest}"
    )
}

/// A property as busctl prints it, its type first.
#[track_caller]
fn property(machine: &Machine, fileset: &str, name: &str) -> String {
    machine.ok(&format!(
        "runuser -u bob -- busctl get-property org.planb.PlanB1 /org/planb/PlanB1/fileset/{fileset} org.planb.PlanB1.Fileset {name}"
    ))
}

/// Waits until a property is printed so.
#[track_caller]
fn becomes(machine: &Machine, fileset: &str, name: &str, value: &str) {
    machine.wait(
        20,
        &format!(
            "[ \"$(busctl get-property org.planb.PlanB1 /org/planb/PlanB1/fileset/{fileset} org.planb.PlanB1.Fileset {name} 2>/dev/null)\" = '{value}' ]"
        ),
    );
}

/// All properties of all objects.
fn everything(machine: &Machine) -> Vec<String> {
    let all = machine.ok("busctl --json=short call org.planb.PlanB1 /org/planb/PlanB1 org.freedesktop.DBus.ObjectManager GetManagedObjects");
    let all: Value = serde_json::from_str(&all).expect("json");
    let objects = all["data"][0].as_object().expect("objects");
    let filesets = objects.iter().filter_map(|(path, object)| {
        object.get("org.planb.PlanB1.Fileset").map(|properties| format!("{path} {properties}"))
    });
    filesets.collect()
}

on_each_release! {
    fn everybody_reads_and_who_may_acts(machine: &Machine, "bus") {
        machine.ok(PEOPLE);
        machine.drop_in("acme-web1", &format!("tags = [\"gold\"]\n{SOURCE}"));
        machine.drop_in("off", &format!("enabled = false\n{SOURCE}"));
        machine.drop_in("wrong", "nonsense");
        machine.run("planb reload");
        assert_eq!(machine.run("systemctl is-active planb-agent.service").out, "inactive");

        // Whoever asks first has it started.
        assert_eq!(property(machine, "acme_2dweb1", "State"), "s \"idle\"");
        assert_eq!(property(machine, "acme_2dweb1", "Tags"), "as 1 \"gold\"");
        assert_eq!(property(machine, "off", "State"), "s \"disabled\"");
        assert_eq!(property(machine, "wrong", "State"), "s \"invalid\"");
        assert_eq!(machine.ok("ps -o user= -C planb"), "planb");
        let invalid = machine.ok("busctl get-property org.planb.PlanB1 /org/planb/PlanB1 org.planb.PlanB1.Manager InvalidConfigurations");
        assert!(invalid.starts_with("a(ss) 1 \"/etc/planb/conf.d/wrong.toml\""), "{invalid}");
        assert_eq!(
            machine.ok("runuser -u bob -- gdbus call --system -d org.planb.PlanB1 -o /org/planb/PlanB1 -m org.planb.PlanB1.Manager.GetFileset acme-web1"),
            "(objectpath '/org/planb/PlanB1/fileset/acme_2dweb1',)"
        );
        assert_eq!(everything(machine).len(), 3);
        let seen = machine.ok("gdbus introspect --system -d org.planb.PlanB1 -o /org/planb/PlanB1/fileset/off");
        for told in ["Run(in  a{sv} options)", "Prune(in  b dry,", "readonly s State = 'disabled'", "readonly d Progress = -1.0"] {
            assert!(seen.contains(told), "{told}: {seen}");
        }

        // Others are refused, administrators are asked where that can be, and nothing has happened.
        for method in ["Run 'a{sv}' 0", "Stop", "Prune b false"] {
            let refused = machine.exits(1, &call("bob", "acme_2dweb1", method)).err;
            assert!(refused.contains("Access denied") || refused.contains("org.planb.PlanB1.manage: this is for"), "{method}: {refused}");
            let asked = machine.exits(1, &call("carol", "acme_2dweb1", method).replace("busctl", "busctl --allow-interactive-authorization=no")).err;
            assert!(asked.to_lowercase().contains("password") || asked.contains("nteractive authentication required"), "{method}: {asked}");
        }
        let gdbus = "runuser -u bob -- gdbus call --system -d org.planb.PlanB1 -o /org/planb/PlanB1 -m org.planb.PlanB1.Manager.Reload";
        let refused = machine.exits(1, gdbus).err;
        assert!(refused.contains("org.freedesktop.DBus.Error.AccessDenied"), "{refused}");
        assert_eq!(machine.ok("planb history"), machine.ok("planb history nobody"));

        // Who may, does, and everybody hears of it.
        machine.ok("(gdbus monitor --system --dest org.planb.PlanB1 >/tmp/heard 2>&1 & echo $! >/tmp/monitor); sleep 1");
        machine.ok(&call("alice", "acme_2dweb1", "Run 'a{sv}' 0"));
        becomes(machine, "acme_2dweb1", "LastResult", "s \"success\"");
        becomes(machine, "acme_2dweb1", "State", "s \"idle\"");
        let run = machine.last("acme-web1");
        assert_eq!((&run["trigger"], &run["result"]), (&"manual".into(), &"success".into()), "{run}");
        machine.wait(10, "grep -q RunFinished /tmp/heard");
        let heard = machine.ok("kill $(cat /tmp/monitor); cat /tmp/heard");
        let id = run["id"].as_str().expect("an id");
        for told in ["Manager.RunStarted", "Manager.RunFinished", "PropertiesChanged", "'State': <'idle'>", id] {
            assert!(heard.contains(told), "{told}: {heard}");
        }
        let listed = machine.listed("acme-web1");
        assert_eq!(property(machine, "acme_2dweb1", "SnapshotCount"), "x 1", "user planb sees them");
        let at = machine.ok(&format!("date -d {} +%s", listed["last_success"]));
        assert_eq!(property(machine, "acme_2dweb1", "LastSuccess"), format!("t {at}"));
        let snapshots = machine.ok(&call("bob", "acme_2dweb1", "Snapshots"));
        assert!(snapshots.starts_with("a(stsastts) 1 \"planb-") && snapshots.contains("\"newest\""), "{snapshots}");
        let history = machine.ok(&call("bob", "acme_2dweb1", "History u 5"));
        assert!(history.starts_with("aa{sv} 1 ") && history.contains(id), "{history}");

        // What cannot be done is said and not half done.
        for (who, fileset, method, words) in [
            ("alice", "acme_2dweb1", "Run 'a{sv}' 1 keep s x", "is for root alone"),
            ("alice", "acme_2dweb1", "Run 'a{sv}' 1 nonsense b true", "there is no option"),
            ("alice", "off", "Run 'a{sv}' 0", "off is disabled"),
            ("alice", "wrong", "Run 'a{sv}' 0", "the file of wrong is wrong"),
            ("alice", "nobody", "Run 'a{sv}' 0", "nknown object"),
        ] {
            let said = machine.exits(1, &call(who, fileset, method)).err;
            assert!(said.contains(words), "{method}: {said}");
        }

        // Retention over the bus: three that it does not keep, and they are gone.
        machine.ok("sed -i '1i retain = \"1d\"' /etc/planb/conf.d/acme-web1.toml
                    for day in 1 2 3; do mkdir -p /srv/backups/acme-web1/planb-2020010${day}T0000Z/data; done");
        machine.wait(20, &format!("{} | grep -q '^asa(sas) 2 '", call("bob", "acme_2dweb1", "Prune b true")));
        assert_eq!(machine.ok("ls -d /srv/backups/acme-web1/planb-* | wc -l"), "4");
        machine.ok(&call("alice", "acme_2dweb1", "Prune b false"));
        machine.wait(20, "[ $(ls -d /srv/backups/acme-web1/planb-* | wc -l) = 2 ]");
        machine.wait(10, "[ $(systemctl show -P ActiveState planb-prune@acme-web1.service) = inactive ]");
        assert_eq!(machine.ok("systemctl show -P Result planb-prune@acme-web1.service"), "success");

        // The configuration as it is now.
        machine.drop_in("late", SOURCE);
        becomes(machine, "late", "State", "s \"idle\"");
        machine.ok("rm /etc/planb/conf.d/wrong.toml; runuser -u alice -- busctl call org.planb.PlanB1 /org/planb/PlanB1 org.planb.PlanB1.Manager Reload");
        machine.wait(20, "systemctl is-active -q planb@late.timer");
        machine.wait(20, "! busctl tree --list org.planb.PlanB1 | grep -q wrong");
    }

    fn a_client_that_shares_no_code_reads_starts_and_listens(machine: &Machine, "client") {
        machine.ok(PEOPLE);
        machine.ok("mkdir -p /srv/slow && head -c 2000000 /dev/urandom >/srv/slow/big && echo small >/srv/slow/a");
        for number in 0..20 {
            machine.drop_in(&format!("web{number}"), &format!("group = \"acme\"\ntags = [\"gold\", \"more\"]\n{SOURCE}"));
        }
        machine.drop_in("slow", &SLOW.replace("64K", "400K"));
        machine.reload();
        machine.push(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/bus.py")), "/tmp/bus.py");
        // Bob may read and not act.
        let refused = machine.exits(1, "runuser -u bob -- python3 /tmp/bus.py slow").err;
        assert!(refused.contains("AccessDenied"), "{refused}");
        let said: Value = serde_json::from_str(&machine.ok("runuser -u alice -- python3 /tmp/bus.py slow")).expect("json");

        let filesets = said["filesets"].as_object().expect("objects");
        assert_eq!(filesets.len(), 21);
        let web7 = &filesets["/org/planb/PlanB1/fileset/web7"];
        for (property, value) in [
            ("Name", json!(["s", "web7"])),
            ("Group", json!(["s", "acme"])),
            ("Tags", json!(["as", ["gold", "more"]])),
            ("Enabled", json!(["b", true])),
            ("State", json!(["s", "idle"])),
            ("Progress", json!(["d", -1.0])),
            ("LastRun", json!(["t", 0])),
            ("SnapshotCount", json!(["x", 0])),
            ("Transport", json!(["s", "rsync"])),
        ] {
            assert_eq!(web7[property], value, "{property}: {web7}");
        }

        // While it moved, its progress came, and never less than before.
        let changes = said["changes"].as_array().expect("a list");
        let progress = |change: &Value| change["Progress"][1].as_f64();
        let moved: Vec<f64> = changes.iter().filter_map(progress).filter(|share| *share >= 0.0).collect();
        assert!(moved.len() >= 2 && moved.is_sorted() && moved.iter().all(|share| *share <= 1.0), "{moved:?}");
        assert!(changes.iter().any(|change| change["State"] == json!(["s", "running"])), "{changes:?}");
        assert!(changes.iter().any(|change| change["Status"][1].as_str().is_some_and(|text| text.starts_with("transferring: "))), "{changes:?}");
        assert_eq!(said["shown"]["State"], json!(["s", "idle"]));
        assert_eq!(said["shown"]["SnapshotCount"], json!(["x", 1]));

        // And at the end the record, all that history has of it.
        let (started, finished) = (&said["started"], &said["finished"]);
        let run = machine.last("slow");
        assert_eq!((&started["id"][1], &started["result"]), (&run["id"], &Value::Null), "{started}");
        for (field, value) in run.as_object().expect("a record").iter().filter(|(_, value)| !value.is_null()) {
            let told = &finished[field][1];
            match field.as_str() {
                "started" | "finished" => {
                    let at = machine.ok(&format!("date -d {value} +%s"));
                    assert_eq!(told.to_string(), at, "{field}");
                }
                _ => assert_eq!(told, value, "{field}"),
            }
        }
        assert_eq!(finished["result"], json!(["s", "success"]), "{finished}");
        assert_eq!(finished["bytes_total"][0], "t", "{finished}");
    }

    fn the_agent_can_do_nothing_else(machine: &Machine, "power-of") {
        machine.drop_in("web1", SOURCE);
        machine.reload();
        // As if somebody had taken it over: the same user, without its sandbox.
        for (what, may) in [
            ("systemctl --no-ask-password start planb@web1.service", true),
            ("systemctl --no-ask-password stop planb@web1.service", true),
            ("systemctl --no-ask-password start planb-prune@web1.service", true),
            ("systemctl --no-ask-password start planb-reload.service", true),
            ("systemctl --no-ask-password stop planb-prune@web1.service", false),
            ("systemctl --no-ask-password restart planb@web1.service", false),
            ("systemctl --no-ask-password kill planb@web1.service", false),
            ("systemctl --no-ask-password stop planb@web1.timer", false),
            ("systemctl --no-ask-password stop planb-reload.path", false),
            ("systemctl --no-ask-password start planb-trash@web1.service", false),
            ("systemctl --no-ask-password start planb-transfer@web1.service", false),
            ("systemctl --no-ask-password start rescue.target", false),
            ("systemctl --no-ask-password stop ssh.service", false),
            ("systemctl --no-ask-password set-property planb@web1.service CPUWeight=1", false),
            ("systemctl --no-ask-password daemon-reload", false),
            ("systemctl --no-ask-password mask planb@web1.service", false),
            ("systemd-run --no-ask-password true", false),
            ("busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartUnit ss 'planb@a/../b.service' replace", false),
        ] {
            let did = machine.run(&format!("runuser -u planb -- {what}"));
            assert_eq!(did.code == Some(0), may, "{what}: {did:?}");
            machine.wait(20, "! systemctl is-active -q planb@web1.service");
        }
        let judged = machine.ok("systemd-analyze security --no-pager planb-agent.service | tail -n 1");
        let score = judged.split("service: ").nth(1).and_then(|text| text.split(' ').next());
        assert!(score.and_then(|score| score.parse::<f32>().ok()).is_some_and(|score| score <= 1.5), "{judged}");
    }

    fn nothing_depends_on_the_agent_or_the_bus(machine: &Machine, "view") {
        machine.ok(PEOPLE);
        machine.ok(MAKE_SLOW);
        machine.drop_in("web1", SOURCE);
        machine.drop_in("slow", SLOW);
        machine.reload();
        machine.exits(0, "planb run web1");
        machine.ok(&call("alice", "slow", "Run 'a{sv}' 0"));
        becomes(machine, "slow", "State", "s \"running\"");
        machine.wait(20, "busctl get-property org.planb.PlanB1 /org/planb/PlanB1/fileset/slow org.planb.PlanB1.Fileset Status | grep -q transferring:");
        assert_eq!(machine.ok("busctl get-property org.planb.PlanB1 /org/planb/PlanB1 org.planb.PlanB1.Manager RunningCount"), "u 1");

        // It dies, and the run does not notice; it is back, and sees the same.
        let before = property(machine, "web1", "LastSuccess");
        let process = machine.ok("systemctl show -P MainPID planb-agent.service");
        machine.ok("systemctl kill --kill-whom=main -s KILL planb-agent.service");
        machine.wait(20, &format!("pid=$(systemctl show -P MainPID planb-agent.service); [ $pid != 0 ] && [ $pid != {process} ] && systemctl is-active -q planb-agent.service"));
        assert_eq!(property(machine, "slow", "State"), "s \"running\"");
        assert_eq!(property(machine, "web1", "LastSuccess"), before);

        // So with the bus, which takes every connection along.
        machine.ok("systemctl restart dbus.service");
        becomes(machine, "slow", "State", "s \"running\"");
        machine.ok(&call("alice", "slow", "Stop"));
        becomes(machine, "slow", "LastResult", "s \"interrupted\"");
        becomes(machine, "slow", "State", "s \"idle\"");

        // A run that is killed is not one that goes on.
        machine.ok(&call("alice", "slow", "Run 'a{sv}' 0"));
        becomes(machine, "slow", "State", "s \"running\"");
        machine.ok("systemctl kill --kill-whom=main -s KILL planb@slow.service");
        becomes(machine, "slow", "LastResult", "s \"killed\"");
        becomes(machine, "slow", "State", "s \"retrying\"");
        let all = everything(machine);
        machine.ok("systemctl restart planb-agent.service");
        assert_eq!(everything(machine), all);

        // And on the other bus daemon, from the boot on.
        machine.ok("systemctl enable dbus-broker.service planb-agent.service 2>&1");
        machine.power_off();
        machine.boot();
        machine.wait(60, "systemctl is-active -q planb-agent.service");
        assert_eq!(machine.ok("systemctl is-active dbus-broker.service"), "active");
        assert_eq!(property(machine, "web1", "LastSuccess"), before);
        machine.exits(1, &call("bob", "web1", "Run 'a{sv}' 0"));
        machine.ok(&call("alice", "web1", "Run 'a{sv}' 0"));
        // A snapshot of this minute may be there already: then the next minute is waited for.
        machine.wait(90, "[ $(planb history web1 --json | grep -c '\"result\": \"success\"') = 2 ]");
        becomes(machine, "web1", "SnapshotCount", "x 2");
        machine.ok("systemctl restart dbus-broker.service");
        becomes(machine, "web1", "State", "s \"idle\"");

        // Without any bus at all, backups are made.
        machine.ok("systemctl mask --now dbus-broker.service dbus.socket planb-agent.service 2>&1; systemctl stop dbus.socket dbus-broker.service");
        machine.exits(0, "planb run web1");
    }
}
