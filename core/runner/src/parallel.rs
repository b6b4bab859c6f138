//! The same small work for every node of a plan.

/// Fewer than this stay on one thread: starting another costs more.
const LEAST_PER_THREAD: usize = 64;

/// `f` of each number below `count`, in order, computed on several threads when that pays. Not on a rayon pool: a
/// no-op run should not have to start one. A panic of `f` goes on in the caller.
#[must_use]
pub fn parallel_map<T: Send>(count: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (count / LEAST_PER_THREAD).clamp(1, cores);
    let share = count.div_ceil(threads).max(1);
    let part = |thread: usize| (thread * share..count.min((thread + 1) * share)).map(&f).collect::<Vec<T>>();
    std::thread::scope(|scope| {
        let part = &part;
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        let mut all = part(0);
        for other in others {
            all.extend(other.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)));
        }
        all
    })
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
