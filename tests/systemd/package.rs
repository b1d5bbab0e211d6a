//! The Debian package comes, brings its timers, and goes again without what is the administrator's.

use crate::lab::Machine;
use crate::planb::package;

const SETTINGS: &str = r#"
[storage.disk]
type = "directory"
path = "/srv/backups"

[defaults]
storage = "disk"
timezone = "Europe/Amsterdam"
"#;

const WEB1: &str = r#"
schedule = "*-*-* 03:17:00"

[rsync]
host = "web1.example.org"
include = ["/etc"]
"#;

const HERE: &str = r#"
[rsync]
source = "/home"
include = ["/"]
"#;

fn the_package(release: &str) {
    let Some(machine) = Machine::start("package", release, &[]) else { return };
    let (_directory, package) = package();
    machine.push(&package, "/root/planb.deb");
    machine.ok("dpkg --install /root/planb.deb >&2");
    assert_eq!(
        machine.ok("stat -c '%U:%G %a' /var/lib/planb /var/lib/planb/.ssh /run/planb/jobs /etc/planb"),
        "root:planb 750\nplanb:planb 700\nroot:planb 750\nroot:root 755"
    );
    assert_eq!(machine.ok("getent passwd planb | cut -d: -f6,7"), "/var/lib/planb:/usr/sbin/nologin");
    assert_eq!(
        machine.ok("systemctl is-enabled planb-reload.path; systemctl is-active planb-reload.path"),
        "enabled\nactive"
    );
    assert!(machine.ok("journalctl --list-catalog").contains("PlanB: The backup of @PLANB_FILESET@ failed"));

    // Nothing but a file is needed.
    machine.ok("mkdir -p /srv/backups");
    machine.write("/etc/planb/planb.toml", SETTINGS);
    machine.drop_in("web1", WEB1);
    machine.drop_in("here", HERE);
    machine.ok("systemctl daemon-reload");
    machine.ok("systemctl start timers.target");
    let timers = machine.ok("systemctl list-timers --no-legend --no-pager 'planb@*'");
    assert_eq!(timers.lines().count(), 2, "{timers}");
    let next =
        machine.ok("TZ=Europe/Amsterdam systemctl list-timers --no-legend --no-pager planb@web1.timer");
    assert!(next.contains(" 03:17:00 CE"), "{next}");
    // The bus knows the user that was made a moment ago, and polkit its rules.
    let state = "org.planb.PlanB1 /org/planb/PlanB1/fileset/web1 org.planb.PlanB1.Fileset State";
    assert_eq!(machine.ok(&format!("runuser -u nobody -- busctl get-property {state}")), "s \"idle\"");
    let shown = machine.ok("systemctl show planb@web1.timer");
    for line in [
        "Persistent=yes",
        "AccuracyUSec=1s",
        "RandomizedDelayUSec=0",
        "SourcePath=/etc/planb/conf.d/web1.toml",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }

    // An upgrade stops nothing, and respects what was disabled since.
    machine.ok("systemctl disable --quiet planb-reload.path");
    machine.ok("dpkg --install /root/planb.deb >&2");
    assert_eq!(machine.ok("systemctl is-active planb@web1.timer"), "active");
    assert_eq!(machine.exits(1, "systemctl is-enabled planb-reload.path").out, "disabled");

    machine.ok("mkdir -p /srv/backups/web1 && touch /var/lib/planb/history.db /srv/backups/web1/kept");
    let stays = "find /etc/planb /var/lib/planb /srv -printf '%p %u:%g %m\\n' | sort; getent passwd planb";
    let before = machine.ok(stays);
    machine.ok("dpkg --remove planb >&2");
    assert_eq!(
        machine.ok("systemctl list-units --all --no-legend --no-pager 'planb@*.timer' --state=active"),
        ""
    );
    let said = machine.ok("dpkg --purge planb 2>&1");
    assert!(said.contains("these stay"), "{said}");
    // Of the directories dpkg takes away those that are empty.
    let gone = |line: &&str| !line.starts_with("/etc/planb/post-backup.d ");
    assert_eq!(
        machine.ok(stays).lines().collect::<Vec<_>>(),
        before.lines().filter(gone).collect::<Vec<_>>()
    );
    assert_eq!(machine.ok("find /usr /etc/systemd -path '*planb*'"), "");
}

#[test]
fn the_package_comes_and_goes_on_debian_12() {
    the_package("bookworm");
}

#[test]
fn the_package_comes_and_goes_on_debian_13() {
    the_package("trixie");
}
