//! What the allocator does with memory that tensors have left.

/// `purge_delay`, in milliseconds; the numbers of options are part of the allocator's interface.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// `destroy_on_exit`; with 2 the allocator does nothing at the end of the process.
const DESTROY_ON_EXIT: libmimalloc_sys::mi_option_t = 22;

/// Lets the allocator, where it is mimalloc, keep freed memory for a second before the system gets it back: the next tensor of
/// that size then needs no fresh pages, which the system fills with zeros one by one as they are touched. And at the end of the
/// process all memory is left to the system, instead of giving back what is free piece by piece before. To be called at the
/// start of the program, before it has threads.
pub fn keep_freed_memory() {
    for (option, value) in [(PURGE_DELAY, 1000), (DESTROY_ON_EXIT, 2)] {
        // SAFETY: sets a number; not safe only beside threads that read it, which there are none of yet.
        unsafe { libmimalloc_sys::mi_option_set(option, value) };
    }
}
