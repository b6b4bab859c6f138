//! Two-dimensional convolution (cross-correlation, as in every framework) and its two gradients.
//!
//! `x` is `[image, in, row, column]`, `w` is `[out, in, kernel row, kernel column]`, `g` and the
//! result are `[image, out, row, column]`; zeros around the input.

mod direct;
mod geometry;
mod im2col;
mod winograd;

pub use geometry::Geometry;

use super::Real;

/// The convolution of `x` with `w`, plus `bias[out]`.
pub fn forward<T: Real>(x: &[T], w: &[T], bias: Option<&[T]>, geometry: &Geometry) -> Vec<T> {
    if geometry.is_empty() {
        let len = geometry.images * geometry.out_image();
        let plane = geometry.out_plane().max(1);
        return (0..len).map(|i| bias.map_or(T::ZERO, |bias| bias[i / plane % geometry.outputs])).collect();
    }
    match (T::single(x), T::single(w), bias.map(T::single), way(geometry)) {
        (Some(x), Some(w), bias, Way::Direct) => T::from_single(direct::forward(x, w, bias.flatten(), geometry)),
        (Some(x), Some(w), bias, Way::Winograd) => T::from_single(winograd::forward(x, w, bias.flatten(), geometry)),
        _ => im2col::forward(x, w, bias, geometry),
    }
}

/// Gradient with respect to the input.
pub fn input_gradient<T: Real>(g: &[T], w: &[T], geometry: &Geometry) -> Vec<T> {
    if geometry.is_empty() {
        return vec![T::ZERO; geometry.images * geometry.image()];
    }
    match (T::single(g), T::single(w), way(geometry)) {
        (Some(g), Some(w), Way::Direct) => T::from_single(direct::input_gradient(g, w, geometry)),
        (Some(g), Some(w), Way::Winograd) => T::from_single(winograd::input_gradient(g, w, geometry)),
        _ => im2col::input_gradient(g, w, geometry),
    }
}

/// Gradient with respect to the weights.
pub fn weight_gradient<T: Real>(x: &[T], g: &[T], geometry: &Geometry) -> Vec<T> {
    if geometry.is_empty() {
        return vec![T::ZERO; geometry.outputs * geometry.taps()];
    }
    match (T::single(x), T::single(g), way(geometry)) {
        (Some(x), Some(g), Way::Direct) => T::from_single(direct::weight_gradient(x, g, geometry)),
        (Some(x), Some(g), Way::Winograd) => T::from_single(winograd::weight_gradient(x, g, geometry)),
        _ => im2col::weight_gradient(x, g, geometry),
    }
}

/// How a convolution is computed: of these, in single precision, and else by patches and a product.
enum Way {
    Direct,
    Winograd,
    Patches,
}

fn way(geometry: &Geometry) -> Way {
    if direct::fits(geometry) {
        Way::Direct
    } else if winograd::fits(geometry) {
        Way::Winograd
    } else {
        Way::Patches
    }
}
