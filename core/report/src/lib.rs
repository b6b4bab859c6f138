//! What a person or a program sees of a run: consumers of the runner's events.
//!
//! A [`Reporter`] is fed every [`RunEvent`] and knows nothing else of the run. There are three:
//! live bars on a terminal, plain lines elsewhere, and JSON lines for programs. Colours are decided here and nowhere
//! else ([`Paint`]); where text goes is the caller's choice, so this crate never prints.
//!
//! ```
//! use pddflow_report::{Paint, Verbosity, lines};
//! let reporter = lines(Box::new(Vec::new()), Paint::plain(), Verbosity::Normal, None);
//! reporter.finish();
//! ```
//!
//! | module | what |
//! |---|---|
//! | `progress` | which nodes run, how far and how fast they are |
//! | `arrays` | how far an array of jobs is |
//! | `expected` | the time left of a run |
//! | `wording` | the line of an event |
//! | `terminal`, `lines`, `json` | the three reporters |
//! | `tee` | several reporters at once |
//! | `summary` | the last words of a run |
//! | `compare` | tables of parameters and metrics |
//! | `paint`, `text` | colours; seconds, counts and rates for people |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic"))]

mod arrays;
mod compare;
mod expected;
mod json;
mod lines;
mod paint;
mod progress;
mod summary;
mod tee;
mod terminal;
mod text;
mod wording;

pub use arrays::{array_name, words as array_words};
pub use compare::{CompareFormat, CompareRow, CompareView, Comparison, Samples};
pub use expected::{Expected, ExpectedNode, NodeStage, TimeLeft};
pub use json::{EVENTS_SCHEMA, json};
pub use lines::lines;
pub use paint::{Paint, Tone};
pub use progress::Expectation;
pub use summary::{Place, closing};
pub use tee::tee;
pub use terminal::terminal;
pub use text::{bytes, count, number, seconds};

use pddflow_runner::RunEvent;

/// A consumer of events. Called from several threads; must be quick.
pub trait Reporter: Send + Sync {
    /// One event, in the order in which the runner gives them.
    fn event(&self, event: &RunEvent);

    /// A line for the person who watches, from outside the run.
    fn note(&self, text: &str);

    /// The run is over: whatever is drawn is taken down.
    fn finish(&self);
}

/// How much is said while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Only warnings and failures.
    Quiet,
    /// Every node that ran.
    Normal,
    /// Also fresh nodes with their keys, all reasons and all metrics.
    Verbose,
}

/// Where text goes.
pub type Sink = Box<dyn std::io::Write + Send>;
