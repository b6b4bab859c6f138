//! Group `arena`.

use super::group::group;
use crate::call::{enter, enter_always};
use crate::raw;
use pddflow_abi as abi;

group! { ARENA: ArenaGroup, "arena", revision 2;
    enter_always fn release(state, x: abi::Tensor) {
        state.arena.release(x)?;
    }

    enter_always fn open_scope(state) -> u64 {
        state.arena.open_scope()
    }

    enter_always fn close_scope(state, scope: u64, keep: *const abi::Tensor, count: u64) {
        state.arena.close_scope(scope, raw::slice(keep, count, "the tensors to keep")?)?;
    }

    enter_always fn live(state) -> u64 {
        state.arena.live() as u64
    }

    enter fn tape_bytes(state, tensors: *const abi::Tensor, count: u64) -> u64 {
        pddflow_tensor::tape_bytes(&state.get_all(tensors, count, "the tensors")?)
    }

    enter fn tape_budget(state) -> u64 {
        state.environment.as_ref().map_or(0, |environment| environment.tape_budget())
    }
}
