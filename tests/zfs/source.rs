//! A source of datasets that is set up by `planb authorize`: real sshd, sudo and OpenZFS.

use crate::lab::{Vm, on_each_release};

const VMS: &str = r#"storage = "tank"
[zfs]
host = "localhost"
datasets = ["rpool/data", "rpool/vol:disk"]
recursive = true
exclude = ["rpool/data/tmp"]
"#;

/// What must be possible.
const NEEDS: [&str; 8] = [
    "list rpool/data, rpool/vol",
    "snapshot them",
    "hold their snapshots",
    "bookmark them",
    "send them",
    "let go what it holds",
    "destroy PlanB's own snapshots",
    "destroy PlanB's own bookmarks",
];

/// What must not.
const TEMPTATIONS: [&str; 13] = [
    "destroy a dataset: zfs destroy",
    "destroy a dataset as root: sudo zfs destroy",
    "destroy others' snapshots",
    "destroy snapshots of all that is below",
    "write: zfs receive",
    "turn back: zfs rollback",
    "change a property: zfs set",
    "send another dataset",
    "run a shell",
    "run a second command",
    "use SFTP",
    "have a terminal",
    "forward ports",
];

const AUTHORIZE: &str = "planb authorize vms | ssh -o StrictHostKeyChecking=no -i /var/lib/planb/.ssh/id_ed25519 root@localhost sh";

/// What is not as it should be, as `planb check --connect` sees it.
fn wrong(vm: &Vm) -> Vec<&'static str> {
    let said = vm.run("planb check --connect vms");
    let lines: Vec<&str> = said.out.lines().collect();
    let all: Vec<(&str, &str)> = NEEDS
        .map(|what| ("may", what))
        .into_iter()
        .chain(TEMPTATIONS.map(|what| ("may not", what)))
        .collect();
    assert_eq!(lines.len(), all.len(), "{said:?}");
    let mut found = Vec::new();
    for (line, (may, what)) in lines.iter().zip(all) {
        assert!(line.contains(&format!("remotebackup {may} {what}")), "{line} is not about {what}");
        if line.starts_with("vms: WRONG: ") {
            found.push(what);
        } else {
            assert!(line.starts_with("vms: ok: "), "{line}");
        }
    }
    assert_eq!(said.code, Some(i32::from(!found.is_empty())), "{said:?}");
    let left = vm.ok("zfs list -Ho name -t snapshot,bookmark -r rpool | grep planb-1970 || :");
    assert_eq!(left, "", "a check leaves nothing behind");
    found
}

/// As the login on the source, past sshd.
fn login(vm: &Vm, command: &str) -> bool {
    vm.run(&format!("runuser -u remotebackup -- {command} </dev/null")).code == Some(0)
}

/// As the backup host, through sshd: the exit code, and what it said.
fn asked(vm: &Vm, command: &str) -> (Option<i32>, String) {
    let key = "ssh -o BatchMode=yes -i /var/lib/planb/.ssh/id_ed25519 remotebackup@localhost";
    let said = vm.run(&format!("{key} '{command}' >/dev/null </dev/null"));
    (said.code, said.err)
}

on_each_release! {
    fn a_source_lets_its_datasets_be_sent_and_nothing_be_lost(vm: &Vm, "zfs-source") {
        vm.make_pool();
        vm.ok("truncate -s 400M /srv/rpool.img && zpool create -m /rpool rpool /srv/rpool.img");
        vm.ok("for name in data data/sub data/tmp other; do zfs create rpool/$name; done; zfs create -V 16M rpool/vol");
        vm.ok("head -c 3M /dev/urandom >/rpool/data/random; zfs snapshot -r rpool@daily");
        vm.drop_in("vms", VMS);
        vm.reload();
        let said = vm.exits(1, "planb check --connect vms");
        assert!(said.out.lines().count() == 1 && said.out.starts_with("vms: WRONG: remotebackup may list"), "{said:?}");
        assert!(said.out.contains("planb authorize localhost"), "{said:?}");

        vm.ok(AUTHORIZE);
        assert_eq!(wrong(vm), [""; 0]);
        assert!(!vm.ok("zfs allow rpool/data").contains("destroy"));

        // A permission that is missing is told, with the remedy.
        vm.ok("zfs unallow -u remotebackup hold rpool/data");
        let said = vm.exits(1, "planb check --connect vms");
        let line = said.out.lines().find(|line| line.contains("WRONG")).expect("one is wrong");
        assert!(line.contains("hold their snapshots") && line.contains("planb authorize localhost"), "{said:?}");
        vm.ok(AUTHORIZE);
        assert_eq!(wrong(vm), [""; 0]);

        // A stream that goes on is of what is backed up, or is none.
        let token = |of: &str| {
            vm.ok(&format!("zfs receive -A tank/part 2>/dev/null; zfs send {of}@big | head -c 4M | zfs receive -s -u tank/part; :"));
            vm.zfs("receive_resume_token", "tank/part")
        };
        for of in ["data", "other"] {
            vm.ok(&format!("head -c 10M /dev/urandom >/rpool/{of}/big && zfs snapshot rpool/{of}@big"));
        }
        let (code, said) = asked(vm, &format!("/sbin/zfs send -vP -t {}", token("rpool/data")));
        assert!(code == Some(0) && said.contains("size"), "{said}");
        let stale = token("rpool/data");
        vm.ok("zfs destroy rpool/data@big");
        let (code, said) = asked(vm, &format!("/sbin/zfs send -vP -t {stale}"));
        assert!(code != Some(0) && said.contains("no longer exists"), "{said}");
        let (code, said) = asked(vm, &format!("/sbin/zfs send -vP -t {}", token("rpool/other")));
        assert!(code == Some(126) && said.contains("not allowed here"), "{said}");

        // Each lock holds alone. Without ours at the door, sudo and zfs lose nothing all the same.
        vm.ok("sed -i 's/^restrict,command=\"[^\"]*\" //' ~remotebackup/.ssh/authorized_keys");
        let found = wrong(vm);
        for what in ["run a shell", "run a second command", "use SFTP", "have a terminal", "forward ports", "write: zfs receive"] {
            assert!(found.contains(&what), "{what}: {found:?}");
        }
        assert!(!found.contains(&"destroy a dataset as root: sudo zfs destroy"), "{found:?}");
        let ours = "planb-20260102T030405Z-0000000000000007";
        vm.ok(&format!("zfs snapshot -r rpool/data@{ours}; zfs bookmark rpool/data@{ours} rpool/data#{ours}"));
        for forbidden in [
            "/sbin/zfs destroy rpool/data/tmp",
            "/sbin/zfs destroy rpool/data@daily",
            &format!("/sbin/zfs destroy rpool/data@{ours}"),
            "/sbin/zfs rollback rpool/data@daily",
            "/sbin/zfs set mountpoint=none rpool/data",
            "/sbin/zfs create -u rpool/data/new",
            "/sbin/zfs rename rpool/data/tmp rpool/data/tmp2",
            "sudo -n /sbin/zfs destroy rpool/data/tmp",
            "sudo -n /sbin/zfs destroy -r rpool/data/tmp",
            "sudo -n /sbin/zfs destroy rpool/data@daily",
            &format!("sudo -n /sbin/zfs destroy rpool/data@{ours},daily"),
            &format!("sudo -n /sbin/zfs destroy -r rpool/data@{ours}"),
            &format!("sudo -n /sbin/zfs destroy rpool/other@{ours}"),
            "sudo -n /sbin/zfs set mountpoint=none rpool/data",
        ] {
            assert!(!login(vm, forbidden), "{forbidden}");
        }
        assert_eq!(vm.ok("zfs list -Ho name -r rpool/data | wc -l"), "3");
        assert!(login(vm, &format!("sudo -n /sbin/zfs destroy rpool/data@{ours}")));
        assert!(login(vm, &format!("sudo -n /sbin/zfs destroy 'rpool/data#{ours}'")));

        // Where there is no sudo, zfs's own permission has to do, behind our door alone.
        vm.drop_in("vms", &format!("{VMS}sudo = false\n"));
        vm.reload();
        vm.ok("rm /etc/sudoers.d/planb-remotebackup");
        vm.ok(AUTHORIZE);
        vm.ok("! [ -e /etc/sudoers.d/planb-remotebackup ]");
        assert_eq!(wrong(vm), [""; 0]);
    }
}
