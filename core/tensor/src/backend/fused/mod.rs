//! Operations that are one launch each: on GPUs by kernels of our own, from one source for CUDA and Vulkan, and on burn's CPU backend by
//! the kernels of the processor.

#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
pub(super) mod acos;
#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
mod descent;
#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
mod norm;
#[cfg(any(feature = "cuda", feature = "metal", feature = "vulkan"))]
mod warp;

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

/// Neighbours of every position that a warp samples.
const TAPS: usize = 4;

/// Pixels and weights, `[map, 1, output pixel and tap]`, of maps of planes of a size to themselves: each position is the bilinear mix of
/// its four neighbours, those outside the plane counting as zero. `lines` are the six numbers of each map.
pub(super) fn warp_tables(lines: &Tensor, size: [usize; 2]) -> [Tensor; 2] {
    let (maps, entries) = (dims(lines).iter().product::<usize>() / 6, size[0] * size[1] * TAPS);
    let shape = [maps, 1, entries];
    let about = |_: &[Tensor; 2]| (shape.to_vec(), [bytes(lines) + 2 * maps * entries * lines.dtype().size(), 0]);
    #[expect(clippy::cast_possible_truncation, reason = "in the type of the numbers")]
    let tables = || match lines.clone() {
        #[cfg(feature = "cuda")]
        Tensor::Cuda(lines) => warp::launch(lines, size, shape).map(Tensor::from),
        #[cfg(any(feature = "metal", feature = "vulkan"))]
        Tensor::Wgpu(lines) => warp::launch(lines, size, shape).map(Tensor::from),
        Tensor::Flex(lines) => {
            let lines = array::Array::from_flex(&lines);
            let tables = match (lines.of::<f32>(), lines.of::<f64>()) {
                (Some(lines), _) => {
                    let lines: Vec<f64> = lines.iter().map(|&number| f64::from(number)).collect();
                    let single = |table: Vec<f64>| table.into_iter().map(|number| number as f32).collect();
                    sampled(&lines, size).map(|table| array::Array::new::<f32>(single(table), &shape))
                }
                (_, lines) => sampled(lines.unwrap_or_default(), size).map(|table| array::Array::new(table, &shape)),
            };
            tables.map(|table| Tensor::Flex(table.into_flex()))
        }
    };
    trace::record(Kind::Launch, "warp_tables", tables, about)
}

/// The same on the processor.
#[expect(clippy::cast_precision_loss, reason = "sides of images are small")]
fn sampled(lines: &[f64], [rows, columns]: [usize; 2]) -> [Vec<f64>; 2] {
    let (mut pixels, mut weights) = (Vec::new(), Vec::new());
    for line in lines.chunks_exact(6) {
        for at in 0..rows * columns * TAPS {
            let (row, column) = ((at / TAPS / columns) as f64, (at / TAPS % columns) as f64);
            let along = |line: &[f64], [own, other]: [f64; 2], side: usize, next: usize| {
                let from = own * line[1] + other * line[2] + line[0];
                let near = from.floor() + next as f64;
                let inside = near.clamp(0.0, (side - 1) as f64);
                (inside, if inside == near { 1.0 - (from - near).abs() } else { 0.0 })
            };
            let (down, by_row) = along(&line[..3], [row, column], rows, at % TAPS / 2);
            let (right, by_column) = along(&line[3..], [column, row], columns, at % 2);
            pixels.push(down * columns as f64 + right);
            weights.push(by_row * by_column);
        }
    }
    [pixels, weights]
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
