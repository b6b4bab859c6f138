//! Pages about runs that were never made: nodes and artifacts put into a store by hand.

mod hostile;
mod scene;
mod size;
mod whole;
