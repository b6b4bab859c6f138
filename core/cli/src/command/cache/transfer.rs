//! What `push` and `pull` share: arguments and the progress line.

use crate::args::{PipelineArgs, PlaceArgs};
use crate::complete;
use crate::opened::Opened;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use clap::ValueHint;
use clap_complete::engine::ArgValueCompleter;
use pddflow_cache::{Key, Store};
use pddflow_pipeline::Selection;
use pddflow_remote::{Options, Progress, Remote};
use pddflow_report::{Tone, bytes, count};
use pddflow_runner::Freshness;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two updates of the progress line.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
/// More requests at a time only wait for each other.
const MOST_AT_ONCE: usize = 256;

#[derive(Debug, clap::Args)]
pub(super) struct TransferArgs {
    /// The remote: a folder, s3://BUCKET/PREFIX, http://HOST/PATH or https://HOST/PATH
    #[arg(value_name = "URL", value_hint = ValueHint::AnyPath)]
    pub(super) url: String,
    /// Only what this pipeline needs [default: the whole store]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Only these nodes and everything they need: `distill`, `distill[3]`, `eval[model=*]` [default: all nodes]
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    nodes: Vec<String>,
    /// Override a parameter; several values, separated by commas, make a sweep. May be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "file")]
    set: Vec<String>,
    /// Apply a profile of the file
    #[arg(long, value_name = "NAME", requires = "file")]
    profile: Option<String>,
    /// Number of parallel requests
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_once)]
    at_once: usize,
    /// Only print what would be copied
    #[arg(long, short = 'n')]
    pub(super) dry_run: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

impl TransferArgs {
    pub(super) fn remote(&self) -> Result<Remote, Problem> {
        Ok(Remote::open(&self.url, &place::s3_variables())?)
    }

    pub(super) fn options(&self) -> Options {
        Options { at_once: self.at_once, dry_run: self.dry_run }
    }

    /// The pipeline, if one is named.
    pub(super) fn opened(&self) -> Result<Option<Opened>, Problem> {
        let Some(file) = &self.file else { return Ok(None) };
        let pipeline = PipelineArgs { file: Some(file.clone()), set: self.set.clone(), profile: self.profile.clone() };
        let selection = Selection { until: self.nodes.clone(), only: Vec::new() };
        Opened::new(&pipeline, &self.place)?.chosen(&selection).map(Some)
    }

    /// The store, which need not exist.
    pub(super) fn store(&self) -> Result<Store, Problem> {
        self.place.store.open()
    }
}

fn at_once(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_AT_ONCE).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {MOST_AT_ONCE}"))
}

pub(super) fn fresh_key(state: &Freshness) -> Option<Key> {
    if let Freshness::Fresh { key, .. } = state { Some(*key) } else { None }
}

/// The progress line.
pub(super) struct Drawn<'a> {
    output: &'a Output,
    last: Mutex<Option<Instant>>,
}

impl<'a> Drawn<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, last: Mutex::new(None) }
    }

    pub(super) fn draw(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = last.is_some_and(|last| last.elapsed() < REDRAW_INTERVAL);
        if !soon {
            *last = Some(Instant::now());
            let (artifacts, all) = (progress.artifacts, count(progress.all_artifacts, "artifact"));
            let (done, total) = (bytes(progress.bytes), bytes(progress.all_bytes));
            self.output.redraw(&format!("{artifacts} of {all}, {done} of {total}"));
        }
    }

    pub(super) fn clear(&self) {
        if self.last.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            self.output.redraw("");
        }
    }
}

pub(super) fn were(number: usize) -> String {
    format!("{} {}", count(number, "record"), if number == 1 { "was" } else { "were" })
}

pub(super) fn add_damaged(text: &mut String, damaged: &[String], output: &Output) {
    for one in damaged {
        let _ = writeln!(text, "{} {one}", output.paint.tone(Tone::Bad, "damaged"));
    }
}
