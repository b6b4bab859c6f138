//! Instance normalisation with what follows it, and its derivatives: see [`norm`].

use burn_flex::FlexTensor;

use super::cpu::{Outcome, Stored, dims, four, slice, view, wrap};
use super::internal;
use crate::error::Result;
use crate::kernels::norm::{self, Affine, Along, Made, Planes};
use crate::op::{Finish, Op};

pub(super) fn evaluate<T: Stored>(op: &Op, inputs: &[&FlexTensor], shape: &[usize]) -> Result<Outcome> {
    let (x, x_shape) = view::<T>(inputs[0])?;
    let affine = Affine { weight: slice(inputs[1])?, bias: slice(inputs[2])? };
    let planes = |finish: Finish| -> Result<Planes> {
        let [images, channels, height, width] = four(&x_shape)?;
        Ok(Planes { images, channels, height, width, finish })
    };
    let made =
        || -> Result<Made<'_, T>> { Ok(Made { x, affine, statistics: slice(inputs[3])?, g: slice(inputs[4])? }) };
    let of_planes = |values: Vec<T>| wrap(values, &[x_shape[0], x_shape[1], 2]);
    match op {
        Op::Norm { eps, finish } => {
            let (y, statistics) = norm::forward(x, affine, planes(*finish)?, T::from_f64(*eps));
            Ok((wrap(y, shape), vec![of_planes(statistics)]))
        }
        Op::NormGradient { finish, .. } => {
            let (by_x, sums, totals) = norm::gradient(made()?, planes(*finish)?);
            Ok((wrap(by_x, shape), vec![of_planes(sums), wrap(totals, &x_shape[..2])]))
        }
        Op::NormCurvature { finish, .. } => {
            let along = Along { c: slice(inputs[6])?, sums: slice(inputs[7])? };
            let (by_x, by_g, by_weight) = norm::curvature(made()?, slice(inputs[5])?, along, planes(*finish)?);
            let by_g = wrap(by_g, &dims(inputs[4]));
            Ok((wrap(by_x, shape), vec![by_g, wrap(by_weight, &x_shape[..2])]))
        }
        _ => internal(op.name(), "no instance normalisation"),
    }
}
