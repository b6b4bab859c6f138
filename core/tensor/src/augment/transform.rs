//! The transforms with explicit parameters.
//!
//! `x` is `[image, channel, row, column]`. Each list of parameters has one entry for all images or one for each.

use std::sync::Arc;

use crate::error::{Result, shape_error, value_error};
use crate::{ResampleMap, Tensor};

/// Where normalised coordinates -1 and 1 lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// At the centres of the first and last pixel (`align_corners` true).
    Corners,
    /// At the outer edges of the first and last pixel (`align_corners` false).
    Centres,
}

impl Grid {
    #[expect(clippy::cast_precision_loss, reason = "sides of images are small")]
    fn normalised(self, pixel: usize, side: usize) -> f64 {
        match self {
            Self::Corners if side == 1 => 0.0,
            Self::Corners => 2.0 * pixel as f64 / (side - 1) as f64 - 1.0,
            Self::Centres => (2 * pixel + 1) as f64 / side as f64 - 1.0,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "sides of images are small")]
    fn pixel(self, coordinate: f64, side: usize) -> f64 {
        match self {
            Self::Corners => (coordinate + 1.0) / 2.0 * (side - 1) as f64,
            Self::Centres => ((coordinate + 1.0) * side as f64 - 1.0) / 2.0,
        }
    }
}

/// `x + delta`.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn brightness(x: &Tensor, delta: &[f64]) -> Result<Tensor> {
    x.add(&per_image("brightness", x, delta)?)
}

/// `m + (x - m) factor`, m being the mean over the channels of each pixel.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn saturation(x: &Tensor, factor: &[f64]) -> Result<Tensor> {
    let factor = per_image("saturation", x, factor)?;
    around(x, &x.mean(&[1], true)?, &factor)
}

/// `m + (x - m) factor`, m being the mean of each image.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn contrast(x: &Tensor, factor: &[f64]) -> Result<Tensor> {
    let factor = per_image("contrast", x, factor)?;
    around(x, &x.mean(&[1, 2, 3], true)?, &factor)
}

/// `y[i, j] = x[i + rows, j + columns]`, zero outside.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn crop(x: &Tensor, rows: &[i64], columns: &[i64]) -> Result<Tensor> {
    let size = planes("crop", x)?;
    let images = maps("crop", x, &[rows.len(), columns.len()])?;
    let inside = |pixel: usize, shift: i64, side: usize| {
        i64::try_from(pixel).ok().and_then(|p| usize::try_from(p + shift).ok()).filter(|&p| p < side)
    };
    let mut index = Vec::new();
    let mut weight = Vec::new();
    for image in 0..images.unwrap_or(1) {
        let (down, right) = (rows[image.min(rows.len() - 1)], columns[image.min(columns.len() - 1)]);
        for pixel in 0..size[0] * size[1] {
            let from = (inside(pixel / size[1], down, size[0]), inside(pixel % size[1], right, size[1]));
            let (i, w) = if let (Some(row), Some(column)) = from { (row * size[1] + column, 1.0) } else { (0, 0.0) };
            index.push(u32::try_from(i).unwrap_or(u32::MAX));
            weight.push(w);
        }
    }
    x.resample(&Arc::new(ResampleMap::new(size, size, 1, images, (index, weight))?))
}

/// A rectangle of `cut` pixels set to 0: rows `clamp(row - cut/2 + i, 0, height - 1)` for `i < cut`, columns likewise.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn cutout(x: &Tensor, row: &[i64], column: &[i64], cut: [usize; 2]) -> Result<Tensor> {
    let [height, width] = planes("cutout", x)?;
    let images = maps("cutout", x, &[row.len(), column.len()])?.unwrap_or(1);
    let mut mask = vec![1.0; images * height * width];
    for (image, plane) in mask.chunks_mut(height * width).enumerate() {
        let rows = covered(row[image.min(row.len() - 1)], cut[0], height);
        let columns = covered(column[image.min(column.len() - 1)], cut[1], width);
        for r in rows {
            plane[r * width..][columns.clone()].fill(0.0);
        }
    }
    x.mul(&Tensor::from_values(mask, &[images, 1, height, width], x.dtype(), &x.device())?)
}

/// Mirrored left to right where true.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn flip(x: &Tensor, mirrored: &[bool]) -> Result<Tensor> {
    planes("flip", x)?;
    maps("flip", x, &[mirrored.len()])?;
    match (mirrored.contains(&true), mirrored.contains(&false)) {
        (false, _) => Ok(x.clone()),
        (true, false) => x.flip(&[3]),
        (true, true) => {
            let mask: Vec<f64> = mirrored.iter().map(|&mirrored| f64::from(u8::from(mirrored))).collect();
            per_image("flip", x, &mask)?.select(&x.flip(&[3])?, x)
        }
    }
}

/// Source column = `column_factor` output column, source row = `row_factor` output row, in normalised
/// coordinates; bilinear, zero outside. Factors above 1 shrink the picture.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn scale(x: &Tensor, column_factor: &[f64], row_factor: &[f64], grid: Grid) -> Result<Tensor> {
    let images = maps("scale", x, &[column_factor.len(), row_factor.len()])?;
    warp("scale", x, images, grid, |image, row, column| {
        let at = |factor: &[f64]| factor[image.min(factor.len() - 1)];
        (at(row_factor) * row, at(column_factor) * column)
    })
}

/// Source column = cos(a) column - sin(a) row, source row = sin(a) column + cos(a) row, in normalised coordinates;
/// bilinear, zero outside. Angles in radians.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn rotate(x: &Tensor, angle: &[f64], grid: Grid) -> Result<Tensor> {
    let images = maps("rotate", x, &[angle.len()])?;
    let turns: Vec<(f64, f64)> = angle.iter().map(|&angle| (libm::sin(angle), libm::cos(angle))).collect();
    warp("rotate", x, images, grid, |image, row, column| {
        let (sin, cos) = turns[image.min(turns.len() - 1)];
        (sin * column + cos * row, cos * column - sin * row)
    })
}

/// Resamples at `source(image, row, column)`, everything in normalised coordinates.
fn warp(
    op: &'static str,
    x: &Tensor,
    images: Option<usize>,
    grid: Grid,
    source: impl Fn(usize, f64, f64) -> (f64, f64) + Sync,
) -> Result<Tensor> {
    let [height, width] = planes(op, x)?;
    let map = ResampleMap::sample([height, width], [height, width], images, |image, row, column| {
        let (row, column) = source(image, grid.normalised(row, height), grid.normalised(column, width));
        (grid.pixel(row, height), grid.pixel(column, width))
    })?;
    x.resample(&Arc::new(map))
}

fn around(x: &Tensor, mean: &Tensor, factor: &Tensor) -> Result<Tensor> {
    x.sub(mean)?.mul(factor)?.add(mean)
}

/// The pixels `clamp(centre - cut/2 + i, 0, side - 1)` for `i < cut`; they are contiguous.
fn covered(centre: i64, cut: usize, side: usize) -> std::ops::Range<usize> {
    if cut == 0 || side == 0 {
        return 0..0;
    }
    let clamp = |position: i64| usize::try_from(position).unwrap_or(0).min(side - 1);
    let [half, length] = [cut / 2, cut].map(|length| i64::try_from(length).unwrap_or(i64::MAX));
    clamp(centre - half)..clamp(centre - half + length - 1) + 1
}

fn planes(op: &'static str, x: &Tensor) -> Result<[usize; 2]> {
    match *x.shape() {
        [_, _, height, width] => Ok([height, width]),
        _ => shape_error(op, &[x.shape()], "the axes are [image, channel, row, column]"),
    }
}

/// `None` when one set of parameters serves all images, else the number of images.
fn maps(op: &'static str, x: &Tensor, counts: &[usize]) -> Result<Option<usize>> {
    planes(op, x)?;
    let images = x.shape()[0];
    if counts.iter().any(|&count| count == 0 || (count != 1 && count != images)) {
        return value_error(
            op,
            format!("{counts:?} parameters are given for {images} images; give one, or one for each"),
        );
    }
    Ok(counts.iter().any(|&count| count != 1).then_some(images))
}

fn per_image(op: &'static str, x: &Tensor, values: &[f64]) -> Result<Tensor> {
    maps(op, x, &[values.len()])?;
    Tensor::from_values(values.to_vec(), &[values.len(), 1, 1, 1], x.dtype(), &x.device())
}
