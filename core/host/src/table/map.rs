//! Groups `map` and `reduce`.

use super::group::group;
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Op, Status};
use pddflow_tensor::{Binary, Tensor, Unary};

type Reduction = fn(&Tensor, &[usize], bool) -> Result<Tensor, Fault>;

/// The reductions and what messages call them; all other ops are rows of the tensors' tables.
const REDUCTIONS: [(Op, &str, Reduction); 6] = [
    (Op::Sum, "sum", |x, axes, keep| Ok(x.sum(axes, keep)?)),
    (Op::Mean, "mean", |x, axes, keep| Ok(x.mean(axes, keep)?)),
    (Op::Max, "max", |x, axes, keep| Ok(x.max(axes, keep)?)),
    (Op::Min, "min", |x, axes, keep| Ok(x.min(axes, keep)?)),
    (Op::ArgMax, "argmax", |x, axes, _| Ok(x.argmax(single("argmax", axes)?)?)),
    (Op::LogSumExp, "log_sum_exp", |x, axes, keep| Ok(x.log_sum_exp(single("log_sum_exp", axes)?, keep)?)),
];

fn single(name: &str, axes: &[usize]) -> Result<usize, Fault> {
    match axes {
        [axis] => Ok(*axis),
        _ => Err(Fault::invalid(format!("`{name}` takes one axis and got {axes:?}"))),
    }
}

/// What messages call the op of a number; `None` if this host does not know it.
pub(super) fn name(code: u32) -> Option<&'static str> {
    let unary = || Unary::numbered(code, &[]).map(|(op, _)| op.name());
    let binary = || Binary::numbered(code).map(Binary::name);
    let reduction = || REDUCTIONS.iter().find(|(op, ..)| *op as u32 == code).map(|(_, name, _)| *name);
    unary().or_else(binary).or_else(reduction)
}

fn not_in_family(code: u32, wanted: &str) -> Fault {
    let text = match name(code) {
        Some(name) => format!("`{name}` is not a {wanted} op"),
        None => format!("op code {code} is not known to this host"),
    };
    Fault::new(Status::Unsupported, text)
}

fn apply_unary(code: u32, x: &Tensor, parameters: &[f64]) -> Result<Tensor, Fault> {
    let (unary, needed) = Unary::numbered(code, parameters).ok_or_else(|| not_in_family(code, "unary"))?;
    if parameters.len() != needed {
        let name = unary.name();
        return Err(Fault::invalid(format!("`{name}` takes {needed} parameters and got {}", parameters.len())));
    }
    Ok(x.unary(unary)?)
}

fn apply_binary(code: u32, x: &Tensor, y: &Tensor) -> Result<Tensor, Fault> {
    Ok(x.binary(Binary::numbered(code).ok_or_else(|| not_in_family(code, "binary"))?, y)?)
}

fn apply_reduction(code: u32, x: &Tensor, axes: &[usize], keep: bool) -> Result<Tensor, Fault> {
    let known = REDUCTIONS.iter().find(|(op, ..)| *op as u32 == code);
    let (.., reduce) = known.ok_or_else(|| not_in_family(code, "reducing"))?;
    let all: Vec<usize> = (0..x.rank()).collect();
    reduce(x, if axes.is_empty() { &all } else { axes }, keep)
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
        apply_reduction(code, &state.get(x)?, &raw::axes(axes, count, "the axes")?, keep != 0)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The boundary's list, as plugins' compilers read it, and the tables have the same numbers for the same functions.
    #[test]
    fn every_op_of_the_boundary_has_its_number_in_a_table() {
        let source = include_str!("../../../../plugins/abi/src/code.rs");
        let (_, list) = source.split_once("pub enum Op {").unwrap();
        let (list, _) = list.split_once('}').unwrap();
        let of_boundary: Vec<(u32, String)> = list
            .lines()
            .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "))
            .map(|(op, number)| (number.parse().unwrap(), op.to_lowercase()))
            .collect();
        let of_tables: Vec<(u32, String)> =
            (0..300).filter_map(|code| Some((code, name(code)?.replace('_', "").replace("powf", "power")))).collect();
        assert_eq!(of_tables, of_boundary);
    }
}
