//! Between planes and a small buffer `[row, column, lane]` that holds as many channels as a
//! register has lanes, so that the transforms work on all of them at once.

use super::plan::Plane;
use crate::vector::{MAX_LANES, Vector};

/// The part of a plane that a buffer holds; it may reach beyond the plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) plane: Plane,
    /// Row and column of the plane where the buffer starts.
    pub(super) start: [isize; 2],
    /// Rows and columns of the buffer.
    pub(super) size: [usize; 2],
}

impl View {
    /// Rows of the plane that lie in the buffer.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "clamped to the plane")]
    fn rows(&self) -> (usize, usize) {
        let height = self.plane.height as isize;
        let top = self.start[0].clamp(0, height);
        let bottom = (self.start[0] + self.size[0] as isize).clamp(top, height);
        (top as usize, bottom as usize)
    }

    /// Offset in the buffer (in registers) of a row and column of the plane, if inside.
    #[inline(always)]
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "the sign is checked by the comparison")]
    fn place(&self, row: usize, column: usize) -> Option<usize> {
        let row = (row as isize - self.start[0]) as usize;
        let column = (column as isize - self.start[1]) as usize;
        (row < self.size[0] && column < self.size[1]).then_some(row * self.size[1] + column)
    }
}

/// Fills the buffer from `channels` planes at `x`, with zeros outside the planes and in the lanes
/// beyond.
///
/// # Safety
/// Level of `V`; `x` has `channels` planes, `buffer` has `size` registers.
#[inline(always)]
pub(super) unsafe fn load<V: Vector>(x: *const f32, channels: usize, view: View, buffer: *mut f32) {
    // SAFETY: rows and columns are inside the planes, places inside the buffer.
    unsafe {
        clear_border::<V>(view, buffer);
        let (top, bottom) = view.rows();
        let (width, end) = (view.plane.width, bottom * view.plane.width);
        let mut pixel = top * width;
        let (mut row, mut column) = (top, 0);
        while pixel < end {
            let count = V::LANES.min(end - pixel);
            let mut block = [V::splat(0.0); MAX_LANES];
            for (channel, lane) in block.iter_mut().enumerate().take(channels.min(V::LANES)) {
                let from = x.add(channel * view.plane.len() + pixel);
                *lane = if count == V::LANES { V::load(from) } else { V::load_first(from, count) };
            }
            V::transpose(&mut block);
            for value in block.into_iter().take(count) {
                if let Some(place) = view.place(row, column) {
                    value.store(buffer.add(place * V::LANES));
                }
                column += 1;
                if column == width {
                    (row, column) = (row + 1, 0);
                }
            }
            pixel += count;
        }
    }
}

#[inline(always)]
#[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "clamped to the buffer")]
unsafe fn clear_border<V: Vector>(view: View, buffer: *mut f32) {
    let columns = view.size[1] as isize;
    let left = (-view.start[1]).clamp(0, columns);
    let right = (view.plane.width as isize - view.start[1]).clamp(left, columns);
    for row in 0..view.size[0] {
        let y = view.start[0] + row as isize;
        let (left, right) = if y >= 0 && y < view.plane.height as isize { (left, right) } else { (columns, columns) };
        for column in (0..left as usize).chain(right as usize..view.size[1]) {
            // SAFETY: inside the buffer.
            unsafe { V::splat(0.0).store(buffer.add((row * view.size[1] + column) * V::LANES)) };
        }
    }
}

/// Writes the buffer to `channels` planes at `out`, leaving away what lies outside the planes.
///
/// # Safety
/// Level of `V`; `out` has `channels` planes, `buffer` has `size` registers and contains rows
/// `view.rows()` in their full width.
#[inline(always)]
pub(super) unsafe fn store<V: Vector>(buffer: *const f32, channels: usize, view: View, out: *mut f32) {
    // SAFETY: rows and columns are inside the planes and the buffer.
    unsafe {
        let (top, bottom) = view.rows();
        let (width, end) = (view.plane.width, bottom * view.plane.width);
        let mut pixel = top * width;
        let (mut row, mut column) = (top, 0);
        while pixel < end {
            let count = V::LANES.min(end - pixel);
            let mut block = [V::splat(0.0); MAX_LANES];
            for value in block.iter_mut().take(count) {
                if let Some(place) = view.place(row, column) {
                    *value = V::load(buffer.add(place * V::LANES));
                }
                column += 1;
                if column == width {
                    (row, column) = (row + 1, 0);
                }
            }
            V::transpose(&mut block);
            for (channel, lane) in block.into_iter().enumerate().take(channels.min(V::LANES)) {
                let to = out.add(channel * view.plane.len() + pixel);
                if count == V::LANES { lane.store(to) } else { lane.store_first(to, count) }
            }
            pixel += count;
        }
    }
}
