//! The public operations: methods of [`Tensor`], primitives and what is composed of them.

mod composite;
mod descent;
mod linear;
mod map;
mod norm;
mod reduce;
mod shape;
