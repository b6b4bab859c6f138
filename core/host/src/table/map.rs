//! Groups `map` and `reduce`.

use super::group::group;
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Op, Status};
use pddflow_tensor::Tensor;

/// Every op code; what `core.supports` answers for.
pub(super) const OPS: &[Op] = &[
    Op::Neg,
    Op::Exp,
    Op::Log,
    Op::Sqrt,
    Op::Recip,
    Op::Square,
    Op::Abs,
    Op::Sign,
    Op::Relu,
    Op::Step,
    Op::Sin,
    Op::Cos,
    Op::Tanh,
    Op::Sigmoid,
    Op::Power,
    Op::Clamp,
    Op::AddScalar,
    Op::MulScalar,
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::Div,
    Op::Maximum,
    Op::Minimum,
    Op::Greater,
    Op::GreaterEqual,
    Op::Less,
    Op::Equal,
    Op::LessEqual,
    Op::Sum,
    Op::Mean,
    Op::Max,
    Op::Min,
    Op::ArgMax,
    Op::LogSumExp,
];

/// The op of a number.
fn op(code: u32) -> Result<Op, Fault> {
    let known = OPS.iter().find(|op| **op as u32 == code);
    known.copied().ok_or_else(|| Fault::new(Status::Unsupported, format!("op code {code} is not known to this host")))
}

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

group! { MAP: MapGroup, "map", revision 1;
    enter fn unary(state, code: u32, x: abi::Tensor, parameters: *const f64, count: u64) -> Tensor {
        apply_unary(op(code)?, &state.get(x)?, raw::slice(parameters, count, "the parameters")?)?
    }

    enter fn binary(state, code: u32, x: abi::Tensor, y: abi::Tensor) -> Tensor {
        apply_binary(op(code)?, &state.get(x)?, &state.get(y)?)?
    }

    enter fn select(state, mask: abi::Tensor, x: abi::Tensor, y: abi::Tensor) -> Tensor {
        state.get(mask)?.select(&state.get(x)?, &state.get(y)?)?
    }
}

group! { REDUCE: ReduceGroup, "reduce", revision 1;
    enter fn over(state, code: u32, x: abi::Tensor, axes: *const u64, count: u64, keep: u32) -> Tensor {
        apply_reduction(op(code)?, &state.get(x)?, &raw::axes(axes, count, "the axes")?, keep != 0)?
    }
}
