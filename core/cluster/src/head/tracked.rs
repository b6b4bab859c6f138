//! [`Tracked`]: what the head knows of one job.

use crate::batch::Claim;
use pddflow_cache::Digest;
use pddflow_runner::Job;
use std::time::Instant;

pub(super) struct Tracked {
    pub(super) job: Job,
    pub(super) place: Place,
    /// Whether it goes on without this process.
    pub(super) settled: bool,
    /// How often it was submitted by this head.
    pub(super) submissions: usize,
    /// How often it was lost, or its machine failed.
    pub(super) losses: u32,
    /// Attempts in a row that ended at their time limit without having come further.
    pub(super) idle: u32,
    /// The checkpoint when it was last submitted.
    pub(super) checkpoint: Option<Digest>,
}

/// Where a job is.
pub(super) enum Place {
    /// It waits for others like it, or for room in the queue.
    Collected {
        since: Instant,
    },
    Batch {
        claim: Claim,
        seen: Seen,
    },
}

/// What is known of a task in the queue.
#[derive(Default)]
pub(super) struct Seen {
    /// Id of its job, once the queue has listed it.
    pub(super) id: Option<String>,
    pub(super) running: bool,
    pub(super) reason: String,
    pub(super) host: String,
    /// Answers of Slurm in a row that did not list it.
    pub(super) missed: u32,
    /// Since when it is known to have ended, or is not listed.
    pub(super) gone: Option<Instant>,
    /// Bytes of its events that were read.
    pub(super) read: u64,
    /// Whether this head submitted it, or took it over.
    pub(super) ours: bool,
}

impl Tracked {
    pub(super) fn new(job: Job) -> Self {
        Self {
            job,
            place: Place::Collected { since: Instant::now() },
            settled: false,
            submissions: 0,
            losses: 0,
            idle: 0,
            checkpoint: None,
        }
    }

    /// It is a task of a batch from now on.
    pub(super) fn follow(&mut self, claim: Claim, ours: bool) {
        self.place = Place::Batch { claim, seen: Seen { ours, ..Seen::default() } };
    }

    /// The batch that it is a task of.
    pub(super) fn batch(&self) -> Option<&str> {
        match &self.place {
            Place::Batch { claim, .. } => Some(&claim.batch),
            Place::Collected { .. } => None,
        }
    }

    /// Whether it has ended or vanished, and it is not yet clear what of it is left.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(&self.place, Place::Batch { seen, .. } if seen.gone.is_some())
    }

    /// Whether it was seen running.
    pub(super) fn has_begun(&self) -> bool {
        matches!(&self.place, Place::Batch { seen, .. } if seen.running)
    }

    /// It is to be submitted again.
    pub(super) fn collect(&mut self) {
        self.place = Place::Collected { since: Instant::now() };
    }

    /// Whether its batch was made by this run, or taken over by it.
    pub(super) fn ours(&self, run: &str) -> bool {
        matches!(&self.place, Place::Batch { claim, seen } if seen.ours || claim.run() == run)
    }
}
