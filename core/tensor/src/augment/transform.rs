//! The transforms with explicit parameters.
//!
//! `x` is `[image, channel, row, column]`. Each list of parameters has one entry for all images or one for each.

use std::sync::Arc;

use crate::error::{Result, shape_error, value_error};
use crate::resample_map::Grid;
use crate::{Device, ResampleMap, Tensor};

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
    let map = ResampleMap::new(size, size, 1, images, (index, weight))?;
    let at = |shifts: &[i64], image: usize| shifts[image.min(shifts.len() - 1)];
    #[expect(clippy::cast_precision_loss, reason = "sides of images are small")]
    let line = |image| [[at(rows, image) as f64, 1.0, 0.0], [at(columns, image) as f64, 1.0, 0.0]];
    x.resample(&Arc::new(map.with_lines((0..images.unwrap_or(1)).map(line).collect())))
}

/// A rectangle of `cut` pixels set to 0: rows `clamp(row - cut/2 + i, 0, height - 1)` for `i < cut`, columns likewise.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn cutout(x: &Tensor, row: &[i64], column: &[i64], cut: [usize; 2]) -> Result<Tensor> {
    let [height, width] = planes("cutout", x)?;
    let images = maps("cutout", x, &[row.len(), column.len()])?.unwrap_or(1);
    let at = |centres: &[i64], image: usize| centres[image.min(centres.len() - 1)];
    let cut = |image: usize| (covered(at(row, image), cut[0], height), covered(at(column, image), cut[1], width));
    if x.device() != Device::Cpu {
        // Two lines for each image instead of a plane.
        let (mut rows, mut columns) = (vec![0.0; images * height], vec![0.0; images * width]);
        for image in 0..images {
            let cut = cut(image);
            rows[image * height..][cut.0].fill(1.0);
            columns[image * width..][cut.1].fill(1.0);
        }
        let rows = Tensor::from_values(rows, &[images, 1, height, 1], x.dtype(), &x.device())?;
        let columns = Tensor::from_values(columns, &[images, 1, 1, width], x.dtype(), &x.device())?;
        return x.mul(&rows.mul(&columns)?.mul_scalar(-1.0)?.add_scalar(1.0)?);
    }
    let mut mask = vec![1.0; images * height * width];
    for (image, plane) in mask.chunks_mut(height * width).enumerate() {
        let (rows, columns) = cut(image);
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
    let count = column_factor.len().max(row_factor.len());
    let at = |factor: &[f64], map: usize| factor[map.min(factor.len() - 1)];
    let matrices = (0..count).map(|map| [at(row_factor, map), 0.0, at(column_factor, map), 0.0]);
    x.resample(&Arc::new(ResampleMap::warp(planes("scale", x)?, images, grid, matrices.collect())?))
}

/// Source column = cos(a) column - sin(a) row, source row = sin(a) column + cos(a) row, in normalised coordinates;
/// bilinear, zero outside. Angles in radians.
///
/// # Errors
/// When the number of parameters does not fit.
pub fn rotate(x: &Tensor, angle: &[f64], grid: Grid) -> Result<Tensor> {
    let images = maps("rotate", x, &[angle.len()])?;
    let turn = |&angle: &f64| {
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        [cos, sin, cos, -sin]
    };
    let matrices = angle.iter().map(turn).collect();
    x.resample(&Arc::new(ResampleMap::warp(planes("rotate", x)?, images, grid, matrices)?))
}

/// Strips of rows, and strips of columns, in another order: strip k of what comes out is strip `order[k]`. An order of n strips cuts a side
/// into n of equal length, the last with what is left.
///
/// # Errors
/// When the number of orders does not fit, or one is none of 0 to n - 1 for n from 1 to the side.
pub fn shuffle(x: &Tensor, rows: &[Vec<usize>], columns: &[Vec<usize>]) -> Result<Tensor> {
    let size = planes("shuffle", x)?;
    let images = maps("shuffle", x, &[rows.len(), columns.len()])?;
    let mut index = Vec::new();
    for image in 0..images.unwrap_or(1) {
        let at = |orders: &[Vec<usize>], side: usize| strips(&orders[image.min(orders.len() - 1)], side);
        let (rows, columns) = (at(rows, size[0])?, at(columns, size[1])?);
        let pixels = rows.iter().flat_map(|row| columns.iter().map(move |column| row * size[1] + column));
        index.extend(pixels.map(|pixel| u32::try_from(pixel).unwrap_or(u32::MAX)));
    }
    let weight = vec![1.0; index.len()];
    x.resample(&Arc::new(ResampleMap::new(size, size, 1, images, (index, weight))?))
}

/// Where the places of a side come from.
fn strips(order: &[usize], side: usize) -> Result<Vec<usize>> {
    let count = order.len();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if count == 0 || count > side || sorted.into_iter().ne(0..count) {
        return value_error("shuffle", format!("{order:?} is no order of strips of a side of {side} pixels"));
    }
    let strip = |&number: &usize| {
        let end = if number + 1 == count { side } else { (number + 1) * (side / count) };
        number * (side / count)..end
    };
    Ok(order.iter().flat_map(strip).collect())
}

/// A rectangle `[top, left, height, width]` of the image, bilinearly resized to its size with half-pixel centres; nothing outside of the
/// rectangle is mixed in.
///
/// # Errors
/// When the number of rectangles does not fit, or one is not within the image.
pub fn resized_crop(x: &Tensor, boxes: &[[usize; 4]]) -> Result<Tensor> {
    let size = planes("resized crop", x)?;
    let images = maps("resized crop", x, &[boxes.len()])?;
    x.resample(&Arc::new(ResampleMap::resized_crops(size, size, images, boxes)?))
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
