//! Sources that are not what they were, and streams that break: history stays, and the next run goes on.

use crate::copies::FILESET;
use crate::lab::{Vm, on_each_release};

/// Lets a dataset of the source be destroyed and rolled back, which PlanB's holds are there to prevent.
const LET_GO: &str = "for s in $(zfs list -Hro name -t snapshot src/data src/vol); do zfs holds -H $s | while read -r _ tag _; do zfs release $tag $s; done; done";

on_each_release! {
    fn history_survives_whatever_becomes_of_the_source(vm: &Vm, "zfs-changes") {
        vm.make_source();
        vm.make_sums();
        let first = vm.copy("web1");
        vm.ok("echo second >/src/data/second; sync");
        let second = vm.copy("web1");

        // Rolled back: what was after that is kept, and nothing comes twice.
        let original = vm.original("src/data", &format!("tank/BACKUP/web1/data@{first}"));
        vm.ok(&format!("{LET_GO}; zfs rollback -r {original}; echo other >/src/data/second; sync"));
        let third = vm.copy("web1");
        let said = vm.said();
        assert!(said.contains(&format!("src/data went back to {first}")), "{said}");
        vm.is_same(&third, &[("src/data", "data"), ("src/data/sub", "data/sub"), ("src/vol", "disk")]);
        let bytes = vm.last("web1")["bytes_transferred"].as_u64().expect("a number");
        assert!(bytes < 1 << 20, "{bytes} bytes for one small file");
        let aside = vm.ok("zfs list -Hro name tank/BACKUP/web1 | grep 'data.before-[^/]*$'");
        assert_eq!(vm.ok(&format!("mkdir -p /mnt/x; mount -t zfs -o ro {aside}@{second} /mnt/x; cat /mnt/x/second; umount /mnt/x")), "second");
        assert_eq!(vm.listed("web1")["snapshots"], 3);

        // Made anew: transferred anew, beside what there was; what is below it and was not goes on.
        vm.ok(&format!("{LET_GO}; zfs rename src/data/sub src/kept; zfs destroy -r src/data; zfs create src/data; zfs rename src/kept src/data/sub; echo anew >/src/data/file; sync"));
        vm.minute();
        let why = vm.refused("web1");
        assert!(why.contains("max-shrink") && vm.listed("web1")["snapshots"] == 3, "{why}");
        vm.ok("printf '[defaults.guard]\\nmax-shrink = \"none\"\\n' >>/etc/planb/planb.toml");
        let fourth = vm.copy("web1");
        let said = vm.said();
        assert!(said.contains("src/data has nothing in common any more"), "{said}");
        assert!(said.contains("data/secret is not at the source any more"), "{said}");
        vm.is_same(&fourth, &[("src/data", "data"), ("src/data/sub", "data/sub"), ("src/vol", "disk")]);
        assert_eq!(vm.listed("web1")["snapshots"], 4);
        let old = vm.ok(&format!("zfs list -Hro name -t snapshot tank/BACKUP/web1 | grep 'data.before-[^/]*@{third}'"));
        assert_eq!(vm.ok(&format!("mount -t zfs -o ro {old} /mnt/x; cat /mnt/x/second; umount /mnt/x")), "other");

        // Renamed: renamed here.
        vm.ok("zfs rename src/data/sub src/data/moved; echo moved >/src/data/moved/x; sync");
        let fifth = vm.copy("web1");
        let said = vm.said();
        assert!(said.contains("data/sub is data/moved at the source now, and here"), "{said}");
        vm.is_same(&fifth, &[("src/data/moved", "data/moved"), ("src/data/moved/deep", "data/moved/deep")]);
        assert!(vm.last("web1")["bytes_transferred"].as_u64() < Some(1 << 20));

        // Gone although the configuration has it: no snapshot of the fileset, and the others are safe.
        vm.ok(&format!("{LET_GO}; zfs rename src/vol src/away; echo safe >/src/data/safe; sync"));
        vm.minute();
        let why = vm.refused("web1");
        assert!(why.contains("localhost has no src/vol any more"), "{why}");
        assert_eq!(vm.listed("web1")["snapshots"], 5);
        vm.ok("zfs rename src/away src/vol");
        let sixth = vm.copy("web1");
        vm.is_same(&sixth, &[("src/data", "data"), ("src/vol", "disk")]);

        // Raw and decrypted do not mix.
        vm.ok("zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file:///root/passphrase src/data/secret; echo s >/src/data/secret/s");
        vm.copy("web1");
        vm.drop_in("web1", &format!("{FILESET}raw = false\n"));
        vm.minute();
        let why = vm.refused("web1");
        assert!(why.contains("src/data/secret was received raw so far") && why.contains("raw = true"), "{why}");
        vm.drop_in("web1", FILESET);
        vm.copy("web1");
    }

    fn a_stream_that_broke_is_gone_on_with(vm: &Vm, "zfs-broken") {
        vm.make_source();
        vm.make_sums();
        vm.ok("head -c 24M /dev/urandom >/src/data/big; sync");
        vm.drop_in("web1", &format!("{FILESET}bwlimit = \"1M\"\n"));
        vm.reload();

        // The connection dies amid the first, and the source is changed since.
        let token = |child: &str| vm.zfs("receive_resume_token", &format!("tank/BACKUP/web1/{child}"));
        let amid = |child: &str, kill: &str| {
            vm.minute();
            vm.ok("planb run --no-wait web1");
            vm.wait(60, &format!("[ $(( $(zfs get -Hpo value used tank/BACKUP/web1/{child} 2>/dev/null || echo 0) / 1048576 )) -ge 6 ]"));
            vm.ok(kill);
            vm.wait(60, "[ $(systemctl is-active planb@web1.service) = failed ]");
        };
        amid("data", "pkill -KILL -u planb -x ssh");
        let run = vm.last("web1");
        assert_eq!(run["result"], "failure", "{run}");
        assert!(token("data").starts_with("1-"), "{run}\n{}", vm.said());
        vm.ok("rm /src/data/file; sync");
        vm.drop_in("web1", FILESET);
        let first = vm.copy("web1");
        let bytes = vm.last("web1")["bytes_transferred"].as_u64().expect("a number");
        let said = vm.said();
        assert!(bytes < 26 << 20, "{bytes} bytes for the rest of 31 MiB\n{said}");
        vm.is_same(&first, &[("src/data", "data"), ("src/vol", "disk")]);
        // What was received on the way is no snapshot of the fileset, and does not stay.
        assert_eq!(vm.listed("web1")["snapshots"], 1);
        assert_eq!(vm.ok("zfs list -Hro name -t snapshot tank/BACKUP/web1/data | grep -c data@"), "1");

        // planb itself dies, and the half is of a snapshot that the source has no more.
        vm.drop_in("web1", &format!("{FILESET}bwlimit = \"1M\"\n"));
        vm.ok("head -c 24M /dev/urandom >/src/data/big; sync");
        let used = vm.zfs("used", "tank/BACKUP/web1/data");
        vm.minute();
        vm.ok("planb run --no-wait web1");
        vm.wait(60, &format!("[ $(( $(zfs get -Hpo value used tank/BACKUP/web1/data) - {used} )) -ge 6000000 ]"));
        vm.ok("systemctl kill --kill-whom=main -s KILL planb@web1.service");
        vm.wait(60, "[ $(systemctl is-active planb@web1.service) = failed ]");
        assert_eq!(vm.last("web1")["result"], "killed");
        vm.wait(30, "! pgrep -x zfs");
        assert!(token("data").starts_with("1-"), "{}", vm.said());
        let half = vm.ok("zfs list -Hro name -t snapshot src/data | grep src/data@ | tail -n 1");
        vm.ok(&format!("zfs destroy {half}"));
        vm.drop_in("web1", FILESET);
        let second = vm.copy("web1");
        vm.is_same(&second, &[("src/data", "data"), ("src/vol", "disk")]);
        vm.is_same(&first, &[("src/vol", "disk")]);
        assert_eq!(token("data"), "-");

        // A full pool costs the run and nothing else.
        vm.ok("zfs set quota=$(( $(zfs get -Hpo value used tank/BACKUP/web1) + 4000000 )) tank/BACKUP/web1; head -c 12M /dev/urandom >/src/data/big; sync");
        vm.ok("sed -i 's/^\\[zfs\\]/[guard]\\nmin-free = \"none\"\\n&/' /etc/planb/conf.d/web1.toml");
        vm.minute();
        let why = vm.refused("web1");
        assert!(why.contains("no room") || why.contains("quota") || why.contains("space"), "{why}");
        vm.is_same(&second, &[("src/vol", "disk")]);
        vm.ok("zfs set quota=none tank/BACKUP/web1");
        let third = vm.copy("web1");
        vm.is_same(&third, &[("src/data", "data")]);
        assert_eq!(vm.listed("web1")["snapshots"], 3);
        still_bare(vm);
    }
}

/// No mount, no process and no pipe of a run stays.
fn still_bare(vm: &Vm) {
    assert_eq!(vm.ok("grep -c /tank/BACKUP/ /proc/mounts || true"), "0");
    assert_eq!(vm.ok("pgrep -x zfs || true"), "");
    assert_eq!(vm.ok("ls /run/planb/pipes"), "");
}
