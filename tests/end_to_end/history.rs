//! What became history does not change any more, whatever later runs do.

use crate::sshd::{Sshd, run};
use crate::stopping::noise;
use crate::world::{World, chmod, is_root_for};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use time::Duration;

/// All there is to see of every snapshot. Of an inode only the number of its links and its change time may change.
fn seen(world: &World) -> BTreeMap<PathBuf, String> {
    fn walk(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
        let m = path.symlink_metadata().expect("there");
        let content = if m.is_file() { fs::read(path).expect("read") } else { Vec::new() };
        let target = fs::read_link(path).ok();
        let mut attributes: Vec<_> = xattr::list(path)
            .expect("read")
            .map(|name| (name.clone(), xattr::get(path, &name).expect("read")))
            .collect();
        attributes.sort();
        let hash = content.iter().fold(0_u64, |sum, b| sum.wrapping_mul(31).wrapping_add((*b).into()));
        let text = format!(
            "{} {:o} {}:{} {}.{} {} {} {hash} {target:?} {attributes:?}",
            m.ino(),
            m.mode(),
            m.uid(),
            m.gid(),
            m.mtime(),
            m.mtime_nsec(),
            m.rdev(),
            content.len()
        );
        found.insert(path.to_owned(), text);
        if m.is_dir() {
            for entry in fs::read_dir(path).expect("listed") {
                walk(&entry.expect("an entry").path(), found);
            }
        }
    }
    let mut found = BTreeMap::new();
    for snapshot in world.snapshots("web1") {
        walk(&world.data("web1", &snapshot), &mut found);
    }
    found
}

#[track_caller]
fn assert_unchanged(world: &World, before: &BTreeMap<PathBuf, String>, what: &str) {
    let now = seen(world);
    for (path, was) in before {
        assert_eq!(now.get(path), Some(was), "{what}: {}", path.display());
    }
}

/// What is changed, and the hand that does it.
type Change<'a> = (&'static str, Box<dyn Fn() + 'a>);

/// One change of the source after another, each of which a careless program would make in history, too.
fn changes(world: &World) -> Vec<Change<'_>> {
    let at = |name: &str| world.source().join(name);
    let mut changes: Vec<Change<'_>> = vec![
        ("nothing", Box::new(|| ())),
        ("content", Box::new(move || fs::write(at("dir/a"), "other content").expect("written"))),
        (
            "content of the same length and time",
            Box::new(move || {
                let time = at("dir/b").metadata().expect("there").modified().expect("a time");
                fs::write(at("dir/b"), "BBBB").expect("written");
                let later = time + std::time::Duration::from_secs(1);
                fs::File::options()
                    .write(true)
                    .open(at("dir/b"))
                    .expect("there")
                    .set_modified(later)
                    .expect("set");
            }),
        ),
        ("mode", Box::new(move || chmod(at("dir/c"), 0o640))),
        ("mode of a directory", Box::new(move || chmod(at("dir"), 0o750))),
        (
            "time",
            Box::new(move || {
                drop(run("touch", ["-d".as_ref(), "2001-02-03".as_ref(), at("dir/c").as_os_str()]));
            }),
        ),
        ("attributes", Box::new(move || xattr::set(at("dir/c"), "user.colour", b"blue").expect("set"))),
        (
            "access control lists",
            Box::new(move || {
                drop(run("setfacl", ["-m".as_ref(), "u:12345:r".as_ref(), at("dir/c").as_os_str()]));
            }),
        ),
        ("a link more", Box::new(move || fs::hard_link(at("dir/c"), at("dir/c too")).expect("linked"))),
        (
            "appended through the other name",
            Box::new(move || fs::write(at("dir/c too"), "cccc and more").expect("written")),
        ),
        ("a link less", Box::new(move || fs::remove_file(at("dir/c")).expect("removed"))),
        (
            "a file in a directory's place",
            Box::new(move || {
                fs::remove_dir_all(at("tree")).expect("removed");
                fs::write(at("tree"), "a file now").expect("written");
            }),
        ),
        (
            "a link in a file's place",
            Box::new(move || {
                fs::remove_file(at("tree")).expect("removed");
                symlink("dir", at("tree")).expect("linked");
            }),
        ),
        ("gone", Box::new(move || fs::remove_file(at("dir/a")).expect("removed"))),
    ];
    if is_root_for("history_does_not_change: owners") {
        changes.push((
            "owner",
            Box::new(move || drop(run("chown", ["12345:54321".as_ref(), at("dir/b").as_os_str()]))),
        ));
        changes.push((
            "owner of a directory",
            Box::new(move || drop(run("chown", ["12345".as_ref(), at("dir").as_os_str()]))),
        ));
    }
    changes
}

fn begin(world: &World) {
    for (name, content) in
        [("dir/a", "aaaa"), ("dir/b", "bbbb"), ("dir/c", "cccc"), ("tree/x/y", "y"), ("still", "still")]
    {
        world.write(name, content);
    }
    world.good_run("web1");
}

#[test]
fn history_does_not_change_whatever_changes_in_the_source() {
    let metadata = ["full", "basic", "full"];
    let worlds = [World::new()].into_iter().chain(World::each("history_does_not_change: btrfs"));
    for (metadata, world) in metadata.into_iter().zip(worlds) {
        world.local("web1", "[guard]\nmax-shrink = \"none\"", &format!("metadata = {metadata:?}"));
        begin(&world);
        let still = world.newest("web1").join("still").metadata().expect("there").ino();
        for (what, change) in changes(&world) {
            let before = seen(&world);
            change();
            world.good_run("web1");
            assert_unchanged(&world, &before, &format!("{metadata}: {what}"));
        }
        let now = world.newest("web1").join("still").metadata().expect("there").ino();
        assert_eq!(now, still, "what does not change is one file in all snapshots");
        assert_eq!(world.snapshots("web1").len(), 1 + changes(&world).len());
    }
}

#[test]
fn history_does_not_change_when_a_run_is_interrupted_and_resumed() {
    let (world, sshd) = (World::new(), Sshd::start());
    // Sorts behind all that changes: what is linked, is linked already when the run is interrupted.
    world.write("zz/big", noise(10, 0));
    world.over(&sshd, "web1", "[guard]\nmax-shrink = \"none\"", "");
    begin(&world);
    let changes = changes(&world);
    for (n, several) in changes.chunks(4).enumerate() {
        let before = seen(&world);
        // Interrupted while a big file comes, when all else is linked or there; the changes come after that.
        world.write("zz/big", noise(1_500_000, n as u64 + 2));
        world.over(&sshd, "web1", "[guard]\nmax-shrink = \"none\"", "bwlimit = \"500K\"");
        world.later(Duration::MINUTE);
        let running = world.start(&["run", "web1"]);
        world.wait_until_received("web1", 200_000);
        running.signal(if n % 2 == 0 { Signal::SIGTERM } else { Signal::SIGKILL });
        let ran = running.wait();
        assert!([1, 128 + 9].contains(&ran.code), "{}", ran.stderr);
        let what: Vec<&str> = several.iter().map(|(what, _)| *what).collect();
        assert_unchanged(&world, &before, &format!("interrupted: {what:?}"));
        for (_, change) in several {
            change();
        }
        world.over(&sshd, "web1", "[guard]\nmax-shrink = \"none\"", "");
        world.good_run("web1");
        assert_unchanged(&world, &before, &format!("resumed: {what:?}"));
    }
}
