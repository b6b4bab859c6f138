//! Tensors with gradients of any order over burn.
//!
//! A [`Tensor`] is an immutable, cheaply cloned array on a [`Device`]. Operations on tensors that
//! descend from a [`Tensor::variable`] are recorded on a tape that lives exactly as long as the tensors
//! do; [`grad`] walks it backwards. With [`Keep::OnTape`] the gradients are tensors on the tape like any
//! other, so that they can be differentiated again, as often as wanted.
//!
//! ```
//! use pddflow_tensor::{DType, Device, Keep, Tensor, grad};
//!
//! # fn main() -> Result<(), pddflow_tensor::TensorError> {
//! let x = Tensor::from_f64(vec![1.0, 2.0, 3.0], &[3], &Device::Cpu)?.variable()?;
//! let cubes = x.mul(&x)?.mul(&x)?.sum_all()?;
//! let slope = &grad(&[cubes], &[x.clone()], None, Keep::OnTape)?[0]; // 3 x^2
//! let curvature = &grad(&[slope.sum_all()?], &[x], None, Keep::No)?[0]; // 6 x
//! assert_eq!(curvature.to_f64_vec()?, [6.0, 12.0, 18.0]);
//! # Ok(())
//! # }
//! ```
//!
//! No number depends on global state (the [`trace`] is one), and there is no hidden randomness: random numbers come from a [`RandomKey`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

pub mod augment;
mod backend;
mod device;
mod device_check;
mod dtype;
mod error;
mod lazy;
pub mod linalg;
mod op;
mod ops;
mod random;
mod resample_map;
mod size;
mod tape;
mod tensor;
pub mod trace;
pub mod watch;

pub use device::{Backend, Device};
pub use device_check::check_device;
pub use dtype::DType;
pub use error::{Result, TensorError};
pub use op::{Binary, Conv2d, Descent, Unary};
pub use ops::convolution::GroupedConv2d;
pub use pddflow_kernels::{Instructions, keep_freed_memory, on_one_thread, use_at_most};
pub use random::RandomKey;
pub use resample_map::ResampleMap;
pub use size::checked_elements;
pub use tape::{Keep, grad, tape_bytes};
pub use tensor::Tensor;

/// Revision of the numbers that the kernels give. It enters keys: a change of rounding makes old
/// results stale.
#[must_use]
pub fn kernel_revision() -> u32 {
    6
}
