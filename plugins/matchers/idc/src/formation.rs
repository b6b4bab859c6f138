//! Multi-formation: one stored image is `factor * factor` images of a lower resolution.
//!
//! | step | shape |
//! |---|---|
//! | stored, in `[0, 1]` | `[n, channels, H, W]` |
//! | padded below and right with 0.5 to multiples of `factor` | `[n, channels, factor h, factor w]` |
//! | cut into cells, row by row: all first cells, then all second ones, .. | `[factor^2 n, channels, h, w]` |
//! | enlarged, bilinear with half-pixel centres | `[factor^2 n, channels, H, W]` |
//! | normalised as the data | the same |
//!
//! Labels repeat in the same order.

use pddflow_sdk::{Call, Decoded, Learnables, Problem, Result, Tensor};

/// Value of the padding.
const GREY: f64 = 0.5;

/// Images and class numbers of the learnable `images`.
pub(crate) fn decode<'call>(
    learnables: &Learnables<'call>,
    problem: &Problem,
    factor: usize,
) -> Result<Decoded<'call>> {
    let call = learnables.call();
    let stored = learnables.get("images")?;
    let images = match factor {
        1 => stored.clone(),
        _ => cells(call, stored, factor)?.resize(problem.height, problem.width)?,
    };
    let channels = [1, problem.channels, 1, 1];
    let mean = Tensor::from_f64(call, &problem.mean, &channels)?;
    let std = Tensor::from_f64(call, &problem.std, &channels)?;
    let labels = problem.labels().repeat(factor * factor);
    Ok(Decoded { images: (&(&images - &mean)? / &std)?, labels: Tensor::from_i64(call, &labels, &[labels.len()])? })
}

/// The cells of all images, cell by cell.
fn cells<'call>(call: Call<'call>, x: &Tensor<'call>, factor: usize) -> Result<Tensor<'call>> {
    let x = padded(call, &padded(call, x, 2, factor)?, 3, factor)?;
    let shape = x.shape()?;
    let (rows, channels, height, width) = (shape[0], shape[1], shape[2] / factor, shape[3] / factor);
    let apart = x.reshape(&[rows, channels, factor, height, factor, width])?.permute(&[2, 4, 0, 1, 3, 5])?;
    apart.reshape(&[factor * factor * rows, channels, height, width])
}

/// With grey at the end of an axis, so that `factor` divides it.
fn padded<'call>(call: Call<'call>, x: &Tensor<'call>, axis: usize, factor: usize) -> Result<Tensor<'call>> {
    let mut shape = x.shape()?;
    let rest = shape[axis] % factor;
    if rest == 0 {
        return Ok(x.clone());
    }
    shape[axis] = factor - rest;
    Tensor::concat(&[x.clone(), Tensor::full(call, &shape, GREY)?], axis)
}
