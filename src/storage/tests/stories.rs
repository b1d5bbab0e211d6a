//! The stories that end alike on every kind of storage.

use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn a_tree_becomes_a_snapshot_whole() {
    for site in Site::each() {
        assert_eq!(site.listed(), [""; 0]);
        let open = site.open().expect("it opens");
        assert_eq!((reference(&open), resumed(&open)), (None, false));
        let workspace = open.workspace().path().to_owned();
        assert!(workspace.starts_with(site.settings.reach(&dataset())), "{}", workspace.display());
        fs::write(workspace.join("file"), "one").expect("written");
        assert_eq!(site.listed(), [""; 0]);
        let path = open.snapshot(&name(FIRST)).expect("a snapshot");
        assert_eq!(path, site.path.join(FIRST).join("data"));
        assert_eq!(site.content(FIRST), "one");
        let listed = site.storage.snapshots(&dataset()).expect("it lists");
        assert_eq!((listed.len(), &listed[0].path, &listed[0].name), (1, &path, &name(FIRST)));
        assert!(!site.path.join(".new").exists());
        let mode = fs::metadata(&site.path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn history_is_what_it_was_whatever_comes_after_it() {
    for site in Site::each() {
        for (snapshot, content) in [(FIRST, "one"), (SECOND, "two"), (THIRD, "three")] {
            site.run(snapshot, content);
        }
        let open = site.open().expect("it opens");
        // As a transport does it here, or where trees are new ones anyway.
        let file = open.workspace().path().join("file");
        fs::write(&file, "four").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        assert_eq!([FIRST, SECOND, THIRD].map(|snapshot| site.content(snapshot)), ["one", "two", "three"]);
        assert_eq!(site.listed(), [FIRST, SECOND, THIRD]);
    }
}

#[test]
fn only_directories_of_our_names_that_have_files_are_listed() {
    for site in Site::each() {
        site.run(FIRST, "one");
        let foreign =
            ["lost+found", "planb-20260102", "PLANB-20260102T0304Z", ".planb-20260105T0304Z", "daily.0"];
        let not_utf8 = std::ffi::OsStr::from_bytes(b"\xff-20260102T0304Z");
        for foreign in foreign.iter().map(std::ffi::OsStr::new).chain([not_utf8]) {
            fs::create_dir_all(site.path.join(foreign).join("data")).expect("a directory");
        }
        fs::create_dir(site.path.join("planb-20260105T0304Z")).expect("a directory");
        fs::write(site.path.join("planb-20260106T0304Z"), "a file").expect("written");
        symlink(FIRST, site.path.join("planb-20260107T0304Z")).expect("a link");
        symlink(FIRST, site.path.join("latest-20260107T0304Z")).expect("a link");
        fs::create_dir(site.path.join("planb-20260108T0304Z")).expect("a directory");
        symlink("/etc", site.path.join("planb-20260108T0304Z/data")).expect("a link");
        assert_eq!(site.listed(), [FIRST]);
    }
}

#[test]
fn a_name_that_is_taken_is_refused_and_what_came_waits() {
    for site in Site::each() {
        site.run(FIRST, "one");
        let open = site.open().expect("it opens");
        fs::write(open.workspace().path().join("file"), "two").expect("written");
        let error = open.snapshot(&name(FIRST)).expect_err("taken");
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(site.content(FIRST), "one");

        let open = site.open().expect("it opens");
        assert!(resumed(&open));
        open.snapshot(&name(SECOND)).expect("a snapshot");
        assert_eq!(site.content(SECOND), "two");

        // And by the rename itself, should somebody take the name during the sync.
        let place = place::Place::new(site.settings.path().to_owned(), "/var/lib/planb".into());
        let found = place.find(&dataset()).expect("it opens").expect("it is there");
        drop(found.make_directory(".new").expect("made"));
        assert!(matches!(found.publish(".new", &name(FIRST)), Err(Error::Exists { .. })));
        assert_eq!(site.content(FIRST), "one");
    }
}

#[test]
fn what_is_destroyed_is_not_listed_and_leaves_no_room_taken() {
    for site in Site::each() {
        for snapshot in [FIRST, SECOND, THIRD] {
            site.run(snapshot, snapshot);
        }
        let gone = "planb-20250101T0000Z";
        let result = site.destroy(&[SECOND, gone, FIRST]).expect("destroyed");
        assert_eq!(result.destroyed, [automatic(FIRST), automatic(SECOND)]);
        assert_eq!(result.skipped, [(automatic(gone), "it is not there".to_owned())]);
        assert_eq!(site.listed(), [THIRD]);
        site.empty_trash().expect("emptied");
        assert!(!site.storage.has_trash(&dataset()).expect("it looks"));
        let mut left: Vec<_> = fs::read_dir(&site.path)
            .expect("it lists")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .filter(|name| name != "data")
            .collect();
        left.sort();
        assert_eq!(left, [".planb", ".trash", THIRD]);
        assert_eq!(site.content(THIRD), THIRD);
    }
}

#[test]
fn the_newest_snapshot_is_never_destroyed() {
    for site in Site::each() {
        for snapshot in [FIRST, SECOND, "kept-20260105T0000Z"] {
            site.run(snapshot, snapshot);
        }
        let error = site.destroy(&[FIRST, SECOND]).expect_err("refused");
        assert!(matches!(error, Error::Newest { .. }), "{error}");
        assert_eq!((site.listed().len(), site.trash()), (3, vec![]));
    }
}

#[test]
fn a_link_that_has_a_snapshots_name_is_left_alone() {
    for site in Site::each() {
        site.run(SECOND, "two");
        symlink(SECOND, site.path.join(FIRST)).expect("a link");
        let result = site.destroy(&[FIRST]).expect("nothing to do");
        assert_eq!((result.destroyed.len(), result.skipped.len()), (0, 1));
        assert!(site.path.join(FIRST).is_symlink());
    }
}

#[test]
fn a_dataset_that_is_not_there_has_no_snapshots_and_no_trash() {
    for site in Site::each() {
        assert_eq!(site.listed(), [""; 0]);
        let result = site.destroy(&[FIRST]).expect("nothing to do");
        assert_eq!((result.destroyed.len(), result.skipped.len()), (0, 1));
        assert_eq!(site.empty_trash().expect("nothing to do").removed, 0);
        assert!(!site.storage.has_trash(&dataset()).expect("it looks"));
        site.storage.close(&dataset()).expect("nothing to do");
        assert!(!site.path.exists());
    }
}

#[test]
fn a_storage_that_is_not_there_is_an_error_and_not_created() {
    for site in Site::each() {
        let missing = site.path.join("missing");
        let (storage, said) =
            (site.elsewhere(&missing), format!("the storage {} is not there", missing.display()));
        let errors = [
            storage.open(&dataset(), &fileset(), None, &stop()).err(),
            storage.snapshots(&dataset()).err(),
            storage.destroy(&dataset(), &[]).err(),
            storage.has_trash(&dataset()).err(),
            storage.empty_trash(&dataset(), &stop()).err(),
            storage.space(&dataset()).err(),
        ];
        for error in errors {
            let error = error.expect("refused").to_string();
            assert!(error.starts_with(&said), "{error}");
        }
        assert!(!missing.exists());
    }
}

#[test]
fn what_is_not_a_dataset_of_this_fileset_is_refused() {
    type Case = (fn(&Path), &'static str);
    let cases: [Case; 6] = [
        (|path| fs::write(path, "a file").expect("written"), "PATH is not a directory"),
        (
            |path| symlink("/tmp", path).expect("a link"),
            "PATH is a symbolic link, which a dataset may not be: give the storage the path it leads to, or mount it here",
        ),
        (
            |path| symlink("/nowhere", path).expect("a link"),
            "PATH is a symbolic link, which a dataset may not be: give the storage the path it leads to, or mount it here",
        ),
        (
            |path| {
                fs::create_dir(path).expect("a directory");
                fs::write(path.join("thesis.tex"), "").expect("written");
            },
            "PATH holds files that are not a dataset's: choose another dataset, or, if they may stay beside the backups, write acme-web1 into PATH/.planb",
        ),
        (
            |path| {
                fs::create_dir(path).expect("a directory");
                fs::write(path.join(".planb"), "acme-web2\n").expect("written");
            },
            "PATH belongs to the fileset \"acme-web2\": choose another dataset, or, if \"acme-web2\" is gone for good, take it over by writing acme-web1 into PATH/.planb",
        ),
        (
            |path| {
                fs::create_dir(path).expect("a directory");
                symlink("/etc/hostname", path.join(".planb")).expect("a link");
            },
            "failed to open PATH/.planb",
        ),
    ];
    for site in Site::each() {
        let path = &site.path;
        for (make, said) in cases {
            make(path);
            let error = site.open().expect_err(said).to_string();
            assert_eq!(error.replace(&path.display().to_string(), "PATH"), said);
            assert!(!path.join(".new").exists() && !path.join("data").exists());
            if path.is_symlink() || path.is_file() {
                fs::remove_file(path).expect("removed");
            } else {
                fs::remove_dir_all(path).expect("removed");
            }
        }
        let open = |path: &Path| site.elsewhere(path).open(&dataset(), &fileset(), None, &stop());
        let relative = open(Path::new("backups")).expect_err("refused");
        assert_eq!(relative.to_string(), "the storage's path must be absolute, and backups is not");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = site.elsewhere(file.path()).space(&dataset()).expect_err("refused");
        assert!(matches!(error, Error::NotADirectory { .. }), "{error}");
    }
}

#[test]
fn a_dataset_changes_hands_only_by_its_marker() {
    for site in Site::each() {
        site.run(FIRST, "one");
        let other: Name = "acme-web2".parse().expect("a name");
        let open = || site.storage.open(&dataset(), &other, None, &stop());
        assert!(matches!(open(), Err(Error::BelongsToAnother { .. })));
        fs::write(site.path.join(".planb"), "acme-web2").expect("written");
        drop(open().expect("it opens"));
        assert_eq!(site.listed(), [FIRST]);
    }
}

#[test]
fn a_tree_that_was_replaced_does_not_become_a_snapshot() {
    for site in Site::each() {
        let open = site.open().expect("it opens");
        let tree = open.workspace().path().to_owned();
        fs::rename(&tree, tree.with_file_name("was")).expect("renamed");
        symlink("/etc", &tree).expect("a link");
        let error = open.snapshot(&name(FIRST)).expect_err("replaced");
        assert!(matches!(error, Error::Replaced { .. }), "{error}");
        assert_eq!(site.listed(), [""; 0]);
    }
}
