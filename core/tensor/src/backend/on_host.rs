//! Operations that are computed on the processor in double precision wherever their inputs lie: small systems, for which a device has
//! neither the precision nor the parallelism.

use super::Value;
use super::failure::internal;
use crate::error::Result;
use crate::op::Op;
use crate::{Device, linalg};

/// Computes `Cholesky` or `Solve`; shapes and types are those that `infer` has checked. A solution lies where the matrix does.
pub(super) fn evaluate(op: &Op, inputs: &[&Value], shape: &[usize]) -> Result<Value> {
    let (matrix, size) = (inputs[0], shape[0]);
    match (op, inputs) {
        (Op::Cholesky, _) => super::value(linalg::factor(&matrix.to_f64()?, size)?, shape, &Device::Cpu),
        (Op::Solve, [_, b, factor]) => {
            let mut x = b.to_f64()?;
            linalg::solve(&factor.read::<f64>()?, size, &mut x, shape[1]);
            #[expect(clippy::cast_possible_truncation, reason = "rounded to the type of the matrix")]
            match matrix.width() {
                4 => super::value(x.iter().map(|&number| number as f32).collect(), shape, &matrix.device()),
                _ => super::value(x, shape, &matrix.device()),
            }
        }
        _ => internal(op.name(), "no system"),
    }
}
