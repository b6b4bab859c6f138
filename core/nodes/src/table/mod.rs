//! The kind `table`: results side by side, as Markdown, CSV and JSON.
//!
//! Accuracies are in percent, with the population standard deviation over the nets (numpy's `std`), as in the papers.
//! Results that share a cell (other seeds, say) are pooled net by net, and the table says in what they differ. Numbers of
//! papers stand in columns of their own.

mod arrange;
mod node;
mod params;
mod render;

pub(crate) use node::TableKind;
