//! What is kept of a file, and that it can be had back.

use super::sshd::{Sshd, run};
use super::*;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

#[test]
fn no_name_is_too_odd() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut names: Vec<OsString> =
        ["-rf", "--delete", "a\nb", " ", "\u{1b}[2J", "*", "it's", "\\", "é", "a\rb", "~", ".planb-partial"]
            .map(OsString::from)
            .to_vec();
    names.push(OsString::from_vec(b"not \xff utf-8 \x80".to_vec()));
    names.push("x".repeat(255).into());
    for name in &names {
        world.write("dir/.keep", "");
        fs::write(world.source().join(name), name.as_bytes()).expect("written");
        fs::write(world.source().join("dir").join(name), name.as_bytes()).expect("written");
    }
    for metadata in [Metadata::Full, Metadata::Basic] {
        let mut settings = world.over(&sshd);
        settings.metadata = metadata;
        let live = world.in_place();
        world.pull(&settings, &live).ok();
        assert_eq!(paths(live.path()), paths(&world.source()));
        for name in &names {
            assert_eq!(fs::read(live.path().join("dir").join(name)).expect("there"), name.as_bytes());
        }
    }
}

#[test]
fn holes_and_hard_links_stay_what_they_are() {
    let (world, sshd) = (World::new(), Sshd::start());
    let sparse = File::create(world.source().join("sparse")).expect("created");
    sparse.set_len(64 << 20).expect("ours");
    drop(sparse);
    world.write("one", "one");
    fs::hard_link(world.source().join("one"), world.source().join("two")).expect("linked");
    for workspace in [world.tree(1), world.in_place()] {
        world.pull(&world.over(&sshd), &workspace).ok();
        let stat = |name: &str| fs::metadata(workspace.path().join(name)).expect("there");
        assert_eq!(stat("sparse").len(), 64 << 20);
        assert!(stat("sparse").blocks() < 1000, "{} blocks", stat("sparse").blocks());
        assert_eq!((stat("one").ino(), stat("one").nlink()), (stat("two").ino(), 2));
    }
}

/// One of everything that only root can make, or only `--fake-super` can keep.
fn fill(world: &World) {
    let at = |name: &str| world.source().join(name);
    world.write("plain", "plain");
    world.write("dir/inner", "inner");
    world.write("set", "set");
    world.write("secret", "secret");
    fs::hard_link(at("plain"), at("plain too")).expect("linked");
    std::os::unix::fs::symlink("/etc/passwd", at("link")).expect("linked");
    run("mkfifo", [at("pipe")]);
    xattr::set(at("plain"), "user.note", b"kept").expect("set");
    run("setfacl", ["-m".as_ref(), "u:1:rw,g:2:r".as_ref(), at("plain").as_os_str()]);
    run("setfacl", ["-d".as_ref(), "-m".as_ref(), "u:1:rx".as_ref(), at("dir").as_os_str()]);
    if is_root() {
        run("mknod", [at("null").as_os_str(), "c".as_ref(), "1".as_ref(), "3".as_ref()]);
        run("mknod", [at("disk").as_os_str(), "b".as_ref(), "7".as_ref(), "200".as_ref()]);
        run("chown", ["12345:54321".as_ref(), at("set").as_os_str()]);
        run("chown", ["-h".as_ref(), "12345:54321".as_ref(), at("link").as_os_str()]);
        run("chown", ["7:7".as_ref(), at("dir").as_os_str()]);
        xattr::set(at("secret"), "trusted.note", b"kept").expect("set");
    }
    fs::set_permissions(at("set"), fs::Permissions::from_mode(0o6755)).expect("ours");
    fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o000)).expect("ours");
    fs::set_permissions(at("dir"), fs::Permissions::from_mode(0o1555)).expect("ours");
    // Long ago, as in a restore: a time within the present second is as good as another to rsync.
    let mut all: Vec<OsString> = ["-h", "-d", "2001-02-03 04:05:06.789"].map(OsString::from).to_vec();
    all.extend(paths(&world.source()).iter().map(|path| at("").join(path).into_os_string()));
    all.push(world.source().into_os_string());
    run("touch", all);
}

/// `seen` without the inodes' numbers, which are the one thing a copy cannot have.
fn look(dir: &Path) -> Vec<String> {
    seen(dir)
        .iter()
        .map(|line| {
            let (path, rest) = line.rsplit_once("\" ").expect("a quoted path first");
            format!("{path} {}", rest.split_once(' ').expect("a number next").1)
        })
        .collect()
}

#[test]
fn everything_can_be_restored_as_it_was() {
    // Reading a mode 000 file, owners and devices need root.
    if !is_root() {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    fill(&world);
    let wanted = look(&world.source());
    for (n, settings) in [world.over(&sshd), world.local()].into_iter().enumerate() {
        let tree = world.tree(10 + 2 * u32::try_from(n).expect("small"));
        world.pull(&settings, &tree).ok();
        // Nothing in the tree is what it was there: no device, nothing setuid, nobody else's.
        for path in paths(tree.path()) {
            let m = tree.path().join(&path).symlink_metadata().expect("there");
            assert!(m.is_file() || m.is_dir(), "{path:?}");
            assert_eq!((m.mode() & 0o6000, m.uid(), m.rdev()), (0, 0, 0), "{path:?}");
        }
        // The commands of README.
        let (from, to) = (format!("{}/", tree.path().display()), world.at("restored"));
        run(
            "rsync",
            ["-aHAX", "--numeric-ids", "--fake-super", "-M--super", &from, &to.display().to_string()],
        );
        assert_eq!(look(&to), wanted);
        fs::remove_dir_all(&to).expect("removed");
        let rsh =
            format!("--rsh=ssh -F '{}'", world.at("run/ssh.conf").display().to_string().replace('\'', "''"));
        if n == 0 {
            let to = format!("127.0.0.1:{}", to.display());
            run("rsync", ["-aHAX", "--numeric-ids", "--fake-super", &rsh, &from, &to]);
            assert_eq!(look(&world.at("restored")), wanted);
            fs::remove_dir_all(world.at("restored")).expect("removed");
        }
    }
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    if !is_root() {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    fill(&world);
    for settings in [world.over(&sshd), world.local()] {
        let _ = fs::remove_dir_all(world.at("kept/1"));
        let _ = fs::remove_dir_all(world.at("kept/2"));
        world.pull(&settings, &world.tree(1)).ok();
        let second = world.tree(2);
        assert_eq!(world.pull(&settings, &second).ok().files, Some(0));
        for path in paths(second.path()) {
            let ino = |tree: &str| world.at(tree).join(&path).symlink_metadata().expect("there").ino();
            let shared = ino("kept/1") == ino("kept/2");
            assert_eq!(shared, !second.path().join(&path).is_dir(), "{path:?}");
        }
    }
}

#[test]
fn basic_metadata_brings_no_danger_along() {
    if !is_root() {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    fill(&world);
    let mut settings = world.over(&sshd);
    settings.metadata = Metadata::Basic;
    let tree = world.tree(1);
    world.pull(&settings, &tree).ok();
    assert_eq!(names(tree.path()), ["dir", "dir/inner", "link", "plain", "plain too", "secret", "set"]);
    for path in paths(tree.path()) {
        let m = tree.path().join(&path).symlink_metadata().expect("there");
        assert_eq!((m.mode() & 0o6000, m.uid()), (0, 0), "{path:?}");
        assert_eq!(xattr::list(tree.path().join(&path)).expect("readable").count(), 0);
    }
    let mode = |name: &str| tree.path().join(name).metadata().expect("there").mode() & 0o7777;
    assert_eq!((mode("set"), mode("dir"), mode("secret")), (0o755, 0o1755, 0));
    assert_eq!(world.pull(&settings, &world.tree(2)).ok().files, Some(0));
}

#[test]
fn a_storage_without_attributes_gets_what_it_can_keep() {
    if !is_root() {
        return;
    }
    let world = World::new();
    world.write("f", "f");
    let mount = world.at("kept/1");
    fs::create_dir(&mount).expect("created");
    run("mount", [OsStr::new("-t"), OsStr::new("ramfs"), OsStr::new("none"), mount.as_os_str()]);
    let pulled = world.pull(&world.local(), &world.tree(1));
    let found = names(&mount);
    run("umount", [&mount]);
    assert!(
        matches!(pulled.degraded()[..], [text] if text.contains("owners, ACLs")),
        "{:?}",
        pulled.degraded()
    );
    pulled.ok();
    assert_eq!(found, ["f"]);
}
