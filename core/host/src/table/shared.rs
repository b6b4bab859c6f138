//! What the groups share: handles in and out, the environment, numbers that are enums.

use crate::arena::{LIVE_LIMIT, LIVE_WARNING};
use crate::call::State;
use crate::error::Fault;
use crate::raw;
use pddflow_abi as abi;
use pddflow_tensor::{DType, Tensor};

/// The member of `all` with this number.
pub(super) fn choice<T: Copy>(number: u32, all: &[(u32, T)], what: &str) -> Result<T, Fault> {
    let found = all.iter().find(|(known, _)| *known == number);
    found.map(|(_, value)| *value).ok_or_else(|| Fault::invalid(format!("{what} {number} is not known")))
}

/// The dtype of a number.
pub(super) fn dtype_of(state: &State<'_>, number: u32) -> Result<DType, Fault> {
    let all = [
        (abi::Dtype::Real as u32, state.dtype),
        (abi::Dtype::F32 as u32, DType::F32),
        (abi::Dtype::F64 as u32, DType::F64),
        (abi::Dtype::I64 as u32, DType::I64),
    ];
    choice(number, &all, "dtype")
}

/// Numbers of rows as an I64 tensor.
pub(super) fn row_numbers(state: &State<'_>, rows: &[usize]) -> Result<Tensor, Fault> {
    let numbers: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    Ok(Tensor::from_i64(numbers, &[rows.len()], &state.device)?)
}

impl State<'_> {
    pub(super) fn get(&self, handle: abi::Tensor) -> Result<Tensor, Fault> {
        self.arena.get(handle).cloned()
    }

    /// A tensor that may be left out as 0.
    pub(super) fn get_if(&self, handle: abi::Tensor) -> Result<Option<Tensor>, Fault> {
        if handle == 0 { Ok(None) } else { self.get(handle).map(Some) }
    }

    pub(super) fn get_all(&self, handles: *const abi::Tensor, count: u64, what: &str) -> Result<Vec<Tensor>, Fault> {
        raw::slice(handles, count, what)?.iter().map(|handle| self.get(*handle)).collect()
    }

    /// Names a result and stores the name.
    pub(super) fn give(&mut self, out: *mut abi::Tensor, tensor: Tensor) -> Result<(), Fault> {
        if out.is_null() {
            return Err(Fault::invalid("the result pointer is NULL"));
        }
        let handle = self.arena.put(tensor)?;
        self.warn_of_hoarding();
        raw::store(out, handle)
    }

    pub(super) fn give_all(&mut self, out: *mut abi::Tensor, tensors: Vec<Tensor>) -> Result<(), Fault> {
        let room = raw::slice_mut(out, tensors.len() as u64, "the result array")?;
        for (place, tensor) in room.iter_mut().zip(tensors) {
            *place = self.arena.put(tensor)?;
        }
        self.warn_of_hoarding();
        Ok(())
    }

    fn warn_of_hoarding(&mut self) {
        if !self.warned && !self.again && self.arena.live() >= LIVE_WARNING {
            self.warned = true;
            if let Some(environment) = self.environment.as_mut() {
                let (live, limit) = (self.arena.live(), LIVE_LIMIT);
                environment
                    .log(&format!("warning: the matcher holds {live} tensors in one iteration; {limit} is the limit"));
            }
        }
    }
}

/// What a function of the host gives, and how it is stored.
pub(super) trait Give {
    /// The pointer to store it through.
    type Place;

    fn give(self, state: &mut State<'_>, place: Self::Place) -> Result<(), Fault>;
}

impl Give for () {
    type Place = ();

    fn give(self, _: &mut State<'_>, (): ()) -> Result<(), Fault> {
        Ok(())
    }
}

impl Give for Tensor {
    type Place = *mut abi::Tensor;

    fn give(self, state: &mut State<'_>, place: Self::Place) -> Result<(), Fault> {
        state.give(place, self)
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Give for $type {
            type Place = *mut $type;

            fn give(self, _: &mut State<'_>, place: Self::Place) -> Result<(), Fault> {
                raw::store(place, self)
            }
        }
    )*};
}

plain!(u32, u64, f64, abi::RandomKey, abi::Text);
