//! How nets are trained on sets: the published recipes, and what a pipeline file says of them.
//!
//! | file | what |
//! |---|---|
//! | `preset` | the published recipes (`methods.md` 13) |
//! | `params` | what a pipeline file can say of a recipe |
//! | `learning_rate` | a number, a list with one for each stage, or the learned ones |
//! | `resolved` | a recipe with everything filled in |

mod learning_rate;
mod params;
mod preset;
mod resolved;

pub use learning_rate::LearningRate;
pub use params::{RecipeParams, check_recipe};
pub use preset::{Preset, Published, points_every};
pub use resolved::Recipe;
