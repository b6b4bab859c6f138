//! YAML text to a [`Tree`].
//!
//! The tree is built from parser events, because a diagnostic needs the place of each key (also of a duplicate
//! one) and whether a scalar was quoted. Aliases share their target, so that a small text cannot become a large tree; what
//! the tree would be when written out is counted and limited.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};
use serde_json::Value;

use crate::diagnostic::problem::{Problem, Report};
use crate::text::scalar;
use crate::text::source::Span;
use crate::yaml::error::{self, MAX_DEPTH, YAML_SYNTAX};
use crate::yaml::open_map::OpenMap;
use crate::yaml::shield::{Shielded, shield};
use crate::yaml::tree::{Entry, Node, Tree};

/// Most values of a file with every alias written out; guards against "billion laughs".
const MAX_VALUES: u64 = 2_000_000;
/// Most keys that `<<` copies; merged mappings are not shared.
const MAX_MERGED_KEYS: usize = 100_000;

/// Parses the one document of a source.
///
/// `None` when the text is not YAML or has no value; the reason is in the report. Duplicate keys are reported and the first is kept.
pub(crate) fn parse(report: &mut Report, source: u32, text: &str) -> Option<Rc<Node>> {
    let shielded = shield(text);
    let mut builder = Builder {
        report,
        shielded: &shielded,
        source,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        documents: 0,
        merged: 0,
    };
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    for event in Parser::new_from_str_with_options(&shielded.text, options) {
        let outcome = match event {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => Err(Box::new(builder.scan_problem(&error))),
        };
        if let Err(problem) = outcome {
            builder.report.add(*problem);
            return None;
        }
    }
    builder.root
}

/// A mapping or list whose end has not been seen.
struct Open {
    start: usize,
    anchor: usize,
    items: Vec<Rc<Node>>,
    /// `None` for a list.
    map: Option<OpenMap>,
}

struct Builder<'a> {
    report: &'a mut Report,
    shielded: &'a Shielded<'a>,
    source: u32,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
    merged: usize,
}

type Step = Result<(), Box<Problem>>;

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: &granit_parser::Span) -> Step {
        let bytes = span.byte_range().unwrap_or(0..0);
        let place = self.span(bytes.clone());
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Box::new(Problem::new(YAML_SYNTAX, place, "a second YAML document begins here").help(
                        "a pipeline file is one document; remove the line `---` or put the rest into a file of its own",
                    )));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.shielded.restore(&text, bytes.start, bytes.end);
                let plain = style == ScalarStyle::Plain;
                let is_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                if tag.is_some() && !is_text {
                    return Err(error::tag(place));
                }
                if self.expects_key() {
                    return self.key(text, place, plain);
                }
                let value = if plain && !is_text && !bytes.is_empty() {
                    scalar::resolve(&text).map_err(|error| error::scalar(error, &text, place))?
                } else if plain && bytes.is_empty() && !is_text {
                    Value::Null
                } else {
                    Value::String(text)
                };
                self.value(Node::new(place, Tree::Scalar(value)), anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => self.start(bytes.start, anchor, None, tag.is_some())?,
            Event::MappingStart(_, anchor, tag) => {
                self.start(bytes.start, anchor, Some(OpenMap::default()), tag.is_some())?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(bytes.end)?,
            Event::Alias(anchor) => self.alias(anchor, place)?,
            _ => {}
        }
        Ok(())
    }

    fn span(&self, bytes: std::ops::Range<usize>) -> Span {
        let start = self.shielded.original(bytes.start);
        let end = self.shielded.original(bytes.end);
        let text = &self.shielded.text;
        // Block scalars and empty blocks reach to the next token; the space in between is not theirs.
        let trailing = text.get(bytes).map_or(0, |written| written.len() - written.trim_end().len());
        Span::new(self.source, start..end.saturating_sub(trailing))
    }

    fn expects_key(&self) -> bool {
        let map = self.open.last().and_then(|open| open.map.as_ref());
        map.is_some_and(|map| map.key.is_none())
    }

    fn key(&mut self, key: String, place: Span, plain: bool) -> Step {
        if key.is_empty() || (plain && place.range().is_empty()) {
            return Err(Box::new(
                Problem::new(YAML_SYNTAX, place, "a mapping has an empty key").help("write a name before the colon"),
            ));
        }
        if let Some(map) = self.open.last_mut().and_then(|open| open.map.as_mut()) {
            map.key = Some((key, place));
        }
        Ok(())
    }

    fn start(&mut self, start: usize, anchor: usize, map: Option<OpenMap>, tagged: bool) -> Step {
        let place = self.span(start..start);
        if tagged {
            return Err(error::tag(place));
        }
        if self.expects_key() {
            return Err(Box::new(
                Problem::new(YAML_SYNTAX, place, "a mapping or a list is used as a key")
                    .help("keys are names; quote a value that begins with `{` or `[`"),
            ));
        }
        self.open.push(Open { start, anchor, items: Vec::new(), map });
        Ok(())
    }

    fn end(&mut self, end: usize) -> Step {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let span = self.span(open.start..end);
        let tree = match open.map {
            None => Tree::List(open.items),
            Some(map) => Tree::Map(map.into_entries()),
        };
        self.value(Node::new(span, tree), open.anchor)
    }

    fn alias(&mut self, anchor: usize, place: Span) -> Step {
        if self.expects_key() {
            return Err(Box::new(
                Problem::new(YAML_SYNTAX, place, "an alias is used as a key").help("write the key out"),
            ));
        }
        match self.anchors.get(&anchor) {
            Some(target) => self.insert(Rc::clone(target), place),
            None => Err(Box::new(
                Problem::new(YAML_SYNTAX, place, "an alias stands inside what it refers to")
                    .help("a value cannot contain itself; write the part out"),
            )),
        }
    }

    fn value(&mut self, node: Node, anchor: usize) -> Step {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let place = node.span;
        self.insert(node, place)
    }

    fn insert(&mut self, node: Rc<Node>, place: Span) -> Step {
        if node.values > MAX_VALUES || node.depth + self.open.len() > MAX_DEPTH {
            let message = if node.values > MAX_VALUES {
                format!("with its aliases written out, this has more than {MAX_VALUES} values")
            } else {
                format!("values are nested more than {MAX_DEPTH} levels deep")
            };
            return Err(error::limit(place, message));
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        let Some(map) = &mut open.map else {
            open.items.push(node);
            return Ok(());
        };
        let Some((key, key_span)) = map.key.take() else {
            return Ok(());
        };
        if key == "<<" {
            return self.merge_key(&node, place);
        }
        if let Some(first) = map.find(&key) {
            let first_span = first.key_span;
            self.report.add(
                Problem::new("pddflow::pipeline::duplicate_key", key_span, format!("the key `{key}` is used twice"))
                    .label("again here")
                    .other(first_span, "first here")
                    .help("remove or rename one of them"),
            );
            return Ok(());
        }
        map.push(Entry { key, key_span, value: node });
        Ok(())
    }

    /// `<<: *base` and `<<: [*a, *b]`: the target's keys, unless the mapping has them itself.
    fn merge_key(&mut self, node: &Rc<Node>, place: Span) -> Step {
        let targets = match &node.tree {
            Tree::Map(_) => vec![Rc::clone(node)],
            Tree::List(items) => items.clone(),
            Tree::Scalar(_) => Vec::new(),
        };
        let all_maps = targets.iter().all(|target| matches!(target.tree, Tree::Map(_)));
        if targets.is_empty() || !all_maps {
            return Err(Box::new(
                Problem::new("pddflow::pipeline::wrong_type", place, "`<<` takes a mapping or a list of mappings")
                    .help("write `<<: *name`, with `&name` before a mapping further up"),
            ));
        }
        for target in &targets {
            if let Tree::Map(entries) = &target.tree {
                self.merged += entries.len();
            }
        }
        if self.merged > MAX_MERGED_KEYS {
            let message = format!("`<<` copies more than {MAX_MERGED_KEYS} keys");
            return Err(error::limit(place, message));
        }
        if let Some(map) = self.open.last_mut().and_then(|open| open.map.as_mut()) {
            map.merges.extend(targets);
        }
        Ok(())
    }

    fn scan_problem(&self, error: &ScanError) -> Problem {
        let at = self.shielded.original(error.marker().byte_offset().unwrap_or(0));
        let length = usize::from(at < self.shielded.original(self.shielded.text.len()));
        let before = self.report.sources.slice(Span::new(self.source, 0..at));
        error::scan(error, Span::new(self.source, at..at + length), before)
    }
}
