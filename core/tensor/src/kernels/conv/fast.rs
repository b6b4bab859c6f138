//! Which convolutions have a faster way than patches and a product.

use super::{Geometry, direct, winograd};

/// The faster ways of a number type: none unless said otherwise, for double precision only serves
/// to check the rest.
pub(crate) trait Fast: Sized {
    /// See [`super::forward`].
    fn forward(_x: &[Self], _w: &[Self], _bias: Option<&[Self]>, _geometry: &Geometry) -> Option<Vec<Self>> {
        None
    }

    /// See [`super::input_gradient`].
    fn input_gradient(_g: &[Self], _w: &[Self], _geometry: &Geometry) -> Option<Vec<Self>> {
        None
    }

    /// See [`super::weight_gradient`].
    fn weight_gradient(_x: &[Self], _g: &[Self], _geometry: &Geometry) -> Option<Vec<Self>> {
        None
    }
}

impl Fast for f64 {}

impl Fast for f32 {
    fn forward(x: &[f32], w: &[f32], bias: Option<&[f32]>, geometry: &Geometry) -> Option<Vec<f32>> {
        if direct::fits(geometry) {
            Some(direct::forward(x, w, bias, geometry))
        } else {
            winograd::fits(geometry).then(|| winograd::forward(x, w, bias, geometry))
        }
    }

    fn input_gradient(g: &[f32], w: &[f32], geometry: &Geometry) -> Option<Vec<f32>> {
        if direct::fits(geometry) {
            Some(direct::input_gradient(g, w, geometry))
        } else {
            winograd::fits(geometry).then(|| winograd::input_gradient(g, w, geometry))
        }
    }

    fn weight_gradient(x: &[f32], g: &[f32], geometry: &Geometry) -> Option<Vec<f32>> {
        if direct::fits(geometry) {
            Some(direct::weight_gradient(x, g, geometry))
        } else {
            winograd::fits(geometry).then(|| winograd::weight_gradient(x, g, geometry))
        }
    }
}
