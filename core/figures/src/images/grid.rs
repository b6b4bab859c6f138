//! Many small pictures in one.

use pddflow_artifact::Pixels;
use pddflow_artifact::failure::NodeResult;

use crate::drawing::png;

/// Pixels of the picture between two images, before scaling.
const GAP: usize = 1;
/// The same between two sets, besides that.
const SET_GAP: usize = 4;
/// Grey value between images: neither black nor white, since both are common in images.
const BACKGROUND: u8 = 200;
/// Sides up to these are shown four and two times as large.
const SMALL: usize = 32;
const MEDIUM: usize = 64;
/// A wider grid is not enlarged further.
const WIDE: usize = 4096;

/// A grid of images.
pub struct Grid {
    /// Most images of a class that are shown.
    pub columns: Option<usize>,
    /// How often each pixel is repeated, in both directions; chosen by size if `None`.
    pub scale: Option<usize>,
}

impl Grid {
    /// A PNG with a row for each class, and the sets side by side from left to right. All have one size and as many classes.
    pub fn draw(&self, sets: &[Pixels]) -> NodeResult<Vec<u8>> {
        let Some(first) = sets.first() else { return png(&[], 0, 0, 1) };
        let (size, channels) = (first.size, first.size.channels);
        let most = self.columns.unwrap_or(usize::MAX);
        let (cell_width, cell_height) = (size.width + GAP, size.height + GAP);
        let mut lefts = Vec::with_capacity(sets.len());
        let mut width = GAP;
        for set in sets {
            lefts.push(width);
            let columns = set.class_rows.iter().map(|rows| rows.len().min(most)).max().unwrap_or(0);
            width += columns * cell_width + SET_GAP;
        }
        width -= SET_GAP;
        let height = first.class_rows.len() * cell_height + GAP;
        let mut canvas = vec![BACKGROUND; width * height * channels];
        for (set, set_left) in sets.iter().zip(lefts) {
            for (class, rows) in set.class_rows.iter().enumerate() {
                for (column, row) in rows.iter().take(most).enumerate() {
                    let (left, top) = (set_left + column * cell_width, class * cell_height + GAP);
                    for (line, pixels) in set.image(*row).chunks(size.width * channels).enumerate() {
                        let start = ((top + line) * width + left) * channels;
                        canvas[start..start + pixels.len()].copy_from_slice(pixels);
                    }
                }
            }
        }
        let scale = self.scale.unwrap_or_else(|| default_scale(first, width));
        png(&repeat(&canvas, width, channels, scale), width * scale, height * scale, channels)
    }
}

fn default_scale(shown: &Pixels, width: usize) -> usize {
    let side = shown.size.height.max(shown.size.width);
    let by_size = if side <= SMALL { 4 } else { 1 + usize::from(side <= MEDIUM) };
    by_size.min((WIDE / width.max(1)).max(1))
}

/// Nearest neighbour: every pixel `scale` times to the right and down.
fn repeat(canvas: &[u8], width: usize, channels: usize, scale: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(canvas.len() * scale * scale);
    for line in canvas.chunks(width * channels) {
        let start = out.len();
        for pixel in line.chunks(channels) {
            (0..scale).for_each(|_| out.extend_from_slice(pixel));
        }
        let end = out.len();
        (1..scale).for_each(|_| out.extend_from_within(start..end));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_artifact::ImageSize;

    #[test]
    fn classes_are_rows_and_images_columns() {
        let size = ImageSize { channels: 1, height: 1, width: 2 };
        let shown = Pixels { size, pixels: vec![1, 2, 3, 4, 5, 6], class_rows: vec![vec![2, 0], vec![1]] };
        let bytes = Grid { columns: None, scale: Some(1) }.draw(&[shown]).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (7, 5));
        let b = BACKGROUND;
        let expected = [[b; 7], [b, 5, 6, b, 1, 2, b], [b; 7], [b, 3, 4, b, b, b, b], [b; 7]].concat();
        assert_eq!(picture.into_raw(), expected);
    }

    #[test]
    fn sets_stand_side_by_side() {
        let size = ImageSize { channels: 1, height: 1, width: 1 };
        let shown = |pixels: &[u8]| Pixels { size, pixels: pixels.to_vec(), class_rows: vec![vec![0], vec![1]] };
        let bytes = Grid { columns: None, scale: Some(1) }.draw(&[shown(&[1, 2]), shown(&[3, 4])]).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().into_luma8();
        let column = |x: u32| [picture.get_pixel(x, 1).0[0], picture.get_pixel(x, 3).0[0]];
        assert_eq!(picture.width(), 1 + 2 + SET_GAP as u32 + 2);
        assert_eq!((column(1), column(3 + SET_GAP as u32)), ([1, 2], [3, 4]));
    }

    #[test]
    fn enlarging_repeats_pixels() {
        assert_eq!(repeat(&[1, 2, 3, 4], 2, 1, 2), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
        assert_eq!(repeat(&[1, 2, 3], 1, 3, 2), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
    }
}
