//! A loaded library: descriptors and tables copied out of it, so that later code needs no checks.

use crate::info::PluginInfo;
use pddflow_abi as abi;
use std::path::Path;
use std::sync::Arc;

/// Functions of a plugin; shorter tables are extended with `None`.
#[derive(Clone)]
pub(crate) enum Table {
    Matcher(Arc<abi::MatcherTable>),
    Model(Arc<abi::ModelTable>),
}

/// One matcher or model of a library.
pub(crate) struct Entry {
    pub(crate) info: Arc<PluginInfo>,
    pub(crate) table: Table,
}

/// A loaded library.
pub(crate) struct Library {
    pub(crate) entries: Vec<Entry>,
    pub(crate) warnings: Vec<String>,
}

impl Library {
    /// The same library as found in this file.
    pub(crate) fn named(self: &Arc<Self>, file: &Path) -> Arc<Self> {
        if self.entries.iter().all(|entry| entry.info.file == file) {
            return Arc::clone(self);
        }
        let rename = |entry: &Entry| {
            let info = PluginInfo { file: file.to_path_buf(), ..PluginInfo::clone(&entry.info) };
            Entry { info: Arc::new(info), table: entry.table.clone() }
        };
        Arc::new(Self { entries: self.entries.iter().map(rename).collect(), warnings: self.warnings.clone() })
    }
}
