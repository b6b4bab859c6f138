//! Group `linear`.

use super::group::group;
use super::shared::choice;
use crate::call::enter;
use crate::error::Fault;
use crate::raw;
use pddflow_abi::{self as abi, Norm, Pool};
use pddflow_tensor::{Conv2d, DType, GroupedConv2d, Tensor};

fn pair(numbers: [u64; 2], what: &str) -> Result<[usize; 2], Fault> {
    Ok([raw::index(numbers[0], what)?, raw::index(numbers[1], what)?])
}

fn grouped(given: &abi::GroupedConvArguments) -> Result<GroupedConv2d, Fault> {
    let conv = Conv2d { stride: pair(given.stride, "stride")?, padding: pair(given.padding, "padding")? };
    Ok(GroupedConv2d { conv, dilation: pair(given.dilation, "dilation")?, groups: raw::index(given.groups, "groups")? })
}

group! { LINEAR: LinearGroup, "linear", revision 1;
    enter fn matmul(state, x: abi::Tensor, y: abi::Tensor) -> Tensor {
        state.get(x)?.matmul(&state.get(y)?)?
    }

    enter fn affine(state, x: abi::Tensor, weight: abi::Tensor, bias: abi::Tensor) -> Tensor {
        state.get(x)?.linear(&state.get(weight)?, state.get_if(bias)?.as_ref())?
    }

    enter fn conv2d(state, arguments: *const abi::ConvArguments) -> Tensor {
        let given = raw::sized(arguments, "the arguments")?;
        let how = Conv2d { stride: pair(given.stride, "stride")?, padding: pair(given.padding, "padding")? };
        let bias = state.get_if(given.bias)?;
        state.get(given.x)?.conv2d(&state.get(given.weight)?, bias.as_ref(), how)?
    }

    enter fn pool2d(state, arguments: *const abi::PoolArguments) -> Tensor {
        let given = raw::sized(arguments, "the arguments")?;
        let (kernel, stride) = (pair(given.kernel, "kernel")?, pair(given.stride, "stride")?);
        let x = state.get(given.x)?;
        match choice(given.kind, &[Pool::Average, Pool::Max].map(|pool| (pool as u32, pool)), "pooling")? {
            Pool::Average => x.avg_pool2d(kernel, stride)?,
            Pool::Max => x.max_pool2d(kernel, stride)?,
        }
    }

    enter fn norm(
        state,
        arguments: *const abi::NormArguments,
        out: *mut abi::Tensor,
        mean: *mut abi::Tensor,
        variance: *mut abi::Tensor,
    ) {
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
        state.give(out, result)?;
    }

    enter fn log_softmax(state, x: abi::Tensor, axis: u64) -> Tensor {
        state.get(x)?.log_softmax(raw::index(axis, "axis")?)?
    }

    enter fn cross_entropy(state, logits: abi::Tensor, labels: abi::Tensor) -> Tensor {
        let (logits, labels) = (state.get(logits)?, state.get(labels)?);
        match labels.dtype() {
            DType::I64 => logits.cross_entropy(&labels)?,
            DType::F32 | DType::F64 => logits.cross_entropy_soft(&labels)?,
        }
    }

    enter fn resize(state, x: abi::Tensor, height: u64, width: u64) -> Tensor {
        state.get(x)?.bilinear_resize(raw::index(height, "height")?, raw::index(width, "width")?)?
    }

    enter fn solve(state, a: abi::Tensor, b: abi::Tensor) -> Tensor {
        state.get(a)?.solve(&state.get(b)?)?
    }

    enter fn conv2d_grouped(state, arguments: *const abi::GroupedConvArguments) -> Tensor {
        let given = raw::sized(arguments, "the arguments")?;
        let bias = state.get_if(given.bias)?;
        state.get(given.x)?.conv2d_grouped(&state.get(given.weight)?, bias.as_ref(), grouped(&given)?)?
    }

    enter fn conv_transpose2d(state, arguments: *const abi::GroupedConvArguments) -> Tensor {
        let given = raw::sized(arguments, "the arguments")?;
        let (bias, added) = (state.get_if(given.bias)?, pair(given.output_padding, "output padding")?);
        state.get(given.x)?.conv_transpose2d(&state.get(given.weight)?, bias.as_ref(), grouped(&given)?, added)?
    }

    enter fn grid_sample(state, x: abi::Tensor, grid: abi::Tensor) -> Tensor {
        state.get(x)?.grid_sample(&state.get(grid)?)?
    }
}
