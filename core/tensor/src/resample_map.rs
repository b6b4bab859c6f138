//! Sparse linear maps of an image plane, the common form of crop, shift, mirror, warp and resize.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::{Result, shape_error, value_error};
use crate::size::checked_elements;
use pddflow_kernels::chunks_of_two;

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

    /// Both as lines: `[at 0, slope]`.
    fn lines(self, side: usize) -> [[f64; 2]; 2] {
        let (first, zero) = (self.normalised(0, side), self.pixel(0.0, side));
        [
            [first, self.normalised(1, side.max(2)) - self.normalised(0, side.max(2))],
            [zero, self.pixel(1.0, side) - zero],
        ]
    }
}

/// A sparse linear map from planes of `from` pixels to planes of `to` pixels.
///
/// Output pixel `p` is `sum over t of weight[p, t] * input[index[p, t]]` with `taps` terms; a term
/// that is not needed has weight 0 and index 0. Either one map serves all images, or every image has
/// its own; channels always share.
#[derive(Clone, Debug)]
pub struct ResampleMap {
    from: [usize; 2],
    to: [usize; 2],
    taps: usize,
    images: Option<usize>,
    /// Those of a warp are computed when they are needed.
    entries: OnceLock<(Vec<u32>, Vec<f64>)>,
    warp: Option<Warp>,
    /// Of a map that is a linear one without being a warp.
    lines: Vec<Lines>,
    on_device: OnDevice,
}

/// In pixels, the source row as `[constant, by row, by column]` and the source column as `[constant, by column, by row]`.
pub(crate) type Lines = [[f64; 3]; 2];

/// A linear map of normalised coordinates.
#[derive(Clone, Debug)]
struct Warp {
    grid: Grid,
    /// For each map: source row by row and by column, source column by column and by row.
    matrices: Vec<[f64; 4]>,
}

/// What a device has made of a map.
#[derive(Clone, Default)]
pub(crate) struct OnDevice(OnceLock<Arc<dyn Any + Send + Sync>>);

impl OnDevice {
    /// What is kept, if it is of this type.
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.get()?.downcast_ref()
    }

    /// Keeps the first that is given.
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, made: T) {
        let _ = self.0.set(Arc::new(made));
    }
}

impl fmt::Debug for OnDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDevice")
    }
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
        let entries = OnceLock::from((index, weight));
        Ok(Self { from, to, taps, images, entries, warp: None, lines: Vec::new(), on_device: OnDevice::default() })
    }

    /// A map of planes of a size to themselves that samples at linearly mapped normalised coordinates, as [`sample`](Self::sample) does: for
    /// each of `matrices` (one for all images, or one for each) source row by row and by column, source column by column and by row.
    ///
    /// # Errors
    /// When a plane is too large.
    pub fn warp(size: [usize; 2], images: Option<usize>, grid: Grid, matrices: Vec<[f64; 4]>) -> Result<Self> {
        check_planes(size, size, images.unwrap_or(1).saturating_mul(4))?;
        let warp = Some(Warp { grid, matrices });
        let (entries, on_device) = (OnceLock::new(), OnDevice::default());
        Ok(Self { from: size, to: size, taps: 4, images, entries, warp, lines: Vec::new(), on_device })
    }

    /// The same map, of which it is known how positions are mapped, one line for each image.
    pub(crate) fn with_lines(self, lines: Vec<Lines>) -> Self {
        Self { lines, ..self }
    }

    /// How positions are mapped, where this is linear: for each image, or for all.
    pub(crate) fn lines(&self) -> Option<Vec<Lines>> {
        let images = self.images.unwrap_or(1);
        let Some(Warp { grid, matrices }) = &self.warp else {
            return (self.lines.len() == images).then(|| self.lines.clone());
        };
        let [row, column] = self.from.map(|side| grid.lines(side));
        let both = |&[rr, rc, cc, cr]: &[f64; 4]| [line([rr, rc], row, column), line([cc, cr], column, row)];
        Some((0..images).map(|image| both(&matrices[image.min(matrices.len() - 1)])).collect())
    }

    pub(crate) fn on_device(&self) -> &OnDevice {
        &self.on_device
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
        let (index, weight) = self.entries.get_or_init(|| self.sampled());
        (&index[start..start + length], &weight[start..start + length])
    }

    /// The entries of a warp.
    fn sampled(&self) -> (Vec<u32>, Vec<f64>) {
        let Some(Warp { grid, matrices }) = &self.warp else { return (Vec::new(), Vec::new()) };
        let [rows, columns] = self.from;
        sampled(self.from, self.to, self.images, |image, row, column| {
            let [rr, rc, cc, cr] = matrices[image.min(matrices.len() - 1)];
            let (row, column) = (grid.normalised(row, rows), grid.normalised(column, columns));
            (grid.pixel(rr * row + rc * column, rows), grid.pixel(cc * column + cr * row, columns))
        })
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
        Self::resized_crops(from, to, None, &[[0, 0, from[0], from[1]]])
    }

    /// The same of a rectangle of the plane, `[top, left, height, width]`: one for all images, or one for each. Nothing outside of it is read.
    ///
    /// # Errors
    /// When a side is 0, a rectangle leaves the plane, or a plane is too large.
    pub fn resized_crops(
        from: [usize; 2],
        to: [usize; 2],
        images: Option<usize>,
        boxes: &[[usize; 4]],
    ) -> Result<Self> {
        check_planes(from, to, images.unwrap_or(1).saturating_mul(4))?;
        let terms = boxes.len() * to[0] * to[1] * 4;
        let (mut index, mut weight) = (Vec::with_capacity(terms), Vec::with_capacity(terms));
        for &[top, left, height, width] in boxes {
            if height == 0 || width == 0 || top + height > from[0] || left + width > from[1] {
                let message = format!("a crop of {height} x {width} at {top}, {left} is not in a plane of {from:?}");
                return value_error("resized crop", message);
            }
            let columns = axis_positions(width, to[1]);
            for (row, next_row, v) in axis_positions(height, to[0]) {
                for &(column, next_column, u) in &columns {
                    let corners = [(row, column), (row, next_column), (next_row, column), (next_row, next_column)];
                    index.extend(corners.map(|(r, c)| as_index((top + r) * from[1] + left + c)));
                    weight.extend([(1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u]);
                }
            }
        }
        Self::new(from, to, 4, images, (index, weight))
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
        check_planes(from, to, images.unwrap_or(1).saturating_mul(4))?;
        Self::new(from, to, 4, images, sampled(from, to, images, position))
    }
}

/// A coordinate in pixels from the own one and the other, given what they are multiplied by where they are normalised, and the lines of
/// their axes.
fn line([by_own, by_other]: [f64; 2], own: [[f64; 2]; 2], other: [[f64; 2]; 2]) -> [f64; 3] {
    let ([[own_at, own_slope], [at, slope]], [other_at, other_slope]) = (own, other[0]);
    [slope * (by_own * own_at + by_other * other_at) + at, slope * by_own * own_slope, slope * by_other * other_slope]
}

fn sampled(
    from: [usize; 2],
    to: [usize; 2],
    images: Option<usize>,
    position: impl Fn(usize, usize, usize) -> (f64, f64) + Sync,
) -> (Vec<u32>, Vec<f64>) {
    let (maps, entries) = (images.unwrap_or(1), to[0] * to[1] * 4);
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
    (index, weight)
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
