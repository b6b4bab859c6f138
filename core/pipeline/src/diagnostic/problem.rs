//! Problems of a file while they are collected.
//!
//! Problems are collected, not thrown, so that one pass shows them all. A problem that many instances of a
//! family share is shown once, with their number.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::diagnostic::shown::{Diagnostic, Diagnostics, Place};
use crate::text::source::{Source, Sources, Span};

/// More distinct problems than this are counted, not kept: a machine-made file must not exhaust memory.
const MAX_PROBLEMS: usize = 200;

/// Stands in for a missing source, so that showing a problem can never be a problem.
static EMPTY: LazyLock<Source> = LazyLock::new(Source::default);

/// A problem while it is being collected.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: &'static str,
    is_warning: bool,
    span: Span,
    message: String,
    label: String,
    help: Option<String>,
    others: Vec<(Span, String)>,
    instance: Option<String>,
    further: usize,
}

impl Problem {
    pub(crate) fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            is_warning: false,
            span,
            message: message.into(),
            label: String::new(),
            help: None,
            others: Vec::new(),
            instance: None,
            further: 0,
        }
    }

    /// As a warning: the pipeline can be run.
    pub(crate) fn warning(mut self) -> Self {
        self.is_warning = true;
        self
    }

    /// Text beside the caret.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A second place, with what it has to do with the problem.
    pub(crate) fn other(mut self, span: Span, text: impl Into<String>) -> Self {
        self.others.push((span, text.into()));
        self
    }

    /// The instance of a family in which the problem came up.
    pub(crate) fn instance(mut self, id: impl Into<String>) -> Self {
        self.instance = Some(id.into());
        self
    }
}

/// Collects problems and owns the texts they point into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) sources: Sources,
    problems: Vec<Problem>,
    /// Problems of instances by code and place.
    index: HashMap<(&'static str, Span), Vec<usize>>,
    dropped: usize,
}

impl Report {
    /// Adds a problem, or counts it when another instance has it already at the same place, be it in other words.
    pub(crate) fn add(&mut self, problem: Problem) {
        if problem.instance.is_some() {
            let here = self.index.entry((problem.code, problem.span)).or_default();
            let mut same = None;
            for at in here.iter() {
                if let Some(known) = self.problems.get(*at)
                    && (known.message == problem.message || known.instance != problem.instance)
                {
                    same = Some(*at);
                    if known.message == problem.message {
                        break;
                    }
                }
            }
            if let Some(known) = same.and_then(|at| self.problems.get_mut(at)) {
                known.further += 1;
                return;
            }
            here.push(self.problems.len());
        }
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.dropped += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.problems.len()
    }

    /// All problems in the order of their places.
    pub(crate) fn finish(mut self) -> Diagnostics {
        self.problems.sort_by_key(|problem| problem.span);
        if self.dropped > 0
            && let Some(last) = self.problems.last_mut()
        {
            let _ = write!(last.message, " ({} further problems are not shown)", self.dropped);
        }
        let sources = &self.sources;
        self.problems.into_iter().map(|problem| diagnostic(sources, problem)).collect()
    }
}

fn diagnostic(sources: &Sources, problem: Problem) -> Diagnostic {
    let source = sources.get(problem.span.source).unwrap_or_else(|| &EMPTY);
    let mut place = Place::new(source, problem.span, &problem.label);
    for (span, words) in &problem.others {
        let Some(other) = sources.get(span.source) else {
            continue;
        };
        let at = other.place(span.range().start);
        // A miette diagnostic has one source; a note about another one is text only.
        if span.source == problem.span.source {
            place.add_label(source, *span, words);
            place.notes.push(format!("line {}: {words}: {}", at.line, at.text.trim()));
        } else {
            place.elsewhere.push(format!("{}:{}:{}: {words}: {}", other.name, at.line, at.column, at.text.trim()));
        }
    }
    if let Some((other, span)) = source.included.and_then(|span| Some((sources.get(span.source)?, span))) {
        let line = other.place(span.range().start).line;
        place.elsewhere.push(format!("{} is included at {}:{line}", source.name, other.name));
    }
    place.notes.extend(place.elsewhere.iter().cloned());
    let mut message = problem.message;
    if let Some(instance) = problem.instance {
        let _ = match problem.further {
            0 => write!(message, " (in `{instance}`)"),
            further => write!(message, " (in `{instance}` and {further} more)"),
        };
    }
    let mut diagnostic = Diagnostic::new(problem.code, message).placed(place);
    diagnostic.is_warning = problem.is_warning;
    match problem.help {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_many_instances_is_shown_once() {
        let mut report = Report::default();
        let source = report.sources.add("f.yaml", "a: b\n");
        for k in 0..5 {
            report.add(Problem::new("c", Span::new(source, 3..4), "wrong").instance(format!("n[{k}]")));
        }
        let all = report.finish();
        assert_eq!(all.len(), 1);
        assert_eq!(all.iter().next().unwrap().message(), "wrong (in `n[0]` and 4 more)");
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let mut report = Report::default();
        let source = report.sources.add("f.yaml", "a: b\n");
        for _ in 0..MAX_PROBLEMS + 7 {
            report.add(Problem::new("c", Span::new(source, 3..4), "wrong"));
        }
        let all = report.finish();
        assert_eq!(all.len(), MAX_PROBLEMS);
        assert!(all.render().contains("7 further problems"));
    }
}
