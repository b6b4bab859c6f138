//! A tree to the parts of a pipeline file, with what is laid over it.

pub(crate) mod cluster;
pub(crate) mod declaration;
pub(crate) mod file;
pub(crate) mod include;
pub(crate) mod keys;
pub(crate) mod overlay;
pub(crate) mod parts;
pub(crate) mod setting;
