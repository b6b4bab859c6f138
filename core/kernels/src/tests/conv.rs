use super::{assert_near, assert_same_bits, at_all_levels, numbers, wide};
use crate::Real;
use crate::conv::{Geometry, forward, input_gradient, weight_gradient};

struct Case {
    x: [usize; 4],
    w: [usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
}

const fn case(x: [usize; 4], w: [usize; 4], stride: [usize; 2], padding: [usize; 2]) -> Case {
    Case { x, w, stride, padding }
}

/// Odd sizes of everything; then the network's shapes, small and with tails.
const CASES: [Case; 19] = [
    case([2, 3, 7, 9], [4, 3, 3, 3], [1, 1], [1, 1]),
    case([3, 5, 6, 5], [7, 5, 3, 3], [1, 1], [0, 0]),
    case([2, 2, 11, 8], [3, 2, 5, 3], [2, 3], [2, 1]),
    case([1, 4, 5, 5], [2, 4, 1, 1], [1, 1], [0, 0]),
    case([2, 4, 9, 9], [6, 4, 1, 1], [2, 2], [0, 0]),
    case([2, 3, 8, 8], [5, 3, 3, 3], [2, 2], [1, 1]),
    case([1, 1, 4, 4], [1, 1, 7, 7], [1, 1], [3, 3]),
    case([2, 3, 4, 4], [2, 3, 3, 3], [1, 1], [3, 3]),
    case([5, 1, 28, 28], [16, 1, 3, 3], [1, 1], [3, 3]),
    case([3, 3, 32, 32], [32, 3, 3, 3], [1, 1], [1, 1]),
    case([2, 3, 32, 32], [17, 3, 3, 3], [1, 1], [1, 1]),
    case([3, 16, 16, 16], [16, 16, 3, 3], [1, 1], [1, 1]),
    case([5, 32, 8, 8], [32, 32, 3, 3], [1, 1], [1, 1]),
    case([2, 32, 17, 15], [48, 32, 3, 3], [1, 1], [1, 1]),
    case([9, 33, 7, 7], [31, 33, 3, 3], [1, 1], [1, 1]),
    case([1, 128, 16, 16], [128, 128, 3, 3], [1, 1], [1, 1]),
    case([7, 64, 4, 4], [64, 64, 3, 3], [1, 1], [1, 1]),
    case([2, 16, 9, 8], [20, 16, 3, 3], [1, 1], [0, 2]),
    case([2, 24, 1, 1], [24, 24, 3, 3], [1, 1], [1, 1]),
];

impl Case {
    fn geometry(&self) -> Geometry {
        Geometry::new(&self.x, &self.w, self.stride, self.padding)
    }

    fn g(&self) -> [usize; 4] {
        let geometry = self.geometry();
        [self.x[0], self.w[0], geometry.out_height, geometry.out_width]
    }

    /// Calls `term(index into x, into w, into the result)` for every product of the definition.
    fn terms(&self, mut term: impl FnMut(usize, usize, usize)) {
        let ([images, inputs, height, width], [outputs, _, kh, kw]) = (self.x, self.w);
        let [_, _, out_height, out_width] = self.g();
        for n in 0..images {
            for o in 0..outputs {
                for r in 0..out_height {
                    for c in 0..out_width {
                        let out = ((n * outputs + o) * out_height + r) * out_width + c;
                        for i in 0..inputs {
                            for kr in 0..kh {
                                for kc in 0..kw {
                                    let row = (r * self.stride[0] + kr).wrapping_sub(self.padding[0]);
                                    let column = (c * self.stride[1] + kc).wrapping_sub(self.padding[1]);
                                    if row < height && column < width {
                                        let x = ((n * inputs + i) * height + row) * width + column;
                                        term(x, ((o * inputs + i) * kh + kr) * kw + kc, out);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn check<T: Real>(&self, tolerance: f64) {
        let g_shape = self.g();
        let x: Vec<T> = numbers(self.x.iter().product(), 1);
        let w: Vec<T> = numbers(self.w.iter().product(), 2);
        let g: Vec<T> = numbers(g_shape.iter().product(), 3);
        let bias: Vec<T> = numbers(self.w[0], 4);
        let (wide_x, wide_w, wide_g) = (wide(&x), wide(&w), wide(&g));
        let mut out = vec![0.0; g.len()];
        let mut x_gradient = vec![0.0; x.len()];
        let mut w_gradient = vec![0.0; w.len()];
        self.terms(|i, j, k| {
            out[k] += wide_x[i] * wide_w[j];
            x_gradient[i] += wide_g[k] * wide_w[j];
            w_gradient[j] += wide_g[k] * wide_x[i];
        });
        let geometry = Geometry::new(&self.x, &self.w, self.stride, self.padding);
        assert_near(&forward(&x, &w, None, &geometry), &out, tolerance);
        let plane = g_shape[2] * g_shape[3];
        for (index, out) in out.iter_mut().enumerate() {
            *out += bias[index / plane % self.w[0]].into();
        }
        assert_near(&forward(&x, &w, Some(&bias), &geometry), &out, tolerance);
        assert_near(&input_gradient(&g, &w, &geometry), &x_gradient, tolerance);
        assert_near(&weight_gradient(&x, &g, &geometry), &w_gradient, tolerance);
    }
}

/// Winograd F(4x4, 3x3) multiplies rounding errors by about ten: its transforms subtract numbers
/// that are several times larger than the result. Direct sums stay below 1e-6.
const F32_TOLERANCE: f64 = 2e-5;

#[test]
fn single_precision_agrees_with_the_definition() {
    at_all_levels(|| CASES.iter().for_each(|case| case.check::<f32>(F32_TOLERANCE)));
}

#[test]
fn double_precision_agrees_with_the_definition() {
    at_all_levels(|| CASES.iter().for_each(|case| case.check::<f64>(1e-13)));
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (x, w, padding) in [
        ([37, 32, 16, 16], [32, 32, 3, 3], [1, 1]),
        ([41, 3, 32, 32], [32, 3, 3, 3], [1, 1]),
        ([41, 1, 28, 28], [16, 1, 3, 3], [3, 3]),
        ([11, 8, 16, 16], [8, 8, 5, 5], [2, 2]),
    ] {
        let case = Case { x, w, stride: [1, 1], padding };
        let g_shape = case.g();
        let (values, weights) = (numbers::<f32>(x.iter().product(), 1), numbers::<f32>(w.iter().product(), 2));
        let g = numbers::<f32>(g_shape.iter().product(), 3);
        let geometry = Geometry::new(&x, &w, [1, 1], padding);
        assert_same_bits(|| forward(&values, &weights, None, &geometry));
        assert_same_bits(|| input_gradient(&g, &weights, &geometry));
        assert_same_bits(|| weight_gradient(&values, &g, &geometry));
    }
}

#[test]
fn an_empty_batch_gives_empty_results_and_zero_weight_gradients() {
    let geometry = Geometry::new(&[0, 3, 8, 8], &[4, 3, 3, 3], [1, 1], [1, 1]);
    let weights = numbers::<f32>(4 * 27, 1);
    assert!(forward(&[], &weights, None, &geometry).is_empty());
    assert!(input_gradient(&[], &weights, &geometry).is_empty());
    assert_eq!(weight_gradient::<f32>(&[], &[], &geometry), vec![0.0; 4 * 27]);
}
