//! Trying a plugin on small problems: what loading it cannot show.
//!
//! | check | of a matcher | of a model |
//! |---|---|---|
//! | `describe` | the same answer twice, in both number formats, and whatever the number of iterations | the same weights twice |
//! | `iterate`, `forward` | runs, and every learnable is moved by a finite step | runs on grey and coloured images |
//! | `determinism` | the same key gives the same bits | the same |
//! | `continuing` | a new instance goes on from what the host kept, to the bit | |
//! | `gradient` | the steps are along the gradient of the metric `loss`, by finite differences | the gradient by weights and images |
//! | `decode` | its gradient, by finite differences | |
//! | `conditioning` | earlier sets are seen, and do not move | |
//! | `cancellation` | a cancelled run ends, with that status | |
//! | `memory` | what the matcher keeps, and the process, do not grow from one iteration to the next | |
//! | `rows` | | in evaluation no image changes what the net says of another |
//! | `weights` | | every weight has an effect |
//!
//! Finite differences are taken in double precision, in random directions. A loss that is reported divided by something has
//! the gradient up to a factor; the factor must be the same in every direction. A method that steps along less than the whole
//! gradient (TESLA) is warned of.

mod finding;
mod matcher;
mod model;
mod numbers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use finding::{Finding, Outcome, Report};
use pddflow_artifact::NamedTensors;
use pddflow_host::{Model, PluginError, Registry, Role, SearchPaths};
use serde_json::Value;

/// What a plugin is tried with.
#[derive(Clone, Debug)]
pub struct TrialOptions {
    /// Where models for matchers are found; the file itself is looked into first.
    pub search: SearchPaths,
    /// Parameters of the plugin.
    pub with: Value,
    /// Id and parameters of the model that matchers see images through.
    pub model: (String, Value),
    /// Folder that paths among the parameters are relative to.
    pub folder: PathBuf,
    /// What is wired for matchers to work from.
    pub tensors: Option<NamedTensors>,
}

/// Tries every matcher and model of a file, or those that are named.
///
/// # Errors
/// The file is no plugin that can be loaded, or its parameters are wrong.
pub fn check_plugin(file: &Path, ids: &[String], options: &TrialOptions) -> Result<Vec<Report>, PluginError> {
    let alone = SearchPaths { files: vec![file.to_path_buf()], folders: Vec::new() };
    let own = Registry::open(&alone)?.list();
    let search = SearchPaths {
        files: std::iter::once(file.to_path_buf()).chain(options.search.files.iter().cloned()).collect(),
        folders: options.search.folders.clone(),
    };
    let registry = Registry::open(&search)?;
    for id in ids {
        if own.iter().all(|plugin| plugin.id != *id) {
            // Says which there are.
            Registry::open(&alone)?.find(own.first().map_or(Role::Matcher, |plugin| plugin.role), id)?;
        }
    }
    let inputs: Vec<_> = options.tensors.iter().flat_map(|all| all.tensors.clone()).collect();
    let chosen = own.into_iter().filter(|plugin| ids.is_empty() || ids.contains(&plugin.id));
    chosen
        .map(|plugin| {
            let title = format!("{} {} {}", plugin.role, plugin.id, plugin.version);
            match plugin.role {
                Role::Matcher => {
                    let make = || registry.matcher_in(&plugin.id, &options.with, &options.folder);
                    Ok(matcher::check(title, make()?, &make, &inputs, &|| seen_through(&registry, options)))
                }
                Role::Model => {
                    let make = || registry.model(&plugin.id, &options.with);
                    Ok(model::check(title, make()?, &make))
                }
            }
        })
        .collect()
}

fn seen_through(registry: &Registry, options: &TrialOptions) -> Result<Arc<Model>, PluginError> {
    registry.model(&options.model.0, &options.model.1)
}
