//! Group `arena`.

use crate::call::{enter, enter_always};
use crate::raw;
use pddflow_abi::{self as abi, Call};

pub(super) static ARENA: abi::ArenaGroup = abi::ArenaGroup {
    size: size_of::<abi::ArenaGroup>() as u32,
    revision: 2,
    release: Some(release),
    open_scope: Some(open_scope),
    close_scope: Some(close_scope),
    live: Some(live),
    tape_bytes: Some(tape_bytes),
    tape_budget: Some(tape_budget),
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

extern "C" fn tape_bytes(call: *mut Call, tensors: *const abi::Tensor, count: u64, out: *mut u64) -> i32 {
    enter(call, "arena.tape_bytes", |state| {
        let tensors = state.get_all(tensors, count, "the tensors")?;
        raw::store(out, pddflow_tensor::tape_bytes(&tensors))
    })
}

extern "C" fn tape_budget(call: *mut Call, out: *mut u64) -> i32 {
    enter(call, "arena.tape_budget", |state| {
        raw::store(out, state.environment.as_ref().map_or(0, |environment| environment.tape_budget()))
    })
}
