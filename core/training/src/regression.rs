//! Kernel ridge regression on sets: their labels, carried over to other images by a kernel, without the training of a net.
//!
//! ```text
//! scores = K_ts (K_ss + ridge tr(K_ss) / n I)^-1 y_s
//! ```
//!
//! Labels are centred: 1 over the number of classes is subtracted from each. Everything is in double precision on the CPU but for
//! the features of nets.

use std::f64::consts::PI;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Labels, Model, WeightRole, WeightSpec};
use pddflow_runner::NodeError;
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accuracy::features_unless;
use crate::init::initial_weights;
use crate::samples::Samples;

/// Variance of the weights of an infinitely wide net times their number of inputs, and of its biases.
const WIDE: (f64, f64) = (2.0, 0.01);
/// How near the cosine of two images comes to -1 and 1, as where sets are learned by this kernel.
const EDGE: f64 = 1e-7;
/// Test images whose scores are computed at once.
const ROWS: usize = 1000;

/// A kernel: how alike two images are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kernel {
    /// Of an infinitely wide fully connected net with ReLU, in closed form.
    FullyConnected {
        /// Hidden layers.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 64))]
        depth: usize,
        /// Whether all of its layers are trained (neural tangent kernel), or the last one alone (NNGP).
        #[serde(default = "yes")]
        tangent: bool,
    },
    /// Products of the features of nets, divided by their number, plus a constant.
    Features {
        /// Nets whose features are put side by side.
        #[serde(default = "eight")]
        #[schemars(range(min = 1, max = 4096))]
        nets: usize,
        /// The constant.
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        bias: f64,
        /// Whether first weights are normal, of variance 2 over the number of inputs, and biases of 0.01, instead of as the model says.
        #[serde(default)]
        gaussian: bool,
    },
}

fn one() -> usize {
    1
}

fn eight() -> usize {
    8
}

fn yes() -> bool {
    true
}

/// A regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// How alike two images are.
    pub kernel: Kernel,
    /// What is added to the diagonal of the kernel, as a part of its mean.
    #[serde(default = "ridge")]
    #[schemars(range(min = 0.0))]
    pub ridge: f64,
}

fn ridge() -> f64 {
    1e-6
}

/// A net with random or given weights whose features a kernel is made of.
pub struct FeatureNet<'a> {
    /// Its forward pass.
    pub model: &'a Model,
    /// Its weights.
    pub weights: Vec<Tensor>,
}

/// The first weights of a net of [`Kernel::Features`].
///
/// # Errors
/// The device cannot hold them.
pub fn feature_weights(
    specs: &[WeightSpec],
    gaussian: bool,
    key: RandomKey,
    (dtype, device): (DType, &Device),
) -> NodeResult<Vec<Tensor>> {
    let mut weights = initial_weights(specs, key, dtype, device).during("drawing weights")?;
    let learnable = |spec: &WeightSpec| gaussian && spec.role == WeightRole::Learnable;
    for (weight, spec) in weights.iter_mut().zip(specs).filter(|(_, spec)| learnable(spec)) {
        let inputs: usize = spec.shape.iter().skip(1).product();
        let variance = if spec.shape.len() > 1 { WIDE.0 / inputs.max(1) as f64 } else { WIDE.1 };
        let count = spec.shape.iter().product();
        let drawn = key.fold(&spec.name).normal_f64(count).into_iter().map(|z| z * variance.sqrt()).collect();
        *weight = Tensor::from_values(drawn, &spec.shape, dtype, device).during("drawing weights")?;
    }
    Ok(weights)
}

/// Share of the test images, from 0 to 1, whose largest score is at their class. `nets` are those of [`Kernel::Features`]; `stop` ends
/// it half way, as cancelled.
///
/// # Errors
/// The kernel of the set is singular, or a net fails.
pub fn accuracy(
    regression: &Regression,
    nets: &[FeatureNet<'_>],
    (set, classes): (&Samples, usize),
    (images, labels): (&Tensor, &[i64]),
    stop: &dyn Fn() -> bool,
) -> NodeResult<f64> {
    let doing = "regressing on a set";
    let wanted = match &set.labels {
        Labels::Hard(labels) => labels.to_device(&Device::Cpu).and_then(|labels| labels.one_hot(classes, DType::F64)),
        Labels::Soft(labels) => labels.to_device(&Device::Cpu).and_then(|labels| labels.cast(DType::F64)),
    };
    let wanted = wanted.and_then(|labels| labels.add_scalar(-1.0 / classes as f64)).during(doing)?;
    let known = Inputs::of(&regression.kernel, nets, &set.images, stop)?;
    let rows = set.rows();
    let within = regression.kernel.of(&known, &known, true)?;
    let ridge = regression.ridge * within.iter().step_by(rows + 1).sum::<f64>() / rows.max(1) as f64;
    let raised =
        within.into_iter().enumerate().map(|(at, value)| if at % (rows + 1) == 0 { value + ridge } else { value });
    let within = Tensor::from_f64(raised.collect(), &[rows, rows], &Device::Cpu).during(doing)?;
    let weights = within.solve(&wanted).map_err(|error| {
        fail("singular_kernel", format!("the kernel of the set's {rows} images cannot be inverted: {error}"))
            .with_help("raise `ridge`; of images that are equal, all but one add nothing")
    })?;
    let mut right = 0_usize;
    for from in (0..labels.len()).step_by(ROWS) {
        if stop() {
            return Err(NodeError::cancelled());
        }
        let to = labels.len().min(from + ROWS);
        let part = images.slice(0, from, to, 1).during(doing)?;
        let targets = Inputs::of(&regression.kernel, nets, &part, stop)?;
        let between = regression.kernel.of(&targets, &known, false)?;
        let between = Tensor::from_f64(between, &[to - from, rows], &Device::Cpu).during(doing)?;
        let said = between.matmul(&weights).and_then(|scores| scores.argmax(1)?.to_i64_vec()).during(doing)?;
        right += said.iter().zip(&labels[from..to]).filter(|(said, label)| said == label).count();
    }
    Ok(right as f64 / labels.len().max(1) as f64)
}

/// What a kernel sees of images: `[image, number]`, and the mean square of each row.
struct Inputs {
    rows: Tensor,
    own: Vec<f64>,
}

impl Inputs {
    fn of(kernel: &Kernel, nets: &[FeatureNet<'_>], images: &Tensor, stop: &dyn Fn() -> bool) -> NodeResult<Self> {
        let doing = "reading images for a kernel";
        let count = images.shape().first().copied().unwrap_or(0);
        let rows = match kernel {
            Kernel::FullyConnected { .. } => {
                let flat = images.reshape(&[count, images.elements() / count.max(1)]);
                flat.and_then(|flat| flat.to_device(&Device::Cpu)?.cast(DType::F64)).during(doing)?
            }
            Kernel::Features { .. } => {
                let one = |net: &FeatureNet<'_>| {
                    let (values, width) = features_unless(stop, net.model, &net.weights, images)?;
                    let values = values.into_iter().map(f64::from).collect();
                    Tensor::from_f64(values, &[count, width], &Device::Cpu).during(doing)
                };
                let parts = nets.iter().map(one).collect::<NodeResult<Vec<_>>>()?;
                Tensor::concat(&parts, 1).during(doing)?
            }
        };
        let own = rows.square().and_then(|squares| squares.mean(&[1], false)?.to_f64_vec()).during(doing)?;
        Ok(Self { rows, own })
    }
}

impl Kernel {
    /// Of each image of `a` with each of `b`, row by row. Where both are `same`, an image's angle with itself is 0.
    fn of(&self, a: &Inputs, b: &Inputs, same: bool) -> NodeResult<Vec<f64>> {
        let width = a.rows.shape()[1].max(1) as f64;
        let products = a.rows.matmul_transposed(&b.rows).and_then(|products| products.to_f64_vec());
        let products = products.during("multiplying images")?;
        let columns = b.own.len().max(1);
        let value = |(at, product): (usize, f64)| {
            let (row, column) = (at / columns, at % columns);
            match self {
                Self::Features { bias, .. } => product / width + bias,
                Self::FullyConnected { depth, tangent } => {
                    let kernel = Wide { depth: *depth, tangent: *tangent };
                    kernel.of(product / width, [a.own[row], b.own[column]], same && row == column)
                }
            }
        };
        Ok(products.into_iter().enumerate().map(value).collect())
    }
}

/// An infinitely wide net.
#[derive(Clone, Copy)]
struct Wide {
    depth: usize,
    tangent: bool,
}

impl Wide {
    /// From `<x, x'> / d`, and the same of both images with themselves (Cho and Saul 2009; Jacot, Gabriel and Hongler 2018).
    fn of(self, product: f64, [own, other]: [f64; 2], itself: bool) -> f64 {
        let first = |product: f64| WIDE.0 * product + WIDE.1;
        let (mut process, mut own, mut other) = (first(product), first(own), first(other));
        let mut tangent = process;
        for _ in 0..self.depth {
            let scale = (own * other).sqrt();
            let angle = if itself { 0.0 } else { libm::acos((process / scale).clamp(EDGE - 1.0, 1.0 - EDGE)) };
            let beyond = PI - angle;
            process = scale * (libm::sin(angle) + beyond * libm::cos(angle)) / PI + WIDE.1;
            tangent = process + tangent * beyond / PI;
            (own, other) = (own + WIDE.1, other + WIDE.1);
        }
        if self.tangent { tangent } else { process }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(key: u64, rows: usize) -> Tensor {
        let values = RandomKey::new(key).normal_f64(rows * 12);
        Tensor::from_f64(values, &[rows, 3, 2, 2], &Device::Cpu).unwrap()
    }

    fn closed(depth: usize, tangent: bool) -> Kernel {
        Kernel::FullyConnected { depth, tangent }
    }

    fn kernel(kernel: &Kernel, of: &Tensor) -> Vec<f64> {
        let inputs = Inputs::of(kernel, &[], of, &|| false).unwrap();
        kernel.of(&inputs, &inputs, true).unwrap()
    }

    #[test]
    fn an_image_with_itself_has_the_closed_value() {
        let (x, rows) = (images(1, 3), 3);
        let own = Inputs::of(&closed(1, true), &[], &x, &|| false).unwrap().own;
        for (tangent, factor) in [(false, 1.0), (true, 2.0)] {
            let found = kernel(&closed(1, tangent), &x);
            for row in 0..rows {
                let expected = factor * (2.0 * own[row] + 0.01) + 0.01;
                assert!((found[row * (rows + 1)] - expected).abs() < 1e-12);
                for column in 0..rows {
                    assert!((found[row * rows + column] - found[column * rows + row]).abs() < 1e-12, "symmetric");
                }
            }
        }
    }

    #[test]
    fn a_set_predicts_itself_and_a_ridge_blurs_it() {
        let x = images(2, 6);
        let hard = Tensor::from_i64(vec![0, 0, 1, 1, 2, 2], &[6], &Device::Cpu).unwrap();
        let set = Samples { images: x.clone(), labels: Labels::Hard(hard) };
        let share = |ridge: f64, set: &Samples| {
            let regression = Regression { kernel: closed(2, true), ridge };
            accuracy(&regression, &[], (set, 3), (&x, &[0, 0, 1, 1, 2, 2]), &|| false).unwrap()
        };
        assert_eq!(share(1e-6, &set), 1.0);
        // Vectors far from probabilities, whose largest element is at the class, say the same.
        let raw: Vec<f64> = (0..18).map(|at| if at % 3 == at / 6 { 0.2 } else { -0.7 }).collect();
        let raw = Tensor::from_f64(raw, &[6, 3], &Device::Cpu).unwrap();
        assert_eq!(share(1e-6, &Samples { images: x.clone(), labels: Labels::Soft(raw) }), 1.0);
    }

    #[test]
    fn a_kernel_that_cannot_be_inverted_is_refused() {
        // The products of such images are beyond double precision.
        let x = Tensor::full(1e200, &[2, 1, 2, 2], DType::F64, &Device::Cpu).unwrap();
        let hard = Tensor::from_i64(vec![0, 1], &[2], &Device::Cpu).unwrap();
        let set = Samples { images: x.clone(), labels: Labels::Hard(hard) };
        let regression = Regression { kernel: closed(1, false), ridge: 0.0 };
        let error = accuracy(&regression, &[], (&set, 2), (&x, &[0, 1]), &|| false).unwrap_err();
        assert!(error.code.ends_with("singular_kernel"), "{}: {}", error.code, error.message);
    }
}
