//! Group `random`.

use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Call, Text};
use pddflow_tensor::{RandomKey, Tensor};

pub(super) static RANDOM: abi::RandomGroup = abi::RandomGroup {
    size: size_of::<abi::RandomGroup>() as u32,
    revision: 1,
    fold: Some(fold),
    fold_text: Some(fold_text),
    uniform: Some(uniform),
    normal: Some(normal),
    permutation: Some(permutation),
    choose: Some(choose),
    below: Some(below),
};

/// The C form of a key.
pub(crate) fn words(key: RandomKey) -> abi::RandomKey {
    abi::RandomKey { words: key.words() }
}

extern "C" fn fold(call: *mut Call, key: *const abi::RandomKey, number: u64, out: *mut abi::RandomKey) -> i32 {
    enter(call, "random.fold", |_| raw::store(out, words(raw::key(key)?.fold_u64(number))))
}

extern "C" fn fold_text(call: *mut Call, key: *const abi::RandomKey, text: Text, out: *mut abi::RandomKey) -> i32 {
    enter(call, "random.fold_text", |_| {
        let text = raw::text(text, abi::MAX_TEXT_BYTES, "the text")?;
        raw::store(out, words(raw::key(key)?.fold(&text)))
    })
}

fn real(
    call: *mut Call,
    function: &'static str,
    key: *const abi::RandomKey,
    shape: (*const u64, u64),
    out: *mut abi::Tensor,
    draw: fn(&RandomKey, usize) -> Vec<f64>,
) -> i32 {
    enter(call, function, |state| {
        let shape = raw::axes(shape.0, shape.1, "the shape")?;
        let elements = shape.iter().try_fold(1usize, |product, axis| product.checked_mul(*axis));
        let elements = elements.ok_or_else(|| Fault::invalid(format!("shape {shape:?} has too many elements")))?;
        let values = draw(&raw::key(key)?, elements);
        let result = Tensor::from_f64(values, &shape, &state.device)?.cast(state.dtype)?;
        state.give(out, result)
    })
}

extern "C" fn uniform(
    call: *mut Call,
    key: *const abi::RandomKey,
    shape: *const u64,
    rank: u64,
    out: *mut abi::Tensor,
) -> i32 {
    real(call, "random.uniform", key, (shape, rank), out, RandomKey::uniform_f64)
}

extern "C" fn normal(
    call: *mut Call,
    key: *const abi::RandomKey,
    shape: *const u64,
    rank: u64,
    out: *mut abi::Tensor,
) -> i32 {
    real(call, "random.normal", key, (shape, rank), out, RandomKey::normal_f64)
}

/// Row numbers as an I64 tensor.
fn rows(rows: &[usize], device: &pddflow_tensor::Device) -> Result<Tensor, Fault> {
    let numbers: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    Ok(Tensor::from_i64(numbers, &[rows.len()], device)?)
}

extern "C" fn permutation(call: *mut Call, key: *const abi::RandomKey, count: u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "random.permutation", |state| {
        let chosen = raw::key(key)?.permutation(raw::index(count, "count")?);
        let result = rows(&chosen, &state.device)?;
        state.give(out, result)
    })
}

extern "C" fn choose(
    call: *mut Call,
    key: *const abi::RandomKey,
    count: u64,
    chosen: u64,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "random.choose", |state| {
        if chosen > count {
            return Err(Fault::invalid(format!("{chosen} of {count} cannot be chosen without replacement")));
        }
        let found = raw::key(key)?.choose(raw::index(count, "count")?, raw::index(chosen, "count")?);
        let result = rows(&found, &state.device)?;
        state.give(out, result)
    })
}

extern "C" fn below(call: *mut Call, key: *const abi::RandomKey, limit: u64, out: *mut u64) -> i32 {
    enter(call, "random.below", |_| {
        if limit == 0 {
            return Err(Fault::invalid("there is no number below 0"));
        }
        raw::store(out, raw::key(key)?.below(limit))
    })
}
