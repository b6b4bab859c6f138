//! The parts of a page, one module each: what they show, ready for their templates.

pub(crate) mod curves;
pub(crate) mod graph;
pub(crate) mod head;
pub(crate) mod images;
pub(crate) mod links;
mod named;
pub(crate) mod nodes;
pub(crate) mod progressive;
pub(crate) mod provenance;
pub(crate) mod tables;
pub(crate) mod timeline;

use crate::markup::Markup;

/// A chart with its legend.
pub(crate) struct ChartView {
    pub(crate) title: String,
    pub(crate) note: String,
    pub(crate) svg: Markup,
    /// Colour and name of each line.
    pub(crate) legend: Vec<(usize, String)>,
}
