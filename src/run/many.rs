//! Many runs from one process: as many at a time as there are slots, none of them idling behind its source.

use super::slot::Slots;
use crate::config::Fileset;
use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is still to be done, and how many runs go on from each source.
struct Plan<'a> {
    waiting: Vec<&'a Fileset>,
    busy: HashMap<&'a str, usize>,
}

/// Calls `one` for each fileset, in their order where slots and sources allow, and returns what each came to, in the
/// order in which they ended.
///
/// Slots are still taken by each run itself, since other processes want them too; this only keeps a worker from waiting
/// for a source while another could go.
pub fn run<T: Send>(filesets: Vec<&Fileset>, slots: &Slots, one: impl Fn(&Fileset) -> T + Sync) -> Vec<T> {
    let workers = filesets.len().min(slots.host);
    let plan = Mutex::new(Plan { waiting: filesets, busy: HashMap::new() });
    let (changed, done) = (Condvar::new(), Mutex::new(Vec::new()));
    let work = || {
        while let Some(fileset) = take(&plan, &changed, slots.per_source) {
            let came_to = one(fileset);
            open(&done).push(came_to);
            if let Some(host) = fileset.transport.host() {
                open(&plan).busy.entry(host).and_modify(|runs| *runs -= 1);
            }
            changed.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The next fileset whose source has room; waits while there are only others.
fn take<'a>(plan: &Mutex<Plan<'a>>, changed: &Condvar, per_source: usize) -> Option<&'a Fileset> {
    let mut plan = open(plan);
    loop {
        if plan.waiting.is_empty() {
            return None;
        }
        let free = |fileset: &&Fileset| {
            fileset.transport.host().is_none_or(|host| plan.busy.get(host).is_none_or(|n| *n < per_source))
        };
        if let Some(index) = plan.waiting.iter().position(free) {
            let fileset = plan.waiting.remove(index);
            if let Some(host) = fileset.transport.host() {
                *plan.busy.entry(host).or_default() += 1;
            }
            return Some(fileset);
        }
        plan = changed.wait(plan).unwrap_or_else(PoisonError::into_inner);
    }
}

/// A panic in one run is no reason to stop the others.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
