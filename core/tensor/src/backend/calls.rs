//! The calls of burn's backends that this crate makes. What a call gives a device to do is recorded while a [`trace`] is: each is a
//! launch but those that only look at numbers in another way, which are not in the table.

use burn_backend::ops::{ActivationOps, BoolTensorOps, ConvOptions, FloatTensorOps, IntTensorOps, ModuleOps};
use burn_backend::{
    BoolDType, DeviceSettings, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
    get_device_settings, read_sync,
};

pub(super) use super::burn_tensor::Tensor;
use super::burn_tensor::{Lower, Which, on};
use crate::device::BurnDevice;
use crate::trace::{self, Kind};

/// What a call is given: tensors are read by it, and say with devices who computes.
trait Argument {
    fn bytes(&self) -> usize {
        0
    }

    fn which(&self) -> Option<Which> {
        None
    }
}

impl Argument for Tensor {
    fn bytes(&self) -> usize {
        elements(self) * self.dtype().size()
    }

    fn which(&self) -> Option<Which> {
        Some(Which::of(self))
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

    fn which(&self) -> Option<Which> {
        self.first().map(Which::of)
    }
}

impl Argument for &BurnDevice {
    fn which(&self) -> Option<Which> {
        Some(Which::of_device(self))
    }
}

macro_rules! no_tensors {
    ($($type:ty)*) => { $(impl Argument for $type {})* };
}

no_tensors! {
    usize bool Scalar Shape FloatDType IntDType BoolDType [usize; 2] ConvOptions<2> &[usize] &[Slice]
}

/// A launch per row. `each`: additions and multiplications for each element of the result; `all`: of the whole.
macro_rules! launches {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(each $each:expr)? $(, all $all:expr)?;)*) => {
        #[expect(clippy::too_many_arguments, reason = "those of burn")]
        impl Calls {
            $(pub(super) fn $name($($argument: $type),*) -> Tensor {
                let which = [$($argument.which()),*].into_iter().flatten().next().unwrap_or(Which::Flex);
                // Counted only while it is of use.
                let (read, each, all): (usize, usize, usize) = match trace::is_on() {
                    true => (0 $(+ $argument.bytes())*, 0 $(+ $each)?, 0 $(+ $all)?),
                    false => (0, 0, 0),
                };
                let call = || on!(which, B => B::$name($($argument.lower()),*).into());
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
    fn float_full(shape: Shape, value: Scalar, device: &BurnDevice, dtype: FloatDType);
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
    fn float_min_dim(x: Tensor, axis: usize);
    fn float_mul(a: Tensor, b: Tensor);
    fn float_mul_scalar(x: Tensor, value: Scalar);
    fn float_neg(x: Tensor);
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
    fn float_zeros(shape: Shape, device: &BurnDevice, dtype: FloatDType);
    fn int_cast(x: Tensor, dtype: IntDType);
    fn int_cat(parts: Vec<Tensor>, axis: usize);
    fn int_full(shape: Shape, value: Scalar, device: &BurnDevice, dtype: IntDType);
    fn int_into_float(x: Tensor, dtype: FloatDType);
    fn int_select(x: Tensor, axis: usize, index: Tensor);
    fn int_slice(x: Tensor, slices: &[Slice]);
    fn relu(x: Tensor);
}

/// The other calls.
impl Calls {
    pub(super) fn float_from_data(values: TensorData, device: &BurnDevice) -> Tensor {
        uploaded(|| on!(Which::of_device(device), B => B::float_from_data(values, device.lower()).into()))
    }

    pub(super) fn int_from_data(values: TensorData, device: &BurnDevice) -> Tensor {
        uploaded(|| on!(Which::of_device(device), B => B::int_from_data(values, device.lower()).into()))
    }

    pub(super) fn float_into_data(x: Tensor) -> Result<TensorData, ExecutionError> {
        downloaded(&x.clone(), || on!(Which::of(&x), B => read_sync(B::float_into_data(x.lower()))))
    }

    pub(super) fn int_into_data(x: Tensor) -> Result<TensorData, ExecutionError> {
        downloaded(&x.clone(), || on!(Which::of(&x), B => read_sync(B::int_into_data(x.lower()))))
    }

    pub(super) fn float_acos(x: Tensor) -> Tensor {
        let read = x.bytes();
        let call = || match x {
            #[cfg(feature = "cuda")]
            Tensor::Cuda(x) => super::fused::acos::launch(x).into(),
            #[cfg(any(feature = "metal", feature = "vulkan"))]
            Tensor::Wgpu(x) => super::fused::acos::launch(x).into(),
            Tensor::Flex(x) => burn_flex::Flex::float_acos(x).into(),
        };
        trace::record(Kind::Launch, "acos", call, |result| (dims(result), [read + result.bytes(), 0]))
    }

    /// Indices of the largest elements of windows, within their planes.
    pub(super) fn max_pool2d_indices(x: Tensor, kernel: [usize; 2], stride: [usize; 2]) -> Tensor {
        let read = x.bytes();
        let call = || {
            on!(Which::of(&x), B => {
                B::max_pool2d_with_indices(x.lower(), kernel, stride, [0, 0], [1, 1], false).indices.into()
            })
        };
        trace::record(Kind::Launch, "max_pool2d_with_indices", call, |result| {
            (dims(result), [read + result.bytes(), 0])
        })
    }

    // Nothing to compute: memory, and looks at the same numbers.

    pub(super) fn float_empty(shape: Shape, device: &BurnDevice, dtype: FloatDType) -> Tensor {
        on!(Which::of_device(device), B => B::float_empty(shape, device.lower(), dtype).into())
    }

    pub(super) fn float_expand(x: Tensor, shape: Shape) -> Tensor {
        on!(Which::of(&x), B => B::float_expand(x.lower(), shape).into())
    }

    pub(super) fn float_permute(x: Tensor, axes: &[usize]) -> Tensor {
        on!(Which::of(&x), B => B::float_permute(x.lower(), axes).into())
    }

    pub(super) fn float_reshape(x: Tensor, shape: Shape) -> Tensor {
        on!(Which::of(&x), B => B::float_reshape(x.lower(), shape).into())
    }

    pub(super) fn float_swap_dims(x: Tensor, one: usize, other: usize) -> Tensor {
        on!(Which::of(&x), B => B::float_swap_dims(x.lower(), one, other).into())
    }

    pub(super) fn int_expand(x: Tensor, shape: Shape) -> Tensor {
        on!(Which::of(&x), B => B::int_expand(x.lower(), shape).into())
    }

    pub(super) fn int_permute(x: Tensor, axes: &[usize]) -> Tensor {
        on!(Which::of(&x), B => B::int_permute(x.lower(), axes).into())
    }

    pub(super) fn int_reshape(x: Tensor, shape: Shape) -> Tensor {
        on!(Which::of(&x), B => B::int_reshape(x.lower(), shape).into())
    }

    pub(super) fn float_device(x: &Tensor) -> BurnDevice {
        x.device()
    }
}

/// In what types a device stores integers and booleans.
pub(super) fn settings(device: &BurnDevice) -> DeviceSettings {
    on!(Which::of_device(device), B => get_device_settings::<B>(device.lower()))
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
