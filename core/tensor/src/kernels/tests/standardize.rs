use super::{assert_near, assert_same_bits, at_all_levels, numbers, wide};
use crate::kernels::Real;
use crate::kernels::standardize::{Groups, forward, gradient};

/// Group of element `index`, number of groups.
fn group(groups: Groups, index: usize) -> (usize, usize) {
    match groups {
        Groups::Instance { images, channels, plane } => (index / plane, images * channels),
        Groups::Batch { channels, plane, .. } => (index / plane % channels, channels),
    }
}

fn check<T: Real>(groups: Groups, len: usize, tolerance: f64) {
    let eps = 1e-5;
    // An offset of several standard deviations shows sums of squares that cancel.
    let x: Vec<T> = numbers(len, 1).into_iter().map(|x: T| x + T::from_f64(5.0)).collect();
    let g: Vec<T> = numbers(len, 2);
    let (wide_x, wide_g) = (wide(&x), wide(&g));
    let of = |index: usize| group(groups, index).0;
    let count = group(groups, 0).1;
    let size = (len / count) as f64;
    let sums = |f: &dyn Fn(usize) -> f64| {
        let mut sums = vec![0.0; count];
        (0..len).for_each(|i| sums[of(i)] += f(i) / size);
        sums
    };
    let mean = sums(&|i| wide_x[i]);
    let variance = sums(&|i| (wide_x[i] - mean[of(i)]).powi(2));
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
    let y: Vec<f64> = (0..len).map(|i| (wide_x[i] - mean[of(i)]) * inverse[of(i)]).collect();
    let g_mean = sums(&|i| wide_g[i]);
    let along = sums(&|i| wide_g[i] * y[i]);
    let expected: Vec<f64> =
        (0..len).map(|i| inverse[of(i)] * (wide_g[i] - g_mean[of(i)] - y[i] * along[of(i)])).collect();

    let (got_y, got_mean, got_inverse) = forward(&x, groups, T::from_f64(eps));
    assert_near(&got_mean, &mean, tolerance);
    assert_near(&got_inverse, &inverse, tolerance);
    assert_near(&got_y, &y, tolerance * 4.0);
    assert_near(&gradient(&got_y, &got_inverse, &g, groups), &expected, tolerance * 4.0);
}

#[test]
fn standardisation_agrees_with_the_definition() {
    at_all_levels(|| {
        for (images, channels, plane) in
            [(2, 3, 5), (1, 1, 70), (3, 5, 64), (4, 7, 1024), (40, 3, 1000), (2, 2, 50_000)]
        {
            for groups in [Groups::Instance { images, channels, plane }, Groups::Batch { images, channels, plane }] {
                check::<f32>(groups, images * channels * plane, 1e-6);
                // The reference itself adds 100,000 numbers one by one.
                check::<f64>(groups, images * channels * plane, 1e-12);
            }
        }
    });
}

#[test]
fn bits_do_not_depend_on_threads() {
    let x = numbers::<f32>(50 * 8 * 1024, 1);
    for groups in [
        Groups::Instance { images: 50, channels: 8, plane: 1024 },
        Groups::Batch { images: 50, channels: 8, plane: 1024 },
    ] {
        let (y, _, inverse_std) = forward(&x, groups, 1e-5);
        assert_same_bits(|| forward(&x, groups, 1e-5).0);
        assert_same_bits(|| gradient(&y, &inverse_std, &x, groups));
    }
}
