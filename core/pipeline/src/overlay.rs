//! Parameters from outside the file's own `params` and `with`: a profile, then `--set` arguments, the later the stronger.

use std::rc::Rc;

use serde_json::Value;

use crate::declaration::Declaration;
use crate::document::{Document, ProfileNode, WRONG_TYPE};
use crate::error::{Problem, Report};
use crate::scalar;
use crate::setting::SETTING_KEYS;
use crate::source::Span;
use crate::suggest::suggest;
use crate::syntax::{self, Entry, Node, Tree};

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
    for over in &profile.params {
        if let Some(entry) = document.params.iter_mut().find(|entry| entry.key == over.key) {
            entry.value = merged(&entry.value, &over.value);
        }
    }
    for over in &profile.nodes {
        let Some(node) = document.nodes.iter_mut().find(|node| node.name == over.name) else {
            continue;
        };
        if let Some(with) = &over.with {
            node.with = Some(match &node.with {
                Some(base) => merged(base, with),
                None => Rc::clone(with),
            });
        }
        for setting in &over.settings {
            match node.settings.iter_mut().find(|known| known.key == setting.key) {
                Some(known) => known.value = merged(&known.value, &setting.value),
                None => node.settings.push(setting.clone()),
            }
        }
    }
}

/// Checks the names in every profile, so that one that is rarely chosen does not rot.
pub(crate) fn check_profiles(report: &mut Report, document: &Document) {
    for profile in &document.profiles {
        for entry in &profile.params {
            if !document.params.iter().any(|known| known.key == entry.key) {
                let known = document.params.iter().map(|known| known.key.as_str());
                report.add(
                    Problem::new(UNKNOWN_PARAMETER, entry.key_span, format!("there is no parameter `{}`", entry.key))
                        .help(suggest(&entry.key, "parameters", known)),
                );
            }
        }
        for ProfileNode { name, span, .. } in &profile.nodes {
            if !document.nodes.iter().any(|node| node.name == *name) {
                let known = document.nodes.iter().map(|node| node.name.as_str());
                report.add(
                    Problem::new(UNKNOWN_NODE, *span, format!("there is no node `{name}`"))
                        .help(suggest(name, "nodes", known)),
                );
            }
        }
    }
}

/// The value with another laid over it: mappings are merged key by key, every other value is replaced.
pub(crate) fn merged(base: &Rc<Node>, over: &Rc<Node>) -> Rc<Node> {
    let (Tree::Map(below), Tree::Map(above)) = (&base.tree, &over.tree) else {
        return Rc::clone(over);
    };
    let mut entries = below.clone();
    for entry in above {
        match entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => known.value = merged(&known.value, &entry.value),
            None => entries.push(entry.clone()),
        }
    }
    Rc::new(Node::new(base.span, Tree::Map(entries)))
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
    syntax::parse(report, source, &padded)
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
    let Some(((name, span), rest)) = keys.split_first() else {
        return;
    };
    let known: Vec<String> = document.params.iter().map(|entry| entry.key.clone()).collect();
    let Some(entry) = document.params.iter_mut().find(|entry| entry.key == *name) else {
        let candidates = known.iter().map(String::as_str);
        let help = match document.nodes.iter().any(|node| node.name == *name) {
            true => format!("a node's parameter is set with `nodes.{name}.with.KEY=value`"),
            false => suggest(name, "parameters", candidates),
        };
        report.add(Problem::new(UNKNOWN_PARAMETER, *span, format!("there is no parameter `{name}`")).help(help));
        return;
    };
    match replaced(&entry.value, rest, value, Missing::Refuse) {
        Ok(value) => entry.value = value,
        Err(problem) => report.add(*problem),
    }
}

fn set_in_node(report: &mut Report, document: &mut Document, keys: &Keys<'_>, value: Rc<Node>) {
    let is_setting = keys.get(2).is_some_and(|(key, _)| SETTING_KEYS.contains(key));
    let (Some((name, span)), Some((with, with_span)), true) =
        (keys.get(1), keys.get(2), keys.len() > 3 || is_setting && keys.len() > 2)
    else {
        let span = keys.first().map_or(value.span, |(_, span)| *span);
        report.add(
            Problem::new(INVALID_SET, span, "the path does not name a node's parameter")
                .help("write `nodes.NAME.with.KEY=value`"),
        );
        return;
    };
    let known: Vec<String> = document.nodes.iter().map(|node| node.name.clone()).collect();
    let Some(node) = document.nodes.iter_mut().find(|node| node.name == *name) else {
        let help = suggest(name, "nodes", known.iter().map(String::as_str));
        report.add(Problem::new(UNKNOWN_NODE, *span, format!("there is no node `{name}`")).help(help));
        return;
    };
    if is_setting {
        return set_setting(report, node, keys.get(2..).unwrap_or(&[]), value);
    }
    if *with != "with" {
        report.add(Problem::new(INVALID_SET, *with_span, format!("`{with}` of a node cannot be set")).help(format!(
            "its parameters and settings can: `nodes.{name}.with.KEY=value`, `nodes.{name}.timeout=1h`"
        )));
        return;
    }
    let empty = || Rc::new(Node::new(node.span, Tree::Map(Vec::new())));
    let base = node.with.clone().unwrap_or_else(empty);
    match replaced(&base, keys.get(3..).unwrap_or(&[]), value, Missing::Add) {
        Ok(value) => node.with = Some(value),
        Err(problem) => report.add(*problem),
    }
}

/// `nodes.NAME.timeout=1h`, `nodes.NAME.resources.cpus=2`.
fn set_setting(report: &mut Report, node: &mut Declaration, keys: &Keys<'_>, value: Rc<Node>) {
    let Some(((key, span), rest)) = keys.split_first() else {
        return;
    };
    let known = node.settings.iter().position(|entry| entry.key == *key);
    let base = match known.and_then(|at| node.settings.get(at)) {
        Some(entry) => Rc::clone(&entry.value),
        None => Rc::new(Node::new(*span, Tree::Scalar(Value::Null))),
    };
    match replaced(&base, rest, value, Missing::Add) {
        Ok(value) => {
            node.settings.retain(|entry| entry.key != *key);
            node.settings.push(Entry { key: (*key).to_owned(), key_span: *span, value });
        }
        Err(problem) => report.add(*problem),
    }
}

/// What to do with a key that is not there.
#[derive(Clone, Copy, PartialEq)]
enum Missing {
    /// Parameters must exist.
    Refuse,
    /// A node's parameter may have a default; the kind's own check knows the names.
    Add,
}

fn replaced(node: &Rc<Node>, keys: &Keys<'_>, value: Rc<Node>, missing: Missing) -> Result<Rc<Node>, Box<Problem>> {
    let Some(((key, span), rest)) = keys.split_first() else {
        return Ok(value);
    };
    let tree = match &node.tree {
        Tree::Map(entries) => Tree::Map(replaced_key(entries, (key, *span), rest, value, missing)?),
        Tree::List(items) => {
            let index = key.parse::<usize>().ok();
            let mut items = items.clone();
            let length = items.len();
            let Some(item) = index.and_then(|index| items.get_mut(index)) else {
                let message = format!("`{key}` is not the index of an item; the list has {length}");
                return Err(Box::new(
                    Problem::new(UNKNOWN_PARAMETER, *span, message).help("the first item has index 0"),
                ));
            };
            *item = replaced(item, rest, value, missing)?;
            Tree::List(items)
        }
        Tree::Scalar(Value::Null) if missing == Missing::Add => {
            Tree::Map(replaced_key(&[], (key, *span), rest, value, missing)?)
        }
        Tree::Scalar(_) => {
            let message = format!("{} has no key `{key}`", node.describe());
            return Err(Box::new(Problem::new(WRONG_TYPE, *span, message).help("set the whole value: `KEY={...}`")));
        }
    };
    Ok(Rc::new(Node::new(node.span, tree)))
}

fn replaced_key(
    entries: &[Entry],
    (key, span): (&str, Span),
    rest: &Keys<'_>,
    value: Rc<Node>,
    missing: Missing,
) -> Result<Vec<Entry>, Box<Problem>> {
    let mut entries = entries.to_vec();
    if let Some(entry) = entries.iter_mut().find(|entry| entry.key == key) {
        entry.value = replaced(&entry.value, rest, value, missing)?;
        // A problem with the value is the argument's, not the file's.
        if rest.is_empty() {
            entry.key_span = span;
        }
        return Ok(entries);
    }
    if missing == Missing::Refuse {
        let known = entries.iter().map(|entry| entry.key.as_str());
        return Err(Box::new(
            Problem::new(UNKNOWN_PARAMETER, span, format!("there is no key `{key}`")).help(suggest(key, "keys", known)),
        ));
    }
    let empty = Rc::new(Node::new(span, Tree::Scalar(Value::Null)));
    let value = replaced(&empty, rest, value, missing)?;
    entries.push(Entry { key: key.to_owned(), key_span: span, value });
    Ok(entries)
}
