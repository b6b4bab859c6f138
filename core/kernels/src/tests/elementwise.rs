use super::{assert_same_bits, at_all_levels, numbers, offset, positions};
use crate::Real;
use crate::elementwise::{binary, select, unary};

fn aligned(shape: &[usize], position: &[usize]) -> usize {
    let position = &position[position.len() - shape.len()..];
    let position: Vec<usize> = position.iter().zip(shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect();
    offset(shape, &position)
}

const SHAPES: [[&[usize]; 3]; 11] = [
    [&[], &[], &[]],
    [&[7], &[7], &[7]],
    [&[2, 3, 4], &[3, 1], &[2, 3, 4]],
    [&[1, 3, 1, 1], &[2, 3, 4, 5], &[2, 3, 4, 5]],
    [&[5, 1], &[1, 6], &[5, 6]],
    [&[2, 1, 4, 1], &[3, 1, 5], &[2, 3, 4, 5]],
    [&[], &[3, 4], &[3, 4]],
    [&[6, 1], &[6, 9], &[6, 9]],
    [&[0, 3], &[1, 3], &[0, 3]],
    [&[3, 20, 33, 33], &[1, 20, 1, 1], &[3, 20, 33, 33]],
    [&[70_001], &[1], &[70_001]],
];

fn check<T: Real>() {
    for [a_shape, b_shape, out_shape] in SHAPES {
        let a: Vec<T> = numbers(a_shape.iter().product(), 1);
        let b: Vec<T> = numbers(b_shape.iter().product(), 2);
        let mask: Vec<T> = a.iter().map(|&a| if a > T::ZERO { T::ONE } else { T::ZERO }).collect();
        let places = positions(out_shape);
        let expected: Vec<T> = places.iter().map(|p| a[aligned(a_shape, p)] - b[aligned(b_shape, p)]).collect();
        assert_eq!(binary((&a, a_shape), (&b, b_shape), out_shape, |a, b| a - b), expected, "{a_shape:?} {b_shape:?}");
        let expected: Vec<T> = places
            .iter()
            .map(|p| if a[aligned(a_shape, p)] > T::ZERO { b[aligned(b_shape, p)] } else { a[aligned(a_shape, p)] })
            .collect();
        assert_eq!(select((&mask, a_shape), (&b, b_shape), (&a, a_shape), out_shape), expected);
        let expected: Vec<T> = places
            .iter()
            .map(|p| if a[aligned(a_shape, p)] > T::ZERO { b[aligned(b_shape, p)] } else { T::ONE })
            .collect();
        assert_eq!(select((&mask, a_shape), (&b, b_shape), (&[T::ONE], &[]), out_shape), expected);
        let doubled: Vec<T> = a.iter().map(|&a| a + a).collect();
        assert_eq!(unary(&a, |a| a + a), doubled);
    }
}

#[test]
fn broadcasting_follows_numpy() {
    at_all_levels(|| {
        check::<f32>();
        check::<f64>();
    });
}

#[test]
fn bits_do_not_depend_on_threads() {
    let x = numbers::<f32>(300_000, 1);
    assert_same_bits(|| unary(&x, |x| x * 3.0 + 1.0));
    assert_same_bits(|| binary((&x, &[300, 1000]), (&x[..1000], &[1000]), &[300, 1000], |a, b| a * b));
}
