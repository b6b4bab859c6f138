//! Texts that a diagnostic can point into, and positions inside them.
//!
//! A plan is made from one pipeline file, the files that it includes and, when values are overridden, from `--set`
//! arguments; each is a source of its own, so that a wrong value is shown where it was written.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A range of bytes in one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Index into [`Sources`].
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// Sources are limited to [`crate::document::file::MAX_FILE_BYTES`], far below `u32::MAX`.
    pub(crate) fn new(source: u32, range: Range<usize>) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { source, start: clamp(range.start), end: clamp(range.end.max(range.start)) }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One text with a name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
    /// Where each line starts; made at the first diagnostic, since a good file needs none.
    lines: OnceLock<Vec<usize>>,
    /// Where another file names this one.
    pub(crate) included: Option<Span>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into(), ..Self::default() }
    }

    /// The line and column of a byte offset, in logarithmic time.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let lines = self.lines.get_or_init(|| {
            let breaks = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        });
        let line = lines.partition_point(|start| *start <= offset.min(self.text.len()));
        let mut place = place_in_line(&self.text, offset);
        place.line = line.max(1);
        place
    }
}

/// All texts of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    pub(crate) fn add(&mut self, name: &str, text: &str) -> u32 {
        self.add_included(name, text, None)
    }

    /// As [`Self::add`], for a file that another one names at that place.
    pub(crate) fn add_included(&mut self, name: &str, text: &str, included: Option<Span>) -> u32 {
        self.0.push(Source { included, ..Source::new(name, text) });
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The names of all sources, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|source| &*source.name)
    }

    /// The source of a span; the pipeline file for a span that names none.
    pub(crate) fn get(&self, source: u32) -> Option<&Source> {
        self.0.get(source as usize).or_else(|| self.0.first())
    }

    pub(crate) fn slice(&self, span: Span) -> &str {
        self.get(span.source).and_then(|source| source.text.get(span.range())).unwrap_or("")
    }

    /// Where `range` of a decoded scalar lies in the source.
    ///
    /// YAML escapes and line folding change offsets. Where the scalar is written as it is read, the position is
    /// exact; otherwise the n-th `${` of the value is looked up as the n-th `${` of the source; failing that
    /// the whole scalar is meant.
    pub(crate) fn locate(&self, scalar: Span, value: &str, range: Range<usize>) -> Span {
        let written = self.slice(scalar);
        let at = |offset: usize| {
            let start = scalar.start as usize + offset;
            Span::new(scalar.source, start..start + range.len())
        };
        if let Some(offset) = written.find(value) {
            return at(offset + range.start);
        }
        let Some(before) = value.get(..range.start) else {
            return scalar;
        };
        let count = before.matches("${").count();
        let opening = before.rfind("${").unwrap_or(0);
        let written_opening = written.match_indices("${").nth(count.saturating_sub(1));
        let Some((offset, _)) = written_opening.filter(|_| count > 0) else {
            return scalar;
        };
        let candidate = offset + (range.start - opening);
        let same = written.get(candidate..candidate + range.len()) == value.get(range.clone());
        if same { at(candidate) } else { scalar }
    }
}

/// A position as people count: line and column from 1, columns in characters, with the line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) text: String,
    /// The line's byte range in the source, without its break.
    pub(crate) bytes: Range<usize>,
}

/// The line around a byte offset; its number is left at 0.
fn place_in_line(text: &str, offset: usize) -> Place {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let (before, after) = text.split_at(offset);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| offset + at);
    let line_text = text.get(start..end).unwrap_or("").trim_end_matches('\r');
    Place {
        line: 0,
        column: before.get(start..).unwrap_or("").chars().count() + 1,
        text: line_text.to_owned(),
        bytes: start..start + line_text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_and_keeps_the_line() {
        let text = "a: é\r\nbb: ü x\n";
        let at = text.find('x').unwrap();
        let mut sources = Sources::default();
        let source = sources.add("x", text);
        let place = sources.get(source).unwrap().place(at);
        assert_eq!((place.line, place.column), (2, 7));
        assert_eq!(place.text, "bb: ü x");
        assert_eq!(&text[place.bytes], "bb: ü x");
    }

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let mut sources = Sources::default();
        let source = sources.add("x", "a\nb");
        let place = sources.get(source).unwrap().place(99);
        assert_eq!((place.line, place.column), (2, 2));
    }

    #[test]
    fn positions_survive_quotes_and_escapes() {
        let mut sources = Sources::default();
        let text = r#""tab\t ${one} ${two}""#;
        let source = sources.add("x", text);
        let value = "tab\t ${one} ${two}";
        let scalar = Span::new(source, 0..text.len());
        let start = value.find("two").unwrap();
        let found = sources.locate(scalar, value, start..start + 3);
        assert_eq!(sources.slice(found), "two");
        let start = value.find("one").unwrap();
        assert_eq!(sources.slice(sources.locate(scalar, value, start..start + 3)), "one");
    }
}
