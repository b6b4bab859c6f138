//! Syntax tree to the parts of a pipeline file: the keys of its top level and of profiles.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::declaration::{self, Declaration};
use crate::error::{Problem, Report};
use crate::expression::KEYWORDS;
use crate::setting::{Pools, SETTING_KEYS, not_a_setting, read_pools};
use crate::source::Span;
use crate::suggest::{nearest, suggest};
use crate::syntax::{Entry, Node, Tree};

/// The version of the format that this program reads.
pub(crate) const FORMAT: u64 = 1;
/// Keys of a pipeline file, in the order in which they are usually written.
pub(crate) const TOP_KEYS: [&str; 9] =
    ["format", "name", "description", "include", "params", "plugins", "pools", "profiles", "nodes"];
const PROFILE_KEYS: [&str; 3] = ["description", "params", "nodes"];

pub(crate) const WRONG_TYPE: &str = "pddflow::pipeline::wrong_type";
pub(crate) const UNKNOWN_KEY: &str = "pddflow::pipeline::unknown_key";
pub(crate) const MISSING_KEY: &str = "pddflow::pipeline::missing_key";
pub(crate) const INVALID_NAME: &str = "pddflow::pipeline::invalid_name";

/// A pipeline file, taken apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) name: Option<String>,
    /// Files whose parts are brought in, as written.
    pub(crate) includes: Vec<(String, Span)>,
    pub(crate) params: Vec<Entry>,
    /// Resolved against the folder of the file that names them.
    pub(crate) plugins: Vec<PathBuf>,
    pub(crate) pools: Pools,
    pub(crate) pool_spans: Vec<(String, Span)>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) nodes: Vec<Declaration>,
}

/// A named overlay of parameters.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) params: Vec<Entry>,
    pub(crate) nodes: Vec<ProfileNode>,
}

/// What a profile changes about a node.
#[derive(Debug, Clone)]
pub(crate) struct ProfileNode {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) with: Option<Rc<Node>>,
    pub(crate) settings: Vec<Entry>,
}

/// Takes a file apart and checks its keys. Whether there are nodes is left to the caller, who knows the included files.
pub(crate) fn read(report: &mut Report, root: &Node, folder: &Path) -> Document {
    let mut document = Document::default();
    let Some(entries) = mapping(report, root, "a pipeline") else {
        return document;
    };
    check_keys(report, entries, &TOP_KEYS, "keys of a pipeline");
    check_format(report, root, entries);
    for entry in entries {
        let value = &entry.value;
        match meant(entry, entries, &TOP_KEYS) {
            "name" => document.name = file_name(report, entry),
            "description" => drop(text(report, entry)),
            "include" => document.includes = includes(report, value),
            "params" => document.params = params(report, entry),
            "plugins" => {
                let paths = paths(report, value, "plugins", "a plugin");
                document.plugins = paths.into_iter().map(|(path, _)| folder.join(path)).collect();
            }
            "pools" => {
                let entries = mapping(report, value, "`pools`").unwrap_or(&[]);
                document.pools = read_pools(report, entries);
                document.pool_spans = entries.iter().map(|entry| (entry.key.clone(), entry.key_span)).collect();
            }
            "profiles" => document.profiles = profiles(report, value),
            "nodes" => document.nodes = declaration::read(report, entry),
            _ => {}
        }
    }
    document
}

/// A pipeline without nodes, included ones counted, is a mistake; the place is the key `nodes` if there is one.
pub(crate) fn check_has_nodes(report: &mut Report, root: &Node) {
    let Tree::Map(entries) = &root.tree else {
        return;
    };
    let problem = match entries.iter().find(|entry| meant(entry, entries, &TOP_KEYS) == "nodes") {
        None => Problem::new(MISSING_KEY, start_of(root.span), "the pipeline has no `nodes`")
            .help("add `nodes:` with at least one node"),
        Some(entry) if matches!(&entry.value.tree, Tree::Map(nodes) if nodes.is_empty()) || entry.value.is_null() => {
            Problem::new(MISSING_KEY, entry.key_span, "the pipeline has no nodes")
                .help("add a node, for example `data: { kind: dataset }`")
        }
        Some(_) => return,
    };
    report.add(problem);
}

/// The entries of a mapping; an empty value is an empty mapping.
pub(crate) fn mapping<'a>(report: &mut Report, node: &'a Node, what: &str) -> Option<&'a [Entry]> {
    match &node.tree {
        Tree::Map(entries) => Some(entries),
        Tree::Scalar(Value::Null) => Some(&[]),
        _ => {
            let message = format!("{what} must be a mapping, not {}", node.describe());
            report.add(
                Problem::new(WRONG_TYPE, node.span, message).help("write `key: value` lines, indented by two spaces"),
            );
            None
        }
    }
}

/// The key that a misspelled one stands for, so that one slip is one problem; the key itself where it is right.
pub(crate) fn meant<'a>(entry: &'a Entry, entries: &[Entry], known: &[&'a str]) -> &'a str {
    let key = entry.key.as_str();
    if known.contains(&key) {
        return key;
    }
    let near = nearest(key, known.iter().copied());
    let free = |near: &&str| !entries.iter().any(|other| other.key == **near);
    near.filter(free).unwrap_or(key)
}

/// A one-character span at the start, for problems about a whole block.
fn start_of(span: Span) -> Span {
    let start = span.range().start;
    Span::new(span.source, start..start + 1)
}

pub(crate) fn check_keys(report: &mut Report, entries: &[Entry], known: &[&str], what: &str) {
    for entry in entries {
        if !known.contains(&entry.key.as_str()) {
            report.add(
                Problem::new(UNKNOWN_KEY, entry.key_span, format!("unknown key `{}`", entry.key)).help(suggest(
                    &entry.key,
                    what,
                    known.iter().copied(),
                )),
            );
        }
    }
}

fn check_format(report: &mut Report, root: &Node, entries: &[Entry]) {
    let Some(entry) = entries.iter().find(|entry| meant(entry, entries, &TOP_KEYS) == "format") else {
        let span = start_of(root.span);
        report.add(
            Problem::new(MISSING_KEY, span, "the pipeline does not say its `format`")
                .help(format!("add `format: {FORMAT}` as the first line")),
        );
        return;
    };
    let number = match &entry.value.tree {
        Tree::Scalar(Value::Number(number)) => number.as_u64(),
        _ => None,
    };
    if number == Some(FORMAT) {
        return;
    }
    let help = match number {
        Some(newer) if newer > FORMAT => "a newer pddflow wrote this pipeline; update the program".to_owned(),
        _ => format!("write `format: {FORMAT}`"),
    };
    let message = format!("this program reads format {FORMAT} only");
    report.add(Problem::new("pddflow::pipeline::unsupported_format", entry.value.span, message).help(help));
}

pub(crate) fn text(report: &mut Report, entry: &Entry) -> Option<String> {
    let text = entry.value.as_text().map(str::to_owned);
    if text.is_none() {
        let message = format!("`{}` must be a text, not {}", entry.key, entry.value.describe());
        report.add(Problem::new(WRONG_TYPE, entry.value.span, message).help("quote the value if a text is meant"));
    }
    text
}

/// The pipeline's name stands in paths and titles, so that it has no separators.
fn file_name(report: &mut Report, entry: &Entry) -> Option<String> {
    let name = text(report, entry)?;
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with('.') {
        return Some(name);
    }
    report.add(
        Problem::new(INVALID_NAME, entry.value.span, format!("`{name}` cannot name a pipeline"))
            .help("use letters, digits, `-`, `_` and `.`"),
    );
    None
}

fn params(report: &mut Report, entry: &Entry) -> Vec<Entry> {
    let entries = mapping(report, &entry.value, "`params`").unwrap_or(&[]);
    for entry in entries {
        check_variable(report, entry, "a parameter");
    }
    entries.to_vec()
}

/// Names that expressions use: letters, digits and `_`, and no keyword.
pub(crate) fn check_variable(report: &mut Report, entry: &Entry, what: &str) -> bool {
    let name = entry.key.as_str();
    let first = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let rest = name.chars().all(|character| character.is_alphanumeric() || character == '_');
    if first && rest && !KEYWORDS.contains(&name) {
        return true;
    }
    let help = if KEYWORDS.contains(&name) {
        format!("`{name}` is a word of the expression language; choose another name")
    } else {
        format!("use letters, digits and `_`, for example `{}`", as_variable(name))
    };
    report.add(Problem::new(INVALID_NAME, entry.key_span, format!("`{name}` cannot name {what}")).help(help));
    false
}

pub(crate) fn as_variable(name: &str) -> String {
    let allowed = |character: char| if character.is_alphanumeric() { character } else { '_' };
    let mut name: String = name.chars().map(allowed).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// One path or a list of them.
fn includes(report: &mut Report, node: &Node) -> Vec<(String, Span)> {
    match node.as_text().filter(|path| !path.is_empty()) {
        Some(path) => vec![(path.to_owned(), node.span)],
        None => paths(report, node, "include", "an included file"),
    }
}

fn paths(report: &mut Report, node: &Node, key: &str, what: &str) -> Vec<(String, Span)> {
    let items = match &node.tree {
        Tree::List(items) => items.as_slice(),
        Tree::Scalar(Value::Null) => &[],
        _ => {
            let message = format!("`{key}` must be a list, not {}", node.describe());
            report.add(Problem::new(WRONG_TYPE, node.span, message).help("write one `- path` line for each file"));
            &[]
        }
    };
    let mut paths = Vec::new();
    for item in items {
        match item.as_text().filter(|path| !path.is_empty()) {
            Some(path) => paths.push((path.to_owned(), item.span)),
            None => {
                let message = format!("{what} must be a path, not {}", item.describe());
                report.add(
                    Problem::new(WRONG_TYPE, item.span, message).help("paths are relative to the file they stand in"),
                );
            }
        }
    }
    paths
}

fn profiles(report: &mut Report, node: &Node) -> Vec<Profile> {
    let mut profiles = Vec::new();
    for entry in mapping(report, node, "`profiles`").unwrap_or(&[]) {
        let Some(keys) = mapping(report, &entry.value, "a profile") else {
            continue;
        };
        check_keys(report, keys, &PROFILE_KEYS, "keys of a profile");
        let mut profile = Profile { name: entry.key.clone(), params: Vec::new(), nodes: Vec::new() };
        for key in keys {
            match key.key.as_str() {
                "description" => drop(text(report, key)),
                "params" => {
                    let entries = mapping(report, &key.value, "`params`").unwrap_or(&[]);
                    profile.params = entries.to_vec();
                }
                "nodes" => profile.nodes = profile_nodes(report, &key.value),
                _ => {}
            }
        }
        profiles.push(profile);
    }
    profiles
}

fn profile_nodes(report: &mut Report, node: &Node) -> Vec<ProfileNode> {
    let mut nodes = Vec::new();
    for entry in mapping(report, node, "`nodes`").unwrap_or(&[]) {
        let Some(keys) = mapping(report, &entry.value, "a node of a profile") else {
            continue;
        };
        let mut node = ProfileNode { name: entry.key.clone(), span: entry.key_span, with: None, settings: Vec::new() };
        for key in keys {
            match key.key.as_str() {
                "with" if mapping(report, &key.value, "`with`").is_some() => node.with = Some(Rc::clone(&key.value)),
                "with" => {}
                name if SETTING_KEYS.contains(&name) => node.settings.push(key.clone()),
                name => report.add(not_a_setting(&entry.key, name, key.key_span)),
            }
        }
        nodes.push(node);
    }
    nodes
}
