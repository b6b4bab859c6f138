//! The kind `dataset`: real images with labels, from where they are to one verified artifact; see [`pddflow_data`].

mod node;
mod params;

pub(crate) use node::DatasetKind;
