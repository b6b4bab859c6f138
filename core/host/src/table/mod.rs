//! The host's functions as C tables: one file for each group or two, one function for each entry, all of the form that `group` makes.

mod arena;
mod declare;
mod distill;
mod grad;
mod group;
mod linear;
mod make;
mod map;
mod model;
mod random;
mod shape;
mod shared;
mod talk;

use pddflow_abi as abi;

static ROOT: abi::Host = abi::Host {
    size: size_of::<abi::Host>() as u32,
    abi_minor: abi::ABI_MINOR,
    core: &raw const talk::CORE,
    log: &raw const talk::LOG,
    config: &raw const talk::CONFIG,
    make: &raw const make::MAKE,
    info: &raw const make::INFO,
    read: &raw const make::READ,
    map: &raw const map::MAP,
    reduce: &raw const map::REDUCE,
    shape: &raw const shape::SHAPE,
    linear: &raw const linear::LINEAR,
    grad: &raw const grad::GRAD,
    random: &raw const random::RANDOM,
    model: &raw const model::MODEL,
    arena: &raw const arena::ARENA,
    declare: &raw const declare::DECLARE,
    distill: &raw const distill::DISTILL,
};

/// The root table.
pub(crate) fn root() -> *const abi::Host {
    &raw const ROOT
}
