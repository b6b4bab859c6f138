//! [`Shared`]: what all parts of a run use.

use crate::cancel::Cancel;
use crate::kinds::Kinds;
use crate::settings::Settings;
use pddflow_cache::Store;

#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) kinds: &'a dyn Kinds,
    pub(crate) store: &'a Store,
    pub(crate) settings: &'a Settings,
    pub(crate) cancel: &'a Cancel,
}
