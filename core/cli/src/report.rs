//! Pages about runs: made of the store and of what the built-in kinds say of their outputs.

use crate::past;
use crate::results::write_file;
use pddflow_cache::Store;
use pddflow_nodes::{Library, LibraryOptions};
use pddflow_page::{DEFAULT_SIZE, Page, Source, Sources, page};
use pddflow_pipeline::Catalog as _;
use pddflow_runner::{HistoryError, PastRun, named_run, past_run};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file of a run's report in the folder of its pipeline.
const NAME: &str = "report.html";

/// The page about runs.
pub(crate) fn page_of(store: &Store, runs: &[PastRun], most_bytes: usize) -> Page {
    with_mode(store, runs, most_bytes, false)
}

fn with_mode(store: &Store, runs: &[PastRun], most_bytes: usize, live: bool) -> Page {
    let library = Library::new(LibraryOptions::default());
    let artifact = |kind: &str, port: &str| {
        let ports = library.kind(kind).map(|kind| kind.outputs.as_slice()).unwrap_or_default();
        ports.iter().find(|found| found.name == port).map(|found| found.artifact.clone()).unwrap_or_default()
    };
    page(&Sources { store, runs, artifact: &artifact }, most_bytes, live)
}

/// Writes the report of a run into the folder of its pipeline's results.
pub(crate) fn write(store: &Store, run: &str, folder: &Path) -> io::Result<PathBuf> {
    let of_history = |error: HistoryError| io::Error::other(error.to_string());
    let run = past_run(store, run).map_err(of_history)?;
    let run = run.ok_or_else(|| io::Error::other("the journal of the run is gone"))?;
    let path = folder.join(NAME);
    write_file(&path, page_of(store, &[run], DEFAULT_SIZE).html.as_bytes())?;
    Ok(path)
}

/// Runs that are served: what their names mean now, so that `last` goes on to the next run.
pub(crate) struct Followed {
    store: Store,
    names: Vec<String>,
    most_bytes: usize,
    /// The page with its version.
    made: Mutex<Option<(u64, String)>>,
}

impl Followed {
    pub(crate) fn new(store: Store, names: Vec<String>, most_bytes: usize) -> Self {
        Self { store, names, most_bytes, made: Mutex::new(None) }
    }
}

impl Source for Followed {
    fn page(&self) -> String {
        let version = self.version();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, html)) = made.as_ref()
            && *known == version
        {
            return html.clone();
        }
        let runs: Vec<PastRun> =
            self.names.iter().filter_map(|name| past::named(&self.store, name, None).ok()).collect();
        let html = with_mode(&self.store, &runs, self.most_bytes, true).html;
        *made = Some((version, html.clone()));
        html
    }

    /// The runs' ids, how long their journals are and whether they go on.
    fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for name in &self.names {
            let Ok(Some(id)) = named_run(&self.store, name, None) else { continue };
            let lines = self.store.read_journal(&id).ok().flatten().map(|journal| journal.lines.len());
            (&id, lines, self.store.is_running(&id)).hash(&mut hasher);
        }
        hasher.finish()
    }
}
