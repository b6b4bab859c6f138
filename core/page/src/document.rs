//! The page: its parts under their templates, and its content policy.

use crate::detail::{Detail, LeftOut};
use crate::gather::Gathered;
use crate::markup::{Markup, visible};
use crate::section::graph::graph;
use crate::section::head::{Head, head};
use crate::section::images::{GridView, images};
use crate::section::links::Links;
use crate::section::nodes::{FamilyView, families};
use crate::section::progressive::{Progressive, progressive};
use crate::section::provenance::{Provenance, provenance};
use crate::section::tables::{TableView, tables};
use crate::section::timeline::{Timeline, timeline};
use crate::section::{ChartView, curves::curves};
use askama::Template;
use pddflow_cache::Store;
use pddflow_runner::PastRun;

/// The bytes of a page unless another bound is set.
pub const DEFAULT_SIZE: usize = 5_000_000;

const SCRIPT: &str = include_str!("../assets/page.js");
const STYLE: &str = include_str!("../assets/page.css");
/// Their digests for the content policy, SHA-256 in base64. Written down, so that the build needs no second hash function; a test
/// compares them and says what to write.
const SCRIPT_DIGEST: &str = "C6H57LVr8/pfriCKAdH1I0ans6cI7sfkHI0IgoPKqF8=";
const STYLE_DIGEST: &str = "adhIhoUyU05xv4IW8UHlHflVNvun8tK3zAEn07s8YIY=";

/// What a page is made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Where the artifacts are.
    pub store: &'a Store,
    /// The runs, in the order in which the page shows them.
    pub runs: &'a [PastRun],
    /// Of which type the output of a kind at a port is, such as `set`.
    pub artifact: &'a (dyn Fn(&str, &str) -> String + Sync),
}

/// A page of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The document.
    pub html: String,
    /// What was left out so that it is not longer than asked for, in sentences that it says itself.
    pub left_out: Vec<String>,
}

/// A part of the page about one run.
struct RunView {
    /// What its anchors begin with.
    prefix: String,
    head: Head,
    tables: Vec<TableView>,
    grids: Vec<GridView>,
    charts: Vec<ChartView>,
    progressive: Progressive,
    graph: Markup,
    timeline: Option<Timeline>,
    families: Vec<FamilyView>,
    provenance: Provenance,
    left_out: Vec<String>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Document {
    title: String,
    policy: String,
    live: bool,
    runs: Vec<RunView>,
    style: &'static str,
    script: &'static str,
}

/// The page about runs, at most `most_bytes` long if it can be: where it would be longer, less is shown, and the page says
/// what it left out. A page that is `live` asks the server that it came from for news.
#[must_use]
pub fn page(sources: &Sources<'_>, most_bytes: usize, live: bool) -> Page {
    let mut shown = Page { html: String::new(), left_out: Vec::new() };
    for detail in &Detail::LEVELS {
        shown = at(sources, detail, live);
        if shown.html.len() <= most_bytes {
            break;
        }
    }
    shown
}

fn at(sources: &Sources<'_>, detail: &Detail, live: bool) -> Page {
    let several = sources.runs.len() > 1;
    let prefix = |at: usize| if several { format!("r{at}-") } else { String::new() };
    let runs: Vec<RunView> =
        sources.runs.iter().enumerate().map(|(at, run)| run_view(sources, run, prefix(at), detail)).collect();
    let left_out = runs.iter().flat_map(|run| run.left_out.iter().cloned()).collect();
    let mut pipelines: Vec<&str> = sources.runs.iter().map(|run| run.head.pipeline.as_str()).collect();
    pipelines.dedup();
    let document =
        Document { title: pipelines.join(", "), policy: policy(live), live, runs, style: STYLE, script: SCRIPT };
    // A template fails only if the writer does, and a text takes everything.
    Page { html: visible(&document.render().unwrap_or_default()), left_out }
}

fn run_view(sources: &Sources<'_>, run: &PastRun, prefix: String, detail: &Detail) -> RunView {
    let gathered = Gathered::new(sources.store, run, sources.artifact);
    let links = Links::new(&gathered, &prefix, detail);
    let left_out = LeftOut::default();
    let mut view = RunView {
        head: head(&gathered, &links),
        tables: tables(&gathered, &left_out),
        grids: images(&gathered, detail, &left_out),
        charts: curves(&gathered, detail, &left_out),
        progressive: progressive(&gathered, detail),
        graph: graph(&gathered, &links),
        timeline: timeline(&gathered, &links, detail, &left_out),
        families: families(&gathered, &links, detail, &left_out),
        provenance: provenance(&gathered),
        left_out: Vec::new(),
        prefix,
    };
    if gathered.unreadable() > 0 {
        let count = pddflow_report::count(gathered.unreadable(), "reading");
        left_out.say(format!("{count} of artifacts failed: they are damaged or gone from the store."));
    }
    view.left_out = left_out.take();
    view
}

/// No request to anywhere, and no script or style but those of the page, by their digests.
fn policy(live: bool) -> String {
    let connect = if live { "connect-src 'self'; " } else { "" };
    format!(
        "default-src 'none'; img-src data:; {connect}style-src 'sha256-{STYLE_DIGEST}'; script-src 'sha256-{SCRIPT_DIGEST}'; \
         base-uri 'none'; form-action 'none'"
    )
}
