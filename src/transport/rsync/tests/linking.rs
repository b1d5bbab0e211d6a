//! Trees linked against the last one, and trees updated in place.

use super::sshd::{Sshd, run};
use super::*;
use std::os::unix::fs::PermissionsExt;

fn inode(path: &Path) -> (u64, u64) {
    let metadata = path.symlink_metadata().expect("there");
    (metadata.ino(), metadata.nlink())
}

#[test]
fn a_tree_follows_its_source_and_shares_what_did_not_change() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("a/same", "same");
    world.write("a/changed", "old");
    world.write("gone/x", "x");
    world.write("cache/y", "y");
    let settings = world.over(&sshd);
    let first = world.pull(&settings, &world.tree(1)).ok();
    // source, a, gone, cache and four files
    assert_eq!((first.totals, first.files), (Some(Totals { files: 8, bytes: 9 }), Some(4)));
    assert!(first.bytes > Some(0));

    let second = world.pull(&settings, &world.tree(2)).ok();
    assert_eq!((second.totals, second.files), (first.totals, Some(0)));
    assert_eq!(inode(&world.at("kept/1/a/same")), inode(&world.at("kept/2/a/same")));

    world.write("a/changed", "new one");
    fs::remove_dir_all(world.source().join("gone")).expect("removed");
    let before = seen(&world.at("kept/2"));
    let third = world.pull(&settings.exclude(&["/cache"]), &world.tree(3)).ok();
    assert_eq!((third.totals.map(|totals| totals.bytes), third.files), (Some(11), Some(1)));
    assert_eq!(names(&world.at("kept/3")), ["a", "a/changed", "a/same"]);
    assert_eq!(inode(&world.at("kept/3/a/same")).1, 3);
    assert_eq!(seen(&world.at("kept/2")), before);
}

#[test]
fn history_does_not_change_when_only_attributes_do() {
    let (world, sshd) = (World::new(), Sshd::start());
    for name in ["mode", "time", "acl", "xattr", "owner", "linked"] {
        world.write(name, name);
    }
    let at = |name: &str| world.source().join(name);
    fs::hard_link(at("linked"), at("linked too")).expect("linked");
    std::os::unix::fs::symlink("mode", at("link")).expect("linked");
    run("mkfifo", [at("pipe")]);
    let settings = world.over(&sshd);
    world.pull(&settings, &world.tree(1)).ok();
    world.pull(&settings, &world.tree(2)).ok();
    let before = (seen(&world.at("kept/1")), seen(&world.at("kept/2")));

    for name in ["mode", "linked", "pipe"] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o600)).expect("ours");
    }
    File::options()
        .write(true)
        .open(at("time"))
        .expect("ours")
        .set_modified(std::time::UNIX_EPOCH)
        .expect("ours");
    run("setfacl", ["-m".as_ref(), "u:1:r".as_ref(), at("acl").as_os_str()]);
    xattr::set(at("xattr"), "user.note", b"new").expect("set");
    if is_root() {
        run("chown", ["-h".as_ref(), "5:5".as_ref(), at("link").as_os_str()]);
        run("chown", ["5:5".as_ref(), at("owner").as_os_str()]);
    }
    world.pull(&settings, &world.tree(3)).ok();
    assert_ne!(seen(&world.at("kept/3")), before.1);
    assert_eq!((seen(&world.at("kept/1")), seen(&world.at("kept/2"))), before);
}

#[test]
fn an_interrupted_file_goes_on_where_it_ended_and_leaves_nothing_behind() {
    let (world, sshd) = (World::new(), Sshd::start());
    let noise: Vec<u8> =
        (0..16_000_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    world.write("sub/big", &noise);
    world.write("gone/big", &noise);
    let mut settings = world.over(&sshd);
    settings.bwlimit = Some("4M".parse().expect("a size"));
    let tree = world.tree(1);
    let interrupt = |settings: &Settings| {
        let stop = world.stop.clone();
        let failure = world
            .pull_and(settings, &tree, |event| {
                if matches!(event, Event::Progress(p) if p.bytes > 2_000_000) {
                    stop.wish();
                }
            })
            .failed();
        assert_eq!((failure.verdict, failure.exit_code), (crate::transport::Verdict::Interrupted, None));
    };
    interrupt(&settings);
    assert_eq!(names(&tree.path().join("gone")), [".planb-partial", ".planb-partial/big"]);

    // The wish of a Stop stays; the next run has its own.
    let world = World { stop: Stop::new().expect("a socket pair"), ..world };
    settings.bwlimit = None;
    fs::remove_dir_all(world.source().join("gone")).expect("removed");
    fs::create_dir(tree.path().join("sub"))
        .or_else(|e| if tree.path().join("sub").exists() { Ok(()) } else { Err(e) })
        .expect("created");
    fs::rename(tree.path().join("gone/.planb-partial"), tree.path().join("sub/.planb-partial"))
        .expect("moved");
    fs::create_dir_all(tree.path().join(".planb-partial")).expect("created");
    fs::write(tree.path().join(".planb-partial/of a file that is gone"), "x").expect("written");
    fs::write(tree.path().join("sub/.big.AbCdEf"), "what SIGKILL leaves").expect("written");
    let done = world.pull(&settings, &tree).ok();
    assert!(done.bytes < Some(15_000_000), "{done:?}");
    assert_eq!(names(tree.path()), ["sub", "sub/big"]);
    assert!(fs::read(tree.path().join("sub/big")).expect("there") == noise);
}

#[test]
fn in_place_only_changed_blocks_are_written() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("big", vec![b'x'; 3_000_000]);
    world.write("gone", "x");
    let settings = world.over(&sshd);
    let live = world.in_place();
    world.pull(&settings, &live).ok();
    let before = inode(&live.path().join("big"));
    let mut content = fs::read(world.source().join("big")).expect("there");
    content[1_500_000] = b'y';
    world.write("big", &content);
    fs::remove_file(world.source().join("gone")).expect("removed");
    let second = world.pull(&settings, &live).ok();
    assert_eq!(inode(&live.path().join("big")), before);
    assert!(second.bytes < Some(100_000), "{second:?}");
    assert!(fs::read(live.path().join("big")).expect("there") == content);
    assert_eq!(names(live.path()), ["big"]);
}

#[test]
fn a_change_within_the_same_second_is_seen() {
    let (world, sshd) = (World::new(), Sshd::start());
    let settings = world.over(&sshd);
    let write = |text: &str, nanos: u32| {
        world.write("f", text);
        let time = std::time::UNIX_EPOCH + Duration::new(1_700_000_000, nanos);
        File::options()
            .write(true)
            .open(world.source().join("f"))
            .and_then(|f| f.set_modified(time))
            .expect("ours");
    };
    write("one", 1);
    for n in [1, 2] {
        world.pull(&settings, &world.tree(n)).ok();
    }
    assert_eq!(inode(&world.at("kept/1/f")), inode(&world.at("kept/2/f")));
    write("two", 2);
    world.pull(&settings, &world.tree(3)).ok();
    assert_eq!(fs::read_to_string(world.at("kept/3/f")).expect("there"), "two");
}

#[test]
fn a_link_swapped_in_by_the_source_leads_nowhere() {
    let (world, sshd) = (World::new(), Sshd::start());
    let outside = world.at("outside");
    fs::create_dir(&outside).expect("created");
    fs::write(outside.join("precious"), "precious").expect("written");
    let before = seen(&outside);
    for metadata in [Metadata::Full, Metadata::Basic] {
        let mut settings = world.over(&sshd);
        settings.metadata = metadata;
        for workspace in [world.in_place(), world.tree(1)] {
            let _ = fs::remove_file(world.source().join("d"));
            world.write("d/f", "f");
            world.pull(&settings, &workspace).ok();
            fs::remove_dir_all(world.source().join("d")).expect("removed");
            std::os::unix::fs::symlink(&outside, world.source().join("d")).expect("linked");
            world.pull(&settings, &workspace).ok();
            fs::remove_file(world.source().join("d")).expect("removed");
            world.write("d/precious", "overwritten");
            world.pull(&settings, &workspace).ok();
            assert_eq!(seen(&outside), before);
            assert_eq!(names(workspace.path()), ["d", "d/precious"]);
            fs::remove_dir_all(world.source().join("d")).expect("removed");
        }
    }
}
