//! A few requests at the same time.

use crate::error::RemoteError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Does `work` for each item on at most `at_once` threads. The results come in the order of the items. After an error
/// no further item is begun, and the first error by order is returned.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> Result<R, RemoteError> + Sync,
) -> Result<Vec<R>, RemoteError> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            let result = work(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.push((index, result));
        }
        done
    };
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.clamp(1, items.len().max(1))).map(|_| scope.spawn(worker)).collect();
        let ended = workers.into_iter().map(thread::ScopedJoinHandle::join);
        ended.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(item: usize) -> RemoteError {
        RemoteError::Address { url: item.to_string(), why: String::new() }
    }

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        for at_once in [0, 1, 7, 200] {
            assert_eq!(each(&items, at_once, |item| Ok(item * 2)).unwrap()[99], 198);
        }
        assert_eq!(each(&[0; 0], 3, |_| Ok(())).unwrap(), []);
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = AtomicUsize::new(0);
        let items: Vec<usize> = (0..100).collect();
        let error = each(&items, 1, |item| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 5 { Err(wrong(*item)) } else { Ok(()) }
        });
        assert!(error.unwrap_err().to_string().contains('5'));
        assert_eq!(begun.into_inner(), 6);
    }
}
