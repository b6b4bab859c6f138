//! Diagnostics: every problem of a file, each with its place, its source line and what to do.
//!
//! Problems are collected, not thrown, so that one pass shows them all. A problem that many instances of a
//! family share is shown once, with their number.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock};

use miette::{LabeledSpan, NamedSource, SourceSpan};

use crate::source::{Source, Sources, Span};

/// More distinct problems than this are counted, not kept: a machine-made file must not exhaust memory.
const MAX_PROBLEMS: usize = 200;

/// One problem of a pipeline, as shown to a person.
///
/// It is a [`miette::Diagnostic`] with its source text, so that the program can render it in colour;
/// [`Diagnostic::render`] gives the same as plain text.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    code: &'static str,
    is_warning: bool,
    message: String,
    help: Option<String>,
    file: String,
    line: usize,
    column: usize,
    source_line: String,
    source: NamedSource<Arc<str>>,
    labels: Vec<LabeledSpan>,
    /// Second places as text.
    notes: Vec<String>,
    /// Those of them that lie in other files, where no label can point.
    elsewhere: Vec<String>,
}

impl Diagnostic {
    /// With the point of a sweep at which it comes up.
    pub(crate) fn at(mut self, point: &str) -> Self {
        let _ = write!(self.message, " (with {point})");
        self
    }

    /// The stable name of the problem, such as `pddflow::pipeline::unknown_node`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong, as a lower-case fragment.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file's path as it was given, or `--set`.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The text of the line.
    #[must_use]
    pub fn source_line(&self) -> &str {
        &self.source_line
    }

    /// The problem as plain text: message, `file:line:column`, the source line with a caret, help.
    #[must_use]
    pub fn render(&self) -> String {
        let word = if self.is_warning { "warning" } else { "error" };
        let mut text = format!("{word}[{}]: {}\n", self.code, self.message);
        let width = self.line.to_string().len();
        let _ = writeln!(text, "{:width$}--> {}:{}:{}", "", self.file, self.line, self.column);
        if !self.source_line.is_empty() {
            let length = self.caret_length();
            let shown = self.source_line.replace('\t', " ");
            let label = self.labels.first().and_then(LabeledSpan::label);
            let _ = writeln!(text, "{:width$} |", "");
            let _ = writeln!(text, "{} | {shown}", self.line);
            let _ = writeln!(
                text,
                "{:width$} | {:indent$}{} {}",
                "",
                "",
                "^".repeat(length),
                label.unwrap_or(""),
                indent = self.column - 1
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "{:width$} = note: {note}", "");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "{:width$} = help: {help}", "");
        }
        let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
        trimmed.join("\n") + "\n"
    }

    /// The problem as JSON, for `--json`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code, "message": self.message, "help": self.help,
            "file": self.file, "line": self.line, "column": self.column, "source_line": self.source_line,
        })
    }

    fn caret_length(&self) -> usize {
        let Some(label) = self.labels.first() else {
            return 1;
        };
        let marked = self.source.inner().get(label.offset()..label.offset() + label.len());
        marked.map_or(1, |marked| marked.chars().count()).max(1)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.is_warning { miette::Severity::Warning } else { miette::Severity::Error })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let notes = self.elsewhere.iter().map(|note| format!("note: {note}"));
        let lines: Vec<String> = self.help.iter().cloned().chain(notes).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// All problems of a pipeline, in the order of their places; never empty when returned as an error.
#[derive(Debug, Clone)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn of(problems: impl Iterator<Item = Diagnostic>) -> Self {
        Self(problems.collect())
    }

    /// The problems in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All problems as plain text, see [`Diagnostic::render`].
    #[must_use]
    pub fn render(&self) -> String {
        let texts: Vec<String> = self.0.iter().map(Diagnostic::render).collect();
        texts.join("\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(formatter, "the pipeline has a problem: {only}"),
            all => write!(formatter, "the pipeline has {} problems", all.len()),
        }
    }
}

impl std::error::Error for Diagnostics {}

impl miette::Diagnostic for Diagnostics {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn miette::Diagnostic)))
    }
}

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
        Diagnostics(self.problems.into_iter().map(|problem| diagnostic(sources, problem)).collect())
    }
}

fn diagnostic(sources: &Sources, problem: Problem) -> Diagnostic {
    let source = sources.get(problem.span.source).unwrap_or_else(|| &EMPTY);
    let at = source.place(problem.span.range().start);
    let mut labels = vec![label(source, problem.span, &problem.label)];
    let (mut notes, mut elsewhere) = (Vec::new(), Vec::new());
    for (span, words) in &problem.others {
        let Some(other) = sources.get(span.source) else {
            continue;
        };
        let at = other.place(span.range().start);
        // A miette diagnostic has one source; a note about another one is text only.
        if span.source == problem.span.source {
            labels.push(label(source, *span, words));
            notes.push(format!("line {}: {words}: {}", at.line, at.text.trim()));
        } else {
            elsewhere.push(format!("{}:{}:{}: {words}: {}", other.name, at.line, at.column, at.text.trim()));
        }
    }
    if let Some((other, span)) = source.included.and_then(|span| Some((sources.get(span.source)?, span))) {
        elsewhere.push(format!(
            "{} is included at {}:{}",
            source.name,
            other.name,
            other.place(span.range().start).line
        ));
    }
    notes.extend(elsewhere.iter().cloned());
    let mut message = problem.message;
    if let Some(instance) = problem.instance {
        let _ = match problem.further {
            0 => write!(message, " (in `{instance}`)"),
            further => write!(message, " (in `{instance}` and {further} more)"),
        };
    }
    Diagnostic {
        code: problem.code,
        is_warning: problem.is_warning,
        message,
        help: problem.help,
        source: NamedSource::new(&source.name, Arc::clone(&source.text)),
        file: source.name.to_string(),
        line: at.line,
        column: at.column,
        source_line: at.text,
        labels,
        notes,
        elsewhere,
    }
}

/// A label on the first line of a span: a caret under a whole block says less than one under its start.
fn label(source: &Source, span: Span, words: &str) -> LabeledSpan {
    let range = span.range();
    let line = source.place(range.start).bytes;
    let start = range.start.min(source.text.len());
    let end = range.end.min(line.end).max(start);
    let words = (!words.is_empty()).then(|| words.to_owned());
    LabeledSpan::new_with_span(words, SourceSpan::from((start, end - start)))
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
