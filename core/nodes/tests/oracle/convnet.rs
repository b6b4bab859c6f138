//! The ConvNet of the vectors, written directly in tensor operations: these cases are about training, not about plugins.

use pddflow_tensor::{Conv2d, Tensor};

const EPSILON: f64 = 1e-5;

/// Logits of a ConvNet with instance norm; weights in the order of the vectors' README.
pub(crate) fn logits(weights: &[Tensor], x: &Tensor, depth: usize) -> Tensor {
    let mut x = x.clone();
    for block in 0..depth {
        let [conv, bias, scale, shift] = &weights[4 * block..4 * block + 4] else { panic!("four weights a block") };
        let padding = if block == 0 && x.shape()[1] == 1 { 3 } else { 1 };
        let geometry = Conv2d { stride: [1, 1], padding: [padding, padding] };
        let y = x.conv2d(conv, Some(bias), geometry).unwrap();
        let y = y.instance_norm(scale, shift, EPSILON).unwrap().relu().unwrap();
        x = y.avg_pool2d([2, 2], [2, 2]).unwrap();
    }
    let rows = x.shape()[0];
    let features = x.reshape(&[rows, x.elements() / rows]).unwrap();
    let [weight, bias] = &weights[4 * depth..] else { panic!("a linear layer") };
    features.matmul(&weight.permute(&[1, 0]).unwrap()).unwrap().add(bias).unwrap()
}
