//! Pictures of a page: SVG whose colours are those of the style sheet, and PNG for images of sets.

mod bars;
mod grid;
mod lines;
mod network;
mod scale;
mod spans;

pub(crate) use bars::{Bar, bars};
pub(crate) use grid::{grid, sheet};
pub(crate) use lines::{Line, LineChart, Point};
pub(crate) use network::{Box, network};
pub(crate) use spans::{Span, spans};

/// Colours that lines have in turn; the style sheet names them `c0`, `c1`...
pub(crate) const COLOURS: usize = 8;
