//! How nets are trained on sets: the published recipes, and what a pipeline file says of them.
//!
//! | file | what |
//! |---|---|
//! | `preset` | the published recipes (`methods.md` 13) |
//! | `own` | what a set says of itself, and what becomes of it in several stages |
//! | `budget` | epochs of each stage where the number of presented images is given |
//! | `params` | what a pipeline file can say of a recipe |
//! | `learning_rate` | a number, a list with one for each stage, or the learned ones |
//! | `script` | sets that are of use in one order only |
//! | `resolved` | a recipe with everything filled in |

mod budget;
mod learning_rate;
mod of_sets;
mod own;
mod params;
mod preset;
mod resolved;
mod script;

pub use learning_rate::{LENGTH_HELP, LearningRate};
pub use of_sets::{TrainingParams, check_training, pretrain_defaults};
pub use own::{OTHER_RECIPES, TAUGHT, Taught, needs_no_teacher, own_regression, own_teacher, recipes_differ};
pub use params::{NetsParams, ProtocolParams, check_nets, check_protocol};
pub use preset::{Preset, Published, points_every};
pub use resolved::{Recipe, Stage};
pub use script::{Script, Step, follows_script, has_script};
