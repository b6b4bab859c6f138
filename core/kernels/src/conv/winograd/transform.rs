//! The one-dimensional transforms of F(4, 3) with points 0, 1, -1, 2, -2 and infinity (Lavin and
//! Gray, "Fast Algorithms for Convolutional Neural Networks", 2015), each lane on its own.
//!
//! A tile of outputs is `output(filter(w) * input(x))`; the gradient with respect to the weights
//! uses the transposes: `filter_transposed(input(x) * output_transposed(g))`.

use crate::vector::Vector;

/// Side of a tile in the transformed domain.
pub(super) const POINTS: usize = 6;
/// Products per tile.
pub(super) const PRODUCTS: usize = POINTS * POINTS;
/// Side of a tile of outputs.
pub(super) const TILE: usize = 4;

/// `B^T d`: six inputs.
#[inline(always)]
pub(super) unsafe fn input<V: Vector>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the caller runs at the level of `V`.
    unsafe {
        let (two, minus_two) = (V::splat(2.0), V::splat(-2.0));
        let (four, minus_four, minus_five) = (V::splat(4.0), V::splat(-4.0), V::splat(-5.0));
        let even = d[4].add_product(minus_four, d[2]);
        let odd = d[3].add_product(minus_four, d[1]);
        let even_two = d[4].sub(d[2]);
        let odd_two = d[3].sub(d[1]);
        [
            d[4].add_product(four, d[0]).add_product(minus_five, d[2]),
            even.add(odd),
            even.sub(odd),
            even_two.add_product(two, odd_two),
            even_two.add_product(minus_two, odd_two),
            d[5].add_product(four, d[1]).add_product(minus_five, d[3]),
        ]
    }
}

/// `A^T m`: four outputs.
#[inline(always)]
pub(super) unsafe fn output<V: Vector>(m: [V; 6]) -> [V; 4] {
    // SAFETY: the caller runs at the level of `V`.
    unsafe {
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum_two, difference_two) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(sum).add(sum_two),
            difference.add_product(V::splat(2.0), difference_two),
            sum.add_product(V::splat(4.0), sum_two),
            difference.add(m[5]).add_product(V::splat(8.0), difference_two),
        ]
    }
}

/// `A g`: the transpose of [`output`].
#[inline(always)]
pub(super) unsafe fn output_transposed<V: Vector>(g: [V; 4]) -> [V; 6] {
    // SAFETY: the caller runs at the level of `V`.
    unsafe {
        let (even, odd) = (g[0].add(g[2]), g[1].add(g[3]));
        let even_two = g[0].add_product(V::splat(4.0), g[2]);
        let odd_two = g[1].add_product(V::splat(4.0), g[3]);
        [
            g[0],
            even.add(odd),
            even.sub(odd),
            even_two.add_product(V::splat(2.0), odd_two),
            even_two.add_product(V::splat(-2.0), odd_two),
            g[3],
        ]
    }
}

/// `G w`: three weights.
#[inline(always)]
pub(super) unsafe fn filter<V: Vector>(w: [V; 3]) -> [V; 6] {
    // SAFETY: the caller runs at the level of `V`.
    unsafe {
        let outer = w[0].add(w[2]).mul(V::splat(-1.0 / 6.0));
        let sixth = V::splat(1.0 / 6.0);
        let outer_two = w[0].mul(V::splat(1.0 / 24.0)).add_product(sixth, w[2]);
        let twelfth = V::splat(1.0 / 12.0);
        [
            w[0].mul(V::splat(0.25)),
            outer.add_product(V::splat(-1.0 / 6.0), w[1]),
            outer.add_product(sixth, w[1]),
            outer_two.add_product(twelfth, w[1]),
            outer_two.add_product(V::splat(-1.0 / 12.0), w[1]),
            w[2],
        ]
    }
}

/// `G^T u`: the transpose of [`filter`].
#[inline(always)]
pub(super) unsafe fn filter_transposed<V: Vector>(u: [V; 6]) -> [V; 3] {
    // SAFETY: the caller runs at the level of `V`.
    unsafe {
        let (sum, difference) = (u[1].add(u[2]), u[2].sub(u[1]));
        let (sum_two, difference_two) = (u[3].add(u[4]), u[3].sub(u[4]));
        let (sixth, minus_sixth) = (V::splat(1.0 / 6.0), V::splat(-1.0 / 6.0));
        [
            u[0].mul(V::splat(0.25)).add_product(minus_sixth, sum).add_product(V::splat(1.0 / 24.0), sum_two),
            difference.mul(sixth).add_product(V::splat(1.0 / 12.0), difference_two),
            u[5].add_product(minus_sixth, sum).add_product(sixth, sum_two),
        ]
    }
}

/// Applies a one-dimensional transform to the columns and then to the rows of a square.
macro_rules! square {
    ($name:ident, $transform:ident, $from:literal, $to:literal) => {
        #[inline(always)]
        pub(super) unsafe fn $name<V: Vector>(tile: &[[V; $from]; $from]) -> [[V; $to]; $to] {
            // SAFETY: the caller runs at the level of `V`.
            unsafe {
                let mut half = [[V::splat(0.0); $from]; $to];
                for column in 0..$from {
                    let mut values = [V::splat(0.0); $from];
                    for row in 0..$from {
                        values[row] = tile[row][column];
                    }
                    let values = $transform(values);
                    for row in 0..$to {
                        half[row][column] = values[row];
                    }
                }
                let mut done = [[V::splat(0.0); $to]; $to];
                for row in 0..$to {
                    done[row] = $transform(half[row]);
                }
                done
            }
        }
    };
}

square!(input_square, input, 6, 6);
square!(output_square, output, 6, 4);
square!(output_transposed_square, output_transposed, 4, 6);
square!(filter_square, filter, 3, 6);
square!(filter_transposed_square, filter_transposed, 6, 3);
