//! Order along an axis.

use crate::Tensor;
use crate::error::{Result, shape_error};
use crate::op::Op;
use crate::tensor::apply;

/// Order along an axis.
impl Tensor {
    /// The `count` largest elements along `axis`, or the smallest, in order, and their places in it (i64); both have the shape of the
    /// tensor with `count` for the length of `axis`. Of equal elements the first comes first, and not-a-number counts as larger than
    /// every number. With `count` the length of the axis, this sorts. The gradient goes to the elements that were taken.
    ///
    /// The order is found on the processor, whatever the device.
    ///
    /// # Errors
    /// When the axis does not exist or has fewer than `count` elements, or the tensor is not real.
    pub fn top_k(&self, axis: usize, count: usize, largest: bool) -> Result<(Self, Self)> {
        let rows = self.rows_along("top_k", axis)?;
        let length = rows.shape()[1];
        if count > length {
            return shape_error("top_k", &[self.shape()], format!("axis {axis} has {length} elements, not {count}"));
        }
        let places = apply(Op::ArgSort { descending: largest }, &[&rows.detach()])?.slice(1, 0, count, 1)?;
        let values = apply(Op::Take, &[&rows, &places])?;
        Ok((self.back_along(axis, &values)?, self.back_along(axis, &places)?))
    }

    /// Along `axis` the elements at `places` (i64, the shape of the tensor but for the length of `axis`), repeats allowed: PyTorch's
    /// `take_along_dim`, numpy's `take_along_axis`.
    ///
    /// # Errors
    /// When the axis does not exist, the other axes differ, a place does not exist (checked on the CPU), or the types do not fit.
    pub fn take_along(&self, axis: usize, places: &Self) -> Result<Self> {
        const OP: &str = "take_along";
        let (rows, chosen) = (self.rows_along(OP, axis)?, places.rows_along(OP, axis)?);
        let rest = |tensor: &Self| [&tensor.shape()[..axis], &tensor.shape()[axis + 1..]].concat();
        if rest(self) != rest(places) {
            let rule = format!("all axes but axis {axis} must be equal");
            return shape_error(OP, &[self.shape(), places.shape()], rule);
        }
        self.back_along(axis, &apply(Op::Take, &[&rows, &chosen])?)
    }

    /// `[row, element]` with the elements along an axis.
    fn rows_along(&self, op: &'static str, axis: usize) -> Result<Self> {
        let Some(&length) = self.shape().get(axis) else {
            return shape_error(op, &[self.shape()], format!("there is no axis {axis}"));
        };
        let rows = (self.shape().iter().product::<usize>()).checked_div(length).unwrap_or(0);
        self.permute(&moved_last(self.rank(), axis))?.reshape(&[rows, length])
    }

    /// The inverse, of other rows for an axis of this tensor.
    fn back_along(&self, axis: usize, rows: &Self) -> Result<Self> {
        let mut order = moved_last(self.rank(), axis);
        let mut shape: Vec<usize> = order.iter().map(|&axis| self.shape()[axis]).collect();
        if let Some(last) = shape.last_mut() {
            *last = rows.shape()[1];
        }
        order.pop();
        let mut back: Vec<usize> = (0..order.len()).collect();
        back.insert(axis, order.len());
        rows.reshape(&shape)?.permute(&back)
    }
}

/// The axes in order, but one of them last.
fn moved_last(rank: usize, axis: usize) -> Vec<usize> {
    (0..rank).filter(|&other| other != axis).chain([axis]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn equal_elements_keep_their_order_and_not_a_number_is_the_largest() {
        let x = Tensor::from_f64(vec![2.0, 7.0, f64::NAN, 2.0, -0.0, 0.0], &[6], &Device::Cpu).unwrap();
        let places = |largest: bool| x.top_k(0, 6, largest).unwrap().1.to_i64_vec().unwrap();
        assert_eq!((places(true), places(false)), (vec![2, 1, 0, 3, 4, 5], vec![4, 5, 0, 3, 1, 2]));
    }

    #[test]
    fn any_axis_is_ordered_and_taken_along() {
        let x = Tensor::from_f32((0..12).map(|at| ((at * 5) % 12) as f32).collect(), &[2, 3, 2], &Device::Cpu).unwrap();
        let (values, places) = x.top_k(1, 2, true).unwrap();
        assert_eq!((values.shape(), places.shape()), (&[2, 2, 2][..], &[2, 2, 2][..]));
        assert_eq!(values.to_f32_vec().unwrap(), [10.0, 5.0, 8.0, 3.0, 6.0, 11.0, 4.0, 9.0]);
        assert_eq!(places.to_i64_vec().unwrap(), [1, 0, 2, 1, 0, 0, 1, 1]);
        assert_eq!(x.take_along(1, &places).unwrap().to_f32_vec().unwrap(), values.to_f32_vec().unwrap());
        assert_eq!(x.top_k(2, 0, true).unwrap().0.shape(), [2, 3, 0]);
        for (wrong, why) in [
            (x.top_k(3, 1, true).map(|both| both.0), "there is no axis 3"),
            (x.top_k(1, 4, true).map(|both| both.0), "axis 1 has 3 elements, not 4"),
            (places.top_k(1, 1, true).map(|both| both.0), "f32 or f64 is needed"),
            (x.take_along(0, &places), "all axes but axis 0 must be equal"),
            (x.take_along(1, &x), "the rows are i64"),
        ] {
            let text = wrong.unwrap_err().to_string();
            assert!(text.contains(why), "{text}");
        }
    }
}
