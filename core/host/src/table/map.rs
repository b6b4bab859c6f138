//! Groups `map` and `reduce`.

use super::group::group;
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Op, Status};
use pddflow_tensor::{Binary, Tensor, Unary};

/// The op of a number.
fn op(code: u32) -> Result<Op, Fault> {
    let known = Op::ALL.iter().find(|op| **op as u32 == code);
    known.copied().ok_or_else(|| Fault::new(Status::Unsupported, format!("op code {code} is not known to this host")))
}

fn wrong_family(op: Op, wanted: &str) -> Fault {
    Fault::new(Status::Unsupported, format!("{op:?} is not a {wanted} op"))
}

fn apply_unary(code: u32, x: &Tensor, parameters: &[f64]) -> Result<Tensor, Fault> {
    let Some((unary, needed)) = Unary::numbered(code, parameters) else { return Err(wrong_family(op(code)?, "unary")) };
    if parameters.len() != needed {
        let op = op(code)?;
        return Err(Fault::invalid(format!("{op:?} takes {needed} parameters and got {}", parameters.len())));
    }
    Ok(x.unary(unary)?)
}

fn apply_binary(code: u32, x: &Tensor, y: &Tensor) -> Result<Tensor, Fault> {
    match Binary::numbered(code) {
        Some(binary) => Ok(x.binary(binary, y)?),
        None => Err(wrong_family(op(code)?, "binary")),
    }
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
        apply_unary(code, &state.get(x)?, raw::slice(parameters, count, "the parameters")?)?
    }

    enter fn binary(state, code: u32, x: abi::Tensor, y: abi::Tensor) -> Tensor {
        apply_binary(code, &state.get(x)?, &state.get(y)?)?
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The boundary's list and the tensors' table have the same numbers for the same functions.
    #[test]
    fn every_op_of_the_boundary_is_in_the_table_of_its_family() {
        for code in 0..300 {
            let name = op(code).ok().map(|op| format!("{op:?}"));
            let found = match (Unary::numbered(code, &[]), Binary::numbered(code)) {
                (Some((op, _)), _) => {
                    Some(format!("{op:?}").split(' ').next().unwrap_or_default().replace("Powf", "Power"))
                }
                (_, op) => op.map(|op| format!("{op:?}")),
            };
            if code < 200 {
                assert_eq!(found, name, "{code}");
            } else {
                assert_eq!(found, None, "{code}");
            }
        }
    }
}
