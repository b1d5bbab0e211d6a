//! Whatever a source may hold comes back as it was.

use crate::sshd::{Sshd, run};
use crate::stopping::noise;
use crate::world::{World, chmod, is_root_for};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// All there is to see of a tree but inode numbers: those say only which names are one file.
fn seen(dir: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(
        top: &Path,
        path: &Path,
        found: &mut BTreeMap<PathBuf, String>,
        files: &mut BTreeMap<u64, usize>,
    ) {
        let m = path.symlink_metadata().expect("there");
        let number = files.len();
        let file = if m.is_dir() { 0 } else { *files.entry(m.ino()).or_insert(number) };
        let content = match () {
            () if m.is_file() => fs::read(path).expect("read"),
            () if m.is_symlink() => fs::read_link(path).expect("read").into_os_string().into_vec(),
            () => Vec::new(),
        };
        let content: u64 = content
            .iter()
            .fold(content.len() as u64, |sum, b| sum.wrapping_mul(31).wrapping_add((*b).into()));
        let mut attributes: Vec<_> = xattr::list(path)
            .expect("read")
            .map(|name| (name.clone(), xattr::get(path, &name).expect("read")))
            .collect();
        attributes.sort();
        // The top itself was made by whoever restored it.
        let (mode, time) = if path == top { (0, (0, 0)) } else { (m.mode(), (m.mtime(), m.mtime_nsec())) };
        found.insert(
            path.strip_prefix(top).expect("below").to_owned(),
            format!(
                "{mode:o} {}:{} {time:?} {} {content} #{file} {attributes:?}",
                m.uid(),
                m.gid(),
                m.rdev()
            ),
        );
        if m.is_dir() {
            let mut below: Vec<PathBuf> =
                fs::read_dir(path).expect("listed").map(|e| e.expect("an entry").path()).collect();
            below.sort();
            for path in below {
                walk(top, &path, found, files);
            }
        }
    }
    let (mut found, mut files) = (BTreeMap::new(), BTreeMap::new());
    walk(dir, dir, &mut found, &mut files);
    found
}

#[track_caller]
fn assert_same(is: &BTreeMap<PathBuf, String>, was: &BTreeMap<PathBuf, String>) {
    for path in is.keys().chain(was.keys()) {
        assert_eq!(is.get(path), was.get(path), "{}", path.display());
    }
}

/// Names that shells, programs and formats stumble over.
fn strange_names() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        " ",
        "a b",
        "-n",
        "--delete",
        "new\nline",
        "tab\t",
        "*",
        "?",
        "[a]",
        "a\\b",
        "'",
        "\"",
        "$(id)",
        "`id`",
        "~",
        "#",
        "é",
        "%s",
        "\\#012",
        ":",
        "host:path",
        "..a",
        ".planb-partially",
        "\u{1b}[2J",
        "%stat",
        "x;y",
        "&",
        "|",
        "<",
        "!",
    ]
    .map(OsString::from)
    .into();
    names.push(OsString::from_vec(b"\xff\xfe not utf-8".to_vec()));
    names.push(OsStr::from_bytes(&[b'x'; 255]).to_owned());
    names.push(OsStr::from_bytes(&[0xe9; 255]).to_owned());
    names
}

#[test]
fn strange_names_come_back_and_are_shown_harmlessly() {
    let (world, sshd) = (World::new(), Sshd::start());
    for name in strange_names() {
        world.write(Path::new("files").join(&name), "x");
        world.write(Path::new("directories").join(&name).join(&name), "y");
        symlink(&name, world.source().join("link").join(&name))
            .or_else(|_| {
                fs::create_dir(world.source().join("link"))
                    .and_then(|()| symlink(&name, world.source().join("link").join(&name)))
            })
            .expect("linked");
    }
    world.over(&sshd, "web1", "", "");
    world.good_run("web1");
    let names = |dir: &Path| seen(dir).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&world.newest("web1")), names(&world.source()));
    // All of it a second time, as links.
    world.good_run("web1");
    assert_eq!(world.last("web1")["files_transferred"], 0);
    assert_eq!(names(&world.newest("web1")), names(&world.source()));

    // Named in an error, none of them reaches a terminal or a hook as it is.
    if is_root_for("strange_names_come_back_and_are_shown_harmlessly") {
        world.listen();
        chmod(world.at(""), 0o755);
        chmod(world.source(), 0o755);
        for name in strange_names() {
            chmod(world.source().join("directories").join(name), 0o700);
        }
        sshd.force("exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c \"$SSH_ORIGINAL_COMMAND\"");
        let ran = world.run("web1");
        world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["Permission denied"]);
        let error = world.last("web1")["error"].as_str().expect("an error").to_owned();
        for text in [&ran.stderr, &world.planb(&["list"]).stdout, &world.planb(&["history"]).stdout, &error] {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
        }
        assert!(!error.contains('\n'), "{error:?}");
    }
}

#[test]
fn everything_a_file_can_be_is_kept_and_comes_back() {
    if !is_root_for("everything_a_file_can_be_is_kept_and_comes_back") {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    let at = |name: &str| world.source().join(name);
    world.write("linked", "one file of two names");
    fs::create_dir(at("sub")).expect("a directory");
    fs::hard_link(at("linked"), at("sub/linked too")).expect("linked");
    symlink("/no/such/file", at("dangling")).expect("linked");
    run("mknod", [at("device").as_os_str(), "c".as_ref(), "1".as_ref(), "3".as_ref()]);
    run("mknod", [at("disk").as_os_str(), "b".as_ref(), "7".as_ref(), "200".as_ref()]);
    run("mkfifo", [at("pipe")]);
    world.write("setuid", "#!/bin/sh\n");
    chmod(at("setuid"), 0o4755);
    world.write("unreadable", "but for root");
    chmod(at("unreadable"), 0o000);
    world.write("owned", "by somebody");
    run("chown", ["12345:23456".as_ref(), at("owned").as_os_str()]);
    run("chown", ["-h".as_ref(), "11:12".as_ref(), at("dangling").as_os_str()]);
    run(
        "setfattr",
        ["-n".as_ref(), "user.colour".as_ref(), "-v".as_ref(), "blue".as_ref(), at("owned").as_os_str()],
    );
    run("setfacl", ["-m".as_ref(), "u:12345:rw,g:99:r".as_ref(), at("owned").as_os_str()]);
    run("setfacl", ["-d".as_ref(), "-m".as_ref(), "u:12345:rwx".as_ref(), at("sub").as_os_str()]);
    run("touch", ["-d".as_ref(), "1999-12-31T23:59:59.123456789Z".as_ref(), at("setuid").as_os_str()]);
    let sparse = fs::File::create(at("sparse")).expect("created");
    sparse.write_at(b"end", 50_000_000).expect("written");
    sparse.write_at(&noise(4096, 1), 0).expect("written");
    chmod(at("sub"), 0o2750);

    // What is made in the same second as what it is made from has the right time by chance.
    let mut all = vec![OsString::from("-h"), "-d".into(), "2020-02-02T02:02:02.123456789Z".into()];
    all.extend(
        ["linked", "dangling", "device", "disk", "pipe", "unreadable", "owned", "sparse", "sub"]
            .map(|name| at(name).into()),
    );
    run("touch", all);

    world.over(&sshd, "web1", "", "");
    world.local("here", "", "");
    for name in ["web1", "here"] {
        world.good_run(name);
        // Unchanged, it is linked.
        world.good_run(name);
        assert_eq!(world.last(name)["files_transferred"], 0, "{name}");
        let data = world.newest(name);
        // Nothing in the storage is what it was there: no setuid file of a customer's, no device.
        assert!(data.join("device").symlink_metadata().is_ok_and(|m| m.is_file()), "{name}");
        assert_eq!(data.join("setuid").metadata().expect("there").mode() & 0o6000, 0, "{name}");
        let (one, two) = (data.join("linked").metadata(), data.join("sub/linked too").metadata());
        assert_eq!(one.expect("there").ino(), two.expect("there").ino(), "{name}");
        let sparse = data.join("sparse").metadata().expect("there");
        assert!(
            sparse.blocks() * 512 < 1_000_000 && sparse.len() == 50_000_003,
            "{name}: {} blocks",
            sparse.blocks()
        );

        // As the manual says.
        let restored = world.at(format!("restored {name}"));
        let (from, to) = (format!("{}/", data.display()), format!("{}/", restored.display()));
        run("rsync", ["-aAXHS", "--numeric-ids", "--fake-super", "-M--super", &from, &to]);
        assert_same(&seen(&restored), &seen(&world.source()));
    }
}
