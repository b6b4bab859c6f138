//! [`Options`]: how jobs of a run are made and watched. Nothing here enters a key.

use crate::invocation::Invocation;
use crate::job_format::Site;
use pddflow_pipeline::ClusterSettings;
use std::path::PathBuf;
use std::time::Duration;

/// How jobs of a run are made and watched.
#[derive(Debug, Clone)]
pub struct Options {
    /// What all jobs need.
    pub site: Site,
    /// The program that computes a job: this one, as the machines of the cluster see it.
    pub program: PathBuf,
    /// How the run was begun; its jobs run in the same folder.
    pub invocation: Invocation,
    /// Variables of the environment that Slurm's programs are not to see: those of a job that the run itself is in.
    pub without: Vec<String>,
    /// What the pipeline says under `cluster:`.
    pub settings: ClusterSettings,
    /// How long a program of Slurm may take to answer.
    pub answer_limit: Duration,
}
