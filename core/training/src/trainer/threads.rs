//! Pieces of long work side by side, each on a thread of its own.
//!
//! They do not run in rayon's pool, whose threads they would hold for minutes: the loops of other nodes would wait. While
//! there is a piece for each core, the kernels of a piece stay on its thread, which wastes nothing on sharing them; the
//! last few pieces share all cores.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use pddflow_artifact::failure::NodeResult;
use pddflow_runner::NodeError;
use pddflow_tensor::on_one_thread;

/// What the pieces know of each other.
pub struct Workers {
    /// Pieces in work at once.
    width: usize,
    cores: usize,
    left: AtomicUsize,
    failed: AtomicBool,
}

impl Workers {
    /// Computes, with the kernels on this thread alone while there is a piece for each core.
    pub fn compute<R>(&self, work: impl FnOnce() -> R) -> R {
        let alone = self.left.load(Ordering::Relaxed).min(self.width) >= self.cores;
        if alone { on_one_thread(work) } else { work() }
    }

    /// Whether another piece failed, so that this one is in vain.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Does `work` for each number below `count`, at most `width` at once and in this order, and gives the results in order.
///
/// # Errors
/// That of the lowest number that was not merely cancelled; the others are not begun, or end early by [`Workers::failed`].
pub fn each<T: Send>(
    count: usize,
    width: usize,
    work: impl Fn(usize, &Workers) -> NodeResult<T> + Sync,
) -> NodeResult<Vec<T>> {
    let width = width.clamp(1, count.max(1));
    let workers = Workers {
        width,
        cores: rayon::current_num_threads(),
        left: AtomicUsize::new(count),
        failed: AtomicBool::new(false),
    };
    let results: Vec<Mutex<Option<NodeResult<T>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let run = || {
        while !workers.failed() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = results.get(number) else { return };
            let result = work(number, &workers);
            workers.failed.fetch_or(result.is_err(), Ordering::Relaxed);
            workers.left.fetch_sub(1, Ordering::Relaxed);
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..width).map(|_| scope.spawn(run)).collect();
        run();
        // All are waited for before one's panic goes on.
        let panics: Vec<_> = others.into_iter().filter_map(|other| other.join().err()).collect();
        if let Some(panic) = panics.into_iter().next() {
            resume_unwind(panic);
        }
    });
    collect(results)
}

fn collect<T>(results: Vec<Mutex<Option<NodeResult<T>>>>) -> NodeResult<Vec<T>> {
    let mut done = Vec::with_capacity(results.len());
    let mut cancelled = false;
    for result in results {
        match result.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(value)) => done.push(value),
            Some(Err(error)) if !error.cancelled => return Err(error),
            Some(Err(_)) | None => cancelled = true,
        }
    }
    if cancelled { Err(NodeError::cancelled()) } else { Ok(done) }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::time::{Duration, Instant};

    use pddflow_artifact::failure::fail;

    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_run_than_asked_for() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = each(20, 3, |number, _| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(number)
        });
        assert_eq!(done.unwrap(), (0..20).collect::<Vec<_>>());
        assert!(most.into_inner() <= 3);
    }

    #[test]
    fn the_failure_of_the_lowest_number_counts_and_being_cancelled_is_none() {
        let failed = each(3, 3, |number, workers| match number {
            0 => {
                while !workers.failed() {
                    std::thread::yield_now();
                }
                Err::<(), _>(NodeError::cancelled())
            }
            number => Err(fail("test", format!("number {number}"))),
        });
        assert!(failed.unwrap_err().message.contains("number"), "a failure, not the cancellation that it caused");
        assert!(each(1, 1, |_, _| Err::<(), _>(NodeError::cancelled())).unwrap_err().cancelled);
        assert!(each(0, 4, |_, _| Ok(())).unwrap().is_empty());
    }

    #[test]
    fn a_panic_of_a_piece_is_the_callers() {
        let panicked = std::panic::catch_unwind(|| each(2, 2, |_, _| -> NodeResult<()> { panic!("inside") }));
        assert!(panicked.is_err());
    }

    #[test]
    fn the_loops_of_other_nodes_run_while_every_piece_is_at_work() {
        let threads = rayon::current_num_threads();
        let (at_work, ran) = (Barrier::new(threads + 1), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                at_work.wait();
                // Every thread of the pool has to answer.
                rayon::broadcast(|_| ());
                ran.store(true, Ordering::SeqCst);
            });
            let limit = Instant::now() + Duration::from_secs(20);
            let done = each(threads, threads, |_, _| {
                at_work.wait();
                while !ran.load(Ordering::SeqCst) && Instant::now() < limit {
                    std::thread::yield_now();
                }
                if ran.load(Ordering::SeqCst) { Ok(()) } else { Err(fail("starved", "the pool is taken")) }
            });
            done.unwrap();
        });
    }
}
