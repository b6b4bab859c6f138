//! Pictures of sets, for people: as pixels, with the normalisation undone and values outside the range of pixels cut.

mod grid;
mod shown;

pub use grid::Grid;
pub use shown::{set_names, show};
