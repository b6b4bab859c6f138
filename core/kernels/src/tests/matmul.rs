use super::{assert_near, assert_same_bits, at_all_levels, numbers, wide};
use crate::Real;
use crate::matmul::{Factor, Matrix, gemm_add_part, matmul};

fn check<T: Real>([batch, m, k, n]: [usize; 4], transposed: [bool; 2], tolerance: f64) {
    let (a, b): (Vec<T>, Vec<T>) = (numbers(batch * m * k, 1), numbers(batch * k * n, 2));
    let (wide_a, wide_b) = (wide(&a), wide(&b));
    let at = |[rows, columns]: [usize; 2], transposed: bool, [matrix, row, column]: [usize; 3]| {
        matrix * rows * columns + if transposed { column * rows + row } else { row * columns + column }
    };
    let mut expected = vec![0.0; batch * m * n];
    for (index, out) in expected.iter_mut().enumerate() {
        let (matrix, row, column) = (index / (m * n), index / n % m, index % n);
        for i in 0..k {
            *out += wide_a[at([m, k], transposed[0], [matrix, row, i])]
                * wide_b[at([k, n], transposed[1], [matrix, i, column])];
        }
    }
    let shape = |rows: usize, columns: usize, transposed: bool| match transposed {
        true => [batch, columns, rows],
        false => [batch, rows, columns],
    };
    let a = Factor::new(&a, &shape(m, k, transposed[0]), transposed[0]);
    let b = Factor::new(&b, &shape(k, n, transposed[1]), transposed[1]);
    assert_near(&matmul(a, b), &expected, tolerance);
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
        [1, 3, 700, 40],
    ] {
        for transposed in [[false, false], [true, false], [false, true], [true, true]] {
            at_all_levels(|| {
                check::<f32>(sizes, transposed, 1e-6);
                check::<f64>(sizes, transposed, 1e-14);
            });
        }
    }
}

#[test]
fn products_are_added_to_a_part_of_a_matrix() {
    // More terms than are summed at a time, and columns that fill no register.
    let [m, k, n, row] = [37, 300, 45, 50];
    let (a, b, before): (Vec<f64>, Vec<f64>, Vec<f64>) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * row, 3));
    at_all_levels(|| {
        let mut out = before.clone();
        gemm_add_part([m, k, n], Matrix::rows(&a, k), Matrix::rows(&b, n), &mut out, row, -1.0);
        for (index, (out, before)) in out.iter().zip(&before).enumerate() {
            let (i, j) = (index / row, index % row);
            let sum: f64 = if j < n { (0..k).map(|d| a[i * k + d] * b[d * n + j]).sum() } else { 0.0 };
            assert!((out - (before - sum)).abs() < 1e-12, "{i} {j}");
        }
    });
}

#[test]
fn bits_do_not_depend_on_threads() {
    let (a, b) = (numbers::<f32>(500 * 300, 1), numbers::<f32>(300 * 200, 2));
    assert_same_bits(|| matmul(Factor::new(&a, &[1, 500, 300], false), Factor::new(&b, &[1, 300, 200], false)));
}
