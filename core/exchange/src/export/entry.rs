//! A set on its way into the folder.

use pddflow_artifact::DistilledSet;

/// One exported set.
pub(super) struct Entry<'a> {
    /// Folder with its files, `""` or ending in `/`.
    pub(super) folder: String,
    /// Where its pictures are, if they are written.
    pub(super) pictures: Option<String>,
    pub(super) set: &'a DistilledSet,
}
