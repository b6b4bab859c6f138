//! Operations that are one launch each: on GPUs by kernels of our own, from one source for CUDA and Vulkan, and on burn's CPU backend by
//! the kernels of the processor.

#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
pub(super) mod acos;
#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
mod descent;
#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
mod norm;

use burn_flex::FlexTensor;

use super::array;
use super::burn_array::Array;
use super::burn_tensor::{Lower, Tensor};
use super::calls::dims;
use super::{cpu, failure::internal};
use crate::error::Result;
use crate::op::{Descent, Op};
use crate::trace::{self, Kind};

/// A value with its saved values.
type Evaluated = (Array, Vec<Array>);

/// Computes `ChannelStatistics`, `Norm`, `NormGradient` or `NormCurvature`.
pub(super) fn evaluate(op: &Op, inputs: &[&Array], shape: &[usize]) -> Result<Evaluated> {
    let inputs = inputs.iter().map(|input| input.float(op.name())).collect::<Result<Vec<_>>>()?;
    let read: usize = if trace::is_on() { inputs.iter().map(bytes).sum() } else { 0 };
    let about = |results: &Result<Vec<Tensor>>| {
        let written = results.iter().flatten().map(bytes).sum::<usize>();
        (shape.to_vec(), [read + written, 0])
    };
    let results = trace::record(Kind::Launch, op.name(), || launch(op, &inputs, shape), about)?;
    let mut results = results.into_iter().map(Array::Float);
    match results.next() {
        Some(value) => Ok((value, results.collect())),
        None => internal(op.name(), "nothing"),
    }
}

fn launch(op: &Op, inputs: &[Tensor], shape: &[usize]) -> Result<Vec<Tensor>> {
    match inputs.first() {
        #[cfg(feature = "cuda")]
        Some(Tensor::Cuda(_)) => norm::launch::<cubecl::cuda::CudaRuntime>(op, inputs, shape),
        #[cfg(any(feature = "metal", feature = "vulkan"))]
        Some(Tensor::Wgpu(_)) => norm::launch::<cubecl::wgpu::WgpuRuntime>(op, inputs, shape),
        _ => on_processor(op, inputs, shape),
    }
}

/// A step of gradient descent: the weight after it, and the buffer if the rule has one.
pub(super) fn descend(
    rule: &Descent,
    weight: &Array,
    gradient: &Array,
    buffer: Option<&Array>,
) -> Result<(Array, Option<Array>)> {
    const OP: &str = "descent";
    let [weight, gradient] = [weight.float(OP)?, gradient.float(OP)?];
    let buffer = buffer.filter(|_| rule.momentum != 0.0).map(|buffer| buffer.float(OP)).transpose()?;
    let (one, shape) = (bytes(&weight), dims(&weight));
    // Read and written.
    let about = |_: &Result<[Tensor; 2]>| (shape, [one * if rule.momentum == 0.0 { 3 } else { 5 }, 0]);
    let step = || step(rule, weight, gradient, buffer);
    let [weight, buffer] = trace::record(Kind::Launch, OP, step, about)?.map(Array::Float);
    Ok((weight, (rule.momentum != 0.0).then_some(buffer)))
}

fn step(rule: &Descent, weight: Tensor, gradient: Tensor, buffer: Option<Tensor>) -> Result<[Tensor; 2]> {
    match weight {
        #[cfg(feature = "cuda")]
        Tensor::Cuda(weight) => Ok(descent::launch(rule, weight, gradient.lower(), buffer.lower()).map(Tensor::from)),
        #[cfg(any(feature = "metal", feature = "vulkan"))]
        Tensor::Wgpu(weight) => Ok(descent::launch(rule, weight, gradient.lower(), buffer.lower()).map(Tensor::from)),
        Tensor::Flex(weight) => {
            let (gradient, first): (FlexTensor, bool) = (gradient.lower(), buffer.is_none());
            let buffer: FlexTensor = buffer.map_or_else(|| gradient.clone(), Lower::lower);
            let [mut weight, gradient, mut buffer] = [&weight, &gradient, &buffer].map(array::Array::from_flex);
            let kept = (rule.momentum != 0.0).then_some(&mut buffer);
            cpu::descend(rule, &mut weight, &gradient, kept, first)?;
            Ok([weight, buffer].map(|array| Tensor::Flex(array.into_flex())))
        }
    }
}

fn bytes(tensor: &Tensor) -> usize {
    dims(tensor).iter().product::<usize>() * tensor.dtype().size()
}

fn on_processor(op: &Op, inputs: &[Tensor], shape: &[usize]) -> Result<Vec<Tensor>> {
    let array = |tensor: &Tensor| match tensor {
        Tensor::Flex(tensor) => Ok(array::Array::from_flex(tensor)),
        #[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
        _ => internal(op.name(), "not on the processor"),
    };
    let arrays = inputs.iter().map(array).collect::<Result<Vec<_>>>()?;
    let (value, saved) = cpu::evaluate(op, &arrays.iter().collect::<Vec<_>>(), shape)?;
    Ok(std::iter::once(value).chain(saved).map(|array| Tensor::Flex(array.into_flex())).collect())
}
