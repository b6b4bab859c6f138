//! Sparse linear maps of image planes: crop, shift, warp and resize, and their transposes.

use super::Real;
use super::buffer::{GRAIN, items_per_task};
use super::parallel::chunks;

/// Sizes of a map of image sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Channels of an image; they share a map.
    pub channels: usize,
    /// Pixels of an input plane.
    pub from: usize,
    /// Pixels of an output plane.
    pub to: usize,
    /// Terms of each output pixel.
    pub taps: usize,
}

/// `out[image, channel, p] = sum over t of weight[p, t] * x[image, channel, index[p, t]]`, where
/// `entries(image)` gives `index` and `weight`, both `[output pixel, tap]`.
pub fn apply<'a, T: Real>(x: &[T], sizes: Sizes, entries: impl Fn(usize) -> (&'a [u32], &'a [f64]) + Sync) -> Vec<T> {
    let images = x.len() / (sizes.channels * sizes.from).max(1);
    for_images(images, sizes.channels * sizes.to, sizes, entries, |image, index, weights, out| {
        let x = &x[image * sizes.channels * sizes.from..];
        for (x, out) in x.chunks(sizes.from).zip(out.chunks_mut(sizes.to)) {
            match sizes.taps {
                4 => read_four(x, index, weights, out),
                taps => {
                    let terms = index.chunks_exact(taps).zip(weights.chunks_exact(taps));
                    for (out, (index, weights)) in out.iter_mut().zip(terms) {
                        for (&index, &weight) in index.iter().zip(weights) {
                            *out += x[index as usize] * weight;
                        }
                    }
                }
            }
        }
    })
}

/// The case of bilinear maps, without an inner loop.
fn read_four<T: Real>(x: &[T], index: &[u32], weights: &[T], out: &mut [T]) {
    let terms = index.as_chunks::<4>().0.iter().zip(weights.as_chunks::<4>().0);
    for (out, (&[i, j, k, l], &[a, b, c, d])) in out.iter_mut().zip(terms) {
        *out = x[i as usize] * a + x[j as usize] * b + x[k as usize] * c + x[l as usize] * d;
    }
}

/// The transpose of [`apply`]: from output planes back to input sizes.
pub fn transpose<'a, T: Real>(
    g: &[T],
    sizes: Sizes,
    entries: impl Fn(usize) -> (&'a [u32], &'a [f64]) + Sync,
) -> Vec<T> {
    let images = g.len() / (sizes.channels * sizes.to).max(1);
    for_images(images, sizes.channels * sizes.from, sizes, entries, |image, index, weights, out| {
        let g = &g[image * sizes.channels * sizes.to..];
        for (g, out) in g.chunks(sizes.to).zip(out.chunks_mut(sizes.from)) {
            let terms = index.chunks_exact(sizes.taps).zip(weights.chunks_exact(sizes.taps));
            for (&g, (index, weights)) in g.iter().zip(terms) {
                for (&index, &weight) in index.iter().zip(weights) {
                    out[index as usize] += g * weight;
                }
            }
        }
    })
}

/// Calls `task(image, index, weights, result of the image)` for every image, the result starting as
/// zeros and the weights being converted once as long as images share them.
fn for_images<'a, T: Real>(
    images: usize,
    out_image: usize,
    sizes: Sizes,
    entries: impl Fn(usize) -> (&'a [u32], &'a [f64]) + Sync,
    task: impl Fn(usize, &[u32], &[T], &mut [T]) + Sync,
) -> Vec<T> {
    let mut out = vec![T::ZERO; images * out_image];
    let per_task = items_per_task(sizes.channels * sizes.to * sizes.taps, GRAIN);
    chunks(&mut out, per_task * out_image, |index, out| {
        let mut converted: (*const f64, Vec<T>) = (std::ptr::null(), Vec::new());
        for (i, out) in out.chunks_mut(out_image).enumerate() {
            let image = index * per_task + i;
            let (index, weights) = entries(image);
            if converted.0 != weights.as_ptr() {
                converted = (weights.as_ptr(), weights.iter().map(|&weight| T::from_f64(weight)).collect());
            }
            task(image, index, &converted.1, out);
        }
    });
    out
}
