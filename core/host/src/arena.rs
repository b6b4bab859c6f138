//! Tensors of one call behind numbers.
//!
//! A handle is `tag << 44 | generation << 24 | slot`: the tag tells calls apart, the generation tells apart the tensors that
//! used one slot after another. Whatever number a plugin makes up, looking it up is a comparison, never undefined behaviour.
//!
//! | handle | refused as |
//! |---|---|
//! | 0 | zero |
//! | of another call | foreign |
//! | released, or of a scope that was closed | stale |

use crate::error::Fault;
use pddflow_abi::Status;
use pddflow_tensor::Tensor;
use std::sync::atomic::{AtomicU64, Ordering};

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 20;
const TAG_BITS: u32 = 20;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

/// Live tensors above which a call is refused more: 10,000 inner steps that keep the weights of a net with 100 of them.
pub(crate) const LIVE_LIMIT: usize = 1 << 20;
/// Live tensors above which a warning is given once.
pub(crate) const LIVE_WARNING: usize = LIVE_LIMIT / 4;

/// Counts calls; only tells them apart, so that wrapping after a million calls costs nothing but the name of an error.
static NEXT_TAG: AtomicU64 = AtomicU64::new(1);

struct Slot {
    generation: u64,
    tensor: Option<Tensor>,
}

/// Tensors of one call.
pub(crate) struct Arena {
    tag: u64,
    slots: Vec<Slot>,
    free: Vec<usize>,
    live: usize,
    /// Handles made in each open scope; the first is the call itself.
    scopes: Vec<Vec<u64>>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let tag = NEXT_TAG.fetch_add(1, Ordering::Relaxed) % TAG_MASK + 1;
        Self { tag, slots: Vec::new(), free: Vec::new(), live: 0, scopes: vec![Vec::new()] }
    }

    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Names a tensor.
    pub(crate) fn put(&mut self, tensor: Tensor) -> Result<u64, Fault> {
        if self.live >= LIVE_LIMIT {
            let message = format!("the call has {LIVE_LIMIT} live tensors, which is the limit");
            return Err(Fault::new(Status::OutOfMemory, message));
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, tensor: None });
            self.slots.len() - 1
        });
        let entry = &mut self.slots[slot];
        entry.tensor = Some(tensor);
        self.live += 1;
        let handle = (self.tag << (SLOT_BITS + GENERATION_BITS)) | (entry.generation << SLOT_BITS) | slot as u64;
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(handle);
        }
        Ok(handle)
    }

    /// The tensor of a handle.
    pub(crate) fn get(&self, handle: u64) -> Result<&Tensor, Fault> {
        let slot = self.slot(handle)?;
        self.slots[slot].tensor.as_ref().ok_or_else(|| stale(handle))
    }

    /// Drops a name.
    pub(crate) fn release(&mut self, handle: u64) -> Result<(), Fault> {
        let slot = self.slot(handle)?;
        let entry = &mut self.slots[slot];
        if entry.tensor.take().is_none() {
            return Err(stale(handle));
        }
        self.live -= 1;
        // A slot whose generations are used up is retired, so that no number ever names two tensors.
        if entry.generation < GENERATION_MASK {
            entry.generation += 1;
            self.free.push(slot);
        }
        Ok(())
    }

    /// Opens a scope; its number is the depth.
    pub(crate) fn open_scope(&mut self) -> u64 {
        self.scopes.push(Vec::new());
        self.scopes.len() as u64 - 1
    }

    /// Closes the innermost scope; all its tensors but `keep` are dropped.
    pub(crate) fn close_scope(&mut self, scope: u64, keep: &[u64]) -> Result<(), Fault> {
        let depth = self.scopes.len() as u64 - 1;
        if scope == 0 || scope != depth {
            return Err(Fault::invalid(format!("scope {scope} is not the innermost open one, which is {depth}")));
        }
        for handle in keep {
            self.get(*handle)?;
        }
        let made = self.scopes.pop().unwrap_or_default();
        for handle in made {
            if keep.contains(&handle) {
                if let Some(outer) = self.scopes.last_mut() {
                    outer.push(handle);
                }
            } else if self.get(handle).is_ok() {
                self.release(handle)?;
            }
        }
        Ok(())
    }

    fn slot(&self, handle: u64) -> Result<usize, Fault> {
        if handle == 0 {
            return Err(Fault::new(Status::BadHandle, "tensor 0 is none"));
        }
        if handle >> (SLOT_BITS + GENERATION_BITS) != self.tag {
            return Err(Fault::new(
                Status::BadHandle,
                format!("tensor {handle:#x} is foreign: it belongs to another call"),
            ));
        }
        let slot = usize::try_from(handle & SLOT_MASK).map_err(|_| stale(handle))?;
        let generation = (handle >> SLOT_BITS) & GENERATION_MASK;
        let known = self.slots.get(slot).is_some_and(|entry| entry.generation == generation);
        if known { Ok(slot) } else { Err(stale(handle)) }
    }
}

fn stale(handle: u64) -> Fault {
    Fault::new(Status::BadHandle, format!("tensor {handle:#x} is stale: it was released or its scope was closed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_tensor::{DType, Device};

    fn tensor() -> Tensor {
        Tensor::full(1.0, &[1], DType::F32, &Device::Cpu).unwrap()
    }

    fn text(result: Result<impl Sized, Fault>) -> String {
        result.err().map(|fault| fault.message).unwrap()
    }

    #[test]
    fn a_released_handle_is_stale_even_when_its_slot_is_used_again() {
        let mut arena = Arena::new();
        let first = arena.put(tensor()).unwrap();
        arena.release(first).unwrap();
        let second = arena.put(tensor()).unwrap();
        assert_ne!(first, second);
        assert!(text(arena.get(first)).contains("stale"));
        assert!(text(arena.release(first)).contains("stale"));
        assert!(arena.get(second).is_ok());
    }

    #[test]
    fn handles_of_other_calls_and_made_up_numbers_are_refused() {
        let mut one = Arena::new();
        let other = Arena::new();
        let handle = one.put(tensor()).unwrap();
        assert!(text(other.get(handle)).contains("foreign"));
        assert!(text(one.get(0)).contains("none"));
        for bit in 0..64 {
            assert!(one.get(handle ^ (1 << bit)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_scope_drops_all_but_what_is_kept() {
        let mut arena = Arena::new();
        let before = arena.put(tensor()).unwrap();
        let scope = arena.open_scope();
        let dropped = arena.put(tensor()).unwrap();
        let kept = arena.put(tensor()).unwrap();
        assert!(arena.close_scope(scope + 1, &[]).is_err());
        arena.close_scope(scope, &[kept]).unwrap();
        assert_eq!(arena.live(), 2);
        assert!(arena.get(before).is_ok() && arena.get(kept).is_ok() && arena.get(dropped).is_err());
        assert!(arena.close_scope(0, &[]).is_err());
    }

    #[test]
    fn hoarding_ends_at_the_limit() {
        let mut arena = Arena::new();
        let one = tensor();
        for _ in 0..LIVE_LIMIT {
            arena.put(one.clone()).unwrap();
        }
        assert_eq!(arena.put(one).err().map(|fault| fault.status), Some(Status::OutOfMemory));
    }
}
