//! Images of a set as pixels, for people.

use pddflow_tensor::{Tensor, TensorError};

use super::dataset::ImageSize;
use super::distilled_set::DistilledSet;
use super::preprocessing::{PIXEL_MAX, Preprocessing};

/// The images of a set as pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Of every image.
    pub size: ImageSize,
    /// Interleaved channels, image after image.
    pub pixels: Vec<u8>,
    /// The images of each class, by their places in the set.
    pub class_rows: Vec<Vec<usize>>,
}

impl Pixels {
    /// The pixels of one image: `[height, width, channels]`.
    ///
    /// # Panics
    /// When the set has no such image.
    #[must_use]
    pub fn image(&self, row: usize) -> &[u8] {
        &self.pixels[row * self.size.elements()..(row + 1) * self.size.elements()]
    }
}

impl DistilledSet {
    /// Undoes the preprocessing and cuts to what a pixel can be. An image of soft labels counts to its most probable class.
    ///
    /// # Errors
    /// When the tensors cannot be read.
    pub fn pixels(&self, preprocessing: &Preprocessing) -> Result<Pixels, TensorError> {
        Pixels::of(&self.images, (&self.hard_labels()?, self.classes()), preprocessing)
    }
}

impl Pixels {
    /// Images `[n, c, h, w]` as nets see them, with the class of each of so many: undoes the preprocessing and cuts to what a pixel can be.
    ///
    /// # Errors
    /// When the tensor cannot be read.
    pub fn of(
        images: &Tensor,
        (rows, classes): (&[usize], usize),
        preprocessing: &Preprocessing,
    ) -> Result<Self, TensorError> {
        let shape = images.shape();
        let size = ImageSize { channels: shape[1], height: shape[2], width: shape[3] };
        let values = preprocessing.invert(images)?;
        let (elements, plane) = (size.elements(), size.height * size.width);
        let mut pixels = vec![0; values.len()];
        for (out, planes) in pixels.chunks_mut(elements).zip(values.chunks(elements)) {
            for (place, out) in out.iter_mut().enumerate() {
                *out = to_pixel(planes[place % size.channels * plane + place / size.channels]);
            }
        }
        let mut class_rows = vec![Vec::new(); classes];
        for (row, class) in rows.iter().enumerate() {
            class_rows[*class].push(row);
        }
        Ok(Self { size, pixels, class_rows })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to the range first")]
fn to_pixel(value: f64) -> u8 {
    (value * PIXEL_MAX).round().clamp(0.0, PIXEL_MAX) as u8
}
