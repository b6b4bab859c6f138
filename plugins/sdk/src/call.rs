//! The call: what a plugin function was entered with.

use crate::error::{Error, Result};
use pddflow_abi as abi;
use std::marker::PhantomData;

/// Calls a host function: `host!(call, group: GroupType, function(arguments...))` gives `Result<()>`.
macro_rules! host {
    ($call:expr, $group:ident: $Group:ident, $function:ident($($argument:expr),*)) => {{
        let call = $call;
        match call.function(
            std::mem::offset_of!(pddflow_abi::Host, $group),
            std::mem::offset_of!(pddflow_abi::$Group, $function),
            |group: &pddflow_abi::$Group| &group.$function,
            concat!(stringify!($group), ".", stringify!($function)),
        ) {
            // SAFETY: the function takes these arguments; pointers among them are to locals that outlive it.
            Ok(function) => match unsafe { function(call.raw(), $($argument),*) } {
                0 => Ok(()),
                status => Err($crate::error::Error::host(status)),
            },
            Err(error) => Err(error),
        }
    }};
}
pub(crate) use host;

/// One entry of the host into the plugin. Valid for `'call` and on this thread only.
#[derive(Clone, Copy)]
pub struct Call<'call> {
    raw: *mut abi::Call,
    // Invariant, so that tensors of one call do not mix with another's.
    life: PhantomData<fn(&'call ()) -> &'call ()>,
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Call")
    }
}

impl<'call> Call<'call> {
    /// Wraps the pointer that the host passed.
    ///
    /// # Safety
    /// `raw` is the call that this plugin function was entered with, and `'call` ends with the function.
    pub(crate) unsafe fn new(raw: *mut abi::Call) -> Self {
        Self { raw, life: PhantomData }
    }

    pub(crate) fn raw(self) -> *mut abi::Call {
        self.raw
    }

    /// A function of the host's tables, if this host has it.
    pub(crate) fn function<G, F: Copy>(
        self,
        group: usize,
        function: usize,
        _type: fn(&G) -> &Option<F>,
        name: &str,
    ) -> Result<F> {
        let missing = || Error::with_status(abi::Status::Unsupported, format!("this host does not have `{name}`"));
        // SAFETY: a call starts with its public part, whose `host` is the root table for as long as the process lives.
        let root = unsafe { (*self.raw).host }.cast::<u8>();
        // SAFETY: `group` is an offset into the root; the size is checked before.
        let group = unsafe { field::<*const u8>(root, group) }.ok_or_else(missing)?;
        // SAFETY: likewise for the group.
        unsafe { field::<Option<F>>(group, function) }.flatten().ok_or_else(missing)
    }

    /// Text of the host's first error in this call.
    #[must_use]
    pub fn error_text(self) -> String {
        let mut text = abi::Text::EMPTY;
        match host!(self, core: CoreGroup, error(&raw mut text)) {
            // SAFETY: the host's text is valid until the next host call.
            Ok(()) => unsafe { read_text(text) },
            Err(_) => String::new(),
        }
    }

    /// Whether the run should stop. Long loops of a plugin's own ask; every host function does by itself.
    ///
    /// # Errors
    /// The call is over.
    #[track_caller]
    pub fn cancelled(self) -> Result<bool> {
        let mut out = 0;
        host!(self, core: CoreGroup, cancelled(&raw mut out))?;
        Ok(out != 0)
    }

    /// Whether the host has an ability, e.g. `train/1`.
    ///
    /// # Errors
    /// The name is too long.
    #[track_caller]
    pub fn has(self, capability: &str) -> Result<bool> {
        let mut out = 0;
        host!(self, core: CoreGroup, has(abi::Text::new(capability), &raw mut out))?;
        Ok(out != 0)
    }

    /// Version of the host.
    ///
    /// # Errors
    /// The host does not say.
    #[track_caller]
    pub fn host_version(self) -> Result<String> {
        let mut out = abi::Text::EMPTY;
        host!(self, core: CoreGroup, version(&raw mut out))?;
        // SAFETY: the host's text is valid during the call.
        Ok(unsafe { read_text(out) })
    }

    /// How many more tensors may be alive in this call.
    ///
    /// # Errors
    /// The call is over.
    #[track_caller]
    pub fn budget(self) -> Result<u64> {
        let mut out = 0;
        host!(self, core: CoreGroup, budget(&raw mut out))?;
        Ok(out)
    }

    /// Number of tensors alive in this call.
    ///
    /// # Errors
    /// The call is over.
    #[track_caller]
    pub fn live(self) -> Result<u64> {
        let mut out = 0;
        host!(self, arena: ArenaGroup, live(&raw mut out))?;
        Ok(out)
    }

    /// Bytes of tapes that may be kept only so that they need not be computed again: 0 with a host that does not say, and outside of
    /// `iterate`. No result may depend on it.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn tape_budget(self) -> Result<u64> {
        let mut out = 0;
        match host!(self, arena: ArenaGroup, tape_budget(&raw mut out)) {
            Err(error) if error.status == abi::Status::Unsupported as i32 => Ok(0),
            result => result.map(|()| out),
        }
    }

    pub(crate) fn fail(self, error: &Error) -> i32 {
        // The host has the text of what it refused itself; what it lacks is the line of the author's that asked for it.
        let place = error.place.map(|place| format!("at {}:{}:{}", place.file(), place.line(), place.column()));
        if let Some(text) = error.message.as_ref().or(place.as_ref()) {
            let _ = host!(self, core: CoreGroup, fail(error.status, abi::Text::new(text)));
        }
        error.status
    }
}

/// A field of a table, if the table is long enough to have it.
///
/// # Safety
/// `table` is NULL or a table that starts with its size.
unsafe fn field<T: Copy>(table: *const u8, offset: usize) -> Option<T> {
    if table.is_null() {
        return None;
    }
    // SAFETY: every table starts with its size, a u32.
    let size = unsafe { table.cast::<u32>().read() } as usize;
    // SAFETY: the field lies within the size that the host states.
    (offset + size_of::<T>() <= size).then(|| unsafe { table.add(offset).cast::<T>().read() })
}

/// A struct that the host filled: no further than the size that it states, and zero beyond.
///
/// # Safety
/// `data` is a struct of the boundary that starts with its size and is readable for so many bytes.
pub(crate) unsafe fn sized<T: Copy>(data: *const T) -> T {
    // SAFETY: passed on to the caller.
    let size = unsafe { data.cast::<u32>().read() } as usize;
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: readable for its size, by the caller; no more is written than the value has room for.
    unsafe { std::ptr::copy_nonoverlapping(data.cast::<u8>(), value.as_mut_ptr().cast(), size.min(size_of::<T>())) };
    // SAFETY: numbers and pointers, for which zero is a value.
    unsafe { value.assume_init() }
}

/// Elements that the host points to; none for NULL.
///
/// # Safety
/// `data` is NULL or leads to `count` elements that are valid now.
pub(crate) unsafe fn elements<'a, T>(data: *const T, count: u64) -> &'a [T] {
    if data.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: passed on to the caller.
    unsafe { std::slice::from_raw_parts(data, count as usize) }
}

/// Copies a text of the host.
///
/// # Safety
/// The text is readable now.
pub(crate) unsafe fn read_text(text: abi::Text) -> String {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { elements(text.data.cast::<u8>(), text.length) };
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_read_no_further_than_its_writer_knows_it() {
        let mut raw = abi::SetRequest {
            size: std::mem::offset_of!(abi::SetRequest, limit) as u32,
            part: 1,
            class_index: 7,
            limit: 9,
            key: abi::RandomKey { words: [5; 4] },
        };
        // SAFETY: a whole struct.
        let read = unsafe { sized(&raw const raw) };
        assert_eq!((read.class_index, read.limit, read.key.words), (7, 0, [0; 4]));
        raw.size = 4096;
        // SAFETY: no more is read than this struct has.
        let read = unsafe { sized(&raw const raw) };
        assert_eq!((read.limit, read.key.words), (9, [5; 4]));
    }
}
