//! Much of the same on all processors: ten thousand filesets are read, and their units written, at every boot.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// How many filesets are worth a thread.
const WORTH_A_THREAD: usize = 1_000;

/// Does `work` with all of `items`, a share of them at a time, and returns what came of each share in their order.
pub fn share<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(WORTH_A_THREAD);
    if items.len() <= share {
        return vec![work(items)];
    }
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = items.chunks(share).map(|share| scope.spawn(move || work(share))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_share_and_the_order_stays() {
        for length in [0, 1, 999, 1000, 1001, 2500, 10_001] {
            let items: Vec<usize> = (0..length).collect();
            assert_eq!(share(&items, <[usize]>::to_vec).concat(), items);
        }
    }
}
