//! The same small work for every node of a plan.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer than this stay on one thread: starting another costs more.
const LEAST_PER_THREAD: usize = 64;
/// So many are taken at a time, so that no thread waits long for the slowest.
const CHUNK: usize = 32;

/// The cores that this process may use. Asked once: the system reads several files for an answer.
#[must_use]
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// `f` of each number below `count`, in order, computed on several threads when that pays. Not on a rayon pool: a
/// no-op run should not have to start one. A panic of `f` goes on in the caller.
#[must_use]
pub fn parallel_map<T: Send>(count: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = (count / LEAST_PER_THREAD).clamp(1, cores());
    let taken = AtomicUsize::new(0);
    let work = || {
        let starts = std::iter::repeat_with(|| taken.fetch_add(CHUNK, Ordering::Relaxed));
        let chunk = |start: usize| (start, (start..count.min(start + CHUNK)).map(&f).collect::<Vec<T>>());
        starts.take_while(|start| *start < count).map(chunk).collect::<Vec<_>>()
    };
    let mut chunks = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut chunks = work();
        for other in others {
            chunks.extend(other.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)));
        }
        chunks
    });
    chunks.sort_unstable_by_key(|(start, _)| *start);
    let mut all = Vec::with_capacity(count);
    chunks.into_iter().for_each(|(_, chunk)| all.extend(chunk));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_map_keeps_the_order() {
        for count in [0, 1, 63, 64, 127, 128, 129, 1_000] {
            assert_eq!(parallel_map(count, |at| at * 2), (0..count).map(|at| at * 2).collect::<Vec<_>>());
        }
    }
}
