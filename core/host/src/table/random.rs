//! Group `random`.

use super::group::group;
use super::shared::row_numbers;
use crate::call::{State, enter};
use crate::convert::words;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, RandomKey, Text};
use pddflow_tensor::Tensor;

/// Real numbers in a shape.
fn real(state: &State<'_>, shape: (*const u64, u64), draw: impl FnOnce(usize) -> Vec<f64>) -> Result<Tensor, Fault> {
    let (shape, elements) = raw::shape(shape.0, shape.1)?;
    Ok(Tensor::from_values(draw(elements), &shape, state.dtype, &state.device)?)
}

/// A number of elements that fits in memory.
fn elements(count: u64) -> Result<usize, Fault> {
    Ok(raw::shape(&raw const count, 1)?.1)
}

group! { RANDOM: RandomGroup, "random", revision 1;
    enter fn fold(_state, key: *const RandomKey, number: u64) -> RandomKey {
        words(raw::key(key)?.fold_u64(number))
    }

    enter fn fold_text(_state, key: *const RandomKey, text: Text) -> RandomKey {
        words(raw::key(key)?.fold(&raw::text(text, abi::MAX_TEXT_BYTES, "the text")?))
    }

    enter fn uniform(state, key: *const RandomKey, shape: *const u64, rank: u64) -> Tensor {
        let key = raw::key(key)?;
        real(state, (shape, rank), |count| key.uniform_f64(count))?
    }

    enter fn normal(state, key: *const RandomKey, shape: *const u64, rank: u64) -> Tensor {
        let key = raw::key(key)?;
        real(state, (shape, rank), |count| key.normal_f64(count))?
    }

    enter fn permutation(state, key: *const RandomKey, count: u64) -> Tensor {
        row_numbers(state, &raw::key(key)?.permutation(elements(count)?))?
    }

    enter fn choose(state, key: *const RandomKey, count: u64, chosen: u64) -> Tensor {
        if chosen > count {
            return Err(Fault::invalid(format!("{chosen} of {count} cannot be chosen without replacement")));
        }
        row_numbers(state, &raw::key(key)?.choose(elements(count)?, elements(chosen)?))?
    }

    enter fn below(_state, key: *const RandomKey, limit: u64) -> u64 {
        if limit == 0 {
            return Err(Fault::invalid("there is no number below 0"));
        }
        raw::key(key)?.below(limit)
    }
}
