//! A YAML tree to the parts of a pipeline file: the keys of its top level and of profiles.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::diagnostic::problem::{Problem, Report};
use crate::document::cluster::{self, CLUSTER};
use crate::document::declaration::{self, Declaration, WITH, is_changeable};
use crate::document::keys::{
    INVALID_NAME, Key, MISSING_KEY, UNKNOWN_KEY, WRONG_TYPE, check_keys, check_variable, is_too_long, mapping, meant,
    names, text,
};
use crate::document::setting::{Pools, SETTING_KEYS, SETTINGS, read_pools};
use crate::text::source::Span;
use crate::text::suggest::suggest;
use crate::yaml::tree::{Entry, Node, Tree};

/// The version of the format that this program reads.
const FORMAT: u64 = 1;

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
    /// The settings of a cluster, as written.
    pub(crate) cluster: Vec<Entry>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) nodes: Vec<Declaration>,
}

/// A named overlay: what it changes about parameters and, by their names, about nodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) params: Vec<Entry>,
    pub(crate) nodes: Vec<Entry>,
    pub(crate) cluster: Vec<Entry>,
}

/// Reads a value of a file in that folder.
type Read = fn(&mut Report, &Entry, &Path, &mut Document);

/// Keys of a pipeline file, in the order in which they are usually written.
const KEYS: [Key<Read>; 10] = [
    Key {
        name: "format",
        schema: |_| json!({"const": FORMAT, "description": "Version of the file format."}),
        // Checked beforehand, since it may be missing.
        read: |_, _, _, _| {},
    },
    Key {
        name: "name",
        schema: |_| {
            json!({
                "type": "string", "pattern": r"^[\p{L}\p{N}_-][\p{L}\p{N}_.-]*$",
                "description": "Name of the pipeline; without one the file's name is used.",
            })
        },
        read: |report, entry, _, document| document.name = file_name(report, entry),
    },
    Key {
        name: "description",
        schema: |_| json!({"type": "string", "description": "What the pipeline is for."}),
        read: |report, entry, _, _| drop(text(report, entry)),
    },
    Key {
        name: "include",
        schema: |_| {
            json!({
                "description": "Files with parts of the pipeline, relative to this one: their params, plugins, profiles and nodes are included; params here override theirs.",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            })
        },
        read: |report, entry, _, document| document.includes = includes(report, &entry.value),
    },
    Key {
        name: "params",
        schema: |_| {
            json!({
                "type": "object",
                "description": "Values that expressions `${...}` use; `--set key=value` and profiles override them.",
                "propertyNames": {"$ref": "#/$defs/variable"},
            })
        },
        read: |report, entry, _, document| document.params = params(report, entry),
    },
    Key {
        name: "plugins",
        schema: |_| {
            json!({
                "type": "array", "items": {"type": "string"},
                "description": "Plugin files, relative to this file.",
            })
        },
        read: |report, entry, folder, document| {
            let paths = paths(report, &entry.value, "plugins", "a plugin");
            document.plugins = paths.into_iter().map(|(path, _)| folder.join(path)).collect();
        },
    },
    Key {
        name: "pools",
        schema: |_| {
            json!({
                "type": "object",
                "description": "Named resources that nodes share: how many may be in use at the same time.",
                "additionalProperties": {"type": "integer", "minimum": 1},
            })
        },
        read: |report, entry, _, document| {
            let entries = mapping(report, &entry.value, "`pools`").unwrap_or(&[]);
            document.pools = read_pools(report, entries);
            document.pool_spans = entries.iter().map(|entry| (entry.key.clone(), entry.key_span)).collect();
        },
    },
    Key {
        name: "cluster",
        schema: |_| cluster::schema(),
        read: |report, entry, _, document| document.cluster = cluster_entries(report, entry),
    },
    Key {
        name: "profiles",
        schema: |_| {
            let profile = schemas(&PROFILE_KEYS);
            json!({
                "type": "object",
                "description": "Named overlays of parameters, chosen with `--profile NAME`.",
                "additionalProperties": {
                    "type": ["object", "null"], "additionalProperties": false, "properties": profile,
                },
            })
        },
        read: |report, entry, _, document| document.profiles = profiles(report, &entry.value),
    },
    Key {
        name: "nodes",
        schema: |_| {
            json!({
                "type": "object",
                "description": "The nodes by name.",
                "propertyNames": {"pattern": r"^[\p{L}_][\p{L}\p{N}_-]*$"},
                "additionalProperties": {"$ref": "#/$defs/node"},
            })
        },
        read: |report, entry, _, document| document.nodes = declaration::read(report, entry),
    },
];
const TOP_KEYS: [&str; KEYS.len()] = names(&KEYS);

/// Reads a value of a profile.
type ReadProfile = fn(&mut Report, &Entry, &mut Profile);

const PROFILE_KEYS: [Key<ReadProfile>; 4] = [
    Key {
        name: "description",
        schema: |_| json!({"type": "string", "description": "What the profile is for."}),
        read: |report, entry, _| drop(text(report, entry)),
    },
    Key {
        name: "params",
        schema: |_| json!({"type": "object", "description": "Parameters of the pipeline to change."}),
        read: |report, entry, profile| {
            profile.params = mapping(report, &entry.value, "`params`").unwrap_or(&[]).to_vec();
        },
    },
    Key {
        name: "nodes",
        schema: |_| {
            let about = "Parameters of the node to change; mappings are merged.";
            let mut properties = schemas(&SETTINGS);
            properties.insert(WITH.to_owned(), json!({"type": "object", "description": about}));
            json!({
                "type": "object",
                "description": "Nodes whose parameters or settings change.",
                "additionalProperties": {
                    "type": ["object", "null"], "additionalProperties": false, "properties": properties,
                },
            })
        },
        read: |report, entry, profile| profile.nodes = profile_nodes(report, &entry.value),
    },
    Key {
        name: "cluster",
        schema: |_| cluster::schema(),
        read: |report, entry, profile| profile.cluster = cluster_entries(report, entry),
    },
];

/// The settings of a cluster, each with a key that there is.
fn cluster_entries(report: &mut Report, entry: &Entry) -> Vec<Entry> {
    let entries = mapping(report, &entry.value, "`cluster`").unwrap_or(&[]);
    check_keys(report, entries, &names(&CLUSTER), "keys of `cluster`");
    entries.to_vec()
}

fn schemas<R>(keys: &[Key<R>]) -> Map<String, Value> {
    keys.iter().map(|key| (key.name.to_owned(), (key.schema)(&[]))).collect()
}

/// The schema of a pipeline file without its definitions.
pub(crate) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pddflow pipeline",
        "description": "A pipeline of nodes: each has a kind, parameters (with) and inputs from other nodes (needs).",
        "type": "object",
        "required": ["format"],
        "anyOf": [{"required": ["nodes"]}, {"required": ["params"]}, {"required": ["include"]}],
        "additionalProperties": false,
        "properties": schemas(&KEYS),
    })
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
        let name = meant(entry, entries, &TOP_KEYS);
        if let Some(key) = KEYS.iter().find(|key| key.name == name) {
            (key.read)(report, entry, folder, &mut document);
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

/// A one-character span at the start, for problems about a whole block.
fn start_of(span: Span) -> Span {
    let start = span.range().start;
    Span::new(span.source, start..start + 1)
}

fn check_format(report: &mut Report, root: &Node, entries: &[Entry]) {
    let Some(entry) = entries.iter().find(|entry| meant(entry, entries, &TOP_KEYS) == "format") else {
        let span = start_of(root.span);
        report.add(
            Problem::new(MISSING_KEY, span, "the pipeline has no `format`")
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
        Some(newer) if newer > FORMAT => "the pipeline needs a newer pddflow; update the program".to_owned(),
        _ => format!("write `format: {FORMAT}`"),
    };
    let message = format!("this version of pddflow reads format {FORMAT} only");
    report.add(Problem::new("pddflow::pipeline::unsupported_format", entry.value.span, message).help(help));
}

/// The pipeline's name stands in paths and titles, so that it has no separators.
fn file_name(report: &mut Report, entry: &Entry) -> Option<String> {
    let name = text(report, entry)?;
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    if is_too_long(report, entry.value.span, &name) {
        return None;
    }
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
        let Some(entries) = mapping(report, &entry.value, "a profile") else {
            continue;
        };
        check_keys(report, entries, &names(&PROFILE_KEYS), "keys of a profile");
        let mut profile = Profile { name: entry.key.clone(), ..Profile::default() };
        for entry in entries {
            if let Some(key) = PROFILE_KEYS.iter().find(|key| key.name == entry.key) {
                (key.read)(report, entry, &mut profile);
            }
        }
        profiles.push(profile);
    }
    profiles
}

/// The nodes that a profile changes, each a mapping of what can be changed.
fn profile_nodes(report: &mut Report, node: &Node) -> Vec<Entry> {
    let mut nodes = Vec::new();
    for entry in mapping(report, node, "`nodes`").unwrap_or(&[]) {
        let Some(changes) = mapping(report, &entry.value, "a node of a profile") else {
            continue;
        };
        let mut valid = true;
        for change in changes {
            if change.key == WITH {
                valid &= mapping(report, &change.value, "`with`").is_some();
            } else if !is_changeable(&change.key) {
                report.add(not_changeable(&entry.key, &change.key, change.key_span));
            }
        }
        if valid {
            nodes.push(entry.clone());
        }
    }
    nodes
}

/// The problem of changing something of a node that is no setting and no parameter.
pub(crate) fn not_changeable(node: &str, key: &str, span: Span) -> Problem {
    let known = std::iter::once(WITH).chain(SETTING_KEYS);
    Problem::new(UNKNOWN_KEY, span, format!("`{key}` of the node `{node}` cannot be overridden")).help(suggest(
        key,
        "what can be overridden",
        known,
    ))
}
