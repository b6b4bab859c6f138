use super::{assert_near, assert_same_bits, numbers, wide};
use crate::kernels::Real;
use crate::kernels::matmul::{Layout, matmul};

const fn rows(batch_stride: usize, columns: usize) -> Layout {
    Layout { batch_stride, row_stride: columns, column_stride: 1 }
}

const fn columns(batch_stride: usize, rows: usize) -> Layout {
    Layout { batch_stride, row_stride: 1, column_stride: rows }
}

fn check<T: Real>(sizes: [usize; 4], a_layout: Layout, b_layout: Layout, tolerance: f64) {
    let [batch, m, k, n] = sizes;
    let a: Vec<T> = numbers(batch * m * k, 1);
    let b: Vec<T> = numbers(batch * k * n, 2);
    let (wide_a, wide_b) = (wide(&a), wide(&b));
    let mut expected = vec![0.0; batch * m * n];
    for (index, out) in expected.iter_mut().enumerate() {
        let (matrix, row, column) = (index / (m * n), index / n % m, index % n);
        for i in 0..k {
            *out += wide_a[matrix * a_layout.batch_stride + row * a_layout.row_stride + i * a_layout.column_stride]
                * wide_b[matrix * b_layout.batch_stride + i * b_layout.row_stride + column * b_layout.column_stride];
        }
    }
    assert_near(&matmul(batch, m, k, n, &a, a_layout, &b, b_layout), &expected, tolerance);
}

#[test]
fn products_agree_with_the_definition_in_every_layout() {
    for sizes in [
        [1, 1, 1, 1],
        [1, 3, 5, 7],
        [3, 17, 4, 9],
        [1, 130, 70, 33],
        [2, 200, 64, 130],
        [9, 40, 40, 40],
        [1, 300, 200, 250],
        [1, 5, 0, 3],
    ] {
        let [_, m, k, n] = sizes;
        for a_layout in [rows(m * k, k), columns(m * k, m), rows(0, k)] {
            for b_layout in [rows(k * n, n), columns(k * n, k), columns(0, k)] {
                check::<f32>(sizes, a_layout, b_layout, 1e-6);
                check::<f64>(sizes, a_layout, b_layout, 1e-14);
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let (a, b) = (numbers::<f32>(500 * 300, 1), numbers::<f32>(300 * 200, 2));
    assert_same_bits(|| matmul(1, 500, 300, 200, &a, rows(0, 300), &b, rows(0, 200)));
}
