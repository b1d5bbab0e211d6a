//! Runs onto a btrfs, as the units make them: what planb@ may do is enough, and what planb-transfer@ sees is too little.

use crate::lab::on_each_release;
use crate::planb::SOURCE;
use crate::runs::{MAKE_SLOW, SLOW};

const SETTINGS: &str = r#"
[storage.pool]
type = "btrfs"
path = "/srv/pool/backups"
"#;

/// A file system of its own. Its loop device is the computer's, and goes with the machine.
const MOUNT: &str = r"
set -eu
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
for n in $(seq 0 255); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done
truncate -s 300M /root/pool
mkfs.btrfs -q /root/pool 2>/dev/null
mkdir /srv/pool
mount -o loop /root/pool /srv/pool
mkdir /srv/pool/backups
";

/// Takes rsync's place inside the sandbox.
const TAKEN_OVER: &str = r#"#!/bin/bash
own=/srv/pool/backups/web1
echo "sees $(echo $(ls -A /srv/pool /srv/pool/backups $own))" >&2
mkdir $own/planb-20300101T0000Z 2>/dev/null && echo "made a snapshot" >&2
mv $own/data $own/old 2>/dev/null && echo "moved the files away" >&2
btrfs subvolume snapshot $own/data $own/data/copy >/dev/null 2>&1 && echo "left a subvolume" >&2
echo >$own/data/file && echo "wrote" >&2
exit 5
"#;

on_each_release! {
    fn runs_onto_a_btrfs_need_no_more_than_their_units_have(machine: &Machine, "btrfs") {
        machine.ok(MOUNT);
        machine.write("/etc/planb/planb.toml", SETTINGS);
        machine.drop_in("web1", SOURCE);
        machine.reload();
        machine.exits(0, "planb run web1");
        let own = "/srv/pool/backups/web1";
        let first = machine.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        assert_eq!(machine.ok(&format!("cat {own}/{first}/data/sub/two")), "two");
        machine.exits(1, &format!("echo >{own}/{first}/data/one"));
        // The files are planb's, whose transfer wrote them; the way to all of them is root's alone. The names are not.
        let modes = format!("stat -c %U:%a {own} {own}/{first}; stat -c %U {own}/data {own}/data/one");
        assert_eq!(machine.ok(&modes), "root:740\nroot:700\nplanb\nplanb");

        // Two that retention lets go: as root of the unit, with the unit's powers.
        for old in ["planb-20200101T0000Z", "planb-20200102T0000Z"] {
            machine.ok(&format!("mkdir {own}/{old} && btrfs -q subvolume snapshot -r {own}/data {own}/{old}/data"));
        }
        machine.drop_in("web1", &format!("retain = \"1d\"\n{SOURCE}"));
        machine.ok("echo three >/srv/source/three");
        // Of a name of its own: no two have the same minute, which would have to pass.
        machine.exits(0, "planb run --keep second web1");
        let run = machine.last("web1");
        assert_eq!(run["destroyed"], serde_json::json!(["planb-20200101T0000Z"]), "{run}");
        assert!(run["error"].is_null(), "{run}");
        assert_eq!(machine.ok(&format!("ls -A {own}/.trash")), "");

        // By hand, and then by the unit again: the files change hands, and nothing comes twice.
        machine.ok("echo four >/srv/source/four");
        machine.exits(0, "HOME=/var/lib/planb planb run --direct --keep third web1");
        assert_eq!(machine.ok(&format!("stat -c %U {own}/data/four")), "root");
        machine.ok("echo five >/srv/source/four");
        machine.exits(0, "planb run --keep fourth web1");
        let run = machine.last("web1");
        assert_eq!((&run["files_transferred"], &run["error"]), (&1.into(), &serde_json::Value::Null), "{run}");
        assert_eq!(machine.ok(&format!("find {own}/data -printf '%u\\n' | sort -u")), "planb");

        // A killed one leaves what the next goes on with.
        machine.ok(MAKE_SLOW);
        machine.drop_in("slow", SLOW);
        machine.reload();
        machine.ok("planb run --no-wait slow");
        machine.wait(20, "[ $(stat -c %s /srv/pool/backups/slow/data/big || echo 0) -gt 60000 ]");
        machine.ok("systemctl kill --kill-whom=main -s KILL planb@slow.service");
        machine.wait(30, "planb history slow --json | grep -q '\"result\": \"killed\"'");
        machine.ok("sed -i 's/^bwlimit.*//' /etc/planb/conf.d/slow.toml");
        machine.exits(0, "planb run slow");
        machine.ok("journalctl --sync; journalctl -o cat | grep -q 'going on with what an unfinished run transferred'");

        // One that was taken over sees the live files, and what it leaves in there is no success.
        machine.write("/root/taken-over", TAKEN_OVER);
        let taken_over = "/run/systemd/system/planb-transfer@web1.service.d/90-taken-over.conf";
        machine.write(taken_over, "[Service]\nBindReadOnlyPaths=/root/taken-over:/usr/bin/rsync\n");
        machine.ok("chmod 755 /root/taken-over; systemctl daemon-reload");
        machine.exits(1, "planb run --keep fifth web1");
        let did = machine.ok("journalctl --sync; journalctl -o cat PLANB_FROM=transfer PLANB_FILESET=web1 \
             | grep -oE '(sees|made|moved|left|wrote).*' | sort -u");
        let sees = "sees /srv/pool: backups /srv/pool/backups: web1 /srv/pool/backups/web1: data";
        assert_eq!(did, format!("left a subvolume\n{sees}\nwrote"));
        machine.ok(&format!("rm {taken_over}; systemctl daemon-reload"));
        let said = machine.exits(1, "planb run --keep sixth web1");
        assert!(said.err.contains("/data/copy is a subvolume or a file system of its own"), "{said:?}");
        machine.ok(&format!("btrfs -q subvolume delete {own}/data/copy"));
        machine.exits(0, "planb run --keep seventh web1");
    }
}
