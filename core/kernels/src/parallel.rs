//! Runs the tasks of a kernel on the calling thread and on idle threads of the global rayon pool.
//!
//! The caller works too and never waits for a thread to wake up: helpers that come late find nothing
//! left to do. So an operation that takes 20 us is not made slower by a sleeping pool, and a thread
//! outside the pool does not hand its work over and sleep, as rayon's own iterators make it do.
//!
//! Which thread runs a task changes from run to run; what the tasks are does not.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with every kernel that it starts on this thread alone, for callers that keep the cores busy with
/// several such calls. The bits of the results are the same.
pub fn on_one_thread<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(true));
    work()
}

/// Calls `task(index)` for every index below `count`, in parallel when the work pays for it.
pub(crate) fn for_each(count: usize, parallel: bool, task: impl Fn(usize) + Sync) {
    let helpers = rayon::current_num_threads().min(count).saturating_sub(1);
    if !parallel || helpers == 0 || ALONE.get() {
        (0..count).for_each(task);
    } else {
        share(count, helpers, &task);
    }
}

/// Collects `task(index)` for every index below `count`, in parallel when there are several.
pub(crate) fn map<R: Send>(count: usize, task: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let results: Vec<Mutex<Option<R>>> = (0..count).map(|_| Mutex::new(None)).collect();
    for_each(count, true, |index| *lock(&results[index]) = Some(task(index)));
    results.into_iter().filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Calls `task(chunk index, chunk)` for chunks of `size` elements, in parallel when there are more
/// than two: less is done before a helper is there.
pub fn chunks<T: Send>(out: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    let size = size.max(1);
    let count = out.len().div_ceil(size);
    let parts = Parts::new(out, size);
    // SAFETY: every index occurs once.
    for_each(count, count > 2, |index| task(index, unsafe { parts.get(index) }));
}

/// As [`chunks`], with two slices that are cut into chunks of the same size.
pub fn chunks_of_two<A: Send, B: Send>(
    a: &mut [A],
    b: &mut [B],
    size: usize,
    task: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    let size = size.max(1);
    let count = a.len().max(b.len()).div_ceil(size);
    let (a, b) = (Parts::new(a, size), Parts::new(b, size));
    // SAFETY: every index occurs once.
    for_each(count, count > 2, |index| task(index, unsafe { a.get(index) }, unsafe { b.get(index) }));
}

/// The chunks of a slice, for tasks that each take one.
pub(crate) struct Parts<T> {
    start: *mut T,
    len: usize,
    size: usize,
}

// SAFETY: chunks are disjoint, and `get` is called once for each.
unsafe impl<T: Send> Sync for Parts<T> {}

impl<T> Parts<T> {
    /// Chunks of `size` elements, the last one shorter. The slice must not be used while they are.
    pub(crate) fn new(slice: &mut [T], size: usize) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), size }
    }

    /// A chunk.
    ///
    /// # Safety
    /// The slice is alive, and no other chunk of this index is.
    #[expect(clippy::mut_from_ref, reason = "different chunks do not overlap")]
    pub(crate) unsafe fn get(&self, index: usize) -> &mut [T] {
        let start = (index * self.size).min(self.len);
        let len = self.size.min(self.len - start);
        // SAFETY: inside the slice; alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// One parallel loop, kept alive by whoever still may look at it.
struct Loop {
    next: AtomicUsize,
    count: usize,
    /// Valid until `close` returns.
    task: *const (dyn Fn(usize) + Sync),
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    /// No helper may begin any more.
    closed: bool,
    /// Helpers at work.
    active: usize,
    panic: Option<Box<dyn std::any::Any + Send>>,
}

// SAFETY: `task` is `Sync`, and only used while the loop is open.
unsafe impl Send for Loop {}
// SAFETY: as above.
unsafe impl Sync for Loop {}

fn share(count: usize, helpers: usize, task: &(dyn Fn(usize) + Sync)) {
    // SAFETY: only the lifetime changes; `Closing` does not let this function end before every helper
    // that has begun is done with `task`, and none begins afterwards.
    let task: *const (dyn Fn(usize) + Sync + 'static) = unsafe { std::mem::transmute(task) };
    let shared =
        Arc::new(Loop { next: AtomicUsize::new(0), count, task, state: Mutex::default(), left: Condvar::new() });
    let closing = Closing(&shared);
    for _ in 0..helpers {
        let shared = Arc::clone(&shared);
        rayon::spawn(move || shared.help());
    }
    shared.work();
    drop(closing);
    let panic = lock(&shared.state).panic.take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// Closes the loop and waits for its helpers, also when the caller's own task panics.
struct Closing<'a>(&'a Loop);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.closed = true;
        while state.active > 0 {
            state = self.0.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Loop {
    /// Takes tasks until none is left.
    fn work(&self) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.count {
                return;
            }
            // SAFETY: the loop is open: the caller is in it, or waits for this helper.
            unsafe { (*self.task)(index) };
        }
    }

    fn help(&self) {
        {
            let mut state = lock(&self.state);
            if state.closed {
                return;
            }
            state.active += 1;
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.work()));
        let mut state = lock(&self.state);
        state.active -= 1;
        if let Err(panic) = result {
            state.panic = Some(panic);
        }
        if state.active == 0 {
            self.left.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
