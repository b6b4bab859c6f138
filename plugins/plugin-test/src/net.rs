//! A net without a plugin: one hidden layer, whose outputs after ReLU are the features.

use pddflow_host::{EnvironmentResult, Forward, Init, InputShape, WeightRole, WeightSpec};
use pddflow_tensor::Tensor;

/// Outputs of the hidden layer of the usual one.
pub(crate) const HIDDEN: usize = 8;

/// Its weights for images of this shape, with so many outputs of the hidden layer.
pub(crate) fn weights(shape: InputShape, classes: usize, hidden: usize) -> Vec<WeightSpec> {
    let pixels = shape.channels * shape.height * shape.width;
    let layer = |name: &str, from: usize, to: usize| {
        [("weight", vec![to, from]), ("bias", vec![to])].map(|(part, shape)| WeightSpec {
            name: format!("{name}.{part}"),
            shape,
            init: Init::Uniform { bound: 1.0 / (from as f64).sqrt() },
            role: WeightRole::Learnable,
        })
    };
    [layer("hidden", pixels, hidden), layer("linear", hidden, classes)].concat()
}

/// Runs it.
pub(crate) fn forward(weights: &[Tensor], x: &Tensor) -> EnvironmentResult<Forward> {
    let affine = |x: &Tensor, layer: usize| {
        let [weight, bias] = [&weights[2 * layer], &weights[2 * layer + 1]];
        x.matmul(&weight.permute(&[1, 0])?)?.add(bias)
    };
    let rows = x.shape()[0];
    let features = affine(&x.reshape(&[rows, x.elements() / rows])?, 0)?.relu()?;
    let logits = affine(&features, 1)?;
    let maps = vec![("hidden".to_owned(), features.clone())];
    Ok(Forward { logits, maps, features, statistics: Vec::new(), moments: Vec::new() })
}
