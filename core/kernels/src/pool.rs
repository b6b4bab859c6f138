//! Average and maximum pooling. Rows and columns that do not fill a last window are dropped.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{GRAIN, assume_init, build, items_per_task};
use super::parallel::chunks;
use super::simd::{Kernel, dispatch};

/// Planes, window and step of a pooling.
#[derive(Clone, Copy)]
pub(super) struct Window {
    height: usize,
    width: usize,
    out_height: usize,
    out_width: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
}

impl Window {
    fn new(shape: &[usize; 4], kernel: [usize; 2], stride: [usize; 2]) -> Self {
        let [_, _, height, width] = *shape;
        let out = |size: usize, axis: usize| size.checked_sub(kernel[axis]).map_or(0, |room| room / stride[axis] + 1);
        Self { height, width, out_height: out(height, 0), out_width: out(width, 1), kernel, stride }
    }

    /// Windows of 2x2 numbers that lie side by side.
    #[inline(always)]
    pub(super) fn halving(height: usize, width: usize) -> Self {
        let (out_height, out_width) = (height / 2, width / 2);
        Self { height, width, out_height, out_width, kernel: [2, 2], stride: [2, 2] }
    }

    fn plane(&self) -> usize {
        self.height * self.width
    }

    fn out_plane(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Windows that lie side by side, two by two: the only shape with a loop of its own.
    fn is_halving(&self) -> bool {
        self.kernel == [2, 2] && self.stride == [2, 2]
    }
}

/// Mean of every window: `[image, channel, row, column]` to `[image, channel, window row, window column]`.
pub fn average<T: Real>(x: &[T], shape: &[usize; 4], kernel: [usize; 2], stride: [usize; 2]) -> Vec<T> {
    let window = Window::new(shape, kernel, stride);
    let planes = shape[0] * shape[1];
    let per_task = items_per_task(window.plane(), GRAIN);
    // SAFETY: the chunks cover the result in whole planes, and `Average` fills its planes.
    unsafe {
        build(planes * window.out_plane(), |out| {
            chunks(out, per_task * window.out_plane(), |index, out| {
                let x = &x[index * per_task * window.plane()..];
                dispatch(Average { x, out, window });
            });
        })
    }
}

struct Average<'a, T> {
    x: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    window: Window,
}

impl<T: Real> Kernel for Average<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { x, out, window } = self;
        let [kh, kw] = window.kernel;
        let [sh, sw] = window.stride;
        let scale = T::ONE / T::from_usize(kh * kw);
        let planes = x.chunks(window.plane()).zip(out.chunks_mut(window.out_plane()));
        for (x, out) in planes {
            if window.is_halving() {
                halve(x, out, window);
                continue;
            }
            for (row, out) in out.chunks_mut(window.out_width).enumerate() {
                let x = &x[row * sh * window.width..];
                for (column, out) in out.iter_mut().enumerate() {
                    let mut sum = T::ZERO;
                    for r in 0..kh {
                        for &x in &x[r * window.width + column * sw..][..kw] {
                            sum += x;
                        }
                    }
                    out.write(sum * scale);
                }
            }
        }
    }
}

/// Means of the 2x2 windows of one plane.
#[inline(always)]
pub(super) fn halve<T: Real>(x: &[T], out: &mut [MaybeUninit<T>], window: Window) {
    let quarter = T::from_f64(0.25);
    for (row, out) in out.chunks_mut(window.out_width).enumerate() {
        let x = &x[2 * row * window.width..];
        let (top, bottom) = (&x[..window.width], &x[window.width..][..window.width]);
        for ((out, top), bottom) in out.iter_mut().zip(top.chunks_exact(2)).zip(bottom.chunks_exact(2)) {
            out.write((top[0] + top[1] + (bottom[0] + bottom[1])) * quarter);
        }
    }
}

/// Gradient of [`average`] with respect to its input, of shape `x_shape`.
pub fn average_gradient<T: Real>(g: &[T], x_shape: &[usize; 4], kernel: [usize; 2], stride: [usize; 2]) -> Vec<T> {
    let window = Window::new(x_shape, kernel, stride);
    let planes = x_shape[0] * x_shape[1];
    let per_task = items_per_task(window.plane(), GRAIN);
    // SAFETY: the chunks cover the result in whole planes, and `AverageGradient` fills its planes.
    unsafe {
        build(planes * window.plane(), |out| {
            chunks(out, per_task * window.plane(), |index, out| {
                let g = &g[index * per_task * window.out_plane()..];
                dispatch(AverageGradient { g, out, window });
            });
        })
    }
}

struct AverageGradient<'a, T> {
    g: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    window: Window,
}

impl<T: Real> Kernel for AverageGradient<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { g, out, window } = self;
        let [kh, kw] = window.kernel;
        let [sh, sw] = window.stride;
        let scale = T::ONE / T::from_usize(kh * kw);
        for (plane, out) in out.chunks_mut(window.plane()).enumerate() {
            let g = &g[plane * window.out_plane()..][..window.out_plane()];
            if window.is_halving() {
                halving_gradient(g, out, window);
                continue;
            }
            for out in out.iter_mut() {
                out.write(T::ZERO);
            }
            // SAFETY: the loop above has written every element.
            let out = unsafe { assume_init(out) };
            for (index, &g) in g.iter().enumerate() {
                let (row, column) = (index / window.out_width * sh, index % window.out_width * sw);
                for r in row..row + kh {
                    for out in &mut out[r * window.width + column..][..kw] {
                        *out += g * scale;
                    }
                }
            }
        }
    }
}

/// A quarter of every gradient goes to each of its window's elements of one plane; rows and columns outside all windows get zero.
#[inline(always)]
pub(super) fn halving_gradient<T: Real>(g: &[T], out: &mut [MaybeUninit<T>], window: Window) {
    // Rows that are not made of whole registers are faster when the compiler knows their length: those of 28x28 and 8x8 images.
    match window.width {
        28 => halving_gradient_of::<T, 28, 14>(g, out),
        14 => halving_gradient_of::<T, 14, 7>(g, out),
        8 => halving_gradient_of::<T, 8, 4>(g, out),
        7 => halving_gradient_of::<T, 7, 3>(g, out),
        _ => halving_gradient_of_any(g, out, window),
    }
}

#[inline(always)]
fn halving_gradient_of<T: Real, const WIDTH: usize, const OUT: usize>(g: &[T], out: &mut [MaybeUninit<T>]) {
    let quarter = T::from_f64(0.25);
    let (pairs, rest) = out.as_chunks_mut::<WIDTH>().0.as_chunks_mut::<2>();
    for (pair, g) in pairs.iter_mut().zip(g.as_chunks::<OUT>().0) {
        let mut row = [MaybeUninit::new(T::ZERO); WIDTH];
        for (out, &g) in row.as_chunks_mut::<2>().0.iter_mut().zip(g) {
            *out = [MaybeUninit::new(g * quarter); 2];
        }
        *pair = [row; 2];
    }
    for out in rest.as_flattened_mut() {
        out.write(T::ZERO);
    }
}

#[inline(always)]
fn halving_gradient_of_any<T: Real>(g: &[T], out: &mut [MaybeUninit<T>], window: Window) {
    let quarter = T::from_f64(0.25);
    for (row, out) in out.chunks_mut(window.width).enumerate() {
        if row / 2 >= window.out_height {
            for out in out {
                out.write(T::ZERO);
            }
            continue;
        }
        let g = &g[row / 2 * window.out_width..][..window.out_width];
        for (out, &g) in out.chunks_exact_mut(2).zip(g) {
            let value = g * quarter;
            out[0].write(value);
            out[1].write(value);
        }
        if let [last] = out.chunks_exact_mut(2).into_remainder() {
            last.write(T::ZERO);
        }
    }
}

/// Where the maximum of every window is: `row * width + column` within the plane of `x`. The first of equal values counts;
/// not-a-number counts as largest.
pub fn max_index<T: Real>(x: &[T], shape: &[usize; 4], kernel: [usize; 2], stride: [usize; 2]) -> Vec<i64> {
    let window = Window::new(shape, kernel, stride);
    let per_task = items_per_task(window.plane(), GRAIN);
    // SAFETY: the chunks cover the result in whole planes, and `Max` fills its planes.
    unsafe {
        build(shape[0] * shape[1] * window.out_plane(), |indices| {
            chunks(indices, per_task * window.out_plane(), |index, indices| {
                let x = &x[index * per_task * window.plane()..];
                dispatch(Max { x, indices, window });
            });
        })
    }
}

struct Max<'a, T> {
    x: &'a [T],
    indices: &'a mut [MaybeUninit<i64>],
    window: Window,
}

impl<T: Real> Kernel for Max<'_, T> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "a plane is far below 2^63 elements")]
    fn run(self) {
        let Self { x, indices, window } = self;
        for (row, indices) in indices.chunks_mut(window.out_width).enumerate() {
            let top = row % window.out_height * window.stride[0];
            let x = &x[row / window.out_height * window.plane() + top * window.width..];
            let first = top * window.width;
            if window.is_halving() {
                let (above, below) = (&x[..window.width], &x[window.width..][..window.width]);
                let squares = above.chunks_exact(2).zip(below.chunks_exact(2));
                for (column, ((above, below), index)) in squares.zip(indices).enumerate() {
                    let start = (first + 2 * column) as i64;
                    let width = window.width as i64;
                    let upper = larger((above[0], start), (above[1], start + 1));
                    let lower = larger((below[0], start + width), (below[1], start + width + 1));
                    index.write(larger(upper, lower).1);
                }
                continue;
            }
            for (column, index) in indices.iter_mut().enumerate() {
                let left = column * window.stride[1];
                let mut best = (x[left], (first + left) as i64);
                for r in 0..window.kernel[0] {
                    for c in left..left + window.kernel[1] {
                        let here = r * window.width + c;
                        best = larger(best, (x[here], (first + here) as i64));
                    }
                }
                index.write(best.1);
            }
        }
    }
}

/// The larger value with its place; the first of equal ones, and of several that are not numbers.
#[inline(always)]
#[expect(clippy::eq_op, reason = "x != x is the test for not-a-number")]
fn larger<T: Real>(first: (T, i64), second: (T, i64)) -> (T, i64) {
    let better = (second.0 > first.0) | ((second.0 != second.0) & (first.0 == first.0));
    (if better { second.0 } else { first.0 }, if better { second.1 } else { first.1 })
}

/// Picks elements of planes: `out[p, i] = x[p, index[p, i]]`, with `index` from [`max_index`].
pub fn plane_gather<T: Real>(x: &[T], plane: usize, index: &[i64], out_plane: usize) -> Vec<T> {
    let mut out = vec![T::ZERO; index.len()];
    let per_task = items_per_task(plane, GRAIN);
    chunks(&mut out, per_task * out_plane, |task, out| {
        for (i, out) in out.chunks_mut(out_plane).enumerate() {
            let p = task * per_task + i;
            let x = &x[p * plane..][..plane];
            for (out, &from) in out.iter_mut().zip(&index[p * out_plane..]) {
                *out = x[position(from)];
            }
        }
    });
    out
}

/// The transpose of [`plane_gather`]: `out[p, index[p, i]] += g[p, i]` over planes of zeros. It is
/// the gradient of maximum pooling.
pub fn plane_scatter_add<T: Real>(g: &[T], out_plane: usize, index: &[i64], plane: usize) -> Vec<T> {
    if out_plane == 0 {
        return Vec::new();
    }
    let mut out = vec![T::ZERO; g.len() / out_plane * plane];
    let per_task = items_per_task(plane, GRAIN);
    chunks(&mut out, per_task * plane, |task, out| {
        for (i, out) in out.chunks_mut(plane).enumerate() {
            let from = (task * per_task + i) * out_plane;
            for (&g, &to) in g[from..][..out_plane].iter().zip(&index[from..]) {
                out[position(to)] += g;
            }
        }
    });
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "indices come from max_index")]
fn position(index: i64) -> usize {
    index as usize
}
