//! Images of IDC that are stored undecoded: each holds `factor * factor` smaller ones (multi-formation; Kim et al. 2022, section 3.2).

use pddflow_artifact::ImageSize;
use pddflow_artifact::failure::{During, NodeResult};
use pddflow_tensor::{Device, Tensor};

/// Value of the padding, as pixel.
const GREY: f64 = 0.5;

/// Pixels `[n, c, h, w]` as `[factor^2 n, c, h, w]`, and how many images these are: the first cells of all images, then the
/// second ones, each enlarged (bilinear, half-pixel centres) to the size of the image. Sides that `factor` does not divide are
/// padded with grey first.
pub(super) fn decoded(pixels: Vec<f64>, rows: usize, size: ImageSize, factor: usize) -> NodeResult<(Vec<f64>, usize)> {
    if factor == 1 {
        return Ok((pixels, rows));
    }
    let doing = "decoding imported images";
    let ImageSize { channels, height, width } = size;
    let stored = Tensor::from_f64(pixels, &[rows, channels, height, width], &Device::Cpu).during(doing)?;
    let padded = padded(&padded(&stored, 2, factor)?, 3, factor)?;
    let (high, wide) = (height.div_ceil(factor), width.div_ceil(factor));
    let apart = padded.reshape(&[rows, channels, factor, high, factor, wide]).during(doing)?;
    let count = factor * factor * rows;
    let cells = apart.permute(&[2, 4, 0, 1, 3, 5]).during(doing)?;
    let cells = cells.reshape(&[count, channels, high, wide]).during(doing)?;
    Ok((cells.bilinear_resize(height, width).during(doing)?.to_f64_vec().during(doing)?, count))
}

fn padded(x: &Tensor, axis: usize, factor: usize) -> NodeResult<Tensor> {
    let doing = "padding imported images";
    let mut shape = x.shape().to_vec();
    let rest = shape[axis] % factor;
    if rest == 0 {
        return Ok(x.clone());
    }
    shape[axis] = factor - rest;
    let grey = Tensor::full(GREY, &shape, x.dtype(), &x.device()).during(doing)?;
    Tensor::concat(&[x.clone(), grey], axis).during(doing)
}
