//! First weights of a net.

use pddflow_host::{Init, WeightSpec};
use pddflow_tensor::{DType, Device, RandomKey, Tensor, TensorError};

/// Draws a net's weights, in the order of `specs`.
///
/// Each weight has a random key of its own, folded from its name, so that adding a weight to a model leaves the others as
/// they were. Numbers are drawn in double precision and rounded to `dtype`.
///
/// # Errors
/// The device cannot hold the weights.
pub fn initial_weights(
    specs: &[WeightSpec],
    key: RandomKey,
    dtype: DType,
    device: &Device,
) -> Result<Vec<Tensor>, TensorError> {
    specs.iter().map(|spec| initial_weight(spec, key.fold(&spec.name), dtype, device)).collect()
}

/// The first weights of net number `net` of a seed: the same in every node that begins with fresh nets.
///
/// # Errors
/// The device cannot hold the weights.
pub fn first_weights(
    specs: &[WeightSpec],
    (seed, net): (u64, usize),
    dtype: DType,
    device: &Device,
) -> Result<Vec<Tensor>, TensorError> {
    let key = RandomKey::new(seed).fold("net").fold_u64(net as u64).fold("weights");
    initial_weights(specs, key, dtype, device)
}

fn initial_weight(spec: &WeightSpec, key: RandomKey, dtype: DType, device: &Device) -> Result<Tensor, TensorError> {
    let count = spec.shape.iter().product();
    let values = match spec.init {
        Init::Constant(value) => return Tensor::full(value, &spec.shape, dtype, device),
        Init::Uniform { bound } => key.uniform_f64(count).into_iter().map(|u| (2.0 * u - 1.0) * bound).collect(),
        Init::Normal { std } => key.normal_f64(count).into_iter().map(|z| z * std).collect(),
    };
    Tensor::from_values(values, &spec.shape, dtype, device)
}

#[cfg(test)]
mod tests {
    use pddflow_host::WeightRole;

    use super::*;

    fn draw(names: &[&str], init: Init) -> Vec<Vec<f64>> {
        let specs: Vec<WeightSpec> = names
            .iter()
            .map(|name| WeightSpec { name: (*name).to_owned(), shape: vec![40, 50], init, role: WeightRole::Learnable })
            .collect();
        let weights = initial_weights(&specs, RandomKey::new(3), DType::F64, &Device::Cpu).unwrap();
        weights.iter().map(|w| w.to_f64_vec().unwrap()).collect()
    }

    #[test]
    fn a_weight_depends_on_its_name_and_not_on_its_place() {
        let both = draw(&["a", "b"], Init::Uniform { bound: 0.5 });
        assert_eq!(both[1], draw(&["b"], Init::Uniform { bound: 0.5 })[0]);
        assert_ne!(both[0], both[1]);
    }

    #[test]
    fn uniform_weights_fill_their_interval() {
        let values = &draw(&["a"], Init::Uniform { bound: 0.5 })[0];
        assert!(values.iter().all(|v| (-0.5..0.5).contains(v)));
        assert!(values.iter().any(|v| *v < -0.49) && values.iter().any(|v| *v > 0.49));
    }

    #[test]
    fn normal_weights_have_the_asked_spread() {
        let values = &draw(&["a"], Init::Normal { std: 2.0 })[0];
        let std = (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
        // 2,000 draws: the standard error of the standard deviation is 2 / sqrt(4000) = 0.032.
        assert!((std - 2.0).abs() < 0.13, "{std}");
    }
}
