//! IDC's "mix": several real images in one, as the first value of images that will be cut apart when decoded.

use pddflow_host::InputShape;

/// Images tiled `factor` x `factor`, class by class.
///
/// `images` `[image, channel, row, column]` are, within each class, the images of the first cell of every row, then those of
/// the second cell, and so on. Cells are numbered row by row; the first `side % factor` cells of a direction are one pixel
/// larger. An image is shrunk to its cell by nearest neighbour: source index `floor(k * side / cell)`.
#[must_use]
pub fn tile(images: &[f64], shape: InputShape, classes: usize, factor: usize) -> Vec<f64> {
    let (pixels, cells) = (shape.elements(), factor * factor);
    let per_class = images.len() / pixels / cells / classes.max(1);
    let (row_cells, column_cells) = (cell_edges(shape.height, factor), cell_edges(shape.width, factor));
    let mut tiled = vec![0.0; per_class * classes * pixels];
    for (number, target) in tiled.chunks_exact_mut(pixels).enumerate() {
        let (class, row) = (number / per_class, number % per_class);
        for cell in 0..cells {
            let source = ((class * cells + cell) * per_class + row) * pixels;
            let place = (row_cells[cell / factor], column_cells[cell % factor]);
            shrink_into(&images[source..source + pixels], target, (shape.height, shape.width), place);
        }
    }
    tiled
}

/// Start and length of each cell along one side.
fn cell_edges(side: usize, factor: usize) -> Vec<(usize, usize)> {
    let length = |cell: usize| side / factor + usize::from(cell < side % factor);
    (0..factor).map(|cell| ((0..cell).map(length).sum(), length(cell))).collect()
}

fn shrink_into(
    source: &[f64],
    target: &mut [f64],
    (height, width): (usize, usize),
    ((top, rows), (left, columns)): ((usize, usize), (usize, usize)),
) {
    for (from, to) in source.chunks_exact(height * width).zip(target.chunks_exact_mut(height * width)) {
        for i in 0..rows {
            for j in 0..columns {
                to[(top + i) * width + left + j] = from[(i * height / rows) * width + j * width / columns];
            }
        }
    }
}
