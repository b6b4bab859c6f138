//! CPU kernels: plain functions over contiguous row-major slices.
//!
//! Images are `[image, channel, row, column]`. Shapes are not checked here: the ops of `pddflow-tensor` that call these
//! functions have checked them, and that all sizes are small enough for offsets not to overflow. Results are new vectors.
//!
//! Work is cut by shape only, never by the number of threads, and partial sums are added in a
//! fixed order: the same input gives the same bits at any thread count. Loops are compiled for
//! AVX-512, for AVX2 with FMA and for the baseline, and the best is picked at run time. The bits depend
//! on that choice and on nothing else of the machine: block sizes are constants, and functions such as
//! `exp` are those of `libm` and not of the system.
#![allow(unsafe_code, reason = "SIMD, and results written without zeroing")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

mod buffer;
pub mod conv;
pub mod descent;
pub mod elementwise;
pub mod layout;
pub mod matmul;
mod memory;
pub mod norm;
mod parallel;
pub mod pool;
mod product;
mod real;
pub mod reduce;
pub mod resample;
mod simd;
mod strides;
pub mod symmetric;
mod term;
mod vector;

pub use memory::keep_freed_memory;
pub use parallel::on_one_thread;
pub use parallel::{chunks, chunks_of_two};
pub use real::Real;
pub use simd::{Instructions, use_at_most};

#[cfg(test)]
mod tests;
