//! `pddflow report`: a page about runs, as a file or served while a run goes on.

use crate::args::{StoreArgs, size};
use crate::exit::Exit;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use crate::report;
use crate::results::write_file;
use clap::ValueHint;
use pddflow_page::{DEFAULT_SIZE, Page, Source, serve};
use pddflow_report::bytes;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  pddflow report                       the last run, as report.html
  pddflow report last~1 --to old.html
  pddflow report dm dsa --to both.html runs by their tags, one below the other
  pddflow report --live                serves the page while a run goes on

`pddflow run` writes the report of each run that ran something to results/<pipeline>/report.html.";

/// What is written to when no file is named.
const FILE: &str = "report.html";

/// Write a page with the results, images, curves and course of runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The runs: ids or prefixes of them, tags, `last`, `last~1` and so on [default: last]
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Where to write it (`-` for standard output)
    #[arg(long, value_name = "FILE", default_value = FILE, value_hint = ValueHint::FilePath)]
    to: PathBuf,
    /// Size that the page is kept below: it says what it leaves out [default: 5MB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Serve the page on this machine instead, and follow the run; Ctrl-C ends it
    #[arg(long, conflicts_with = "to")]
    live: bool,
    /// Port to serve on [default: a free one]
    #[arg(long, value_name = "PORT", requires = "live", default_value_t = 0, hide_default_value = true)]
    port: u16,
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let last = ["last".to_owned()];
        let names = if self.runs.is_empty() { &last[..] } else { &self.runs[..] };
        let most = self.max_size.map_or(DEFAULT_SIZE, |size| usize::try_from(size).unwrap_or(usize::MAX));
        let runs: Vec<_> = names.iter().map(|name| past::named(&store, name, None)).collect::<Result<_, _>>()?;
        if self.live {
            let followed: Arc<dyn Source> = Arc::new(report::Followed::new(store, names.to_vec(), most));
            let ready = |address: &str| output.note(&format!("the report is at {address} until Ctrl-C"));
            return serve(&followed, self.port, ready).map(|()| Exit::Ok).map_err(|error| {
                Problem::usage("port", format!("port {} cannot be served on: {error}", self.port))
                    .with_help("choose another `--port`, or leave it out for a free one")
            });
        }
        let Page { html, left_out } = report::page_of(&store, &runs, most);
        if self.to.as_os_str() == "-" {
            output.data(&html);
            return Ok(Exit::Ok);
        }
        write_file(&self.to, html.as_bytes()).map_err(|error| {
            Problem::usage("report", format!("the report cannot be written: {error}"))
                .with_help("name a file in a folder that can be written to")
        })?;
        if output.json() {
            output.value(&json!({ "file": self.to, "bytes": html.len(), "left_out": left_out }));
            return Ok(Exit::Ok);
        }
        left_out.iter().for_each(|sentence| output.note(sentence));
        output.say(&format!("{}  {}\n", self.to.display(), bytes(html.len() as u64)));
        Ok(Exit::Ok)
    }
}
