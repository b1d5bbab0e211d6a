use super::super::command::tests::{dataset, mark};
use super::*;

fn snapshot(name: &str, guid: u64, is_ours: bool, is_held: bool) -> Snapshot {
    Snapshot { is_ours, is_held, ..Snapshot::of("rpool/data", name, guid) }
}

fn bookmark(name: &str, guid: u64, is_ours: bool) -> Bookmark {
    Bookmark { name: mark(name), guid, createtxg: guid, is_ours }
}

fn source(snapshots: Vec<Snapshot>, bookmarks: Vec<Bookmark>) -> Source {
    Source { snapshots, bookmarks, ..Source::of("rpool/data", "data") }
}

fn base(name: &str, guid: u64) -> Base {
    Base { dataset: dataset("rpool/data"), snapshot: mark(name), guid, bookmark: mark(name) }
}

fn names(names: &[&str]) -> Vec<Mark> {
    names.iter().map(|name| mark(name)).collect()
}

#[test]
fn the_new_base_is_guarded_and_what_is_too_old_goes() {
    let there = source(
        vec![
            snapshot("a", 1, true, false),
            snapshot("theirs", 2, false, true),
            snapshot("b", 3, true, false),
            snapshot("c", 4, true, true),
            snapshot("d", 5, true, false),
        ],
        vec![bookmark("a", 1, true), bookmark("x", 2, false), bookmark("c", 4, true)],
    );
    assert_eq!(
        plan(&there, &base("d", 5), 3),
        Some(Plan {
            is_ours: true,
            hold: true,
            bookmark: true,
            release: names(&["c"]),
            destroy: names(&["a"]),
            forget: Vec::new()
        })
    );
    let strict = plan(&there, &base("d", 5), 1).expect("a plan");
    assert_eq!((strict.destroy, strict.forget), (names(&["a", "b", "c"]), names(&["a", "c"])));
}

#[test]
fn an_old_base_stays_however_many_came_after_it() {
    let there = source(
        vec![
            snapshot("a", 1, true, true),
            snapshot("b", 2, true, false),
            snapshot("c", 3, true, false),
            snapshot("d", 4, true, false),
        ],
        vec![bookmark("a", 1, true)],
    );
    let plan = plan(&there, &base("a", 1), 3).expect("a plan");
    assert_eq!(plan, Plan { is_ours: true, destroy: names(&["b"]), ..Plan::default() });
}

#[test]
fn nothing_goes_where_the_base_is_not_what_it_was() {
    let there = source(vec![snapshot("a", 1, true, true), snapshot("d", 5, true, false)], Vec::new());
    assert_eq!(plan(&there, &base("d", 6), 1), None);
    assert_eq!(plan(&there, &base("e", 5), 1), None);
}

#[test]
fn what_another_made_is_bookmarked_and_not_held() {
    let ours = || vec![snapshot("a", 1, true, false), snapshot("b", 2, true, true)];
    let foreign = source([ours(), vec![snapshot("d", 5, false, false)]].concat(), Vec::new());
    let wanted =
        Plan { bookmark: true, release: names(&["b"]), destroy: names(&["a", "b"]), ..Plan::default() };
    assert_eq!(plan(&foreign, &base("d", 5), 1), Some(wanted));
    // Where its maker destroyed it, the bookmark is what guards it.
    let gone = source(ours(), vec![bookmark("mark", 5, true)]);
    let wanted = Plan { release: names(&["b"]), destroy: names(&["a"]), ..Plan::default() };
    assert_eq!(plan(&gone, &base("d", 5), 2), Some(wanted));
    assert_eq!(plan(&source(ours(), vec![bookmark("theirs", 5, false)]), &base("d", 5), 1), None);
}
