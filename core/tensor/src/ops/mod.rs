//! The public operations: methods of [`Tensor`], primitives and what is composed of them.

mod composite;
pub(crate) mod convolution;
mod descent;
mod grid_sample;
mod linear;
mod map;
mod norm;
mod reduce;
mod shape;
mod sort;
