//! The units as an administrator meets them: installed from the package.

use crate::lab::{Machine, on_each_release};

/// One backup host, with a fileset for every way to look at it.
const SETTINGS: &str = r#"
[storage.disk]
type = "directory"
path = "/srv/backups of all"

[storage.usb]
type = "directory"
path = "/media/usb"

[defaults]
storage = "disk"
timezone = "Europe/Amsterdam"
"#;

const WEB1: &str = r#"
schedule = "*-*-* 03:17:00"

[rsync]
host = "web1.example.org"
identity = "/etc/planb/keys/web1"
include = ["/etc"]
"#;

const HERE: &str = r#"
[rsync]
source = "/home"
include = ["/"]
"#;

fn configured(machine: &Machine) {
    machine.write("/etc/planb/planb.toml", SETTINGS);
    machine.drop_in("web1", WEB1);
    machine.drop_in("here", HERE);
    machine.ok("systemctl daemon-reload");
}

/// What a transfer would do that fell into the hands of its source. It runs in the place of the real one.
const CAPTURED: &str = r#"#!/bin/bash
cd /
may() { if "$@" 2>/dev/null; then echo "may: $*"; else echo "may not: $*"; fi; }
reads() { if [ -n "$(cat "$@" 2>/dev/null)" ]; then echo "reads $*"; else echo "does not read $*"; fi; }
exec >/run/planb-transfer/$1/said 2>&1
id -un
reads "/srv/backups of all/other/data/file"
reads "/media/usb/other/data/file"
reads /etc/planb/planb.toml
reads /etc/planb/keys/web1
reads /etc/planb/keys/other
reads /var/lib/planb/history.db
reads /var/lib/planb/.ssh/id_ed25519
reads /run/planb/jobs/$1.json
reads /run/planb/jobs/other.json
reads /run/planb-transfer/other/said
reads /home/root-only
reads /run/planb/source/root-only
may touch "/srv/backups of all/$1/data/file"
may touch "/srv/backups of all/other/data/file"
may touch "/srv/backups of all/new"
may touch /media/usb/new
may touch /var/lib/planb/.ssh/id_ed25519
may touch /var/lib/planb/.ssh/known_hosts.d/$1.example.org
may touch /var/lib/planb/.ssh/known_hosts.d/other.example.org
may touch /var/lib/planb/.ssh/known_hosts.d/new.example.org
reads /var/lib/planb/.ssh/known_hosts.d/other.example.org
may touch /var/lib/planb/new
may touch /run/planb/new
may touch /run/planb/source/new
may touch /etc/planb/conf.d/new.toml
may touch /usr/new
may mknod "/srv/backups of all/$1/data/device" b 8 0
cp /usr/bin/true "/srv/backups of all/$1/data/program" && may "/srv/backups of all/$1/data/program"
cp /usr/bin/true /tmp/program && may /tmp/program
may chmod u+s "/srv/backups of all/$1/data/program"
may unshare --user true
may busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StopUnit ss planb@other.service replace
# Is anybody reached over IP, be it to be refused?
(exec 3<>/dev/tcp/127.0.0.1/22) 2>/dev/null && echo "network" || echo "no network"
"#;

/// And what comes of it.
const CAN: &str = "\
planb
does not read /srv/backups of all/other/data/file
does not read /media/usb/other/data/file
does not read /etc/planb/planb.toml
reads /etc/planb/keys/web1
does not read /etc/planb/keys/other
does not read /var/lib/planb/history.db
reads /var/lib/planb/.ssh/id_ed25519
reads /run/planb/jobs/web1.json
does not read /run/planb/jobs/other.json
does not read /run/planb-transfer/other/said
does not read /home/root-only
does not read /run/planb/source/root-only
may: touch /srv/backups of all/web1/data/file
may not: touch /srv/backups of all/other/data/file
may not: touch /srv/backups of all/new
may not: touch /media/usb/new
may not: touch /var/lib/planb/.ssh/id_ed25519
may: touch /var/lib/planb/.ssh/known_hosts.d/web1.example.org
may not: touch /var/lib/planb/.ssh/known_hosts.d/other.example.org
may not: touch /var/lib/planb/.ssh/known_hosts.d/new.example.org
does not read /var/lib/planb/.ssh/known_hosts.d/other.example.org
may not: touch /var/lib/planb/new
may not: touch /run/planb/new
may not: touch /run/planb/source/new
may not: touch /etc/planb/conf.d/new.toml
may not: touch /usr/new
may not: mknod /srv/backups of all/web1/data/device b 8 0
may not: /srv/backups of all/web1/data/program
may not: /tmp/program
may not: chmod u+s /srv/backups of all/web1/data/program
may not: unshare --user true
may not: busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StopUnit ss planb@other.service replace
network
";

/// Datasets, secrets, and a run that goes on until it is stopped with, in place of its transfer, what captured it.
const TAKEN: &str = r#"set -e
for name in web1 here other; do
    install -d -o planb -g planb -m 700 "/srv/backups of all/$name" "/srv/backups of all/$name/data" /run/planb-transfer/$name
    echo secret >/run/planb/jobs/$name.json; chgrp planb /run/planb/jobs/$name.json
done
install -d -o planb /media/usb/other /media/usb/other/data /etc/planb/keys
for file in "/srv/backups of all/other/data/file" /media/usb/other/data/file /etc/planb/keys/web1 /etc/planb/keys/other \
    /var/lib/planb/history.db /var/lib/planb/.ssh/id_ed25519 /run/planb-transfer/other/said \
    /var/lib/planb/.ssh/known_hosts.d/web1.example.org /var/lib/planb/.ssh/known_hosts.d/other.example.org; do
    echo secret >"$file"; chown planb "$file"
done
echo secret >/home/root-only; chmod 600 /home/root-only
chmod 755 /usr/local/bin/captured
for unit in planb@ planb-transfer@; do mkdir -p /run/systemd/system/$unit.service.d; done
printf '[Service]\nExecStart=\nExecStart=/usr/bin/sleep infinity\nExecStopPost=\n[Unit]\nOnSuccess=\nOnFailure=\n' \
    >/run/systemd/system/planb@.service.d/test.conf
printf '[Service]\nExecStart=\nExecStart=/usr/local/bin/captured %%i\n' >/run/systemd/system/planb-transfer@.service.d/test.conf
systemctl daemon-reload
"#;

on_each_release! {
    fn systemd_has_nothing_to_say_against_the_units(machine: &Machine, "verify") {
        // Also of the units with what the generator adds, which verify takes by their names.
        configured(machine);
        let said = machine.ok(
            "cd /usr/lib/systemd/system && systemd-analyze verify --man=no planb* 2>&1
             systemd-analyze verify --man=no planb@web1.timer planb-transfer@web1.service planb-transfer@here.service 2>&1",
        );
        assert_eq!(said, "");
        // A host whose name has a colon, which means something to systemd.
        machine.drop_in("v6", &WEB1.replace("web1.example.org", "2001:db8::1"));
        machine.ok("systemctl daemon-reload");
        let shown = machine.ok("systemctl show -P BindPaths planb-transfer@v6.service");
        assert!(shown.split(' ').any(|path| path.starts_with("-/var/lib/planb/.ssh/known_hosts.d/2001:db8::1:")), "{shown}");

        for (unit, limit) in [
            ("planb@web1.service", 4.0),
            ("planb-transfer@web1.service", 1.5),
            ("planb-transfer@here.service", 1.5),
            ("planb-retry@web1.service", 4.0),
            ("planb-key@web1.service", 2.5),
            ("planb-reload.service", 6.2),
            ("planb-hooks@web1.service", 8.0),
            ("planb-prune@web1.service", 4.0),
            ("planb-metrics.service", 3.0),
            ("planb-agent.service", 1.5),
        ] {
            let judged = machine.ok(&format!("systemd-analyze security --no-pager {unit} | tail -n 1"));
            let score = judged.split("service: ").nth(1).and_then(|text| text.split(' ').next());
            let score: f32 = score.and_then(|score| score.parse().ok()).expect(&judged);
            assert!(score <= limit, "{judged}");
        }
    }

    fn a_captured_transfer_has_its_own_dataset_and_nothing_else(machine: &Machine, "captured") {
        configured(machine);
        machine.write("/usr/local/bin/captured", CAPTURED);
        machine.ok(TAKEN);
        let said = |name: &str| {
            machine.ok(&format!(
                "set -e; systemctl start planb@{name}.service planb-transfer@{name}.service
                 timeout 20 sh -c 'while systemctl is-active -q planb-transfer@{name}.service; do sleep 0.05; done'
                 systemctl stop planb@{name}.service; cat /run/planb-transfer/{name}/said"
            ))
        };
        assert_eq!(said("web1"), CAN.trim_end());
        let here = said("here");
        for line in [
            "does not read /srv/backups of all/other/data/file",
            "does not read /home/root-only",
            "reads /run/planb/source/root-only",
            "may: touch /srv/backups of all/here/data/file",
            "may not: touch /run/planb/source/new",
            "no network",
        ] {
            assert!(here.lines().any(|said| said == line), "{line}\n{here}");
        }
    }
}
