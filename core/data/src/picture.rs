//! PNG and JPEG to pixels of one size and colour.
//!
//! Colours: if every picture is grey the data have one channel, else all have three (grey ones get their value three
//! times). Transparency is dropped, 16 bits become 8.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, imageops};
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages};
use pddflow_runner::{NodeContext, NodeError, Progress};
use rayon::prelude::*;

use crate::raw::damaged;

/// No picture of a data set has more pixels to a side; a damaged header may claim any number.
const MOST_PIXELS_A_SIDE: u32 = 16_384;
/// Pictures decoded between two looks at whether to stop.
const AT_ONCE: usize = 4096;
/// Zero bytes and line ends that some writers leave after the end of a JPEG.
const PADDING: [u8; 4] = [0, b'\n', b'\r', b' '];
const JPEG_END: [u8; 2] = [0xff, 0xd9];

/// A decoded picture, pixels row by row with interleaved channels.
pub(crate) struct Picture {
    channels: usize,
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

/// Where encoded pictures come from.
pub(crate) trait Encoded: Sync {
    /// What messages call it.
    fn name(&self) -> String;
    /// Its bytes.
    fn with_bytes<T>(&self, work: impl FnOnce(&[u8]) -> NodeResult<T>) -> NodeResult<T>;
    /// Its class.
    fn label(&self) -> u16;
}

/// Decodes all pictures, on all cores; the first failure by order is the one that is told.
pub(crate) fn decode_all<E: Encoded>(
    pictures: &[E],
    resize: Option<usize>,
    context: &NodeContext<'_>,
) -> NodeResult<Vec<Picture>> {
    let decode = |picture: &E| picture.with_bytes(|bytes| Picture::decode(&|| picture.name(), bytes, resize));
    let mut decoded = Vec::with_capacity(pictures.len());
    for part in pictures.chunks(AT_ONCE) {
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
        let part: Vec<NodeResult<Picture>> = part.par_iter().map(decode).collect();
        for picture in part {
            decoded.push(picture?);
        }
        let (done, total) = (decoded.len() as u64, pictures.len() as u64);
        context.progress(Progress { done, total, unit: "images", loss: None });
    }
    Ok(decoded)
}

/// Both splits in one size and colour.
pub(crate) fn unify<E: Encoded>(
    train: (&[E], Vec<Picture>),
    test: (&[E], Vec<Picture>),
) -> NodeResult<(ImageSize, LabelledImages, LabelledImages)> {
    let all = || train.0.iter().zip(&train.1).chain(test.0.iter().zip(&test.1));
    let Some((first_source, first)) = all().next() else {
        return Err(fail("data_empty", "there is no picture").with_help("check the path of the source"));
    };
    let channels = all().map(|(_, picture)| picture.channels).max().unwrap_or(1);
    let size = ImageSize { channels, height: first.height, width: first.width };
    for (source, picture) in all() {
        if (picture.height, picture.width) != (size.height, size.width) {
            let (name, first_name) = (source.name(), first_source.name());
            let message = format!(
                "{name} has {} x {} pixels, and {first_name} has {} x {}",
                picture.height, picture.width, size.height, size.width
            );
            return Err(fail("data_size", message)
                .with_help("all images must have one size: give `resize: 64` (or another side) in the source"));
        }
    }
    Ok((size, planes(train, size), planes(test, size)))
}

fn planes<E: Encoded>((sources, pictures): (&[E], Vec<Picture>), size: ImageSize) -> LabelledImages {
    let mut pixels = vec![0; pictures.len() * size.elements()];
    let pairs = pixels.par_chunks_mut(size.elements().max(1)).zip(&pictures);
    pairs.for_each(|(out, picture)| picture.write_planes(out, size.channels));
    LabelledImages { pixels, labels: sources.iter().map(Encoded::label).collect() }
}

impl Picture {
    /// Decodes one picture. With `resize`, the shorter side is brought to that length (triangle filter, which averages when
    /// it shrinks) and the middle square is taken.
    fn decode(name: &dyn Fn() -> String, bytes: &[u8], resize: Option<usize>) -> NodeResult<Self> {
        let mut reader = ImageReader::new(Cursor::new(bytes));
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(MOST_PIXELS_A_SIDE);
        limits.max_image_height = Some(MOST_PIXELS_A_SIDE);
        reader.limits(limits);
        let format = image::guess_format(bytes).ok();
        match format {
            Some(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => reader.set_format(format),
            _ => return Err(damaged(name(), "this is no PNG and no JPEG picture")),
        }
        if format == Some(ImageFormat::Jpeg) && !ends(bytes) {
            return Err(damaged(name(), format!("the JPEG picture is cut off after {} bytes", bytes.len())));
        }
        let decoded =
            reader.decode().map_err(|error| damaged(name(), format!("the picture cannot be decoded: {error}")))?;
        Ok(Self::from_image(resized(decoded, resize)))
    }

    fn from_image(decoded: DynamicImage) -> Self {
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let (channels, pixels) = match decoded.color().has_color() {
            true => (3, decoded.into_rgb8().into_raw()),
            false => (1, decoded.into_luma8().into_raw()),
        };
        Self { channels, height, width, pixels }
    }

    fn write_planes(&self, out: &mut [u8], channels: usize) {
        let plane = self.height * self.width;
        for (channel, out) in out.chunks_mut(plane.max(1)).enumerate().take(channels) {
            let own = channel.min(self.channels - 1);
            let values = self.pixels.iter().skip(own).step_by(self.channels);
            out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
        }
    }
}

/// Decoders fill up a JPEG that is cut off with grey and say nothing.
fn ends(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| !PADDING.contains(byte)).map_or(0, |last| last + 1);
    // Some cameras append data of their own: then the end must lie in the last quarter.
    bytes[..end].ends_with(&JPEG_END) || bytes[bytes.len() / 4 * 3..].windows(2).any(|pair| pair == JPEG_END)
}

fn resized(decoded: DynamicImage, resize: Option<usize>) -> DynamicImage {
    let Some(side) = resize.and_then(|side| u32::try_from(side).ok()) else { return decoded };
    let (width, height) = (decoded.width(), decoded.height());
    if (width, height) == (side, side) {
        return decoded;
    }
    let short = width.min(height).max(1);
    let scale = |length: u32| (u64::from(length) * u64::from(side)).div_ceil(u64::from(short));
    let (wide, high) = (u32::try_from(scale(width)).unwrap_or(side), u32::try_from(scale(height)).unwrap_or(side));
    let scaled = decoded.resize_exact(wide, high, imageops::FilterType::Triangle);
    scaled.crop_imm((wide - side) / 2, (high - side) / 2, side, side)
}
