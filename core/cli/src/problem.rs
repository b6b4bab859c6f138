//! Everything that can go wrong, as it is shown and with the exit code that it has.

use crate::exit::Exit;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use pddflow_cache::StoreError;
use pddflow_pipeline::Diagnostics;
use pddflow_remote::RemoteError;
use pddflow_runner::RunError;
use serde_json::{Value, json};
use std::fmt::{self, Display};
use std::path::Path;

/// What ended a command.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The pipeline file has errors.
    Pipeline(Diagnostics),
    /// Anything else.
    Plain(Box<Plain>),
}

/// A problem without a place in a file.
#[derive(Debug)]
pub(crate) struct Plain {
    exit: Exit,
    code: String,
    message: String,
    help: Option<String>,
    causes: Vec<String>,
    place: Option<Place>,
}

/// A place in a file.
#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    span: SourceSpan,
}

impl Place {
    /// Line and column, from 1.
    fn line_and_column(&self) -> (usize, usize) {
        let before = self.source.inner().get(..self.span.offset()).unwrap_or_default();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

impl Problem {
    pub(crate) fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self::Plain(Box::new(Plain { exit, code, message, help: None, causes: Vec::new(), place: None }))
    }

    /// A wrong command line that clap cannot know of.
    pub(crate) fn usage(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, format!("pddflow::cli::{code}"), message)
    }

    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        if let Self::Plain(plain) = &mut self {
            plain.help = Some(help.into());
        }
        self
    }

    #[must_use]
    pub(crate) fn with_causes(mut self, causes: Vec<String>) -> Self {
        if let Self::Plain(plain) = &mut self {
            plain.causes = causes;
        }
        self
    }

    /// With the place in a file that it is about.
    #[must_use]
    pub(crate) fn with_place(mut self, file: &Path, text: &str, span: SourceSpan) -> Self {
        if let Self::Plain(plain) = &mut self {
            let source = NamedSource::new(file.to_string_lossy(), text.to_owned());
            plain.place = Some(Place { source, span });
        }
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Pipeline(_) => Exit::Pipeline,
            Self::Plain(plain) => plain.exit,
        }
    }

    /// Each problem as miette draws it.
    pub(crate) fn diagnostics(&self) -> Vec<&dyn Diagnostic> {
        match self {
            Self::Pipeline(all) => all.iter().map(|one| one as &dyn Diagnostic).collect(),
            Self::Plain(plain) => vec![plain.as_ref()],
        }
    }

    /// Plain text, for files, pipes and screen readers.
    pub(crate) fn render(&self) -> String {
        match self {
            Self::Pipeline(all) => all.render(),
            Self::Plain(plain) => plain.render(),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Pipeline(all) => {
                let errors: Vec<Value> = all.iter().map(pddflow_pipeline::Diagnostic::to_json).collect();
                json!({ "exit": self.exit() as u8, "errors": errors })
            }
            Self::Plain(plain) => {
                let Plain { code, message, help, causes, place, .. } = &**plain;
                let mut error = json!({ "code": code, "message": message, "help": help, "causes": causes });
                if let Some(place) = place {
                    let (line, column) = place.line_and_column();
                    error["file"] = json!(place.source.name());
                    (error["line"], error["column"]) = (json!(line), json!(column));
                }
                json!({ "exit": self.exit() as u8, "errors": [error] })
            }
        }
    }
}

/// One line.
impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(all) => all.fmt(f),
            Self::Plain(plain) => plain.fmt(f),
        }
    }
}

impl Plain {
    fn render(&self) -> String {
        let mut text = format!("error[{}]: {self}\n", self.code);
        if let Some(place) = &self.place {
            let (line, column) = place.line_and_column();
            text.push_str(&format!(" --> {}:{line}:{column}\n", place.source.name()));
        }
        for line in self.help.iter().flat_map(|help| help.lines()) {
            text.push_str(&format!("  = help: {line}\n"));
        }
        text
    }
}

impl Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Plain {}

impl Diagnostic for Plain {
    fn code(&self) -> Option<Box<dyn Display + '_>> {
        Some(Box::new(&self.code))
    }

    fn help(&self) -> Option<Box<dyn Display + '_>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = |place: &Place| LabeledSpan::new_with_span(Some("this node".to_owned()), place.span);
        self.place.as_ref().map(|place| Box::new(std::iter::once(label(place))) as Box<dyn Iterator<Item = _>>)
    }
}

impl From<Diagnostics> for Problem {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Pipeline(diagnostics)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Store, error.code(), error.to_string()).with_help(error.help()).with_causes(causes(&error))
    }
}

impl From<RemoteError> for Problem {
    fn from(error: RemoteError) -> Self {
        let exit = if matches!(error, RemoteError::Address { .. }) { Exit::Usage } else { Exit::Store };
        Self::new(exit, error.code(), error.to_string()).with_help(error.help()).with_causes(causes(&error))
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let exit = if matches!(error, RunError::NoJobs) { Exit::Usage } else { Exit::Internal };
        Self::new(exit, "pddflow::runner::run", error.to_string()).with_causes(causes(&error))
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
        let problem = Problem::usage("x", "no such thing").with_causes(vec!["why".into()]).with_help("do\nthis");
        assert_eq!(problem.render(), "error[pddflow::cli::x]: no such thing: why\n  = help: do\n  = help: this\n");
        assert_eq!(problem.to_json()["exit"], 2);
        assert_eq!(problem.to_json()["errors"][0]["causes"][0], "why");
        let problem = problem.with_place(Path::new("f.yaml"), "a:\n  b: 1\n", (5, 1).into());
        assert!(problem.render().contains(" --> f.yaml:2:3\n"), "{}", problem.render());
    }
}
