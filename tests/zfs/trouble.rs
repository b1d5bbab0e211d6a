//! Pools that are full, away, or broken: said in plain words, nothing lost, and gone on with when they are back.

use crate::lab::on_each_release;
use crate::planb::SOURCE;

on_each_release! {
    fn a_pool_in_trouble_costs_runs_and_no_history(vm: &Vm, "zfs-trouble") {
        vm.make_pool();
        vm.ok("head -c 20M /dev/urandom >/srv/source/big");
        vm.drop_in("web1", &format!("retry = \"1h\"\n{SOURCE}"));
        vm.reload();
        vm.exits(0, "planb run web1");
        let good = vm.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        let is_good = format!("zfs list -Ho name tank/BACKUP/web1@{good}");

        // Below min-free nothing is begun; with it allowed, the quota ends the transfer.
        vm.ok("zfs set quota=25M tank/BACKUP/web1; head -c 20M /dev/urandom >/srv/source/more");
        let why = vm.refused("web1");
        assert!(why.contains("quota") || why.contains("no space") || why.contains("full"), "{why}");
        vm.ok(&is_good);
        assert_eq!(vm.zfs("mounted", "tank/BACKUP/web1"), "no");
        vm.ok("zfs set quota=none tank/BACKUP/web1; rm /srv/source/more");
        vm.ok("zfs create -o reservation=$(( $(zfs get -Hpo value available tank) - 1048576 )) tank/ballast");
        let why = vm.refused("web1");
        assert!(why.contains("min-free"), "{why}");
        vm.ok("zfs destroy tank/ballast");
        vm.ok(&is_good);

        vm.ok("zpool export tank");
        let why = vm.refused("web1");
        assert!(why.contains("the pool tank is not there") && why.contains("zpool import tank"), "{why}");
        assert_eq!(vm.ok("ls -A /tank 2>/dev/null | wc -l"), "0", "something was made where the pool is not");
        assert!(vm.run("planb list").out.contains("tank is not there"));
        vm.ok("zpool import -o readonly=on tank");
        let why = vm.refused("web1");
        assert!(why.contains("read-only"), "{why}");
        vm.ok("zpool export tank; zpool import tank");
        vm.ok(&is_good);

        // Its only disk answers with errors: what would hang is not asked, and it goes on when the disk is back.
        vm.ok(&format!("truncate -s 200M /srv/frail.img; losetup /dev/loop7 /srv/frail.img; {} && zpool create -m /frail frail /dev/mapper/frail", table("create", "linear /dev/loop7 0")));
        vm.ok("cat >/etc/planb/planb.toml <<'X'\n[storage.tank]\ntype = \"zfs\"\nparent = \"tank/BACKUP\"\n[storage.frail]\ntype = \"zfs\"\n\
               parent = \"frail/BACKUP\"\n[defaults]\nstorage = \"tank\"\nX");
        vm.drop_in("frail", &format!("storage = \"frail\"\nretry = \"1h\"\n[guard]\nmin-free = \"none\"\n{SOURCE}"));
        vm.ok("rm /srv/source/big");
        vm.reload();
        vm.exits(0, "planb run frail");
        let switch = |to: &str| format!("dmsetup suspend --noflush frail && {} && dmsetup resume frail", table("load", to));
        vm.ok(&switch("error"));
        vm.ok("setsid sh -c 'zfs set test:x=y frail' >/dev/null 2>&1 &");
        vm.wait(120, "[ $(zpool list -Ho health frail) = SUSPENDED ]");
        let why = vm.refused("frail");
        assert!(why.contains("the pool frail is SUSPENDED") && why.contains("zpool clear frail"), "{why}");
        let list = vm.run("timeout 60 planb list");
        assert!(list.code == Some(0) && list.out.contains("SUSPENDED"), "{list:?}");
        let told = vm.run("timeout 60 planb monitor frail");
        assert!(told.code == Some(2) && told.out.contains("storage frail: the pool frail is SUSPENDED"), "{told:?}");
        // The other pool does not care.
        vm.exits(0, "planb run --accept-shrink web1");
        vm.ok(&switch("linear /dev/loop7 0"));
        vm.ok("zpool clear frail");
        vm.wait(60, "[ $(zpool list -Ho health frail) = ONLINE ]");
        vm.exits(0, "planb run --keep after frail");
        assert_eq!(vm.listed("frail")["snapshots"], 2);
    }
}

/// A call of dmsetup that gives the disk `frail` this content.
fn table(verb: &str, target: &str) -> String {
    format!("dmsetup {verb} frail --table \"0 $(blockdev --getsz /dev/loop7) {target}\"")
}
