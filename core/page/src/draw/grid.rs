//! Images of a set as one picture: a row for each class, pixels kept sharp by the style sheet.

use crate::markup::{Markup, escaped};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use pddflow_artifact::Pixels;
use std::fmt::Write as _;

/// A grid is enlarged up to this length of its longer side.
const SIDE: usize = 620;
const MOST_SCALE: usize = 4;
/// Room for the class names, in the page's pixels.
const LABELS: f64 = 96.0;
/// Longer names of classes are cut.
const LABEL_CHARS: usize = 15;
/// Rows lower than this have no name of their own beside them.
const LEAST_ROW: f64 = 11.0;

/// Many images in one PNG, side by side without gaps.
pub(crate) struct Sheet {
    png: Vec<u8>,
    /// Of one image.
    cell: (usize, usize),
    /// Images in a row, and rows.
    cells: Cells,
}

/// How many images a sheet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cells {
    columns: usize,
    rows: usize,
}

/// The first images of each class as one picture. None if there is nothing to draw, or more than a PNG can hold.
pub(crate) fn sheet(pixels: &Pixels, most_columns: usize) -> Option<Sheet> {
    let size = pixels.size;
    let columns =
        pixels.class_rows.iter().map(|rows| rows.len().min(most_columns)).max().filter(|columns| *columns > 0)?;
    let rows = pixels.class_rows.len();
    let (width, height) = (columns * size.width, rows * size.height);
    // Transparent where a class has fewer images than others: an image of its own would be taken for one.
    let (channels, colour) = match size.channels {
        1 => (2, ExtendedColorType::La8),
        3 => (4, ExtendedColorType::Rgba8),
        _ => return None,
    };
    let mut canvas = vec![0_u8; width * height * channels];
    for (row, images) in pixels.class_rows.iter().enumerate() {
        for (column, image) in images.iter().take(most_columns).enumerate() {
            for (line, values) in pixels.image(*image).chunks(size.width * size.channels).enumerate() {
                let start = ((row * size.height + line) * width + column * size.width) * channels;
                for (out, value) in canvas[start..].chunks_mut(channels).zip(values.chunks(size.channels)) {
                    out[..size.channels].copy_from_slice(value);
                    out[size.channels] = u8::MAX;
                }
            }
        }
    }
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    encoder.write_image(&canvas, width, height, colour).ok()?;
    Some(Sheet { png, cell: (size.width, size.height), cells: Cells { columns, rows } })
}

/// A sheet as SVG with the names of the classes beside its rows.
pub(crate) fn grid(sheet: &Sheet, names: &[String], alt: &str) -> Markup {
    let Cells { columns, rows } = sheet.cells;
    let (width, height) = (columns * sheet.cell.0, rows * sheet.cell.1);
    let scale = (SIDE / width.max(height).max(1)).clamp(1, MOST_SCALE);
    let (shown_width, shown_height) = ((width * scale) as f64, (height * scale) as f64);
    let row = (sheet.cell.1 * scale) as f64;
    let column = (sheet.cell.0 * scale) as f64;
    let mut svg = Markup::default();
    let _ = write!(
        svg,
        "<svg class=\"grid\" width=\"{0}\" height=\"{shown_height}\" viewBox=\"0 0 {0} {shown_height}\" role=\"img\" \
         aria-label=\"{1}\" data-grid=\"{LABELS} {column} {row}\">",
        LABELS + shown_width,
        escaped(alt),
    );
    let _ = write!(
        svg,
        "<image class=\"sharp\" x=\"{LABELS}\" y=\"0\" width=\"{shown_width}\" height=\"{shown_height}\" \
         preserveAspectRatio=\"none\" href=\"data:image/png;base64,{}\"/>",
        STANDARD.encode(&sheet.png),
    );
    let mut gaps = String::new();
    (1..columns).for_each(|at| gaps.push_str(&format!("M{} 0V{shown_height}", LABELS + at as f64 * column)));
    (1..rows).for_each(|at| gaps.push_str(&format!("M{LABELS} {}H{}", at as f64 * row, LABELS + shown_width)));
    let _ = write!(svg, "<path class=\"gap\" d=\"{gaps}\"/>");
    if row >= LEAST_ROW {
        for (at, name) in names.iter().enumerate() {
            let short = crate::words::cut(name, LABEL_CHARS);
            let middle = (at as f64 + 0.5) * row + 4.0;
            let _ = write!(
                svg,
                "<text class=\"num\" x=\"{}\" y=\"{middle:.1}\">{}<title>{}</title></text>",
                LABELS - 8.0,
                escaped(&short),
                escaped(name),
            );
        }
    }
    svg.push("</svg>");
    svg
}
