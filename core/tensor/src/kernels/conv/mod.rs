//! Two-dimensional convolution (cross-correlation, as in every framework) and its two gradients.
//!
//! `x` is `[image, in, row, column]`, `w` is `[out, in, kernel row, kernel column]`, `g` and the
//! result are `[image, out, row, column]`; zeros around the input.

mod direct;
mod fast;
mod im2col;
mod winograd;

pub(crate) use fast::Fast;

use super::Real;

/// Sizes of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) images: usize,
    pub(crate) inputs: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) out_height: usize,
    pub(crate) out_width: usize,
}

impl Geometry {
    pub(crate) fn new(x: &[usize; 4], w: &[usize; 4], stride: [usize; 2], padding: [usize; 2]) -> Self {
        let [images, inputs, height, width] = *x;
        let out = |size: usize, axis: usize| {
            (size + 2 * padding[axis]).checked_sub(w[2 + axis]).map_or(0, |room| room / stride[axis] + 1)
        };
        Self {
            images,
            inputs,
            height,
            width,
            outputs: w[0],
            kernel: [w[2], w[3]],
            stride,
            padding,
            out_height: out(height, 0),
            out_width: out(width, 1),
        }
    }

    /// Elements of one input image.
    pub(crate) fn image(&self) -> usize {
        self.inputs * self.plane()
    }

    /// Elements of one input channel.
    pub(crate) fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Elements of one output channel.
    pub(crate) fn out_plane(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Elements of one output image.
    pub(crate) fn out_image(&self) -> usize {
        self.outputs * self.out_plane()
    }

    /// Weights of one output channel.
    pub(crate) fn taps(&self) -> usize {
        self.inputs * self.kernel[0] * self.kernel[1]
    }

    /// Floating point operations for one image.
    pub(crate) fn flops(&self) -> usize {
        2 * self.taps() * self.out_image()
    }

    fn is_empty(&self) -> bool {
        self.images * self.out_image() * self.taps() * self.plane() == 0
    }
}

/// The convolution of `x` with `w`, plus `bias[out]`.
#[expect(clippy::too_many_arguments, reason = "tensors with their shapes")]
pub(crate) fn forward<T: Real>(
    x: &[T],
    x_shape: &[usize; 4],
    w: &[T],
    w_shape: &[usize; 4],
    bias: Option<&[T]>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Vec<T> {
    let geometry = Geometry::new(x_shape, w_shape, stride, padding);
    if geometry.is_empty() {
        let len = geometry.images * geometry.out_image();
        let plane = geometry.out_plane().max(1);
        return (0..len).map(|i| bias.map_or(T::ZERO, |bias| bias[i / plane % geometry.outputs])).collect();
    }
    T::forward(x, w, bias, &geometry).unwrap_or_else(|| im2col::forward(x, w, bias, &geometry))
}

/// Gradient with respect to the input, of shape `x_shape`.
#[expect(clippy::too_many_arguments, reason = "tensors with their shapes")]
pub(crate) fn input_gradient<T: Real>(
    g: &[T],
    g_shape: &[usize; 4],
    w: &[T],
    w_shape: &[usize; 4],
    x_shape: &[usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Vec<T> {
    let geometry = Geometry::new(x_shape, w_shape, stride, padding);
    debug_assert_eq!([geometry.out_height, geometry.out_width], g_shape[2..]);
    if geometry.is_empty() {
        return vec![T::ZERO; geometry.images * geometry.image()];
    }
    T::input_gradient(g, w, &geometry).unwrap_or_else(|| im2col::input_gradient(g, w, &geometry))
}

/// Gradient with respect to the weights, of shape `w_shape`.
#[expect(clippy::too_many_arguments, reason = "tensors with their shapes")]
pub(crate) fn weight_gradient<T: Real>(
    x: &[T],
    x_shape: &[usize; 4],
    g: &[T],
    g_shape: &[usize; 4],
    w_shape: &[usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Vec<T> {
    let geometry = Geometry::new(x_shape, w_shape, stride, padding);
    debug_assert_eq!([geometry.out_height, geometry.out_width], g_shape[2..]);
    if geometry.is_empty() {
        return vec![T::ZERO; geometry.outputs * geometry.taps()];
    }
    T::weight_gradient(x, g, &geometry).unwrap_or_else(|| im2col::weight_gradient(x, g, &geometry))
}
