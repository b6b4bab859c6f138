//! CPU kernels: plain functions over contiguous row-major slices.
//!
//! Images are `[image, channel, row, column]`. Shapes are not checked here; the ops that call
//! these functions have checked them. Results are new vectors.
//!
//! Work is cut by shape only, never by the number of threads, and partial sums are added in a
//! fixed order: the same input gives the same bits at any thread count. Loops are compiled for
//! AVX-512, for AVX2 with FMA and for the baseline, and the best is picked at run time. The bits depend
//! on that choice and on nothing else of the machine: block sizes are constants, and functions such as
//! `exp` are those of `libm` and not of the system.
#![allow(unsafe_code, reason = "SIMD, and results written without zeroing")]

mod buffer;
pub(crate) mod conv;
pub(crate) mod descent;
pub(crate) mod elementwise;
pub(crate) mod layout;
pub(crate) mod matmul;
mod memory;
pub(crate) mod norm;
mod parallel;
pub(crate) mod pool;
mod product;
mod real;
pub(crate) mod reduce;
pub(crate) mod resample;
mod simd;
pub(crate) mod standardize;
mod strides;
pub(crate) mod symmetric;
mod vector;

pub use memory::keep_freed_memory;
pub use parallel::on_one_thread;
pub(crate) use parallel::{chunks, chunks_of_two};
pub(crate) use real::Real;
pub use simd::{Instructions, use_at_most};

#[cfg(test)]
mod tests;
