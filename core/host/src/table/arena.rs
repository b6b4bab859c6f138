//! Group `arena`.

use crate::call::enter_always;
use crate::raw;
use pddflow_abi::{self as abi, Call};

pub(super) static ARENA: abi::ArenaGroup = abi::ArenaGroup {
    size: size_of::<abi::ArenaGroup>() as u32,
    revision: 1,
    release: Some(release),
    open_scope: Some(open_scope),
    close_scope: Some(close_scope),
    live: Some(live),
};

extern "C" fn release(call: *mut Call, x: abi::Tensor) -> i32 {
    enter_always(call, "arena.release", |state| state.arena.release(x))
}

extern "C" fn open_scope(call: *mut Call, out: *mut u64) -> i32 {
    enter_always(call, "arena.open_scope", |state| raw::store(out, state.arena.open_scope()))
}

extern "C" fn close_scope(call: *mut Call, scope: u64, keep: *const abi::Tensor, count: u64) -> i32 {
    enter_always(call, "arena.close_scope", |state| {
        state.arena.close_scope(scope, raw::slice(keep, count, "the tensors to keep")?)
    })
}

extern "C" fn live(call: *mut Call, out: *mut u64) -> i32 {
    enter_always(call, "arena.live", |state| raw::store(out, state.arena.live() as u64))
}
