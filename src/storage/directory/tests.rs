mod disk;
mod leftovers;

use super::*;
use crate::storage::Leftover;
use crate::storage::tests::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn new_tree(site: &Site) -> PathBuf {
    site.path.join(".new/data")
}

#[test]
fn the_newest_snapshot_of_any_kind_is_the_reference() {
    let site = Site::directory();
    for snapshot in [SECOND, FIRST, "before-upgrade-20260103T0400Z"] {
        site.run(snapshot, snapshot);
    }
    assert_eq!(site.listed(), [FIRST, SECOND, "before-upgrade-20260103T0400Z"]);
    // Made by hand, without files.
    fs::create_dir(site.path.join(THIRD)).expect("a directory");
    let open = site.open().expect("it opens");
    assert_eq!(reference(&open), Some(site.path.join("before-upgrade-20260103T0400Z/data")));
}

#[test]
fn what_is_destroyed_is_not_listed_and_its_room_comes_free_later() {
    let site = Site::directory();
    for snapshot in [FIRST, SECOND, THIRD] {
        site.run(snapshot, snapshot);
    }
    let gone = automatic("planb-20250101T0000Z");
    let result =
        site.storage.destroy(&dataset(), &[automatic(SECOND), gone, automatic(FIRST)]).expect("destroyed");
    assert_eq!(result.destroyed, [automatic(FIRST), automatic(SECOND)]);
    assert_eq!(result.skipped, [(gone, "it is not there".to_owned())]);
    assert_eq!(
        (site.listed(), site.trash()),
        (vec![THIRD.to_owned()], vec![FIRST.to_owned(), SECOND.to_owned()])
    );
    // The same name once more, before the trash was emptied.
    site.run(FIRST, "again");
    site.destroy(&[FIRST]).expect("destroyed");
    assert_eq!(site.trash(), [FIRST, "planb-20260102T0304Z.1", SECOND]);

    let wished = stop();
    wished.wish();
    let emptied = site.storage.empty_trash(&dataset(), &wished).expect("it ends");
    assert_eq!((emptied.removed, emptied.stopped, site.trash().len()), (0, true, 3));
    let emptied = site.empty_trash().expect("emptied");
    assert_eq!((emptied.removed, emptied.stopped, site.trash().len()), (9, false, 0));
    assert_eq!(fs::read_to_string(site.path.join(THIRD).join("data/file")).expect("it is there"), THIRD);
}
