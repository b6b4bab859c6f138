//! The kind `figure`: results as lines with error bars, scores as a histogram; SVG, PNG and the numbers as CSV.
//!
//! Text is drawn with a font that is part of the program, and every place is rounded in one way: the same results make the
//! same bytes on every machine.

mod axis;
mod chart;
mod draw;
mod histogram;
mod lines;
mod node;
mod params;

pub(crate) use node::FigureKind;
