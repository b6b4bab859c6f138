use super::{assert_near, assert_same_bits, at_all_levels, numbers, offset, positions, wide};
use crate::Real;
use crate::reduce::{argmax, max, min, sum};

const CASES: [(&[usize], &[usize]); 17] = [
    (&[], &[]),
    (&[5], &[0]),
    (&[5], &[]),
    (&[3, 4], &[0]),
    (&[3, 4], &[1]),
    (&[3, 4, 5], &[0, 2]),
    (&[3, 4, 5], &[1]),
    (&[2, 3, 4, 5], &[0, 2, 3]),
    (&[2, 3, 4, 5, 2], &[1, 3]),
    (&[2, 3, 4, 5, 2, 2], &[0, 2, 4]),
    (&[0, 3], &[0]),
    (&[100_003], &[0]),
    (&[400, 333], &[0]),
    (&[400, 333], &[1]),
    (&[33, 7, 30, 31], &[0, 2, 3]),
    (&[7, 33, 900], &[1]),
    (&[3, 50_000], &[1]),
];

fn check<T: Real>(shape: &[usize], axes: &[usize], tolerance: f64) {
    let x: Vec<T> = numbers(shape.iter().product(), 1);
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let out_shape: Vec<usize> = kept.iter().map(|&axis| shape[axis]).collect();
    let len = out_shape.iter().product();
    let (mut sums, mut maxima, mut minima) = (vec![0.0; len], vec![f64::NEG_INFINITY; len], vec![f64::INFINITY; len]);
    for (position, value) in positions(shape).iter().zip(wide(&x)) {
        let out = offset(&out_shape, &kept.iter().map(|&axis| position[axis]).collect::<Vec<_>>());
        sums[out] += value;
        maxima[out] = maxima[out].max(value);
        minima[out] = minima[out].min(value);
    }
    assert_near(&sum(&x, shape, axes), &sums, tolerance);
    assert_eq!(wide(&max(&x, shape, axes)), maxima, "{shape:?} {axes:?}");
    assert_eq!(wide(&min(&x, shape, axes)), minima, "{shape:?} {axes:?}");
}

#[test]
fn reductions_agree_with_the_definition() {
    at_all_levels(|| {
        for (shape, axes) in CASES {
            check::<f32>(shape, axes, 2e-6);
            // The reference itself adds 50,000 numbers one by one.
            check::<f64>(shape, axes, 1e-12);
        }
    });
}

#[test]
fn long_sums_keep_their_digits() {
    // Added one by one in single precision, ten million tenths give 1,087,937. Equal numbers are the
    // worst case: every step rounds to the same side, here to one part in a million in all.
    let sum = sum(&vec![0.1_f32; 10_000_000], &[10_000_000], &[0])[0];
    assert!((sum - 1_000_000.0).abs() < 2.0, "{sum}");
}

#[test]
fn not_a_number_is_passed_on() {
    let mut x = numbers::<f32>(300, 1);
    x[123] = f32::NAN;
    assert!(max(&x, &[300], &[0])[0].is_nan());
    assert!(min(&x, &[300], &[0])[0].is_nan());
    assert_eq!(argmax(&x, &[300], 0), [123]);
}

#[test]
fn the_first_maximum_counts() {
    assert_eq!(argmax(&[1.0_f32, 3.0, 3.0, 2.0, 5.0, 5.0], &[2, 3], 1), [1, 1]);
    assert_eq!(argmax(&[1.0_f32, 3.0, 3.0, 2.0, 5.0, 5.0], &[2, 3], 0), [1, 1, 1]);
    assert_eq!(argmax(&[1.0_f32, 1.0], &[2, 1], 0), [0]);
}

#[test]
fn bits_do_not_depend_on_threads() {
    let x = numbers::<f32>(64 * 32 * 900, 1);
    assert_same_bits(|| sum(&x, &[64, 32, 900], &[0, 2]));
    assert_same_bits(|| sum(&x, &[64 * 32 * 900], &[0]));
    assert_same_bits(|| sum(&x, &[64, 32 * 900], &[0]));
}
