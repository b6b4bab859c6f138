use super::{assert_near, assert_same_bits, at_all_levels, numbers, wide};
use crate::Real;
use crate::standardize::{Channels, forward, gradient};

fn check<T: Real>(sizes: Channels, tolerance: f64) {
    let Channels { images, channels: count, plane } = sizes;
    let len = images * count * plane;
    let eps = 1e-5;
    // An offset of several standard deviations shows sums of squares that cancel.
    let x: Vec<T> = numbers(len, 1).into_iter().map(|x: T| x + T::from_f64(5.0)).collect();
    let g: Vec<T> = numbers(len, 2);
    let (wide_x, wide_g) = (wide(&x), wide(&g));
    let of = |index: usize| index / plane % count;
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

    let (got_y, got_inverse) = forward(&x, sizes, T::from_f64(eps));
    assert_near(&got_inverse, &inverse, tolerance);
    assert_near(&got_y, &y, tolerance * 4.0);
    assert_near(&gradient(&got_y, &got_inverse, &g, sizes), &expected, tolerance * 4.0);
}

#[test]
fn standardisation_agrees_with_the_definition() {
    at_all_levels(|| {
        for (images, channels, plane) in
            [(2, 3, 5), (1, 1, 70), (3, 5, 64), (4, 7, 1024), (40, 3, 1000), (2, 2, 50_000)]
        {
            let sizes = Channels { images, channels, plane };
            check::<f32>(sizes, 1e-6);
            // The reference itself adds 100,000 numbers one by one.
            check::<f64>(sizes, 1e-12);
        }
    });
}

#[test]
fn bits_do_not_depend_on_threads() {
    let x = numbers::<f32>(50 * 8 * 1024, 1);
    let sizes = Channels { images: 50, channels: 8, plane: 1024 };
    let (y, inverse_std) = forward(&x, sizes, 1e-5);
    assert_same_bits(|| forward(&x, sizes, 1e-5).0);
    assert_same_bits(|| gradient(&y, &inverse_std, &x, sizes));
}
