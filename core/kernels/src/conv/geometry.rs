//! Sizes of a convolution.

/// Sizes of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images of the batch.
    pub images: usize,
    /// Channels of the images.
    pub inputs: usize,
    /// Rows of the images.
    pub height: usize,
    /// Columns of the images.
    pub width: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps between windows, by rows and columns.
    pub stride: [usize; 2],
    /// Zeros at each side, above and below, left and right.
    pub padding: [usize; 2],
    /// Rows of the result; 0 where the kernel does not fit.
    pub out_height: usize,
    /// Columns of the result.
    pub out_width: usize,
}

impl Geometry {
    /// Of images `x` and kernels `w`, given by their shapes `[image, channel, row, column]` and `[output, input, row, column]`.
    pub fn new(x: &[usize; 4], w: &[usize; 4], stride: [usize; 2], padding: [usize; 2]) -> Self {
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
    pub fn image(&self) -> usize {
        self.inputs * self.plane()
    }

    /// Elements of one input channel.
    pub fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Elements of one output channel.
    pub fn out_plane(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Elements of one output image.
    pub fn out_image(&self) -> usize {
        self.outputs * self.out_plane()
    }

    /// Weights of one output channel.
    pub fn taps(&self) -> usize {
        self.inputs * self.kernel[0] * self.kernel[1]
    }

    /// Floating point operations for one image.
    pub fn flops(&self) -> usize {
        (2 * self.out_image()).saturating_mul(self.taps())
    }

    pub(super) fn is_empty(&self) -> bool {
        [self.images, self.out_image(), self.taps(), self.plane()].contains(&0)
    }
}
