//! The kind `figure`: results as lines with error bars, scores as a histogram; SVG, PNG and the numbers as CSV.

mod histogram;
mod lines;
mod node;
mod params;

pub(crate) use node::FigureKind;
