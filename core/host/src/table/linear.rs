//! Group `linear`.

use super::choice;
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Call, Norm, Pool};
use pddflow_tensor::{Conv2d, DType};

pub(super) static LINEAR: abi::LinearGroup = abi::LinearGroup {
    size: size_of::<abi::LinearGroup>() as u32,
    revision: 1,
    matmul: Some(matmul),
    affine: Some(affine),
    conv2d: Some(conv2d),
    pool2d: Some(pool2d),
    norm: Some(norm),
    log_softmax: Some(log_softmax),
    cross_entropy: Some(cross_entropy),
    resize: Some(resize),
};

fn pair(numbers: [u64; 2], what: &str) -> Result<[usize; 2], Fault> {
    Ok([raw::index(numbers[0], what)?, raw::index(numbers[1], what)?])
}

extern "C" fn matmul(call: *mut Call, x: abi::Tensor, y: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "linear.matmul", |state| {
        let result = state.get(x)?.matmul(&state.get(y)?)?;
        state.give(out, result)
    })
}

extern "C" fn affine(
    call: *mut Call,
    x: abi::Tensor,
    weight: abi::Tensor,
    bias: abi::Tensor,
    out: *mut abi::Tensor,
) -> i32 {
    enter(call, "linear.affine", |state| {
        let result = state.get(x)?.linear(&state.get(weight)?, state.get_if(bias)?.as_ref())?;
        state.give(out, result)
    })
}

extern "C" fn conv2d(call: *mut Call, arguments: *const abi::ConvArguments, out: *mut abi::Tensor) -> i32 {
    enter(call, "linear.conv2d", |state| {
        let given = raw::sized(arguments, "the arguments")?;
        let how = Conv2d { stride: pair(given.stride, "stride")?, padding: pair(given.padding, "padding")? };
        let bias = state.get_if(given.bias)?;
        let result = state.get(given.x)?.conv2d(&state.get(given.weight)?, bias.as_ref(), how)?;
        state.give(out, result)
    })
}

extern "C" fn pool2d(call: *mut Call, arguments: *const abi::PoolArguments, out: *mut abi::Tensor) -> i32 {
    enter(call, "linear.pool2d", |state| {
        let given = raw::sized(arguments, "the arguments")?;
        let (kernel, stride) = (pair(given.kernel, "kernel")?, pair(given.stride, "stride")?);
        let all = [(Pool::Average as u32, Pool::Average), (Pool::Max as u32, Pool::Max)];
        let x = state.get(given.x)?;
        let result = match choice(given.kind, &all, "pooling")? {
            Pool::Average => x.avg_pool2d(kernel, stride)?,
            Pool::Max => x.max_pool2d(kernel, stride)?,
        };
        state.give(out, result)
    })
}

extern "C" fn norm(
    call: *mut Call,
    arguments: *const abi::NormArguments,
    out: *mut abi::Tensor,
    mean: *mut abi::Tensor,
    variance: *mut abi::Tensor,
) -> i32 {
    enter(call, "linear.norm", |state| {
        let given = raw::sized(arguments, "the arguments")?;
        let all = [Norm::Instance, Norm::BatchTrain, Norm::BatchEval].map(|norm| (norm as u32, norm));
        let (x, weight, bias) = (state.get(given.x)?, state.get(given.weight)?, state.get(given.bias)?);
        let result = match choice(given.kind, &all, "normalisation")? {
            Norm::Instance => x.instance_norm(&weight, &bias, given.epsilon)?,
            Norm::BatchEval => {
                let statistics = (&state.get(given.mean)?, &state.get(given.variance)?);
                x.batch_norm_eval(&weight, &bias, statistics, given.epsilon)?
            }
            Norm::BatchTrain => {
                let (result, mean_found, variance_found) = x.batch_norm_train(&weight, &bias, given.epsilon)?;
                for (place, found) in [(mean, mean_found), (variance, variance_found)] {
                    if !place.is_null() {
                        state.give(place, found)?;
                    }
                }
                result
            }
        };
        state.give(out, result)
    })
}

extern "C" fn log_softmax(call: *mut Call, x: abi::Tensor, axis: u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "linear.log_softmax", |state| {
        let result = state.get(x)?.log_softmax(raw::index(axis, "axis")?)?;
        state.give(out, result)
    })
}

extern "C" fn cross_entropy(call: *mut Call, logits: abi::Tensor, labels: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    enter(call, "linear.cross_entropy", |state| {
        let (logits, labels) = (state.get(logits)?, state.get(labels)?);
        let result = match labels.dtype() {
            DType::I64 => logits.cross_entropy(&labels)?,
            DType::F32 | DType::F64 => logits.cross_entropy_soft(&labels)?,
        };
        state.give(out, result)
    })
}

extern "C" fn resize(call: *mut Call, x: abi::Tensor, height: u64, width: u64, out: *mut abi::Tensor) -> i32 {
    enter(call, "linear.resize", |state| {
        let result = state.get(x)?.bilinear_resize(raw::index(height, "height")?, raw::index(width, "width")?)?;
        state.give(out, result)
    })
}
