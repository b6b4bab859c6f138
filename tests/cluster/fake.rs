//! Programs that play Slurm.

use pddflow_tests::{Place, workspace_root};
use std::os::unix::fs::symlink;
use std::process::Command;

/// A folder of a test with a cluster that is played; see `fake.sh`.
pub(crate) struct Fake {
    pub(crate) place: Place,
}

impl Fake {
    pub(crate) fn new(place: Place) -> Self {
        fs_err::create_dir_all(place.path("slurm/jobs")).unwrap();
        fs_err::create_dir(place.path("bin")).unwrap();
        for name in ["sbatch", "squeue", "scancel", "scontrol", "sacct"] {
            symlink(workspace_root().join("tests/cluster/fake.sh"), place.path("bin").join(name)).unwrap();
        }
        Self { place }
    }

    /// Makes it misbehave; see `fake.sh`.
    pub(crate) fn set(&self, fault: &str, text: &str) {
        self.place.write(&format!("slurm/{fault}"), text);
    }

    pub(crate) fn unset(&self, fault: &str) {
        fs_err::remove_file(self.place.path("slurm").join(fault)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.place.path("bin").display()));
        command.env("FAKE_SLURM", self.place.path("slurm"));
        command
    }

    /// The smoke pipeline on the cluster, with events as JSON.
    pub(crate) fn smoke(&self, more: &[&str]) -> Command {
        self.command(&[&["run", "smoke.yaml", "--json", "--on", "slurm"], more].concat())
    }

    /// What it has noted in a file.
    pub(crate) fn noted(&self, file: &str) -> String {
        fs_err::read_to_string(self.place.path("slurm").join(file)).unwrap_or_default()
    }

    fn lines(&self, name: &str) -> usize {
        self.noted(name).lines().count()
    }

    /// How often it was asked for single jobs.
    pub(crate) fn asked(&self) -> usize {
        self.lines("asked")
    }

    /// How many tasks were submitted.
    pub(crate) fn submitted(&self) -> usize {
        self.lines("submitted")
    }

    pub(crate) fn arrays(&self) -> usize {
        fs_err::read_dir(self.place.path("slurm/jobs")).unwrap().count()
    }

    pub(crate) fn polls(&self) -> usize {
        self.lines("polls")
    }
}
