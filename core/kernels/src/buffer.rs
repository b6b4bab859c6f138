//! Results written without zeroing them first, memory for intermediate numbers, sizes of tasks.

use std::cell::Cell;
use std::mem::MaybeUninit;

/// Elements that one task of an elementwise kernel handles: large enough to pay for the task
/// (a few microseconds), small enough to balance two to many cores and to stay in a core's cache.
pub(crate) const GRAIN: usize = 1 << 15;

/// A vector of `len` elements that `write` fills completely.
///
/// # Safety
/// `write` must initialise every element of the slice it gets.
#[inline]
pub(crate) unsafe fn build<T>(len: usize, write: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut out = Vec::with_capacity(len);
    write(&mut out.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len` and the caller promises that `write` filled it.
    unsafe { out.set_len(len) };
    out
}

/// Two vectors that `write` fills completely.
///
/// # Safety
/// As for [`build`], for both slices.
#[inline]
pub(crate) unsafe fn build_two<A, B>(
    lens: [usize; 2],
    write: impl FnOnce(&mut [MaybeUninit<A>], &mut [MaybeUninit<B>]),
) -> (Vec<A>, Vec<B>) {
    let mut second = Vec::with_capacity(lens[1]);
    // SAFETY: passed on to the caller.
    let first = unsafe { build(lens[0], |first| write(first, &mut second.spare_capacity_mut()[..lens[1]])) };
    // SAFETY: as in `build`.
    unsafe { second.set_len(lens[1]) };
    (first, second)
}

/// How many whole items of `item` elements (or operations) make up a task of about `grain`.
pub(crate) fn items_per_task(item: usize, grain: usize) -> usize {
    (grain / item.max(1)).max(1)
}

/// The slice as uninitialised memory, for kernels that write into parts of a finished buffer.
#[inline(always)]
pub(crate) fn as_uninit<T>(slice: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: same layout; the kernels write only initialised values through it.
    unsafe { &mut *(std::ptr::from_mut(slice) as *mut [MaybeUninit<T>]) }
}

/// The slice as initialised memory.
///
/// # Safety
/// Every element must be initialised.
#[inline(always)]
pub(crate) unsafe fn assume_init<T>(slice: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: same layout, initialised by the caller's promise.
    unsafe { &mut *(std::ptr::from_mut(slice) as *mut [T]) }
}

/// A place in a buffer whose parts are written by different tasks.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

// SAFETY: users write disjoint parts, as every use states.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(start: *mut T) -> Self {
        Self(start)
    }

    /// The address of an element.
    ///
    /// # Safety
    /// `offset` lies inside the buffer.
    #[inline(always)]
    pub(crate) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }
}

/// Numbers that fill a cache line, so that registers never straddle two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Memory for intermediate numbers, not initialised; kept by the thread for the next user.
pub(crate) struct Scratch(Vec<Line>);

thread_local! {
    static KEPT: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

impl Scratch {
    /// Room for `len` numbers, aligned to cache lines.
    pub(crate) fn new(len: usize) -> Self {
        let mut lines = KEPT.take();
        let needed = len.div_ceil(16);
        if lines.capacity() < needed {
            lines = Vec::with_capacity(needed);
        }
        Self(lines)
    }

    pub(crate) fn start(&mut self) -> *mut f32 {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Threads keep at most 16 MiB each.
        if self.0.capacity() <= 1 << 18 {
            let kept = KEPT.take();
            let larger = if kept.capacity() > self.0.capacity() { kept } else { std::mem::take(&mut self.0) };
            KEPT.set(larger);
        }
    }
}
