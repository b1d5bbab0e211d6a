//! Datasets of another host: what comes, what it may do here, what is kept of it and what that costs.

use crate::lab::on_each_release;

const DATASETS: [(&str, &str); 4] = [
    ("src/data", "data"),
    ("src/data/sub", "data/sub"),
    ("src/data/sub/deep", "data/sub/deep"),
    ("src/vol", "disk"),
];

on_each_release! {
    fn datasets_of_another_host_are_here_as_they_were(vm: &Vm, "zfs-copies") {
        vm.make_source();
        vm.make_sums();

        // The first, with all there is, and by a unit that has neither the storage nor the privilege.
        vm.ok("zfs unmount src/data/secret; zfs unload-key src/data/secret");
        let first = vm.copy("web1");
        vm.is_same(&first, &DATASETS);
        let children = "zfs list -Hro name -t filesystem,volume tank/BACKUP/web1 | sed 's,tank/BACKUP/web1/\\?,,' | tr '\\n' ' '";
        assert_eq!(vm.ok(children).trim(), "data data/secret data/sub data/sub/deep disk");
        assert_eq!(vm.zfs("planb:children", &format!("tank/BACKUP/web1@{first}")), "5");

        // Nothing of it does anything here.
        let powers = "canmount,setuid,exec,devices,readonly,quota,mounted,planb:fileset,planb:source";
        for (dataset, child) in &DATASETS[..3] {
            let expected = format!("noauto off off off on 0 no web1 {dataset}");
            assert_eq!(vm.zfs(powers, &format!("tank/BACKUP/web1/{child}")).replace('\n', " "), expected);
        }
        assert_eq!(vm.zfs("mountpoint", "tank/BACKUP/web1/data/sub/deep"), "/tank/BACKUP/web1/data/sub/deep");
        assert_eq!(vm.zfs("volmode,readonly,refreservation", "tank/BACKUP/web1/disk").replace('\n', " "), "none on 0");
        vm.exits(2, "ls /dev/zvol/tank");
        assert_eq!(vm.zfs("mounted", "tank/BACKUP/web1"), "no");
        // What is encrypted there came as it lies there, and opens with the source's key and no other.
        let secret = "tank/BACKUP/web1/data/secret";
        assert_eq!(vm.zfs("encryptionroot,keystatus", secret).replace('\n', " "), format!("{secret} unavailable"));
        vm.ok(&format!("zfs load-key -L file:///root/passphrase {secret}"));
        assert_eq!(vm.sum(&format!("{secret}@{first}")), {
            vm.ok("zfs load-key src/data/secret");
            vm.sum(&vm.original("src/data/secret", &format!("{secret}@{first}")))
        });
        vm.ok(&format!("zfs unload-key {secret}; zfs mount src/data/secret"));

        // The base of the next is guarded on both sides.
        vm.exits(1, &format!("zfs destroy tank/BACKUP/web1/data@{first}"));
        vm.exits(1, &format!("zfs destroy {}", vm.original("src/data", &format!("tank/BACKUP/web1/data@{first}"))));

        // What changed comes on top, and costs that.
        vm.ok("head -c 1M /dev/urandom >/src/data/sub/more; rm /src/data/file; echo x >/src/data/secret/x; head -c 1M /dev/urandom | dd of=/dev/zvol/src/vol bs=1M seek=4 status=none; sync");
        let second = vm.copy("web1");
        vm.is_same(&second, &DATASETS);
        vm.is_same(&first, &DATASETS);
        let bytes = vm.last("web1")["bytes_transferred"].as_u64().expect("a number");
        assert!((2 << 20..4 << 20).contains(&bytes), "{bytes} bytes for 2 MiB");
        assert_eq!(vm.zfs("userrefs", &format!("tank/BACKUP/web1/data@{first}")), "0");

        // The same by hand, without units, and one that is kept.
        vm.ok("echo direct >/src/data/direct; sync");
        vm.exits(0, "planb run --direct --keep before-upgrade web1");
        let kept = vm.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        assert!(kept.starts_with("before-upgrade-"), "{kept}");
        vm.is_same(&kept, &DATASETS);
        let listed = vm.ok("planb snapshots web1 --json");
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
        let oldest = &listed["snapshots"][0];
        assert!(oldest["name"] == *first && oldest["path"] == "/tank/BACKUP/web1", "{listed}");
        assert!(oldest["referenced_bytes"].as_u64() > Some(6 << 20), "{listed}");

        // To look into.
        let opened = vm.exits(0, "planb open web1");
        assert_eq!(vm.ok(&format!("stat -c %s {}/data/sub/.zfs/snapshot/{first}/file", opened.out)), "1048576");
        for told in ["data/sub/deep is not shown", "disk is a volume", "data/secret is encrypted with a key of its source"] {
            assert!(opened.err.contains(told), "{opened:?}");
        }
        assert_eq!(vm.ok("stat -c %U:%a /tank/BACKUP/web1"), "root:700");
        vm.exits(1, "touch /tank/BACKUP/web1/data/x");
        vm.exits(2, "su -s /bin/sh planb -c 'ls /tank/BACKUP/web1'");
        vm.ok("echo while open >/src/data/open; sync");
        let while_open = vm.copy("web1");
        vm.ok("planb close web1");
        assert_eq!(vm.ok("grep -c /tank/BACKUP/ /proc/mounts || true"), "0");

        // Two listings for all that the host has, of datasets and of room, and one more for what is copied.
        vm.count_calls();
        vm.ok("planb list");
        assert_eq!(vm.calls("list").len(), 3);
        assert_eq!(vm.listed("web1")["snapshots"], 4);
        assert_eq!(vm.ok("planb stale"), "");

        // What retention lets go, goes in all datasets at once.
        vm.ok("sed -i '1i retain = \"1y\"' /etc/planb/conf.d/web1.toml; rm -f /tmp/calls");
        let said = vm.ok("planb prune web1");
        assert_eq!(vm.calls("destroy").len(), 1, "{said}");
        let left = vm.ok(&format!("zfs list -Hro name -t snapshot tank/BACKUP/web1 | grep -c @{second} || true"));
        assert_eq!(left, "0");
        vm.ok("rm /usr/local/sbin/zfs; sed -i 1d /etc/planb/conf.d/web1.toml");
        vm.is_same(&while_open, &DATASETS);

        // A snapshot that somebody took a part of is none.
        vm.ok(&format!("zfs destroy tank/BACKUP/web1/data/sub@{first}"));
        let listed = vm.exits(0, "planb snapshots web1");
        assert!(!listed.out.contains(&first) && listed.err.contains("not all of its datasets have"), "{listed:?}");
        assert_eq!(vm.listed("web1")["snapshots"], 2);

        // Another name for the fileset.
        vm.exits(0, "planb rename web1 web2");
        vm.minute();
        vm.exits(0, "planb run web2");
        assert_eq!(vm.zfs("planb:fileset", "tank/BACKUP/web2/data/sub"), "web2");
        let bytes = vm.last("web2")["bytes_transferred"].as_u64().expect("a number");
        assert!(bytes < 1 << 20, "{bytes} bytes for nothing");
        assert_eq!(vm.listed("web2")["snapshots"], 3);

        // What others put on top of a copy is in its way, and stays.
        vm.ok("zfs snapshot -r tank/BACKUP/web2@mine");
        vm.minute();
        let why = vm.refused("web2");
        assert!(why.contains("did not come from the source") && why.contains("mine"), "{why}");
        vm.ok("zfs destroy -r tank/BACKUP/web2@mine");
        vm.exits(0, "planb run web2");
    }
}
