//! Small matrix products whose left side is read number by number and whose right side and result
//! are registers: `out[row, n] (+)= sum over d of a[row, d] * b[d, n]`.

use crate::kernels::vector::{Vector, block_rows};

/// Where the two factors and the result lie; strides in numbers.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    pub(super) a_depth: usize,
    pub(super) b: *const f32,
    pub(super) b_depth: usize,
    pub(super) out: *mut f32,
    pub(super) out_row: usize,
    pub(super) depth: usize,
    /// Adds to the result instead of writing it.
    pub(super) add: bool,
}

/// The product for `rows` rows and `N` registers.
///
/// # Safety
/// Level of `V`; all addresses of the product are valid.
#[inline(always)]
pub(super) unsafe fn rows<V: Vector, const N: usize>(product: Product, rows: usize) {
    let mut part = product;
    let mut left = rows;
    while left > 0 {
        let count = block_rows(left, V::SUMS / N);
        // SAFETY: `count` of the rows that are left.
        unsafe {
            match count {
                12 => block::<V, 12, N>(part),
                8 => block::<V, 8, N>(part),
                4 => block::<V, 4, N>(part),
                2 => block::<V, 2, N>(part),
                _ => block::<V, 1, N>(part),
            }
            part.a = part.a.add(count * part.a_row);
            part.out = part.out.add(count * part.out_row);
        }
        left -= count;
    }
}

#[inline(always)]
unsafe fn block<V: Vector, const R: usize, const N: usize>(product: Product) {
    // SAFETY: all addresses belong to the product.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; R];
        let (mut a, mut b) = (product.a, product.b);
        for _ in 0..product.depth {
            let mut right = [V::splat(0.0); N];
            for (n, right) in right.iter_mut().enumerate() {
                *right = V::load(b.add(n * V::LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let left = V::splat(*a.add(row * product.a_row));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = sum.add_product(left, right);
                }
            }
            a = a.add(product.a_depth);
            b = b.add(product.b_depth);
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                let out = product.out.add(row * product.out_row + n * V::LANES);
                if product.add { V::load(out).add(sum).store(out) } else { sum.store(out) }
            }
        }
    }
}
