//! Groups `map` and `reduce`.

use super::op;
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Call, Op, Status};
use pddflow_tensor::Tensor;

pub(super) static MAP: abi::MapGroup = abi::MapGroup {
    size: size_of::<abi::MapGroup>() as u32,
    revision: 1,
    unary: Some(unary),
    binary: Some(binary),
    select: Some(select),
};

pub(super) static REDUCE: abi::ReduceGroup =
    abi::ReduceGroup { size: size_of::<abi::ReduceGroup>() as u32, revision: 1, over: Some(over) };

fn wrong_family(op: Op, wanted: &str) -> Fault {
    Fault::new(Status::Unsupported, format!("{op:?} is not a {wanted} op"))
}

fn apply_unary(op: Op, x: &Tensor, parameters: &[f64]) -> Result<Tensor, Fault> {
    let needed = match op {
        Op::Power | Op::AddScalar | Op::MulScalar => 1,
        Op::Clamp => 2,
        _ => 0,
    };
    if parameters.len() != needed {
        return Err(Fault::invalid(format!("{op:?} takes {needed} parameters and got {}", parameters.len())));
    }
    Ok(match op {
        Op::Neg => x.neg(),
        Op::Exp => x.exp(),
        Op::Log => x.log(),
        Op::Sqrt => x.sqrt(),
        Op::Recip => x.recip(),
        Op::Square => x.square(),
        Op::Abs => x.abs(),
        Op::Sign => x.sign(),
        Op::Relu => x.relu(),
        Op::Step => x.step(),
        Op::Sin => x.sin(),
        Op::Cos => x.cos(),
        Op::Tanh => x.tanh(),
        Op::Sigmoid => x.sigmoid(),
        Op::Power => x.powf(parameters[0]),
        Op::Clamp => x.clamp(parameters[0], parameters[1]),
        Op::AddScalar => x.add_scalar(parameters[0]),
        Op::MulScalar => x.mul_scalar(parameters[0]),
        _ => return Err(wrong_family(op, "unary")),
    }?)
}

fn apply_binary(op: Op, x: &Tensor, y: &Tensor) -> Result<Tensor, Fault> {
    Ok(match op {
        Op::Add => x.add(y),
        Op::Sub => x.sub(y),
        Op::Mul => x.mul(y),
        Op::Div => x.div(y),
        Op::Maximum => x.maximum(y),
        Op::Minimum => x.minimum(y),
        Op::Greater => x.greater(y),
        Op::GreaterEqual => x.greater_equal(y),
        Op::Less => x.less(y),
        Op::LessEqual => x.less_equal(y),
        Op::Equal => return Ok(x.greater_equal(y)?.mul(&y.greater_equal(x)?)?),
        _ => return Err(wrong_family(op, "binary")),
    }?)
}

fn apply_reduction(op: Op, x: &Tensor, axes: &[usize], keep: bool) -> Result<Tensor, Fault> {
    let all: Vec<usize> = (0..x.rank()).collect();
    let axes = if axes.is_empty() { &all } else { axes };
    let single = || match axes {
        [axis] => Ok(*axis),
        _ => Err(Fault::invalid(format!("{op:?} takes one axis and got {axes:?}"))),
    };
    Ok(match op {
        Op::Sum => x.sum(axes, keep),
        Op::Mean => x.mean(axes, keep),
        Op::Max => x.max(axes, keep),
        Op::Min => x.min(axes, keep),
        Op::ArgMax => x.argmax(single()?),
        Op::LogSumExp => x.log_sum_exp(single()?, keep),
        _ => return Err(wrong_family(op, "reducing")),
    }?)
}

extern "C" fn unary(
    call: *mut Call,
    code: u32,
    x: abi::Tensor,
    parameters: *const f64,
    count: u64,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "map.unary", |state| {
        let parameters = raw::slice(parameters, count, "the parameters")?;
        let result = apply_unary(op(code)?, &state.get(x)?, parameters)?;
        state.give(out, result)
    })
}

extern "C" fn binary(call: *mut Call, code: u32, x: abi::Tensor, y: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "map.binary", |state| {
        let result = apply_binary(op(code)?, &state.get(x)?, &state.get(y)?)?;
        state.give(out, result)
    })
}

extern "C" fn select(call: *mut Call, mask: abi::Tensor, x: abi::Tensor, y: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "map.select", |state| {
        let result = state.get(mask)?.select(&state.get(x)?, &state.get(y)?)?;
        state.give(out, result)
    })
}

extern "C" fn over(
    call: *mut Call,
    code: u32,
    x: abi::Tensor,
    axes: *const u64,
    count: u64,
    keep: u32,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "reduce.over", |state| {
        let axes = raw::axes(axes, count, "the axes")?;
        let result = apply_reduction(op(code)?, &state.get(x)?, &axes, keep != 0)?;
        state.give(out, result)
    })
}
