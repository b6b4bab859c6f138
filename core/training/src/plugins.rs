//! The plugins of a process, opened when something first asks for one.

use std::sync::OnceLock;

use pddflow_artifact::failure::{NodeResult, from_plugin};
use pddflow_host::{PluginError, Registry, Role, SearchPaths};

/// A registry of plugins that is opened at the first call.
pub struct Plugins {
    search: SearchPaths,
    registry: OnceLock<Result<Registry, PluginError>>,
}

impl Plugins {
    /// Plugins in these files and folders. Nothing is opened yet.
    #[must_use]
    pub fn new(search: SearchPaths) -> Self {
        Self { search, registry: OnceLock::new() }
    }

    /// The registry; opened at the first call.
    pub fn registry(&self) -> Result<&Registry, &PluginError> {
        self.registry.get_or_init(|| Registry::open(&self.search)).as_ref()
    }

    /// The registry if something has asked for it.
    #[must_use]
    pub fn opened(&self) -> Option<&Registry> {
        self.registry.get()?.as_ref().ok()
    }

    /// The registry, or why it cannot be opened as a node's error.
    pub fn open(&self) -> NodeResult<&Registry> {
        self.registry().map_err(from_plugin)
    }

    /// What a plugin's results depend on, as it enters a key.
    pub fn key(&self, role: Role, id: &str) -> NodeResult<String> {
        Ok(self.open()?.find(role, id).map_err(|error| from_plugin(&error))?.key())
    }
}
