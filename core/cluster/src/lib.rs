//! Executors outside of the process of a run: Slurm, and any program that takes a job file.
//!
//! A node that is ready becomes closed work ([`pddflow_runner::Work`]); works that ask for the same become one array. A job is a
//! line of a *job file*, computed by `pddflow work` on a machine that sees the same store. What comes back goes through the
//! store: the record of the result, which is the only proof of success, and small files that say how a task ended.
//!
//! | module | what |
//! |---|---|
//! | `job_format`, `done_format`, `event_format` | the files between the head and its jobs |
//! | `worker` | computes a task, on the machine of the job |
//! | `batch` | folders of batches, and claims, by which nothing is submitted twice |
//! | `slurm` | what is asked of Slurm and what it answers |
//! | `head` | the thread that submits, follows, and judges |
//! | `executor` | the head as an executor of a run |
//! | `program` | a program of the user as one, such as `ssh node pddflow work -` |
//! | `invocation` | how runs were begun, to take them up |
//! | `preview` | what would be submitted |
//! | `upkeep` | batches that are not needed any more |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod batch;
mod done_format;
mod event_format;
mod executor;
mod files;
mod head;
mod invocation;
mod job_format;
mod options;
mod preview;
mod process;
mod program;
mod slurm;
mod upkeep;
mod worker;

pub use done_format::{Done, Outcome};
pub use executor::SlurmFactory;
pub use invocation::{Invocation, invocation, last_invocation};
pub use job_format::{Assignment, JobHead, PluginFile, Site, job_text, read_job};
pub use options::Options;
pub use preview::{Preview, preview};
pub use program::ProgramFactory;
pub use upkeep::{living_head, sweep};
pub use worker::{carry_out, refuse};

/// Name of this machine.
#[must_use]
pub fn host() -> String {
    head::host()
}
