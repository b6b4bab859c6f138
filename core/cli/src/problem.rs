//! Everything that can go wrong, as it is shown and with the exit code that it has.

use crate::exit::Exit;
use miette::SourceSpan;
use pddflow_cache::StoreError;
use pddflow_pipeline::{Diagnostic, Diagnostics, SelectionError};
use pddflow_remote::RemoteError;
use pddflow_runner::{HistoryError, RunError};
use serde_json::{Value, json};
use std::fmt::{self, Display};
use std::path::Path;

/// What ended a command.
#[derive(Debug)]
pub(crate) struct Problem {
    exit: Exit,
    diagnostics: Diagnostics,
}

impl Problem {
    pub(crate) fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(exit, Diagnostic::new(code.into(), message))
    }

    /// Several at once; `None` where there is none.
    pub(crate) fn of_all(exit: Exit, all: impl Iterator<Item = Diagnostic>) -> Option<Self> {
        let diagnostics: Diagnostics = all.collect();
        (!diagnostics.is_empty()).then_some(Self { exit, diagnostics })
    }

    fn of(exit: Exit, diagnostic: Diagnostic) -> Self {
        Self { exit, diagnostics: std::iter::once(diagnostic).collect() }
    }

    /// A wrong command line that clap cannot know of.
    pub(crate) fn usage(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, format!("pddflow::cli::{code}"), message)
    }

    #[must_use]
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        let help = help.into();
        self.map(|diagnostic| diagnostic.with_help(help.clone()))
    }

    #[must_use]
    pub(crate) fn with_causes(self, causes: &[String]) -> Self {
        self.map(|diagnostic| diagnostic.with_causes(causes.to_vec()))
    }

    /// With the node in a pipeline file that it is about.
    #[must_use]
    pub(crate) fn with_node(self, file: &Path, text: &str, span: SourceSpan) -> Self {
        self.map(|diagnostic| diagnostic.with_place(file, text, span, "this node"))
    }

    fn map(self, change: impl Fn(Diagnostic) -> Diagnostic) -> Self {
        Self { exit: self.exit, diagnostics: self.diagnostics.into_iter().map(change).collect() }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Each problem as miette draws it.
    pub(crate) fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Plain text, for files, pipes and screen readers.
    pub(crate) fn render(&self) -> String {
        self.diagnostics.render()
    }

    pub(crate) fn to_json(&self) -> Value {
        let errors: Vec<Value> = self.diagnostics.iter().map(Diagnostic::to_json).collect();
        json!({ "exit": self.exit as u8, "errors": errors })
    }
}

/// One line.
impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.diagnostics.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl From<Diagnostics> for Problem {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { exit: Exit::Pipeline, diagnostics }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Store, error.code(), error.to_string()).with_help(error.help()).with_causes(&causes(&error))
    }
}

impl From<RemoteError> for Problem {
    fn from(error: RemoteError) -> Self {
        let exit = if matches!(error, RemoteError::Address { .. }) { Exit::Usage } else { Exit::Store };
        Self::new(exit, error.code(), error.to_string()).with_help(error.help()).with_causes(&causes(&error))
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        const HELP: &str = "results do not depend on journals; the next run writes one that can be read";
        match error {
            HistoryError::Store(error) => error.into(),
            other => Self::new(Exit::Store, "pddflow::runner::journal", other.to_string()).with_help(HELP),
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let exit = match error {
            RunError::NoJobs => Exit::Usage,
            RunError::NoExecutor(_) => Exit::Store,
            _ => Exit::Internal,
        };
        Self::new(exit, "pddflow::runner::run", error.to_string()).with_causes(&causes(&error))
    }
}

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        Self::usage("unknown_node", error.message).with_help(error.help)
    }
}

/// The texts below an error's own.
pub(crate) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_problem_shows_code_causes_and_help() {
        let problem = Problem::usage("x", "no such thing").with_causes(&["why".into()]).with_help("do\nthis");
        assert_eq!(problem.render(), "error[pddflow::cli::x]: no such thing: why\n  = help: do\n  = help: this\n");
        assert_eq!(problem.to_json()["exit"], 2);
        assert_eq!(problem.to_json()["errors"][0]["causes"][0], "why");
        let problem = problem.with_node(Path::new("f.yaml"), "a:\n  b: 1\n", (5, 1).into());
        assert!(problem.render().contains(" --> f.yaml:2:3\n"), "{}", problem.render());
    }
}
