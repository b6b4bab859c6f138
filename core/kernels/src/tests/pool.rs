use super::{assert_near, at_all_levels, numbers, wide};
use crate::Real;
use crate::pool::{average, average_gradient, max_index, plane_gather, plane_scatter_add};

type Case = ([usize; 4], [usize; 2], [usize; 2]);

const CASES: [Case; 11] = [
    ([2, 3, 8, 8], [2, 2], [2, 2]),
    ([2, 3, 7, 9], [2, 2], [2, 2]),
    ([2, 2, 28, 28], [2, 2], [2, 2]),
    ([2, 2, 5, 14], [2, 2], [2, 2]),
    ([2, 2, 7, 7], [2, 2], [2, 2]),
    ([3, 40, 32, 32], [2, 2], [2, 2]),
    ([2, 2, 7, 7], [3, 3], [2, 2]),
    ([1, 2, 6, 5], [3, 2], [1, 3]),
    ([1, 4, 4, 4], [4, 4], [4, 4]),
    ([2, 1, 1, 1], [2, 2], [2, 2]),
    ([0, 1, 4, 4], [2, 2], [2, 2]),
];

/// Calls `term(output, input)` for every element of every window.
fn terms((shape, kernel, stride): Case, mut term: impl FnMut(usize, usize)) -> usize {
    let [images, channels, height, width] = shape;
    let size =
        |size: usize, axis: usize| if size < kernel[axis] { 0 } else { (size - kernel[axis]) / stride[axis] + 1 };
    let (out_height, out_width) = (size(height, 0), size(width, 1));
    let mut out = 0;
    for plane in 0..images * channels {
        for row in 0..out_height {
            for column in 0..out_width {
                for r in 0..kernel[0] {
                    for c in 0..kernel[1] {
                        term(out, (plane * height + row * stride[0] + r) * width + column * stride[1] + c);
                    }
                }
                out += 1;
            }
        }
    }
    out
}

fn check<T: Real>(case: Case, tolerance: f64) {
    let (shape, kernel, stride) = case;
    let len: usize = shape.iter().product();
    let x: Vec<T> = numbers(len, 1);
    let wide_x = wide(&x);
    let count = (kernel[0] * kernel[1]) as f64;
    let out_len = terms(case, |_, _| ());
    let g: Vec<T> = numbers(out_len, 2);
    let (mut mean, mut gradient, mut max) = (vec![0.0; out_len], vec![0.0; len], vec![f64::NEG_INFINITY; out_len]);
    terms(case, |out, from| {
        mean[out] += wide_x[from] / count;
        gradient[from] += g[out].into() / count;
        max[out] = max[out].max(wide_x[from]);
    });
    assert_near(&average(&x, &shape, kernel, stride), &mean, tolerance);
    assert_near(&average_gradient(&g, &shape, kernel, stride), &gradient, tolerance);
    let index = max_index(&x, &shape, kernel, stride);
    let (plane, planes) = (shape[2] * shape[3], shape[0] * shape[1]);
    if out_len > 0 {
        let values = plane_gather(&x, plane, &index, out_len / planes);
        assert_eq!(wide(&values), max);
        let spread = plane_scatter_add(&g, out_len / planes, &index, plane);
        let (dot, back): (f64, f64) = (
            values.iter().zip(&g).map(|(v, g)| (*v).into() * (*g).into()).sum(),
            spread.iter().zip(&x).map(|(v, x)| (*v).into() * (*x).into()).sum(),
        );
        assert!((dot - back).abs() < tolerance * out_len as f64, "scatter is not the transpose of gather");
    }
}

#[test]
fn pooling_agrees_with_the_definition() {
    at_all_levels(|| {
        for case in CASES {
            check::<f32>(case, 1e-6);
            check::<f64>(case, 1e-14);
        }
    });
}

#[test]
fn the_first_of_equal_values_and_not_a_number_win() {
    let x = [1.0_f32, 1.0, 1.0, 1.0, 2.0, f32::NAN, 3.0, 0.0];
    assert_eq!(max_index(&x, &[2, 1, 2, 2], [2, 2], [2, 2]), [0, 1]);
}
