//! Numbers to try plugins with, and to compare.

use std::collections::BTreeMap;

use pddflow_tensor::{DType, Device, RandomKey, Tensor, TensorError};

/// Normal numbers.
pub(super) fn noise(shape: &[usize], key: RandomKey, dtype: DType) -> Result<Tensor, TensorError> {
    Tensor::from_values(key.normal_f64(shape.iter().product()), shape, dtype, &Device::Cpu)
}

/// Where two runs differ first, in words.
pub(super) fn difference(a: &BTreeMap<String, Vec<f64>>, b: &BTreeMap<String, Vec<f64>>) -> Option<String> {
    if let Some(only) =
        a.keys().find(|name| !b.contains_key(*name)).or_else(|| b.keys().find(|name| !a.contains_key(*name)))
    {
        return Some(format!("{only} is there once only"));
    }
    a.iter().zip(b.values()).find_map(|((name, a), b)| {
        if a.len() != b.len() {
            return Some(format!("{name} has {} numbers, then {}", a.len(), b.len()));
        }
        let place = a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits())?;
        Some(format!("element {place} of {name} is {:e}, then {:e}", a[place], b[place]))
    })
}

/// Directions in which a gradient is compared with finite differences.
pub(super) const DIRECTIONS: u64 = 3;
/// Step of a difference, as a share of the length of what is moved: errors of the order and of rounding are about equal.
const STEP: f64 = 1e-6;
/// Largest deviation that is none, as a share of the largest difference: kinks of ReLU and pooling are within.
const TOLERANCE: f64 = 1e-3;

/// Rounding of a function of many sums, as a share of its value.
const ROUNDING: f64 = 1e-13;

/// A slope in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slope {
    /// By differences.
    pub(super) difference: f64,
    /// By the gradient.
    pub(super) gradient: f64,
    /// What rounding can make of the difference.
    pub(super) noise: f64,
}

/// Slopes in the random directions: by differences of `f`, and by the gradient. `f` gets the moved value.
pub(super) fn slopes(
    value: &Tensor,
    gradient: &Tensor,
    key: RandomKey,
    f: &mut dyn FnMut(&Tensor) -> Result<f64, String>,
) -> Result<Vec<Slope>, String> {
    let text = |error: TensorError| error.to_string();
    let length = |tensor: &Tensor| tensor.dot(tensor).and_then(|square| square.item()).map(f64::sqrt).map_err(text);
    let size = length(value)?.max(1e-3);
    (0..DIRECTIONS)
        .map(|number| {
            let way = noise(value.shape(), key.fold_u64(number), value.dtype()).map_err(text)?;
            let way = way.mul_scalar(1.0 / length(&way)?.max(f64::MIN_POSITIVE)).map_err(text)?;
            let step = way.mul_scalar(size * STEP).map_err(text)?;
            let (up, down) = (value.add(&step).map_err(text)?, value.sub(&step).map_err(text)?);
            let (above, below) = (f(&up)?, f(&down)?);
            let gradient = gradient.dot(&way).and_then(|slope| slope.item()).map_err(text)?;
            let noise = ROUNDING * above.abs().max(below.abs()) / (size * STEP);
            Ok(Slope { difference: (above - below) / (2.0 * size * STEP), gradient, noise })
        })
        .collect()
}

/// The factor between differences and gradient, if it is one in all directions; else the slope that fits worst.
pub(super) fn factor(slopes: &[Slope]) -> Result<f64, Slope> {
    let sum = |of: fn(&Slope) -> f64| slopes.iter().map(of).sum::<f64>();
    let squares = sum(|slope| slope.gradient * slope.gradient);
    let factor = if squares > 0.0 { sum(|slope| slope.difference * slope.gradient) / squares } else { 0.0 };
    let most = slopes.iter().fold(0.0f64, |most, slope| most.max(slope.difference.abs()));
    let deviation = |slope: &Slope| (slope.difference - factor * slope.gradient).abs() - slope.noise;
    let flat = slopes.iter().all(|slope| slope.difference.abs() <= slope.noise);
    match slopes.iter().max_by(|a, b| deviation(a).total_cmp(&deviation(b))) {
        Some(worst) if deviation(worst) > TOLERANCE * most || !flat && factor <= 0.0 => Err(*worst),
        _ => Ok(factor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_up_to_a_factor_is_one_and_another_is_not() {
        let value = noise(&[5], RandomKey::new(0), DType::F64).unwrap();
        let mut f = |x: &Tensor| Ok(x.dot(x).unwrap().item().unwrap());
        let right = value.mul_scalar(6.0).unwrap();
        let found = factor(&slopes(&value, &right, RandomKey::new(1), &mut f).unwrap()).unwrap();
        assert!((found - 1.0 / 3.0).abs() < 1e-6, "{found}");
        for other in [value.square().unwrap(), right.neg().unwrap(), value.mul_scalar(0.0).unwrap()] {
            assert!(factor(&slopes(&value, &other, RandomKey::new(1), &mut f).unwrap()).is_err());
        }
    }

    #[test]
    fn a_difference_is_told_with_its_place() {
        let one = BTreeMap::from([("a".to_owned(), vec![1.0, 2.0])]);
        let other = BTreeMap::from([("a".to_owned(), vec![1.0, 3.0])]);
        assert_eq!(difference(&one, &one), None);
        assert!(difference(&one, &other).unwrap().contains("element 1 of a"));
        assert!(difference(&one, &BTreeMap::new()).unwrap().contains("once only"));
    }
}
