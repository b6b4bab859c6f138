//! Parameters from outside the file's own `params` and `with`: a profile, then `--set` arguments, the later the stronger.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::Value;

use crate::diagnostic::problem::{Problem, Report};
use crate::document::declaration::{WITH, is_changeable};
use crate::document::keys::WRONG_TYPE;
use crate::document::parts::{Document, not_changeable};
use crate::text::scalar;
use crate::text::source::Span;
use crate::text::suggest::suggest;
use crate::yaml::parse::parse;
use crate::yaml::tree::{Entry, Node, Tree};

const UNKNOWN_PARAMETER: &str = "pddflow::pipeline::unknown_parameter";
const UNKNOWN_NODE: &str = "pddflow::pipeline::unknown_node";
const INVALID_SET: &str = "pddflow::pipeline::invalid_set";
/// The name of an argument as a source of text.
const SET: &str = "--set";

/// Applies a profile: mappings are merged key by key; every other value replaces the one in the file.
pub(crate) fn apply_profile(report: &mut Report, document: &mut Document, chosen: &str) {
    let profiles = std::mem::take(&mut document.profiles);
    let Some(profile) = profiles.iter().find(|profile| profile.name == chosen) else {
        let source = report.sources.add("--profile", chosen);
        let span = Span::new(source, 0..chosen.len());
        let known = profiles.iter().map(|profile| profile.name.as_str());
        report.add(
            Problem::new("pddflow::pipeline::unknown_profile", span, format!("there is no profile `{chosen}`"))
                .help(suggest(chosen, "profiles", known)),
        );
        return;
    };
    lay(&mut document.params, &profile.params, Unknown::Leave);
    lay(&mut document.cluster, &profile.cluster, Unknown::Add);
    for over in &profile.nodes {
        let node = document.nodes.iter_mut().find(|node| node.name == over.key);
        if let (Some(node), Tree::Map(changes)) = (node, &over.value.tree) {
            lay(&mut node.changeable, changes, Unknown::Add);
        }
    }
}

/// What to do with a key that only the upper mapping has.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unknown {
    Leave,
    Add,
}

/// Lays entries over others: mappings are merged key by key, every other value is replaced.
pub(crate) fn lay(below: &mut Vec<Entry>, above: &[Entry], unknown: Unknown) {
    for entry in above {
        match below.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => known.value = merged(&known.value, &entry.value),
            None if unknown == Unknown::Add => below.push(entry.clone()),
            None => {}
        }
    }
}

fn merged(base: &Rc<Node>, over: &Rc<Node>) -> Rc<Node> {
    let (Tree::Map(below), Tree::Map(above)) = (&base.tree, &over.tree) else {
        return Rc::clone(over);
    };
    let mut entries = below.clone();
    lay(&mut entries, above, Unknown::Add);
    Rc::new(Node::new(base.span, Tree::Map(entries)))
}

/// Checks the names in every profile, so that one that is rarely chosen does not rot.
pub(crate) fn check_profiles(report: &mut Report, document: &Document) {
    let params: HashSet<&str> = document.params.iter().map(|entry| entry.key.as_str()).collect();
    let nodes: HashSet<&str> = document.nodes.iter().map(|node| node.name.as_str()).collect();
    for profile in &document.profiles {
        for entry in profile.params.iter().filter(|entry| !params.contains(entry.key.as_str())) {
            report.add(unknown_param(document, &entry.key, entry.key_span));
        }
        for entry in profile.nodes.iter().filter(|entry| !nodes.contains(entry.key.as_str())) {
            report.add(unknown_node(document, &entry.key, entry.key_span));
        }
    }
}

fn unknown_param(document: &Document, name: &str, span: Span) -> Problem {
    let known = document.params.iter().map(|entry| entry.key.as_str());
    let help = match document.nodes.iter().any(|node| node.name == name) {
        true => format!("a node's parameter is set with `nodes.{name}.with.KEY=value`"),
        false => suggest(name, "parameters", known),
    };
    Problem::new(UNKNOWN_PARAMETER, span, format!("there is no parameter `{name}`")).help(help)
}

fn unknown_node(document: &Document, name: &str, span: Span) -> Problem {
    let known = document.nodes.iter().map(|node| node.name.as_str());
    Problem::new(UNKNOWN_NODE, span, format!("there is no node `{name}`")).help(suggest(name, "nodes", known))
}

/// Applies one `--set` argument: `key.path=value` for a parameter, `nodes.NAME.with.path=value` for a node.
pub(crate) fn apply_set(report: &mut Report, document: &mut Document, argument: &str) {
    let source = report.sources.add(SET, argument);
    let whole = Span::new(source, 0..argument.len());
    let Some((path, _)) = argument.split_once('=') else {
        report.add(
            Problem::new(INVALID_SET, whole, "a value is missing")
                .help("write `--set key=value`, for example `--set stages=3`"),
        );
        return;
    };
    let Some(value) = parse_value(report, source, path.len() + 1, argument) else {
        return;
    };
    let mut keys = keys_of(source, path);
    if keys.iter().any(|(key, _)| key.is_empty()) {
        report.add(
            Problem::new(INVALID_SET, Span::new(source, 0..path.len()), "the path has an empty key")
                .help("write `params.KEY`, `KEY` or `nodes.NAME.with.KEY`"),
        );
        return;
    }
    let is_param = |name: &str| document.params.iter().any(|entry| entry.key == name);
    let first = keys.first().map_or("", |(key, _)| *key);
    if first == "nodes" && !is_param("nodes") {
        return set_in_node(report, document, &keys, value);
    }
    if first == "params" && !is_param("params") && keys.len() > 1 {
        keys.remove(0);
    }
    set_param(report, document, &keys, value);
}

type Keys<'a> = [(&'a str, Span)];

fn keys_of(source: u32, path: &str) -> Vec<(&str, Span)> {
    let mut at = 0;
    let key = |key| {
        let span = Span::new(source, at..at + str::len(key));
        at += key.len() + 1;
        (key, span)
    };
    path.split('.').map(key).collect()
}

/// The part behind `=` as YAML; an empty one is an empty text.
fn parse_value(report: &mut Report, source: u32, start: usize, argument: &str) -> Option<Rc<Node>> {
    let written = argument.get(start..).unwrap_or("");
    let span = Span::new(source, start..argument.len());
    if written.is_empty() {
        return Some(Rc::new(Node::new(span, Tree::Scalar(Value::String(String::new())))));
    }
    // Blanks in place of the key keep all positions.
    let padded = format!("{}{written}", " ".repeat(start));
    parse(report, source, &padded)
}

/// The values of `1,3,5` or `resnet18,convnet`: plain words between commas, no spaces, each once. They make a sweep.
pub(crate) fn value_list(text: &str) -> Option<Vec<String>> {
    let plain = |part: &str| {
        let number = scalar::resolve(part).is_ok_and(|value| value.is_number());
        let word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
        number || (!part.is_empty() && part.chars().all(word))
    };
    if !text.contains(',') || !text.split(',').all(plain) {
        return None;
    }
    let mut values: Vec<String> = Vec::new();
    for part in text.split(',') {
        if !values.iter().any(|known| known == part) {
            values.push(part.to_owned());
        }
    }
    Some(values)
}

fn set_param(report: &mut Report, document: &mut Document, keys: &Keys<'_>, value: Rc<Node>) {
    let Some((name, span)) = keys.first() else {
        return;
    };
    if !document.params.iter().any(|entry| entry.key == *name) {
        report.add(unknown_param(document, name, *span));
        return;
    }
    if let Err(problem) = set(&mut document.params, keys, value, Missing::Refuse) {
        report.add(*problem);
    }
}

/// `nodes.NAME.with.KEY=value`, `nodes.NAME.timeout=1h`, `nodes.NAME.resources.cpus=2`.
fn set_in_node(report: &mut Report, document: &mut Document, keys: &Keys<'_>, value: Rc<Node>) {
    let (Some((name, span)), Some((key, key_span))) = (keys.get(1), keys.get(2)) else {
        return report.add(no_path(keys, &value));
    };
    let Some(at) = document.nodes.iter().position(|node| node.name == *name) else {
        return report.add(unknown_node(document, name, *span));
    };
    if !is_changeable(key) {
        return report.add(not_changeable(name, key, *key_span));
    }
    if *key == WITH && keys.len() == 3 {
        return report.add(no_path(keys, &value));
    }
    let changeable = document.nodes.get_mut(at).map(|node| &mut node.changeable);
    let outcome = changeable.map_or(Ok(()), |entries| set(entries, keys.get(2..).unwrap_or(&[]), value, Missing::Add));
    if let Err(problem) = outcome {
        report.add(*problem);
    }
}

fn no_path(keys: &Keys<'_>, value: &Node) -> Problem {
    let span = keys.first().map_or(value.span, |(_, span)| *span);
    Problem::new(INVALID_SET, span, "the path does not name a node's parameter")
        .help("write `nodes.NAME.with.KEY=value`")
}

/// What to do with a key that is not there.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    /// Parameters must exist.
    Refuse,
    /// A node's parameter may have a default; the kind's own check knows the names.
    Add,
}

/// Sets the value at a path of keys below some entries.
fn set(entries: &mut Vec<Entry>, keys: &Keys<'_>, value: Rc<Node>, missing: Missing) -> Result<(), Box<Problem>> {
    let Some(((key, span), rest)) = keys.split_first() else {
        return Ok(());
    };
    if let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) {
        entry.value = replaced(&entry.value, rest, value, missing)?;
        // A problem with the value is the argument's, not the file's.
        if rest.is_empty() {
            entry.key_span = *span;
        }
        return Ok(());
    }
    if missing == Missing::Refuse {
        let known = entries.iter().map(|entry| entry.key.as_str());
        return Err(Box::new(
            Problem::new(UNKNOWN_PARAMETER, *span, format!("there is no key `{key}`"))
                .help(suggest(key, "keys", known)),
        ));
    }
    let empty = Rc::new(Node::new(*span, Tree::Scalar(Value::Null)));
    let value = replaced(&empty, rest, value, missing)?;
    entries.push(Entry { key: (*key).to_owned(), key_span: *span, value });
    Ok(())
}

/// A value with another one at a path below it.
fn replaced(node: &Rc<Node>, keys: &Keys<'_>, value: Rc<Node>, missing: Missing) -> Result<Rc<Node>, Box<Problem>> {
    let Some(((key, span), rest)) = keys.split_first() else {
        return Ok(value);
    };
    let tree = match &node.tree {
        Tree::Map(entries) => {
            let mut entries = entries.clone();
            set(&mut entries, keys, value, missing)?;
            Tree::Map(entries)
        }
        Tree::List(items) => {
            let mut items = items.clone();
            let length = items.len();
            let Some(item) = key.parse::<usize>().ok().and_then(|index| items.get_mut(index)) else {
                let message = format!("`{key}` is not the index of an item; the list has {length}");
                return Err(Box::new(
                    Problem::new(UNKNOWN_PARAMETER, *span, message).help("the first item has index 0"),
                ));
            };
            *item = replaced(item, rest, value, missing)?;
            Tree::List(items)
        }
        Tree::Scalar(Value::Null) if missing == Missing::Add => {
            let mut entries = Vec::new();
            set(&mut entries, keys, value, missing)?;
            Tree::Map(entries)
        }
        Tree::Scalar(_) => {
            let message = format!("{} has no key `{key}`", node.describe());
            return Err(Box::new(Problem::new(WRONG_TYPE, *span, message).help("set the whole value: `KEY={...}`")));
        }
    };
    Ok(Rc::new(Node::new(node.span, tree)))
}
