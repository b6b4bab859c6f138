//! Convolutions that are composed of the one with a kernel of its own: grouped, dilated, transposed.

use crate::Tensor;
use crate::error::{Result, shape_error};
use crate::op::{Conv2d, Op};
use crate::tensor::apply;

/// How the kernel of a grouped and dilated convolution moves; the words are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupedConv2d {
    /// Steps and zeros.
    pub conv: Conv2d,
    /// Distance of neighbouring elements of the kernel in rows and columns.
    pub dilation: [usize; 2],
    /// Parts of equal size that the channels are cut into; each part of the result sees only its own.
    pub groups: usize,
}

impl Default for GroupedConv2d {
    fn default() -> Self {
        Self { conv: Conv2d::default(), dilation: [1, 1], groups: 1 }
    }
}

/// Grouped, dilated and transposed convolutions.
impl Tensor {
    /// As [`conv2d`](Self::conv2d) with groups and dilation: `x: [image, channel, row, column]`,
    /// `weight: [out, channel / groups, row, column]`, `bias: [out]`. Each group is a convolution of its own.
    ///
    /// # Errors
    /// When shapes do not fit, the groups do not divide the channels, or a number is 0 that must not be.
    pub fn conv2d_grouped(&self, weight: &Self, bias: Option<&Self>, how: GroupedConv2d) -> Result<Self> {
        const OP: &str = "conv2d";
        let parts = grouped(OP, self, &dilated(OP, weight, how.dilation)?, how.groups)?;
        let parts = parts.iter().map(|(x, w)| x.conv2d(w, None, how.conv)).collect::<Result<Vec<_>>>()?;
        plus_bias(OP, &Self::concat(&parts, 1)?, bias)
    }

    /// The transpose of the linear map that [`conv2d_grouped`](Self::conv2d_grouped) is with these numbers, plus a bias:
    /// `x: [image, channel, row, column]`, `weight: [channel, out / groups, row, column]`, `bias: [out]`. A side of the result is
    /// `(side - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding`.
    ///
    /// # Errors
    /// When shapes do not fit, the groups do not divide the channels, a number is 0 that must not be, or the output padding is not
    /// below the stride.
    pub fn conv_transpose2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        how: GroupedConv2d,
        output_padding: [usize; 2],
    ) -> Result<Self> {
        const OP: &str = "conv_transpose2d";
        let kernel = dilated(OP, weight, how.dilation)?;
        let parts = grouped(OP, self, &kernel, how.groups)?;
        let shapes = [self.shape(), kernel.shape()];
        let Conv2d { stride, padding } = how.conv;
        let mut size = [0; 2];
        for side in [0, 1] {
            if output_padding[side] >= stride[side] {
                let rule = format!("output padding {output_padding:?} must be below stride {stride:?}");
                return shape_error(OP, &shapes, rule);
            }
            let steps = self.shape()[2 + side].saturating_sub(1).saturating_mul(stride[side]);
            let full = steps.saturating_add(kernel.shape()[2 + side]).saturating_add(output_padding[side]);
            size[side] = full.saturating_sub(padding[side].saturating_mul(2));
            if size[side] == 0 {
                return shape_error(OP, &shapes, format!("padding {padding:?} leaves nothing of the planes"));
            }
        }
        let part = |(x, w): &(Self, Self)| apply(Op::ConvInput { conv: how.conv, size }, &[x, w]);
        let parts = parts.iter().map(part).collect::<Result<Vec<_>>>()?;
        plus_bias(OP, &Self::concat(&parts, 1)?, bias)
    }
}

/// Zeros between the elements of a kernel.
fn dilated(op: &'static str, weight: &Tensor, dilation: [usize; 2]) -> Result<Tensor> {
    if weight.rank() != 4 || dilation.contains(&0) {
        let rule = format!("weights have four axes and dilation {dilation:?} is 1 or more");
        return shape_error(op, &[weight.shape()], rule);
    }
    let mut kernel = weight.clone();
    for (axis, step) in [(2, dilation[0]), (3, dilation[1])] {
        let length = kernel.shape()[axis];
        if step > 1 && length > 1 {
            let size = (length - 1).saturating_mul(step).saturating_add(1);
            kernel = apply(Op::Place { axis, start: 0, step, size }, &[&kernel])?;
        }
    }
    Ok(kernel)
}

/// The channels of `x` and the weights (axis 0) of each group.
fn grouped(op: &'static str, x: &Tensor, weight: &Tensor, groups: usize) -> Result<Vec<(Tensor, Tensor)>> {
    let [_, channels, _, _] = *x.shape() else {
        return shape_error(op, &[x.shape()], "the axes are [image, channel, row, column]");
    };
    let kernels = weight.shape()[0];
    if groups == 0 || !channels.is_multiple_of(groups) || !kernels.is_multiple_of(groups) {
        let rule = format!("{groups} groups must divide the {channels} channels and the {kernels} rows of the weights");
        return shape_error(op, &[x.shape(), weight.shape()], rule);
    }
    let (wide, tall) = (channels / groups, kernels / groups);
    let part = |tensor: &Tensor, axis, group, size| tensor.slice(axis, group * size, (group + 1) * size, 1);
    (0..groups).map(|group| Ok((part(x, 1, group, wide)?, part(weight, 0, group, tall)?))).collect()
}

fn plus_bias(op: &'static str, y: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let Some(bias) = bias else { return Ok(y.clone()) };
    let channels = y.shape()[1];
    if bias.shape() != [channels] {
        return shape_error(op, &[y.shape(), bias.shape()], "the bias has one number for each output channel");
    }
    y.add(&bias.reshape(&[1, channels, 1, 1])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    fn wave(shape: &[usize], from: f64) -> Tensor {
        let values = (0..shape.iter().product()).map(|at| libm::sin(0.7 * at as f64 + from)).collect();
        Tensor::from_f64(values, shape, &Device::Cpu).unwrap()
    }

    fn assert_near(found: &Tensor, shape: &[usize], expected: &[f64]) {
        assert_eq!(found.shape(), shape);
        for (found, expected) in found.to_f64_vec().unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-13, "{found} for {expected}");
        }
    }

    /// PyTorch 1.13, double precision.
    #[test]
    fn numbers_are_those_of_pytorch() {
        let bias = Tensor::from_f64(vec![0.5, -0.25], &[2], &Device::Cpu).unwrap();
        let conv = Conv2d { stride: [2, 1], padding: [1, 0] };
        let how = GroupedConv2d { conv, dilation: [2, 1], groups: 2 };
        let y = wave(&[1, 4, 4, 3], 0.0).conv2d_grouped(&wave(&[2, 2, 2, 2], 1.0), Some(&bias), how).unwrap();
        assert_near(&y, &[1, 2, 2, 2], &CONV2D);
        let conv = Conv2d { stride: [2, 1], padding: [1, 1] };
        let how = GroupedConv2d { conv, dilation: [1, 2], groups: 2 };
        let x = wave(&[1, 4, 2, 2], 0.0);
        let y = x.conv_transpose2d(&wave(&[4, 1, 2, 3], 1.0), Some(&bias), how, [1, 0]).unwrap();
        assert_near(&y, &[1, 2, 3, 4], &TRANSPOSED);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let (x, w) = (wave(&[1, 4, 4, 3], 0.0), wave(&[2, 2, 2, 2], 0.0));
        let how = GroupedConv2d { groups: 2, ..GroupedConv2d::default() };
        let text = |result: Result<Tensor>| result.unwrap_err().to_string();
        let three = text(x.conv2d_grouped(&w, None, GroupedConv2d { groups: 3, ..how }));
        assert!(three.contains("3 groups must divide the 4 channels and the 2 rows"), "{three}");
        let none = text(x.conv2d_grouped(&w, None, GroupedConv2d { groups: 0, ..how }));
        assert!(none.contains("0 groups"), "{none}");
        let zero = text(x.conv2d_grouped(&w, None, GroupedConv2d { dilation: [1, 0], ..how }));
        assert!(zero.contains("dilation [1, 0] is 1 or more"), "{zero}");
        let large = text(x.conv2d_grouped(&w, None, GroupedConv2d { dilation: [1 << 40, 1], ..how }));
        assert!(large.contains("elements"), "{large}");
        let w = wave(&[4, 1, 2, 2], 0.0);
        let added = text(x.conv_transpose2d(&w, None, how, [1, 0]));
        assert!(added.contains("output padding [1, 0] must be below stride [1, 1]"), "{added}");
        let conv = Conv2d { stride: [1, 1], padding: [9, 9] };
        let nothing = text(x.conv_transpose2d(&w, None, GroupedConv2d { conv, ..how }, [0, 0]));
        assert!(nothing.contains("padding [9, 9] leaves nothing of the planes"), "{nothing}");
        let bias = text(x.conv_transpose2d(&w, Some(&wave(&[3], 0.0)), how, [0, 0]));
        assert!(bias.contains("one number for each output channel"), "{bias}");
    }

    const CONV2D: [f64; 8] = [
        2.2402581918843683,
        1.8078525279006272,
        2.232153362317909,
        1.9973039008814713,
        -0.7967139752094509,
        1.1786369294255115,
        -2.033686911776605,
        -1.846812540161436,
    ];

    #[rustfmt::skip]
    const TRANSPOSED: [f64; 24] = [
        0.22846809545704527, 0.8314232888778564, -0.2412199545131426, 0.7220868359955153,
        2.0943179704968236, 1.8030976626362722, 1.723330459120389, 0.8941031043483236,
        -0.29962086252405973, -0.9652558714153379, -1.0001590567363503, -1.041134709303978,
        -0.26217872683883925, -0.5691870793933338, -0.45964202884351835, -1.2977045670142355,
        -0.9813187172450267, -1.0222943698126548, -1.7357340721961236, -1.132778878775312,
        -1.1220992083180077, -0.2514990563815356, -0.04265105427991378, 0.3257856041260283,
    ];
}
