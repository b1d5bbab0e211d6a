mod disk;
mod leftovers;

use super::*;
use crate::fileset::workspace::Writes;
use crate::storage::{self, Settings, Storage};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const FIRST: &str = "planb-20260102T0304Z";
const SECOND: &str = "planb-20260103T0304Z";
const THIRD: &str = "planb-20260104T0304Z";

/// A storage in a directory of its own, and one fileset's dataset in it.
struct Place {
    storage: Storage,
    path: PathBuf,
    _kept: Option<tempfile::TempDir>,
}

impl Place {
    fn new() -> Self {
        let kept = tempfile::tempdir().expect("a directory");
        let place = Self::at(kept.path());
        Self { _kept: Some(kept), ..place }
    }

    /// In a directory that the test keeps itself.
    fn at(path: &Path) -> Self {
        Self { storage: at(path), path: path.join("web1"), _kept: None }
    }

    fn open(&self) -> Result<storage::Open, Error> {
        self.storage.open(&dataset(), &fileset(), None, &stop())
    }

    /// One run: `content` in `file`.
    fn run(&self, snapshot: &str, content: &str) {
        let open = self.open().expect("it opens");
        fs::write(open.workspace().path().join("file"), content).expect("written");
        open.snapshot(&name(snapshot)).expect("a snapshot");
    }

    fn listed(&self) -> Vec<String> {
        let listed = self.storage.snapshots(&dataset()).expect("it lists");
        listed.iter().map(|snapshot| snapshot.name.to_string()).collect()
    }

    fn trash(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path.join(".trash"))
            .expect("there is one")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    fn new_tree(&self) -> PathBuf {
        self.path.join(".new/data")
    }
}

fn at(path: &Path) -> Storage {
    Storage::new(&Settings::Directory { path: path.to_owned() }, &crate::host::paths::Paths::new(None))
}

fn dataset() -> DatasetName {
    "web1".parse().expect("a name")
}

fn fileset() -> Name {
    "acme-web1".parse().expect("a name")
}

fn stop() -> Stop {
    Stop::new().expect("a socket pair")
}

fn name(text: &str) -> SnapshotName {
    SnapshotName::parse(text).expect("one of ours")
}

fn automatic(text: &str) -> Automatic {
    text.parse().expect("an automatic one")
}

fn reference(open: &storage::Open) -> Option<PathBuf> {
    match open.workspace().writes() {
        Writes::Linked { reference } => reference.clone(),
        Writes::InPlace => panic!("history is hard links here"),
    }
}

fn resumed(open: &storage::Open) -> bool {
    matches!(open.leftover(), Leftover::Resumed)
}

#[test]
fn a_tree_becomes_a_snapshot_whole() {
    let place = Place::new();
    assert_eq!(place.listed(), [""; 0]);
    let open = place.open().expect("it opens");
    assert_eq!((reference(&open), resumed(&open)), (None, false));
    assert_eq!(open.workspace().path(), place.new_tree());
    fs::write(place.new_tree().join("file"), "one").expect("written");
    assert_eq!(place.listed(), [""; 0]);
    let path = open.snapshot(&name(FIRST)).expect("a snapshot");
    assert_eq!(fs::read_to_string(path.join("file")).expect("it is there"), "one");
    let listed = place.storage.snapshots(&dataset()).expect("it lists");
    assert_eq!((listed.len(), &listed[0].path, &listed[0].name), (1, &path, &name(FIRST)));
    assert!(!place.new_tree().exists());
    assert_eq!(fs::metadata(&place.path).expect("it is there").permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_newest_snapshot_of_any_kind_is_the_reference() {
    let place = Place::new();
    for snapshot in [SECOND, FIRST, "before-upgrade-20260103T0400Z"] {
        place.run(snapshot, snapshot);
    }
    assert_eq!(place.listed(), [FIRST, SECOND, "before-upgrade-20260103T0400Z"]);
    // Made by hand, without files.
    fs::create_dir(place.path.join(THIRD)).expect("a directory");
    let open = place.open().expect("it opens");
    assert_eq!(reference(&open), Some(place.path.join("before-upgrade-20260103T0400Z/data")));
}

#[test]
fn only_directories_of_our_names_are_listed() {
    let place = Place::new();
    place.run(FIRST, "one");
    for foreign in
        ["lost+found", "planb-20260102", "PLANB-20260102T0304Z", ".planb-20260105T0304Z", "daily.0"]
    {
        fs::create_dir(place.path.join(foreign)).expect("a directory");
    }
    fs::create_dir(place.path.join(std::ffi::OsStr::from_bytes(b"\xff-20260102T0304Z")))
        .expect("a directory");
    fs::write(place.path.join("planb-20260106T0304Z"), "a file").expect("written");
    symlink(FIRST, place.path.join("planb-20260107T0304Z")).expect("a link");
    symlink(FIRST, place.path.join("latest-20260107T0304Z")).expect("a link");
    assert_eq!(place.listed(), [FIRST]);
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_tree_waits() {
    let place = Place::new();
    place.run(FIRST, "one");
    let open = place.open().expect("it opens");
    fs::write(place.new_tree().join("file"), "two").expect("written");
    let error = open.snapshot(&name(FIRST)).expect_err("taken");
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(fs::read_to_string(place.path.join(FIRST).join("data/file")).expect("it is there"), "one");
    assert!(resumed(&place.open().expect("it opens")));

    // And by the rename itself, should somebody take the name during the sync.
    let root = place.path.parent().expect("a parent");
    let found = Dataset::find(&top(root), root, &dataset()).expect("it opens").expect("it is there");
    assert!(matches!(found.publish(".new", &name(FIRST)), Err(Error::Exists { .. })));
    assert_eq!(fs::read_to_string(place.path.join(FIRST).join("data/file")).expect("it is there"), "one");
}

fn top(path: &Path) -> OwnedFd {
    open(path, DIRECTORY, Mode::empty()).expect("it opens")
}

#[test]
fn what_is_destroyed_is_not_listed_and_its_room_comes_free_later() {
    let place = Place::new();
    for snapshot in [FIRST, SECOND, THIRD] {
        place.run(snapshot, snapshot);
    }
    let gone = automatic("planb-20250101T0000Z");
    let result =
        place.storage.destroy(&dataset(), &[automatic(SECOND), gone, automatic(FIRST)]).expect("destroyed");
    assert_eq!(result.destroyed, [automatic(FIRST), automatic(SECOND)]);
    assert_eq!(result.skipped, [(gone, "it is not there".to_owned())]);
    assert_eq!(
        (place.listed(), place.trash()),
        (vec![THIRD.to_owned()], vec![FIRST.to_owned(), SECOND.to_owned()])
    );
    // The same name once more, before the trash was emptied.
    place.run(FIRST, "again");
    place.storage.destroy(&dataset(), &[automatic(FIRST)]).expect("destroyed");
    assert_eq!(place.trash(), [FIRST, "planb-20260102T0304Z.1", SECOND]);

    let wished = stop();
    wished.wish();
    let emptied = place.storage.empty_trash(&dataset(), &wished).expect("it ends");
    assert_eq!((emptied.removed, emptied.stopped, place.trash().len()), (0, true, 3));
    let emptied = place.storage.empty_trash(&dataset(), &stop()).expect("emptied");
    assert_eq!((emptied.removed, emptied.stopped, place.trash().len()), (9, false, 0));
    assert_eq!(fs::read_to_string(place.path.join(THIRD).join("data/file")).expect("it is there"), THIRD);
}

#[test]
fn the_newest_snapshot_is_never_destroyed() {
    let place = Place::new();
    for snapshot in [FIRST, SECOND, "kept-20260105T0000Z"] {
        place.run(snapshot, snapshot);
    }
    let error =
        place.storage.destroy(&dataset(), &[automatic(FIRST), automatic(SECOND)]).expect_err("refused");
    assert!(matches!(error, Error::Newest { .. }), "{error}");
    assert_eq!((place.listed().len(), place.trash()), (3, vec![]));
}

#[test]
fn a_link_that_has_a_snapshots_name_is_left_alone() {
    let place = Place::new();
    place.run(SECOND, "two");
    symlink(SECOND, place.path.join(FIRST)).expect("a link");
    let result = place.storage.destroy(&dataset(), &[automatic(FIRST)]).expect("nothing to do");
    assert_eq!((result.destroyed.len(), result.skipped.len()), (0, 1));
    assert!(place.path.join(FIRST).is_symlink());
}

#[test]
fn a_dataset_that_is_not_there_has_no_snapshots_and_no_trash() {
    let place = Place::new();
    assert_eq!(place.listed(), [""; 0]);
    let result = place.storage.destroy(&dataset(), &[automatic(FIRST)]).expect("nothing to do");
    assert_eq!((result.destroyed.len(), result.skipped.len()), (0, 1));
    assert_eq!(place.storage.empty_trash(&dataset(), &stop()).expect("nothing to do").removed, 0);
    assert!(!place.path.exists());
}

#[test]
fn a_storage_that_is_not_there_is_an_error_and_not_created() {
    let place = Place::new();
    let missing = place.path.join("missing");
    let (storage, said) = (at(&missing), format!("the storage {} is not there", missing.display()));
    let errors = [
        storage.open(&dataset(), &fileset(), None, &stop()).err(),
        storage.snapshots(&dataset()).err(),
        storage.destroy(&dataset(), &[]).err(),
        storage.empty_trash(&dataset(), &stop()).err(),
        storage.space(&dataset()).err(),
    ];
    for error in errors {
        let error = error.expect("refused").to_string();
        assert!(error.starts_with(&said), "{error}");
    }
    assert!(!missing.exists());
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
    for (make, said) in cases {
        let place = Place::new();
        make(&place.path);
        let error = place.open().expect_err(said).to_string();
        assert_eq!(error.replace(&place.path.display().to_string(), "PATH"), said);
        assert!(!place.path.join(".new").exists());
    }
    let relative = at(Path::new("backups")).open(&dataset(), &fileset(), None, &stop()).expect_err("refused");
    assert_eq!(relative.to_string(), "the storage's path must be absolute, and backups is not");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let error = at(file.path()).space(&dataset()).expect_err("refused");
    assert!(matches!(error, Error::NotADirectory { .. }), "{error}");
}

#[test]
fn a_dataset_changes_hands_only_by_its_marker() {
    let place = Place::new();
    place.run(FIRST, "one");
    let other: Name = "acme-web2".parse().expect("a name");
    let open = || place.storage.open(&dataset(), &other, None, &stop());
    assert!(matches!(open(), Err(Error::BelongsToAnother { .. })));
    fs::write(place.path.join(".planb"), "acme-web2").expect("written");
    assert_eq!(reference(&open().expect("it opens")), Some(place.path.join(FIRST).join("data")));
}
