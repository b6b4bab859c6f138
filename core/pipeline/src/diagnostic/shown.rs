//! Diagnostics: problems as they are shown, each with its place, its source line and what to do.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource, SourceSpan};

use crate::text::source::{Source, Span};

/// One problem, as shown to a person.
///
/// It is a [`miette::Diagnostic`] with its source text, so that the program can render it in colour;
/// [`Diagnostic::render`] gives the same as plain text.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    code: Cow<'static, str>,
    pub(crate) is_warning: bool,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    place: Option<Box<Place>>,
}

/// Where a problem is in a file.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    line: usize,
    column: usize,
    source_line: String,
    source: NamedSource<Arc<str>>,
    labels: Vec<LabeledSpan>,
    /// Second places as text.
    pub(crate) notes: Vec<String>,
    /// Those of them that lie in other files, where no label can point.
    pub(crate) elsewhere: Vec<String>,
}

impl Place {
    /// The place of a span with text beside the caret.
    pub(crate) fn new(source: &Source, span: Span, words: &str) -> Self {
        let at = source.place(span.range().start);
        Self {
            line: at.line,
            column: at.column,
            source_line: at.text,
            source: NamedSource::new(&source.name, Arc::clone(&source.text)),
            labels: vec![label(source, span, words)],
            notes: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    /// Points at a second span of the same source.
    pub(crate) fn add_label(&mut self, source: &Source, span: Span, words: &str) {
        self.labels.push(label(source, span, words));
    }

    fn caret_length(&self) -> usize {
        let marked =
            self.labels.first().and_then(|label| self.source.inner().get(label.offset()..label.offset() + label.len()));
        marked.map_or(1, |marked| marked.chars().count()).max(1)
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

impl Diagnostic {
    /// A problem without a place.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { code, is_warning: false, message, causes: Vec::new(), help: None, place: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With the texts of the errors below it.
    #[must_use]
    pub fn with_causes(mut self, causes: Vec<String>) -> Self {
        self.causes = causes;
        self
    }

    /// With its place in a file of that text, and text beside the caret.
    #[must_use]
    pub fn with_place(self, file: &Path, text: &str, span: SourceSpan, words: &str) -> Self {
        let source = Source::new(&file.to_string_lossy(), text);
        let span = Span::new(0, span.offset()..span.offset() + span.len());
        self.placed(Place::new(&source, span, words))
    }

    pub(crate) fn placed(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// With the point of a sweep at which it comes up.
    pub(crate) fn at(mut self, point: &str) -> Self {
        let _ = write!(self.message, " (with {point})");
        self
    }

    /// The stable name of the problem, such as `pddflow::pipeline::unknown_node`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
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

    /// The file's path as it was given, or `--set`; empty for a problem without a place.
    #[must_use]
    pub fn file(&self) -> &str {
        self.place.as_ref().map_or("", |place| place.source.name())
    }

    /// The line, counted from 1; 0 for a problem without a place.
    #[must_use]
    pub fn line(&self) -> usize {
        self.place.as_ref().map_or(0, |place| place.line)
    }

    /// The column in characters, counted from 1; 0 for a problem without a place.
    #[must_use]
    pub fn column(&self) -> usize {
        self.place.as_ref().map_or(0, |place| place.column)
    }

    /// The problem as plain text: message, `file:line:column`, the source line with a caret, help.
    #[must_use]
    pub fn render(&self) -> String {
        let word = if self.is_warning { "warning" } else { "error" };
        let mut text = format!("{word}[{}]: {self}\n", self.code);
        let width = self.line().to_string().len();
        if let Some(place) = &self.place {
            let _ = writeln!(text, "{:width$}--> {}:{}:{}", "", self.file(), place.line, place.column);
            if !place.source_line.is_empty() {
                let shown = place.source_line.replace('\t', " ");
                let (carets, indent) = ("^".repeat(place.caret_length()), place.column - 1);
                let label = place.labels.first().and_then(LabeledSpan::label).unwrap_or("");
                let _ = writeln!(text, "{:width$} |\n{} | {shown}", "", place.line);
                let _ = writeln!(text, "{:width$} | {:indent$}{carets} {label}", "", "");
            }
            for note in &place.notes {
                let _ = writeln!(text, "{:width$} = note: {note}", "");
            }
        }
        for line in self.help.iter().flat_map(|help| help.lines()) {
            let _ = writeln!(text, "{:width$} = help: {line}", "");
        }
        let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
        trimmed.join("\n") + "\n"
    }

    /// The problem as JSON, for `--json`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let (code, message) = (&self.code, &self.message);
        let mut json =
            serde_json::json!({ "code": code, "message": message, "help": self.help, "causes": self.causes });
        if let Some(place) = &self.place {
            json["file"] = self.file().into();
            json["line"] = place.line.into();
            json["column"] = place.column.into();
            json["source_line"] = place.source_line.clone().into();
        }
        json
    }
}

/// Message and causes on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(formatter, ": {cause}"))
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.is_warning { miette::Severity::Warning } else { miette::Severity::Error })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let elsewhere = self.place.iter().flat_map(|place| &place.elsewhere);
        let notes = elsewhere.map(|note| format!("note: {note}"));
        let lines: Vec<String> = self.help.iter().cloned().chain(notes).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.place.as_ref().map(|place| Box::new(place.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }
}

/// Problems in the order of their places; never empty when returned as an error.
#[derive(Debug, Clone)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
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

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}
