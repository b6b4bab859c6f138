//! The parts of a file to the nodes of a plan.

pub(crate) mod axis;
pub(crate) mod connect;
pub(crate) mod family;
pub(crate) mod need;
pub(crate) mod order;
pub(crate) mod params;
pub(crate) mod resolve;
pub(crate) mod select;
pub(crate) mod shard;
pub(crate) mod sweep;
pub(crate) mod world;
