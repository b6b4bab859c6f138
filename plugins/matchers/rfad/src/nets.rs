//! Random nets, what they say of images, and the kernel of that.

use pddflow_sdk::{Iteration, Key, Mode, Result, Tensor};

/// Variance of weights times their inputs, and of biases.
pub(crate) const VARIANCES: (f64, f64) = (2.0, 0.01);

/// Random weights of so many nets.
pub(crate) fn random_nets<'call>(
    run: &Iteration<'call>,
    count: usize,
    key: Key<'call>,
) -> Result<Vec<Vec<Tensor<'call>>>> {
    let infos = run.weights()?;
    let net = |number: usize| {
        let key = key.fold_u64(number as u64)?;
        let mut weights = run.fresh_weights(key)?;
        for (weight, info) in weights.iter_mut().zip(&infos).filter(|(_, info)| info.learnable) {
            let inputs: usize = info.shape.iter().skip(1).product();
            let variance = if info.shape.len() > 1 { VARIANCES.0 / inputs.max(1) as f64 } else { VARIANCES.1 };
            *weight = (&key.fold(&info.name)?.normal(&info.shape)? * variance.sqrt())?;
        }
        Ok(weights)
    };
    (0..count).map(net).collect()
}

/// Features of all nets side by side, over the root of their number.
pub(crate) fn features<'call>(
    run: &Iteration<'call>,
    nets: &[Vec<Tensor<'call>>],
    images: &Tensor<'call>,
) -> Result<Tensor<'call>> {
    let own = |net: &Vec<Tensor<'call>>| Ok(run.forward(net, images, Mode::Eval, run.key())?.features);
    let all = Tensor::concat(&nets.iter().map(own).collect::<Result<Vec<_>>>()?, 1)?;
    let width = all.shape()?[1] as f64;
    &all * (1.0 / width.sqrt())
}

/// The kernel of rows of features.
pub(crate) fn kernel<'call>(a: &Tensor<'call>, b: &Tensor<'call>) -> Result<Tensor<'call>> {
    &(&a.affine(b, None)? * VARIANCES.0)? + VARIANCES.1
}
