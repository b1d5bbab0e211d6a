use super::*;
use std::sync::mpsc;
use std::thread;
use time::macros::datetime;

fn slots(host: usize, per_source: usize) -> (tempfile::TempDir, Slots) {
    let dir = tempfile::tempdir().expect("a directory");
    let slots = Slots::new(dir.path().into(), host, per_source);
    (dir, slots)
}

fn claim<'a>(fileset: &'a Name, source: &'a str, last_success: Option<OffsetDateTime>) -> Claim<'a> {
    Claim { fileset, source: Some(source).filter(|s| !s.is_empty()), last_success }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn at_once(slots: &Slots, fileset: &str, source: &str) -> Option<Slot> {
    let stop = Stop::new().expect("a socket pair");
    match slots.wait(claim(&name(fileset), source, None), &stop, Instant::now(), || {}).expect("locks work") {
        Waited::Got(slot) => Some(slot),
        Waited::TimedOut => None,
        Waited::Stopped => panic!("nobody wished so"),
    }
}

#[test]
fn no_more_than_there_are_on_the_host_and_from_a_source() {
    let (_dir, slots) = slots(2, 1);
    let first = at_once(&slots, "a", "web1");
    assert!(first.is_some());
    assert!(at_once(&slots, "b", "web1").is_none(), "web1 has one already");
    let second = at_once(&slots, "c", "web2");
    assert!(second.is_some());
    assert!(at_once(&slots, "d", "").is_none(), "the host has two already");
    drop(first);
    assert!(at_once(&slots, "b", "web1").is_some());
}

#[test]
fn a_smaller_pool_counts_what_is_still_taken() {
    let (dir, large) = slots(3, 3);
    let taken: Vec<_> = ["a", "b", "c"].map(|n| at_once(&large, n, "")).into_iter().flatten().collect();
    assert_eq!(taken.len(), 3);
    let small = Slots::new(dir.path().into(), 2, 3);
    let [a, _b, _c] = <[Slot; 3]>::try_from(taken).expect("three");
    drop(a);
    assert!(at_once(&small, "d", "").is_none(), "two are still taken");
}

/// Starts a wait in a thread and returns when it is queued.
fn queue(
    slots: &Slots,
    fileset: &'static str,
    source: &'static str,
    last_success: Option<OffsetDateTime>,
    done: &mpsc::Sender<(&'static str, Slot)>,
) {
    let (queued_tell, queued) = mpsc::channel();
    let (slots, done) = (slots.clone(), done.clone());
    thread::spawn(move || {
        let stop = Stop::new().expect("a socket pair");
        let until = Instant::now() + Duration::from_secs(60);
        let fileset_name = name(fileset);
        let waited = slots.wait(claim(&fileset_name, source, last_success), &stop, until, || {
            queued_tell.send(()).expect("somebody listens");
        });
        if let Ok(Waited::Got(slot)) = waited {
            let _ = done.send((fileset, slot));
        }
    });
    queued.recv().expect("it waits");
}

#[test]
fn the_longest_without_a_backup_goes_first() {
    let (_dir, slots) = slots(1, 1);
    let taken = at_once(&slots, "now", "");
    let (tell, done) = mpsc::channel();
    queue(&slots, "recent", "", Some(datetime!(2026-03-01 0:00 UTC)), &tell);
    queue(&slots, "old", "", Some(datetime!(2025-01-01 0:00 UTC)), &tell);
    queue(&slots, "never", "", None, &tell);
    drop(taken);
    let mut order = Vec::new();
    while order.len() < 3 {
        let (fileset, slot) = done.recv_timeout(Duration::from_secs(60)).expect("each has its turn");
        order.push(fileset);
        drop(slot);
    }
    assert_eq!(order, ["never", "old", "recent"]);
}

#[test]
fn nobody_waits_behind_one_that_waits_for_its_source() {
    let (_dir, slots) = slots(2, 1);
    let _web1 = at_once(&slots, "a", "web1");
    let (tell, _done) = mpsc::channel();
    queue(&slots, "b", "web1", None, &tell);
    assert!(at_once(&slots, "z", "web2").is_some());
}

#[test]
fn a_killed_waiter_is_forgotten_and_a_wish_ends_a_wait() {
    let (dir, slots) = slots(1, 1);
    let _taken = at_once(&slots, "a", "");
    let left_behind = dir.path().join("queue/00000000000000000000.a-gone");
    fs::write(&left_behind, "").expect("a file");
    let stop = Stop::new().expect("a socket pair");
    let wisher = stop.clone();
    let until = Instant::now() + Duration::from_secs(60);
    let waited = slots.wait(claim(&name("b"), "", None), &stop, until, || wisher.wish());
    assert!(matches!(waited, Ok(Waited::Stopped)));
    assert!(!left_behind.exists());
    assert_eq!(fs::read_dir(dir.path().join("queue")).expect("a directory").count(), 0);
}
