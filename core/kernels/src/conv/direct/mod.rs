//! Convolutions with stride 1 and few input channels, such as the first layer of a network, by
//! their definition: registers run along the columns of a plane, weights are read one by one.
//!
//! Planes are copied into a frame with their zeros around them, so that the loops have no borders.

mod forward;
mod input_gradient;
mod weight_gradient;

pub(super) use forward::forward;
pub(super) use input_gradient::input_gradient;
pub(super) use weight_gradient::weight_gradient;

use super::geometry::Geometry;

/// Input channels up to which this beats Winograd, whose transforms of the output cost the same for
/// any number of them.
const MOST_INPUTS: usize = 4;
/// Multiplications that pay for a parallel task.
const TASK_WORK: usize = 1 << 20;

/// Whether this is a convolution of the kind.
pub(super) fn fits(geometry: &Geometry) -> bool {
    geometry.inputs <= MOST_INPUTS && geometry.stride == [1, 1]
}

/// Planes with room around them.
#[derive(Clone, Copy, Debug)]
struct Frame {
    height: usize,
    width: usize,
    /// Zeros before the first row and column; negative when rows and columns are left out.
    before: [isize; 2],
    /// Rows and columns with the room; rows are long enough for whole registers.
    rows: usize,
    columns: usize,
}

impl Frame {
    fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Copies `count` planes into their frames.
    ///
    /// # Safety
    /// `to` has room for `count` frames.
    #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "clamped to the plane")]
    unsafe fn fill(&self, planes: &[f32], count: usize, to: *mut f32) {
        let [top, left] = self.before;
        let from = (-left).clamp(0, self.width as isize) as usize;
        let start = (left.max(0) as usize).min(self.columns);
        let length = (self.width - from).min(self.columns - start);
        for plane in 0..count {
            let x = &planes[plane * self.height * self.width..][..self.height * self.width];
            // SAFETY: the caller's room; zeroed before it becomes a slice.
            let frame = unsafe {
                let frame = to.add(plane * self.len());
                frame.write_bytes(0, self.len());
                std::slice::from_raw_parts_mut(frame, self.len())
            };
            for (row, frame) in frame.chunks_exact_mut(self.columns).enumerate() {
                let y = row as isize - top;
                if y >= 0 && y < self.height as isize {
                    let x = &x[y as usize * self.width + from..][..length];
                    frame[start..start + length].copy_from_slice(x);
                }
            }
        }
    }
}

/// Registers of a plane: `(row, first column, columns)`.
fn registers(height: usize, width: usize, lanes: usize) -> impl Iterator<Item = [usize; 3]> {
    (0..height)
        .flat_map(move |row| (0..width).step_by(lanes).map(move |column| [row, column, lanes.min(width - column)]))
}
