//! Sizes of a convolution.

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
        (2 * self.out_image()).saturating_mul(self.taps())
    }

    pub(super) fn is_empty(&self) -> bool {
        [self.images, self.out_image(), self.taps(), self.plane()].contains(&0)
    }
}
