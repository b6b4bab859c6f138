//! The calls of burn's dispatch that this crate makes. What a call gives a device to do is recorded while a [`trace`] is: each is a
//! launch but those that only look at numbers in another way, which are not in the table.

use burn_backend::ops::{ActivationOps, BoolTensorOps, ConvOptions, FloatTensorOps, IntTensorOps, ModuleOps};
use burn_backend::{
    BoolDType, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice, TensorData, TensorMetadata, read_sync,
};
use burn_dispatch::{Dispatch, DispatchDevice, DispatchTensor};

use crate::trace::{self, Kind};

/// Numbers, integers or booleans on a device.
pub(super) type Tensor = DispatchTensor;

/// What a call is given: tensors are read by it.
trait Argument {
    fn bytes(&self) -> usize {
        0
    }
}

impl Argument for Tensor {
    fn bytes(&self) -> usize {
        elements(self) * self.dtype().size()
    }
}

impl Argument for Option<Tensor> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, Argument::bytes)
    }
}

impl Argument for Vec<Tensor> {
    fn bytes(&self) -> usize {
        self.iter().map(Argument::bytes).sum()
    }
}

macro_rules! no_tensors {
    ($($type:ty)*) => { $(impl Argument for $type {})* };
}

no_tensors! {
    usize bool Scalar Shape FloatDType IntDType BoolDType [usize; 2] ConvOptions<2> &[usize] &[Slice] &DispatchDevice
}

/// A launch per row. `each`: additions and multiplications for each element of the result; `all`: of the whole.
macro_rules! launches {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(each $each:expr)? $(, all $all:expr)?;)*) => {
        #[expect(clippy::too_many_arguments, reason = "those of burn")]
        impl Calls {
            $(pub(super) fn $name($($argument: $type),*) -> Tensor {
                if !trace::is_on() {
                    return Dispatch::$name($($argument),*);
                }
                let read: usize = 0 $(+ $argument.bytes())*;
                let (each, all): (usize, usize) = (0 $(+ $each)?, 0 $(+ $all)?);
                let call = || Dispatch::$name($($argument),*);
                trace::record(Kind::Launch, stringify!($name), call, |result| {
                    (dims(result), [read + result.bytes(), all + each * elements(result)])
                })
            })*
        }
    };
}

/// The calls.
pub(super) struct Calls;

launches! {
    fn bool_into_float(x: Tensor, dtype: FloatDType);
    fn avg_pool2d(x: Tensor, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2], include: bool, ceil: bool);
    fn avg_pool2d_backward(
        x: Tensor, g: Tensor, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2], include: bool, ceil: bool
    );
    fn conv2d(x: Tensor, weight: Tensor, bias: Option<Tensor>, options: ConvOptions<2>) each 2 * window(&weight);
    fn conv2d_weight_backward(x: Tensor, weight: Tensor, g: Tensor, options: ConvOptions<2>)
        , all 2 * elements(&g) * window(&weight);
    fn conv2d_x_backward(x: Tensor, weight: Tensor, g: Tensor, options: ConvOptions<2>)
        , all 2 * elements(&g) * window(&weight);
    fn float_abs(x: Tensor);
    fn float_acos(x: Tensor);
    fn float_add(a: Tensor, b: Tensor);
    fn float_add_scalar(x: Tensor, value: Scalar);
    fn float_argmax(x: Tensor, axis: usize, dtype: IntDType);
    fn float_cast(x: Tensor, dtype: FloatDType);
    fn float_cat(parts: Vec<Tensor>, axis: usize);
    fn float_clamp(x: Tensor, low: Scalar, high: Scalar);
    fn float_cos(x: Tensor);
    fn float_div(a: Tensor, b: Tensor);
    fn float_equal(a: Tensor, b: Tensor, dtype: BoolDType);
    fn float_equal_elem(x: Tensor, value: Scalar, dtype: BoolDType);
    fn float_erf(x: Tensor);
    fn float_exp(x: Tensor);
    fn float_flip(x: Tensor, axes: &[usize]);
    fn float_floor(x: Tensor);
    fn float_full(shape: Shape, value: Scalar, device: &DispatchDevice, dtype: FloatDType);
    fn float_gather(axis: usize, x: Tensor, index: Tensor);
    fn float_greater(a: Tensor, b: Tensor, dtype: BoolDType);
    fn float_greater_elem(x: Tensor, value: Scalar, dtype: BoolDType);
    fn float_greater_equal(a: Tensor, b: Tensor, dtype: BoolDType);
    fn float_greater_equal_elem(x: Tensor, value: Scalar, dtype: BoolDType);
    fn float_into_int(x: Tensor, dtype: IntDType);
    fn float_log(x: Tensor);
    fn float_lower(a: Tensor, b: Tensor, dtype: BoolDType);
    fn float_lower_equal(a: Tensor, b: Tensor, dtype: BoolDType);
    fn float_lower_equal_elem(x: Tensor, value: Scalar, dtype: BoolDType);
    fn float_mask_fill(x: Tensor, mask: Tensor, value: Scalar);
    fn float_mask_where(x: Tensor, mask: Tensor, value: Tensor);
    fn float_matmul(a: Tensor, b: Tensor) each 2 * dims(&a).last().copied().unwrap_or(1);
    fn float_max_dim(x: Tensor, axis: usize);
    fn float_mean_dim(x: Tensor, axis: usize);
    fn float_min_dim(x: Tensor, axis: usize);
    fn float_mul(a: Tensor, b: Tensor);
    fn float_mul_scalar(x: Tensor, value: Scalar);
    fn float_neg(x: Tensor);
    fn float_not_equal(a: Tensor, b: Tensor, dtype: BoolDType);
    fn float_powf_scalar(x: Tensor, value: Scalar);
    fn float_recip(x: Tensor);
    fn float_scatter_add(axis: usize, x: Tensor, index: Tensor, value: Tensor);
    fn float_select(x: Tensor, axis: usize, index: Tensor);
    fn float_select_add(x: Tensor, axis: usize, index: Tensor, value: Tensor);
    fn float_sign(x: Tensor);
    fn float_sin(x: Tensor);
    fn float_slice(x: Tensor, slices: &[Slice]);
    fn float_slice_assign(x: Tensor, slices: &[Slice], value: Tensor);
    fn float_sqrt(x: Tensor);
    fn float_sub(a: Tensor, b: Tensor);
    fn float_sum_dim(x: Tensor, axis: usize);
    fn float_tanh(x: Tensor);
    fn float_zeros(shape: Shape, device: &DispatchDevice, dtype: FloatDType);
    fn int_cast(x: Tensor, dtype: IntDType);
    fn int_cat(parts: Vec<Tensor>, axis: usize);
    fn int_full(shape: Shape, value: Scalar, device: &DispatchDevice, dtype: IntDType);
    fn int_into_float(x: Tensor, dtype: FloatDType);
    fn int_select(x: Tensor, axis: usize, index: Tensor);
    fn int_slice(x: Tensor, slices: &[Slice]);
    fn relu(x: Tensor);
}

/// The other calls.
impl Calls {
    pub(super) fn float_from_data(values: TensorData, device: &DispatchDevice) -> Tensor {
        uploaded(|| Dispatch::float_from_data(values, device))
    }

    pub(super) fn int_from_data(values: TensorData, device: &DispatchDevice) -> Tensor {
        uploaded(|| Dispatch::int_from_data(values, device))
    }

    pub(super) fn float_into_data(x: Tensor) -> Result<TensorData, ExecutionError> {
        downloaded(&x.clone(), || read_sync(Dispatch::float_into_data(x)))
    }

    pub(super) fn int_into_data(x: Tensor) -> Result<TensorData, ExecutionError> {
        downloaded(&x.clone(), || read_sync(Dispatch::int_into_data(x)))
    }

    /// Indices of the largest elements of windows, within their planes.
    pub(super) fn max_pool2d_indices(x: Tensor, kernel: [usize; 2], stride: [usize; 2]) -> Tensor {
        let read = x.bytes();
        let call = || Dispatch::max_pool2d_with_indices(x, kernel, stride, [0, 0], [1, 1], false).indices;
        trace::record(Kind::Launch, "max_pool2d_with_indices", call, |result| {
            (dims(result), [read + result.bytes(), 0])
        })
    }

    // Nothing to compute: memory, and looks at the same numbers.

    pub(super) fn float_empty(shape: Shape, device: &DispatchDevice, dtype: FloatDType) -> Tensor {
        Dispatch::float_empty(shape, device, dtype)
    }

    pub(super) fn float_expand(x: Tensor, shape: Shape) -> Tensor {
        Dispatch::float_expand(x, shape)
    }

    pub(super) fn float_permute(x: Tensor, axes: &[usize]) -> Tensor {
        Dispatch::float_permute(x, axes)
    }

    pub(super) fn float_reshape(x: Tensor, shape: Shape) -> Tensor {
        Dispatch::float_reshape(x, shape)
    }

    pub(super) fn float_swap_dims(x: Tensor, one: usize, other: usize) -> Tensor {
        Dispatch::float_swap_dims(x, one, other)
    }

    pub(super) fn int_expand(x: Tensor, shape: Shape) -> Tensor {
        Dispatch::int_expand(x, shape)
    }

    pub(super) fn int_permute(x: Tensor, axes: &[usize]) -> Tensor {
        Dispatch::int_permute(x, axes)
    }

    pub(super) fn int_reshape(x: Tensor, shape: Shape) -> Tensor {
        Dispatch::int_reshape(x, shape)
    }

    pub(super) fn float_device(x: &Tensor) -> DispatchDevice {
        Dispatch::float_device(x)
    }
}

fn uploaded(call: impl FnOnce() -> Tensor) -> Tensor {
    trace::record(Kind::Upload, "upload", call, |result| (dims(result), [result.bytes(), 0]))
}

fn downloaded<T>(x: &Tensor, call: impl FnOnce() -> T) -> T {
    trace::record(Kind::Read, "read", call, |_| (dims(x), [x.bytes(), 0]))
}

/// Lengths of the axes.
pub(super) fn dims(x: &Tensor) -> Vec<usize> {
    x.shape().to_vec()
}

fn elements(x: &Tensor) -> usize {
    dims(x).iter().product()
}

/// What an element of a convolution is summed from, of a weight `[out, in, rows, columns]`.
fn window(weight: &Tensor) -> usize {
    dims(weight)[1..].iter().product()
}
