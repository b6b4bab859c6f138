//! What a matcher's results depend on besides its parameters, as it enters a key.

use std::path::Path;

use pddflow_artifact::failure::{NodeResult, fail, from_plugin};
use pddflow_cache::Digest;
use pddflow_host::Role;

use crate::choice::PluginChoice;
use crate::plugins::Plugins;

/// Names and values: `matcher`, the plugin's key; `matcher file PATH`, the digest of a file that its parameters name (relative to
/// `folder`); `matcher NAME`, what the plugin says itself.
pub fn of_matcher(plugins: &Plugins, choice: &PluginChoice, folder: &Path) -> NodeResult<Vec<(String, String)>> {
    let mut parts = vec![("matcher".to_owned(), plugins.key(Role::Matcher, &choice.id)?)];
    let registry = plugins.open()?;
    for file in registry.files(&choice.id, &choice.config).map_err(|error| from_plugin(&error))? {
        let bytes = fs_err::read(folder.join(&file.path)).map_err(|error| {
            let what = format!("the file `{}` of matcher `{}` cannot be read", file.path, choice.id);
            fail("matcher_file", what).with_source(error).with_help("paths are relative to the pipeline file")
        })?;
        parts.push((format!("matcher file {}", file.path), Digest::of(&bytes).to_string()));
    }
    let own = registry.identity(&choice.id, &choice.config, folder).map_err(|error| from_plugin(&error))?;
    parts.extend(own.into_iter().map(|(name, value)| (format!("matcher {name}"), value)));
    Ok(parts)
}
