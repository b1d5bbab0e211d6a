//! Zabbix's own agent and sender, of each release, set up as the files beside the template say.

use crate::lab::{Machine, on_each_release};
use crate::planb::SOURCE;
use serde_json::Value;
use std::path::Path;

const CONFIGURATION: &str = "PidFile=/run/zabbix/zabbix_agentd.pid
LogType=system
Server=127.0.0.1
ServerActive=127.0.0.1
Hostname=backup1
Timeout=30
Include=/etc/zabbix/zabbix_agentd.conf.d/*.conf
";

/// What planb.conf tells the administrator to do: the line for sudoers is taken from there.
const SET_UP: &str = "set -e
ln -s /usr/share/planb/zabbix/planb.conf /etc/zabbix/zabbix_agentd.conf.d/
sed -n 's/^#     \\(zabbix ALL=.*\\)/\\1/p' /usr/share/planb/zabbix/planb.conf >/etc/sudoers.d/zabbix
visudo -q -c -f /etc/sudoers.d/zabbix
ln -s /usr/share/planb/hooks/50-zabbix-sender /etc/planb/post-backup.d/
systemctl unmask zabbix-agent.service 2>&1";

/// The last value that came for a key.
fn heard(machine: &Machine, key: &str) -> Value {
    let all = machine.ok("cat /tmp/heard");
    let last = all.lines().rev().map(|line| serde_json::from_str::<Value>(line).expect("json"));
    let last = last.into_iter().find(|value| value["key"] == key).unwrap_or_else(|| panic!("{key}: {all}"));
    assert_eq!((&last["host"], &last["state"]), (&"backup1".into(), &0.into()), "{last}");
    last["value"].clone()
}

/// A value that is JSON itself.
fn read(value: &Value) -> Value {
    serde_json::from_str(value.as_str().expect("a text")).expect("JSON in it")
}

on_each_release! {
    fn zabbix_asks_and_is_told(machine: &Machine, "zabbix") {
        machine.drop_in("web1", &format!("group = \"acme\"\n{SOURCE}"));
        machine.drop_in("off", &format!("enabled = false\n{SOURCE}"));
        machine.reload();
        machine.write("/etc/zabbix/zabbix_agentd.conf", CONFIGURATION);
        machine.ok(SET_UP);
        machine.push(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/zabbix.py")), "/tmp/zabbix.py");

        // The agent itself says that it knows the items, and what it got for them.
        let tried = |key: &str| {
            let said = machine.ok(&format!("runuser -u zabbix -- zabbix_agentd -t {key}"));
            let value = said.strip_prefix(key).and_then(|rest| rest.trim().strip_prefix("[t|")?.strip_suffix(']'));
            serde_json::from_str::<Value>(value.expect(&said)).expect(&said)
        };
        assert_eq!((&tried("planb.summary")["enabled"], &tried("planb.discovery")["data"][0]["{#ID}"]), (&1.into(), &"web1".into()));
        // And it can do no more than that.
        machine.exits(1, "runuser -u zabbix -- sudo -n /usr/bin/planb list");
        machine.exits(1, "runuser -u zabbix -- sudo -n /usr/bin/planb monitor --zabbix --root /tmp");

        // A server that polls, and one that is told.
        machine.ok("systemd-run --quiet --unit=server python3 /tmp/zabbix.py listen /tmp/heard planb.summary planb.discovery");
        machine.wait(20, "ss -Hltn 'sport = 10051' | grep -q 10051");
        machine.ok("systemctl start zabbix-agent.service");
        machine.wait(20, "ss -Hltn 'sport = 10050' | grep -q 10050");
        let polled = machine.ok("python3 /tmp/zabbix.py get planb.summary");
        let polled: Value = serde_json::from_str(&polled).expect("JSON");
        assert_eq!((&polled["level"], &polled["disabled"]), (&"ok".into(), &1.into()), "{polled}");
        machine.wait(60, "grep -q planb.summary /tmp/heard && grep -q planb.discovery /tmp/heard");
        let discovered = read(&heard(machine, "planb.discovery"));
        assert_eq!(discovered["data"][0]["{#GROUP}"], "acme", "{discovered}");
        assert!(discovered["data"][0]["{#ETA_MAX}"].as_u64().is_some_and(|secs| secs > 24 * 3600), "{discovered}");
        assert_eq!(read(&heard(machine, "planb.summary"))["filesets"], 2);

        // A success is sent, once it is one; a failure is not, and is in the next summary.
        machine.exits(0, "planb run web1");
        machine.wait(20, "grep -q 'planb.get_latest.web1' /tmp/heard");
        let finished = machine.ok(&format!("date -d {} +%s", machine.last("web1")["finished"]));
        assert_eq!(heard(machine, "planb.get_latest[web1]"), finished.as_str());
        machine.ok("mv /srv/source /srv/away");
        machine.exits(1, "planb run web1");
        machine.wait(30, "tail -n 4 /tmp/heard | grep -q '\\\\\"level\\\\\": *\\\\\"warning\\\\\"'");
        let failed = read(&heard(machine, "planb.summary"));
        assert_eq!(failed["failed"], 1, "{failed}");
        assert!(failed["message"].as_str().is_some_and(|text| text.starts_with("web1: it fails since")), "{failed}");
        machine.wait(20, "! systemctl is-active -q planb-hooks@web1.service");
        assert_eq!(machine.ok("grep -c get_latest /tmp/heard"), "1");
    }
}
