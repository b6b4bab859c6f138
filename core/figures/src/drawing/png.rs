//! Pixels as PNG.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_runner::NodeError;

/// A PNG of grey or red-green-blue pixels.
pub fn png(pixels: &[u8], width: usize, height: usize, channels: usize) -> NodeResult<Vec<u8>> {
    let color = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let side = |length: usize| {
        u32::try_from(length)
            .map_err(|_| fail("picture_size", format!("a picture of {width} x {height} pixels is too large")))
    };
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(pixels, side(width)?, side(height)?, color)
        .map_err(|error| NodeError::internal(format!("a PNG cannot be written: {error}")))?;
    Ok(bytes)
}
