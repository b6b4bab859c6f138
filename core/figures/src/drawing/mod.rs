//! Charts and pictures as SVG and PNG.
//!
//! Text is drawn with a font that is part of the program, and every place is rounded in one way: the same numbers make the
//! same bytes on every machine.

mod axis;
mod bar;
mod chart;
mod draw;
mod png;

pub(crate) use axis::{Axis, Scale};
pub(crate) use bar::Bar;
pub(crate) use chart::{Chart, Line, Marks, Point, Points, Spread};
pub(crate) use draw::{bitmap, svg};
pub use png::png;
