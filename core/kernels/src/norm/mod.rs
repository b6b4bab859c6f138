//! Instance and batch normalisation together with what follows them in a network (a line per channel, ReLU, 2x2 average pooling),
//! and the first and second derivative of the whole, plane by plane.
//!
//! Done one after the other, these operations read and write memory some ten times as large as the first-level cache that a
//! plane fits into. Here a plane that is normalised by itself is read once and its result written once; where the planes of a channel
//! share mean and variance, all are read once more beforehand, for the sums that they share. With x̂ = r (x - mean), h = weight x̂ +
//! bias and n numbers that share a mean, `u` is the gradient of the result spread over its window where h > 0, and
//! S(v) = r (v - mean(v) - x̂ mean(v x̂)) the (symmetric) derivative of x̂.

mod curvature;
mod forward;
mod gradient;
mod line;
mod planes;

pub use curvature::{Cotangents, curvature};
pub use forward::{forward, forward_by, statistics};
pub use gradient::gradient;
pub use line::{Affine, Saved};
pub use planes::{Epilogue, Over, Planes};
