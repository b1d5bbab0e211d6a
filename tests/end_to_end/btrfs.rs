//! The whole story on a btrfs: files updated in place, history that costs what changed.

use crate::sshd::{Sshd, run};
use crate::stopping::noise;
use crate::world::{World, is_root_for};
use nix::sys::statvfs::statvfs;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use time::Duration;

const MIB: usize = 1 << 20;

/// Bytes that are taken on the file system, by files and by what describes them.
fn taken(path: &Path) -> u64 {
    run("btrfs", ["filesystem".as_ref(), "sync".as_ref(), path.as_os_str()]);
    let stat = statvfs(path).expect("measured");
    (stat.blocks() - stat.blocks_free()) * stat.fragment_size()
}

fn overwrite(file: &Path, at: usize, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).open(file).expect("there");
    file.seek(SeekFrom::Start(at as u64)).and_then(|_| file.write_all(bytes)).expect("written");
}

#[test]
fn a_change_costs_what_was_changed() {
    let Some(world) = World::on_btrfs("a_change_costs_what_was_changed", 512) else { return };
    let sshd = Sshd::start();
    world.write("disk.img", noise(100 * MIB, 1));
    for n in 0..200 {
        world.write(format!("small/{n}"), noise(1000, n));
    }
    world.over(&sshd, "web1", "[guard]\nmax-shrink = \"none\"", "");
    world.good_run("web1");
    let before = taken(&world.at("backups"));
    overwrite(&world.source().join("disk.img"), 50 * MIB, &noise(MIB, 2));
    world.good_run("web1");
    let cost = taken(&world.at("backups")) - before;
    println!("1 MiB of 100 MiB changed, and {cost} bytes were taken");
    assert!(cost >= MIB as u64 && cost < 2 * MIB as u64, "{cost}");
    let first = world.data("web1", &world.snapshots("web1")[0]);
    assert_eq!(fs::read(first.join("disk.img")).expect("there"), noise(100 * MIB, 1));
    let now = fs::read(world.newest("web1").join("disk.img")).expect("there");
    assert!(now == fs::read(world.source().join("disk.img")).expect("there"));
}

#[test]
fn retention_takes_many_at_once_and_the_next_run_finds_nothing_to_clear() {
    let Some(world) = World::on_btrfs("retention_takes_many_at_once", 256) else { return };
    world.write("f", "f");
    world.local("web1", "", "");
    for _ in 0..6 {
        world.later(Duration::DAY);
        world.good_run("web1");
    }
    assert_eq!(world.planb(&["run", "--keep", "mine", "web1"]).code, 0);
    world.local("web1", "retain = \"1d\"", "");
    let pruned = world.json(&["prune", "--json", "web1"]);
    assert_eq!(pruned["destroyed"].as_array().map(Vec::len), Some(4));
    assert_eq!(world.snapshots("web1").len(), 3);
    let mut left: Vec<_> = fs::read_dir(world.at("backups/web1"))
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("utf-8"))
        .filter(|name| !name.starts_with("planb-") && !name.starts_with("mine-"))
        .collect();
    left.sort();
    assert_eq!(left, [".planb", ".trash", "data"]);
}

#[test]
fn a_storage_whose_disk_is_not_mounted_fails_and_nothing_is_made() {
    if !is_root_for("a_storage_whose_disk_is_not_mounted: btrfs") {
        return;
    }
    let world = World::on_btrfs("a_storage_whose_disk_is_not_mounted", 128).expect("we are root");
    world.listen();
    world.write("f", "f");
    world.local("web1", "", "");
    run("umount", [world.at("backups")]);
    let ran = world.run("web1");
    world.assert_came_to_nothing(
        &ran,
        "web1",
        1,
        "failure",
        &["is not on a btrfs: mount the one that belongs there"],
    );
    assert_eq!(fs::read_dir(world.at("backups")).expect("listed").count(), 0);
    run(
        "mount",
        ["-o".as_ref(), "loop".as_ref(), world.at("image").as_os_str(), world.at("backups").as_os_str()],
    );
    world.good_run("web1");
}

#[test]
fn an_ordinary_user_needs_no_privilege() {
    let Some(world) = World::on_btrfs("an_ordinary_user_needs_no_privilege", 256) else { return };
    world.write("etc/motd", "hello");
    world.local("web1", "retain = \"1d\"", "");
    let world_path = world.at("");
    run("chown", ["-R".as_ref(), "4242:4242".as_ref(), world_path.as_os_str()]);
    let program = world.at("planb");
    fs::copy(crate::world::PLANB, &program).expect("a copy: the build directory may be closed to others");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    let planb = |args: &[&str]| {
        let now = world.now().format(&time::format_description::well_known::Rfc3339).expect("a time");
        let output = Command::new("setpriv")
            .args(["--reuid=4242", "--regid=4242", "--clear-groups"])
            .arg(&program)
            .arg("--root")
            .arg(world.at("root"))
            .args(["--now", &now])
            .args(args)
            .output()
            .expect("setpriv (Debian: util-linux) runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for day in 0..4 {
        world.later(Duration::DAY);
        fs::write(world.source().join("etc/motd"), format!("day {day}")).expect("written");
        let (code, said) = planb(&["run", "web1"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("failed to"), "{said}");
    }
    // Of the newest two days one each; the others are gone although only root may delete subvolumes.
    let names = |path: &str| {
        let entries = fs::read_dir(world.at(path)).expect("listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("utf-8")).collect();
        names.sort();
        names
    };
    let last_two = ["planb-20260305T0300Z", "planb-20260306T0300Z"];
    assert_eq!(names("backups/web1"), [".planb", ".trash", "data", last_two[0], last_two[1]]);
    assert_eq!(names("backups/web1/.trash"), [""; 0]);
    let newest = world.data("web1", last_two[1]).join("etc/motd");
    assert_eq!(fs::read_to_string(&newest).expect("there"), "day 3");
    assert_eq!(newest.metadata().expect("there").uid(), 4242);

    // Nor does it take root to see that a snapshot would leave something out.
    let inside = world.at("backups/web1/data/etc/inside");
    run("btrfs", ["subvolume".as_ref(), "create".as_ref(), inside.as_os_str()]);
    world.later(Duration::DAY);
    let (code, said) = planb(&["run", "web1"]);
    assert_eq!(code, Some(1), "{said}");
    let words = format!("{} is a subvolume or a file system of its own", inside.display());
    assert!(said.contains(&words), "{said}");
}
