//! Every kernel against a plain f64 reference, on every instruction set, and bit by bit at
//! different thread counts.

mod conv;
mod elementwise;
mod layout;
mod matmul;
mod norm;
mod parallel;
mod pool;
mod reduce;
mod resample;

use std::sync::{Mutex, PoisonError};

use super::Real;
use super::simd::{self, Instructions};

/// Numbers in -1..1 without a pattern, the same on every run.
pub(super) fn numbers<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            T::from_f64((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// The same numbers in double precision.
pub(super) fn wide<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| (*x).into()).collect()
}

/// Fails unless every element is within `tolerance` times the largest reference magnitude.
#[track_caller]
pub(super) fn assert_near<T: Real>(got: &[T], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "lengths");
    let scale = expected.iter().fold(1e-30_f64, |scale, value| scale.max(value.abs()));
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = ((*got).into() - expected).abs() / scale;
        assert!(error <= tolerance, "element {index}: {got} instead of {expected} (relative error {error:.1e})");
    }
}

/// Runs a check at each instruction set; levels are global, so one check at a time.
pub(super) fn at_all_levels(check: impl Fn()) {
    static LOCK: Mutex<()> = Mutex::new(());
    let _guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    for level in [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512] {
        simd::use_at_most(level);
        check();
    }
}

/// Fails unless `run` gives the same bits with one, two and five threads.
#[track_caller]
pub(super) fn assert_same_bits<T: PartialEq + Send>(run: impl Fn() -> Vec<T> + Sync) {
    at_all_levels(|| {
        let with_threads =
            |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&run);
        let one = with_threads(1);
        assert!(one == with_threads(2), "two threads change the bits");
        assert!(one == with_threads(5), "five threads change the bits");
    });
}

/// Positions of a shape in row-major order.
pub(super) fn positions(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all
            .into_iter()
            .flat_map(|position: Vec<usize>| (0..size).map(move |i| position.iter().copied().chain([i]).collect()))
            .collect();
    }
    all
}

/// Row-major offset of a position.
pub(super) fn offset(shape: &[usize], position: &[usize]) -> usize {
    shape.iter().zip(position).fold(0, |offset, (size, i)| offset * size + i)
}
