//! Slurm: what a job asks for, its script, and the programs `sbatch`, `squeue`, `scancel` and `scontrol`.

mod client;
pub(crate) mod fate;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod script;
pub(crate) mod submit;

pub(crate) use client::{Array, Slurm};
