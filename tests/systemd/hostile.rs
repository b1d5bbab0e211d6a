//! A transfer that was taken over: the worst that a hostile source could do is to be rsync itself.

use crate::lab::on_each_release;
use crate::planb::SOURCE;
use crate::runs::{MAKE_SLOW, SLOW};

/// Takes rsync's place inside the sandbox. It tries what it must not be able to do, and says what it could.
const TAKEN_OVER: &str = r#"#!/bin/bash
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "COULD $what" >&2; else echo "could not $what" >&2; fi; }
say() { echo "$1" >"$2"; }
into() { : >"$1"; }
append() { echo x >>"$1"; }
known=/var/lib/planb/.ssh/known_hosts.d
own=/srv/backups/web1
try "read the configuration" cat /etc/planb/planb.toml
try "read another fileset's drop-in" cat /etc/planb/conf.d/slow.toml
try "read another fileset's key" cat /etc/planb/keys/slow
try "read the history" cat /var/lib/planb/history.db
try "read records" ls /var/lib/planb/last
try "see another dataset" ls /srv/backups/slow
try "write another dataset" into /srv/backups/slow/.new/data/x
try "write beside its dataset" into /srv/backups/x
try "see other jobs" cat /run/planb/jobs/slow.json
try "change its job" into /run/planb/jobs/web1.json
try "leave a request" into /run/planb/requests/web1.json
try "speak for another transfer" into /run/planb-transfer/slow/outcome.json
try "change another host's key" append $known/other.example.org
try "see which hosts there are" [ "$(ls $known | wc -l)" -gt 1 ]
try "make up a host's key" append $known/new.example.org
try "forget its own host's key" append $known/localhost
try "write the system" into /etc/x
try "write programs" into /usr/bin/x
try "read shadow" cat /etc/shadow
try "make a snapshot" mkdir $own/planb-20300101T0000Z
try "move its dataset's marker" bash -c "mv $own/.planb $own/old && mv $own/old $own/.planb"
try "empty the trash" rmdir $own/.trash
try "swap its workspace" bash -c "mv $own/.new $own/old && mv $own/old $own/.new"
try "open an old snapshot" ls $own/planb-20200101T0000Z
try "run what arrived" bash -c 'cp /usr/bin/true .; ./true' 
try "run what arrived there" bash -c "cp /usr/bin/true $own/.new/data/t && $own/.new/data/t"
try "make a device" mknod /tmp/d b 8 0
try "make a device in its dataset" mknod $own/.new/data/d b 8 0
try "open a raw socket" perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 1) or exit 1'
try "open a packet socket" perl -e 'socket(S, 17, 3, 0) or exit 1'
try "become root" perl -e '$> = 0; exit($> == 0 ? 0 : 1)'
try "become somebody" perl -e '$> = 1; exit($> == 1 ? 0 : 1)'
try "make a program of somebody's" bash -c "cp /usr/bin/true $own/.new/data/s && chmod u+s $own/.new/data/s && [ -u $own/.new/data/s ]"
try "mount" mount -t tmpfs tmpfs /tmp
try "make a name space" unshare --user true
try "ask systemd" systemctl start planb@slow.service
try "be traced" perl -e 'exit(syscall(101, 0, 0, 0, 0) == 0 ? 0 : 1)'
other=
for p in /proc/[0-9]*; do case $(tr '\0' ' ' <$p/cmdline 2>/dev/null) in *"transfer slow"*) other=$p ;; esac; done
try "look through another transfer" [ -n "$(ls -A $other/root/srv/backups/slow 2>/dev/null)" ]
try "read another transfer's memory" [ -r "$other/mem" -a -n "$other" -a -n "$(head -c 1 $other/maps 2>/dev/null)" ]
try "do what it is for" into $own/.new/data/file
echo "END" >&2
exit 5
"#;

on_each_release! {
    fn a_transfer_that_was_taken_over_reaches_nothing_but_its_own_dataset(machine: &Machine, "hostile") {
        machine.ok("mkdir -p /etc/planb/keys && echo secret >/etc/planb/keys/slow && chown -R planb: /etc/planb/keys");
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", SLOW);
        machine.drop_in("web1", SOURCE);
        machine.reload();
        machine.ok("install -o planb -g planb -m 600 /dev/null /var/lib/planb/.ssh/known_hosts.d/other.example.org");
        machine.exits(0, "planb run web1");
        // Met the first time; from now on only root can make it forget.
        assert!(machine.ok("cat /var/lib/planb/.ssh/known_hosts.d/localhost").starts_with("localhost ssh-ed25519 "));
        machine.ok("mkdir -p /srv/backups/web1/planb-20200101T0000Z/data && chown planb: /srv/backups/web1/planb-20200101T0000Z/data");
        machine.ok("planb run --no-wait slow");
        machine.wait(20, "pgrep -u planb -x rsync >/dev/null");
        machine.write("/root/taken-over", TAKEN_OVER);
        // Inside the sandbox only: the source, which is this machine too, runs the true one.
        machine.ok("chmod 755 /root/taken-over");
        machine.write("/run/systemd/system/planb-transfer@web1.service.d/90-taken-over.conf",
            "[Service]\nBindReadOnlyPaths=/root/taken-over:/usr/bin/rsync\n");
        machine.ok("systemctl daemon-reload");
        let said = machine.exits(1, "planb run web1");
        machine.ok("rm /run/systemd/system/planb-transfer@web1.service.d/90-taken-over.conf; systemctl daemon-reload; journalctl --sync");
        let told = machine.ok("journalctl -o cat PLANB_FROM=transfer PLANB_FILESET=web1 _SYSTEMD_UNIT=planb@web1.service");
        assert!(told.contains("END"), "it did not get to its end: {told}\n{said:?}");
        let could: Vec<&str> = told.lines().filter(|line| line.contains("COULD")).collect();
        assert_eq!(could, ["web1: COULD do what it is for"], "{told}");
        assert_eq!(machine.ok("ls /srv/backups/web1"), machine.ok("ls /srv/backups/web1 | grep ^planb-"));
        assert_eq!(machine.last("web1")["result"], "failure");
        // What it tried is no empty threat: without the sandbox all of it works.
        machine.ok("echo {} >/run/planb/jobs/slow.json");
        let free = machine.run("mkdir -p /tmp/free && cd /tmp/free && bash /root/taken-over 2>&1").out;
        let could_not: Vec<&str> = free.lines().filter(|line| line.contains("could not")).collect();
        assert_eq!(could_not, Vec::<&str>::new());
        machine.ok("planb stop slow; rm -r /srv/backups/web1/planb-20200101T0000Z");
        machine.exits(0, "planb run --keep later web1");
    }

    fn the_units_are_as_tight_as_they_say(machine: &Machine, "tight") {
        machine.drop_in("web1", SOURCE);
        machine.reload();
        for (unit, most) in [("planb-transfer@web1.service", 2.0), ("planb@web1.service", 6.0)] {
            let said = machine.ok(&format!("systemd-analyze security --no-pager {unit} | tail -n 1"));
            let level: f64 = said.split(':').nth(1).and_then(|rest| rest.split_whitespace().next())
                .and_then(|number| number.parse().ok()).expect("a level");
            assert!(level <= most, "{unit}: {said}");
        }
        // What a run mounts must be seen by all, and nobody of the network by it.
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", SLOW);
        machine.reload();
        machine.ok("planb run --no-wait slow");
        machine.wait(20, "pgrep -u planb -x rsync >/dev/null");
        let main = machine.ok("systemctl show -P MainPID planb@slow.service");
        assert_eq!(machine.ok(&format!("readlink /proc/{main}/ns/mnt")), machine.ok("readlink /proc/1/ns/mnt"));
        let transfer = machine.ok("systemctl show -P MainPID planb-transfer@slow.service");
        assert_ne!(machine.ok(&format!("readlink /proc/{transfer}/ns/mnt")), machine.ok("readlink /proc/1/ns/mnt"));
        assert_eq!(machine.ok(&format!("ps -o user= -p {transfer}")), "planb");
        machine.ok("planb stop slow");
    }
}
