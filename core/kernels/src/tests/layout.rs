use super::{at_all_levels, numbers, offset, positions};
use crate::layout::{broadcast_to, concat, embed, flip, gather, permute, scatter_add, slice};

/// `out[position] = x[from(position)]`, or zero.
fn expect(x: &[f32], shape: &[usize], out_shape: &[usize], from: impl Fn(&[usize]) -> Option<Vec<usize>>) -> Vec<f32> {
    positions(out_shape).iter().map(|p| from(p).map_or(0.0, |p| x[offset(shape, &p)])).collect()
}

#[test]
fn permutation_moves_axes() {
    at_all_levels(|| {
        let cases: [(&[usize], &[usize]); 9] = [
            (&[3, 4], &[1, 0]),
            (&[2, 3, 4, 5], &[0, 2, 3, 1]),
            (&[2, 3, 4, 5], &[3, 1, 0, 2]),
            (&[2, 3, 4], &[0, 1, 2]),
            (&[1, 5, 1, 6], &[3, 2, 1, 0]),
            (&[70, 300], &[1, 0]),
            (&[5, 33, 37], &[0, 2, 1]),
            (&[3, 0, 2], &[2, 1, 0]),
            (&[40, 3, 5, 100], &[1, 0, 2, 3]),
        ];
        for (shape, permutation) in cases {
            let x = numbers(shape.iter().product(), 1);
            let out_shape: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
            let expected = expect(&x, shape, &out_shape, |p| {
                let mut from = vec![0; p.len()];
                for (i, &axis) in permutation.iter().enumerate() {
                    from[axis] = p[i];
                }
                Some(from)
            });
            assert_eq!(permute(&x, shape, permutation), expected, "{shape:?} {permutation:?}");
        }
    });
}

#[test]
fn broadcasting_repeats() {
    let cases: [(&[usize], &[usize]); 5] =
        [(&[3], &[2, 3]), (&[2, 1], &[2, 4]), (&[], &[3, 2]), (&[1, 3, 1, 2], &[2, 3, 4, 2]), (&[1], &[0])];
    for (shape, to) in cases {
        let x = numbers(shape.iter().product(), 1);
        let expected = expect(&x, shape, to, |p| {
            let p = &p[p.len() - shape.len()..];
            Some(p.iter().zip(shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect())
        });
        assert_eq!(broadcast_to(&x, shape, to), expected, "{shape:?} {to:?}");
    }
}

#[test]
fn slices_take_every_step_th_position() {
    let shape = [3, 7, 4];
    let x = numbers(84, 1);
    for (axis, start, end, step) in
        [(0, 1, 3_usize, 1), (1, 1, 6, 2), (2, 0, 4, 3), (1, 2, 2, 1), (2, 1, 3, 1), (1, 0, 7, 3)]
    {
        let mut out_shape = shape;
        out_shape[axis] = (end - start).div_ceil(step);
        let expected = expect(&x, &shape, &out_shape, |p| {
            let mut p = p.to_vec();
            p[axis] = start + p[axis] * step;
            Some(p)
        });
        assert_eq!(slice(&x, &shape, axis, [start, end, step]), expected, "{axis} {start}..{end} by {step}");
    }
}

#[test]
fn padding_surrounds_with_zeros() {
    let shape = [2, 3, 4];
    let x = numbers(24, 1);
    for padding in [[(0, 0), (1, 2), (3, 0)], [(1, 0), (0, 0), (0, 1)], [(0, 0); 3]] {
        let out_shape: Vec<usize> = shape.iter().zip(padding).map(|(size, (a, b))| size + a + b).collect();
        let expected = expect(&x, &shape, &out_shape, |p| {
            p.iter()
                .zip(padding.iter().zip(&shape))
                .map(|(&i, (&(before, _), &size))| i.checked_sub(before).filter(|&i| i < size))
                .collect()
        });
        let before = padding.map(|(before, _)| before);
        assert_eq!(embed(&x, &shape, &out_shape, &before, &[1; 3]), expected, "{padding:?}");
    }
}

#[test]
fn embedding_with_steps_is_undone_by_a_slice() {
    let x = numbers::<f32>(2 * 3 * 4, 1);
    for (axis, start, step, size) in [(0, 1, 3, 6), (1, 0, 2, 5), (2, 2, 2, 9), (2, 0, 1, 4)] {
        let (mut to, mut starts, mut steps) = ([2, 3, 4], [0; 3], [1; 3]);
        let end = start + (to[axis] - 1) * step + 1;
        (to[axis], starts[axis], steps[axis]) = (size, start, step);
        let all = embed(&x, &[2, 3, 4], &to, &starts, &steps);
        assert_eq!(slice(&all, &to, axis, [start, end, step]), x);
        assert_eq!(all.iter().filter(|v| **v != 0.0).count(), x.len());
    }
}

#[test]
fn flips_reverse_axes() {
    let shape = [2, 3, 5];
    let x = numbers(30, 1);
    for axes in [&[2_usize][..], &[0], &[1, 2], &[0, 1, 2], &[]] {
        let expected = expect(&x, &shape, &shape, |p| {
            Some(
                p.iter()
                    .enumerate()
                    .map(|(axis, &i)| if axes.contains(&axis) { shape[axis] - 1 - i } else { i })
                    .collect(),
            )
        });
        assert_eq!(flip(&x, &shape, axes), expected, "{axes:?}");
    }
}

#[test]
fn concatenation_is_undone_by_slices() {
    let (a, b) = (numbers::<f32>(2 * 3 * 4, 1), numbers::<f32>(2 * 5 * 4, 2));
    let joined = concat(&[(&a, &[2, 3, 4]), (&b, &[2, 5, 4])], 1);
    assert_eq!(slice(&joined, &[2, 8, 4], 1, [0, 3, 1]), a);
    assert_eq!(slice(&joined, &[2, 8, 4], 1, [3, 8, 1]), b);
    let single = [1.0_f32];
    assert_eq!(concat(&[(&single, &[1]), (&[], &[0]), (&single, &[1])], 0), [1.0, 1.0]);
}

#[test]
fn gather_and_scatter_add_are_transposes() {
    let rows = [4, 0, 4, 2];
    for axis in 0..3 {
        let mut shape = [3, 4, 2];
        shape[axis] = 5;
        let x = numbers::<f32>(shape.iter().product(), 1);
        let mut out_shape = shape;
        out_shape[axis] = rows.len();
        let gathered = gather(&x, &shape, axis, &rows);
        let expected = expect(&x, &shape, &out_shape, |p| {
            let mut p = p.to_vec();
            p[axis] = rows[p[axis]] as usize;
            Some(p)
        });
        assert_eq!(gathered, expected);
        let back = scatter_add(&gathered, &out_shape, axis, &rows, 5);
        let mut expected = vec![0.0; x.len()];
        for p in positions(&out_shape) {
            let mut to = p.clone();
            to[axis] = rows[p[axis]] as usize;
            expected[offset(&shape, &to)] += gathered[offset(&out_shape, &p)];
        }
        assert_eq!(back, expected);
    }
}
