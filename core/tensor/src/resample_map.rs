//! Sparse linear maps of an image plane, the common form of crop, shift, mirror, warp and resize.

use crate::error::{Result, shape_error, value_error};
use crate::size::checked_elements;
use pddflow_kernels::chunks_of_two;

/// A sparse linear map from planes of `from` pixels to planes of `to` pixels.
///
/// Output pixel `p` is `sum over t of weight[p, t] * input[index[p, t]]` with `taps` terms; a term
/// that is not needed has weight 0 and index 0. Either one map serves all images, or every image has
/// its own; channels always share.
#[derive(Clone, Debug, PartialEq)]
pub struct ResampleMap {
    from: [usize; 2],
    to: [usize; 2],
    taps: usize,
    images: Option<usize>,
    index: Vec<u32>,
    weight: Vec<f64>,
}

impl ResampleMap {
    /// A map from its entries, `index` and `weight` being `[image, output pixel, tap]` (no image axis
    /// when `images` is `None`: shared by all).
    ///
    /// # Errors
    /// When a length does not match or an index lies outside the input plane.
    pub fn new(
        from: [usize; 2],
        to: [usize; 2],
        taps: usize,
        images: Option<usize>,
        entries: (Vec<u32>, Vec<f64>),
    ) -> Result<Self> {
        let (index, weight) = entries;
        let expected = images.unwrap_or(1) * to[0] * to[1] * taps;
        if index.len() != expected || weight.len() != expected {
            return shape_error(
                "resample map",
                &[&[index.len()], &[weight.len()]],
                format!("{expected} entries are needed for {images:?} images of {to:?} pixels with {taps} taps"),
            );
        }
        let pixels = from[0] * from[1];
        if let Some(bad) = index.iter().find(|&&i| i as usize >= pixels) {
            return value_error("resample map", format!("index {bad} lies outside a plane of {pixels} pixels"));
        }
        Ok(Self { from, to, taps, images, index, weight })
    }

    /// Rows and columns of the input plane.
    #[must_use]
    pub fn from(&self) -> [usize; 2] {
        self.from
    }

    /// Rows and columns of the output plane.
    #[must_use]
    pub fn to(&self) -> [usize; 2] {
        self.to
    }

    /// Terms of each output pixel.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// How many images have a map of their own; `None` when one map serves all.
    #[must_use]
    pub fn images(&self) -> Option<usize> {
        self.images
    }

    /// Input pixels (row-major within the plane) and weights of image `image`, each `[output pixel, tap]`.
    #[must_use]
    pub fn entries(&self, image: usize) -> (&[u32], &[f64]) {
        let length = self.to[0] * self.to[1] * self.taps;
        let start = if self.images.is_some() { image * length } else { 0 };
        (&self.index[start..start + length], &self.weight[start..start + length])
    }

    /// Bilinear resize with half-pixel centres (`align_corners` false): output pixel `k` reads position
    /// `max(0, (k + 0.5) * n_in / n_out - 0.5)`, the upper neighbour limited to the last pixel.
    ///
    /// # Errors
    /// When a side is 0 or a plane too large.
    pub fn bilinear(from: [usize; 2], to: [usize; 2]) -> Result<Self> {
        if from.contains(&0) || to.contains(&0) {
            return shape_error("bilinear resize", &[&from, &to], "a side is 0");
        }
        check_planes(from, to, 4)?;
        let rows = axis_positions(from[0], to[0]);
        let columns = axis_positions(from[1], to[1]);
        let mut index = Vec::with_capacity(to[0] * to[1] * 4);
        let mut weight = Vec::with_capacity(to[0] * to[1] * 4);
        for &(row, next_row, v) in &rows {
            for &(column, next_column, u) in &columns {
                let corners = [(row, column), (row, next_column), (next_row, column), (next_row, next_column)];
                index.extend(corners.map(|(r, c)| as_index(r * from[1] + c)));
                weight.extend([(1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u]);
            }
        }
        Self::new(from, to, 4, None, (index, weight))
    }

    /// Nearest-neighbour resize: output pixel `k` reads `floor(k * n_in / n_out)`.
    ///
    /// # Errors
    /// When a side is 0 or a plane too large.
    pub fn nearest(from: [usize; 2], to: [usize; 2]) -> Result<Self> {
        if from.contains(&0) || to.contains(&0) {
            return shape_error("nearest resize", &[&from, &to], "a side is 0");
        }
        check_planes(from, to, 1)?;
        let index: Vec<u32> = (0..to[0] * to[1])
            .map(|pixel| {
                let row = pixel / to[1] * from[0] / to[0];
                let column = pixel % to[1] * from[1] / to[1];
                as_index(row * from[1] + column)
            })
            .collect();
        let weight = vec![1.0; index.len()];
        Self::new(from, to, 1, None, (index, weight))
    }

    /// Samples at given positions, one `[output pixel]` list of (row, column) per image: the bilinear mix
    /// of the four neighbours, neighbours outside the plane counting as zero.
    ///
    /// # Errors
    /// When the lists have different lengths or a plane is too large.
    pub fn sample(
        from: [usize; 2],
        to: [usize; 2],
        images: Option<usize>,
        position: impl Fn(usize, usize, usize) -> (f64, f64) + Sync,
    ) -> Result<Self> {
        let maps = images.unwrap_or(1);
        check_planes(from, to, maps.saturating_mul(4))?;
        let entries = to[0] * to[1] * 4;
        let (mut index, mut weight) = (vec![0; maps * entries], vec![0.0; maps * entries]);
        chunks_of_two(&mut index, &mut weight, entries, |image, index, weight| {
            let rows = index.chunks_exact_mut(4 * to[1]).zip(weight.chunks_exact_mut(4 * to[1])).enumerate();
            for (row, (index, weight)) in rows {
                let pixels = index.chunks_exact_mut(4).zip(weight.chunks_exact_mut(4)).enumerate();
                for (column, (index, weight)) in pixels {
                    let (row, column) = position(image, row, column);
                    for (entry, (i, w)) in neighbours(from, row, column).into_iter().enumerate() {
                        (index[entry], weight[entry]) = (i, w);
                    }
                }
            }
        });
        Self::new(from, to, 4, images, (index, weight))
    }
}

/// Whether input pixels can be numbered, and there is room for so many terms of each output pixel.
fn check_planes(from: [usize; 2], to: [usize; 2], terms: usize) -> Result<()> {
    checked_elements("resample", &[to[0], to[1], terms])?;
    match u32::try_from(checked_elements("resample", &from)?) {
        Ok(_) => Ok(()),
        Err(_) => shape_error("resample", &[&from], "a plane has fewer than 2^32 pixels"),
    }
}

/// The four neighbours of a fractional position with their bilinear weights; those outside weigh 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "positions far outside, or none at all, have been sent away"
)]
fn neighbours(from: [usize; 2], row: f64, column: f64) -> [(u32, f64); 4] {
    let far = 1e9;
    if !(row.abs() < far && column.abs() < far) {
        return [(0, 0.0); 4];
    }
    // Not `floor`, which is a call of a function where the processor's instruction cannot be counted on.
    let floor = |position: f64| position as i64 - i64::from(position < (position as i64) as f64);
    let (top, left) = (floor(row), floor(column));
    let (v, u) = (row - top as f64, column - left as f64);
    let inside = |position: i64, side: usize| (0..side as i64).contains(&position);
    [
        (top, left, (1.0 - v) * (1.0 - u)),
        (top, left + 1, (1.0 - v) * u),
        (top + 1, left, v * (1.0 - u)),
        (top + 1, left + 1, v * u),
    ]
    .map(|(r, c, weight)| {
        if inside(r, from[0]) && inside(c, from[1]) {
            (as_index((r * from[1] as i64 + c).unsigned_abs() as usize), weight)
        } else {
            (0, 0.0)
        }
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions are small and not negative"
)]
fn axis_positions(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
    let scale = from as f64 / to as f64;
    (0..to)
        .map(|k| {
            let position = ((k as f64 + 0.5) * scale - 0.5).max(0.0);
            let lower = (position.floor() as usize).min(from - 1);
            (lower, (lower + 1).min(from - 1), position - lower as f64)
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "an image plane has fewer than 2^32 pixels")]
fn as_index(pixel: usize) -> u32 {
    pixel as u32
}
