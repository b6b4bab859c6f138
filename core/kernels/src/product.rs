//! The innermost loops of matrix products: the left side is read number by number, the right side and the result are whole
//! registers: `out[row, n] (+)= sum over d of a[row, d] * b[d, n]`. Sums run over `d` in order, whatever the sizes of blocks.

use super::Real;
use super::vector::{Register, block_rows};

/// Where the two factors and the result lie; strides in numbers.
#[derive(Clone, Copy)]
pub(crate) struct Product<T> {
    pub a: *const T,
    pub a_row: usize,
    pub a_depth: usize,
    pub b: *const T,
    pub b_depth: usize,
    pub out: *mut T,
    pub out_row: usize,
    pub depth: usize,
    /// Adds to the result instead of writing it.
    pub add: bool,
}

/// The product for `rows` rows and `N` registers.
///
/// # Safety
/// Level of `V`; all addresses of the product are valid.
#[inline(always)]
pub(crate) unsafe fn rows<T: Real, V: Register<T>, const N: usize>(product: Product<T>, rows: usize) {
    let mut part = product;
    let mut left = rows;
    while left > 0 {
        let count = block_rows(left, V::SUMS / N);
        // SAFETY: `count` of the rows that are left.
        unsafe {
            match count {
                12 => block::<T, V, 12, N>(part),
                8 => block::<T, V, 8, N>(part),
                6 => block::<T, V, 6, N>(part),
                4 => block::<T, V, 4, N>(part),
                2 => block::<T, V, 2, N>(part),
                _ => block::<T, V, 1, N>(part),
            }
            part.a = part.a.add(count * part.a_row);
            part.out = part.out.add(count * part.out_row);
        }
        left -= count;
    }
}

#[inline(always)]
unsafe fn block<T: Real, V: Register<T>, const R: usize, const N: usize>(product: Product<T>) {
    // SAFETY: all addresses belong to the product.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); N]; R];
        let (mut a, mut b) = (product.a, product.b);
        for _ in 0..product.depth {
            let mut right = [V::splat(T::ZERO); N];
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
