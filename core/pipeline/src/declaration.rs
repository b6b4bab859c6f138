//! `nodes:` to declarations: the keys of a node, their types, the names.

use std::rc::Rc;

use serde_json::Value;

use crate::document::{INVALID_NAME, UNKNOWN_KEY, as_variable, check_keys, check_variable, mapping, meant, text};
use crate::error::{Problem, Report};
use crate::setting::SETTING_KEYS;
use crate::source::Span;
use crate::syntax::{Entry, Node, Tree};

/// Keys of a node.
pub(crate) const NODE_KEYS: [&str; 12] = [
    "kind",
    "description",
    "for",
    "exclude",
    "when",
    "needs",
    "with",
    "retries",
    "timeout",
    "allow_failure",
    "resources",
    "priority",
];

/// Most axes of a family.
const MAX_AXES: usize = 16;

/// A node or family as declared.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) kind: Option<(String, Span)>,
    /// There is no key `kind`, rather than one with a wrong value.
    pub(crate) kind_missing: bool,
    pub(crate) description: Option<String>,
    pub(crate) axes: Vec<Entry>,
    /// Has a `for`, even one with errors; such a node is referred to as a family.
    pub(crate) is_family: bool,
    pub(crate) exclude: Vec<Rc<Node>>,
    /// The condition under which an instance exists.
    pub(crate) when: Option<Rc<Node>>,
    pub(crate) needs: Vec<Entry>,
    /// What stands after `needs` when it is no mapping of ports.
    pub(crate) needs_without_ports: Option<Rc<Node>>,
    /// Entries of settings, see [`crate::setting`].
    pub(crate) settings: Vec<Entry>,
    pub(crate) with: Option<Rc<Node>>,
    /// The key `with`, else the node's name.
    pub(crate) with_span: Span,
}

/// The declarations below `nodes:`.
pub(crate) fn read(report: &mut Report, entry: &Entry) -> Vec<Declaration> {
    let entries = mapping(report, &entry.value, "`nodes`").unwrap_or(&[]);
    entries.iter().filter_map(|entry| declaration(report, entry)).collect()
}

fn declaration(report: &mut Report, entry: &Entry) -> Option<Declaration> {
    check_node_name(report, entry);
    let keys = mapping(report, &entry.value, "a node")?;
    check_keys(report, keys, &NODE_KEYS, "keys of a node");
    let has = |name: &str| keys.iter().any(|key| meant(key, keys, &NODE_KEYS) == name);
    let mut node = Declaration {
        name: entry.key.clone(),
        span: entry.key_span,
        kind: None,
        kind_missing: !has("kind"),
        description: None,
        axes: Vec::new(),
        is_family: false,
        exclude: Vec::new(),
        when: None,
        needs: Vec::new(),
        needs_without_ports: None,
        settings: Vec::new(),
        with: None,
        with_span: entry.key_span,
    };
    for key in keys {
        match meant(key, keys, &NODE_KEYS) {
            "kind" => node.kind = text(report, key).map(|kind| (kind, key.value.span)),
            "description" => node.description = text(report, key),
            "for" => {
                node.is_family = true;
                let axes = mapping(report, &key.value, "`for`").unwrap_or(&[]);
                let valid = axes.iter().filter(|axis| check_variable(report, axis, "an axis"));
                node.axes = valid.cloned().collect();
                limit_axes(report, &mut node.axes);
            }
            "exclude" if node.is_family || has("for") => node.exclude = exclude(&key.value),
            "when" => node.when = Some(Rc::clone(&key.value)),
            "needs" if matches!(key.value.tree, Tree::Map(_) | Tree::Scalar(Value::Null)) => {
                node.needs = mapping(report, &key.value, "`needs`").unwrap_or(&[]).to_vec();
            }
            "needs" => node.needs_without_ports = Some(Rc::clone(&key.value)),
            "with" if mapping(report, &key.value, "`with`").is_some() => {
                node.with = (!key.value.is_null()).then(|| Rc::clone(&key.value));
                node.with_span = key.key_span;
            }
            setting if SETTING_KEYS.contains(&setting) => {
                node.settings.push(Entry { key: setting.to_owned(), ..key.clone() });
            }
            _ => {}
        }
    }
    check_declaration(report, &node, entry);
    Some(node)
}

/// Expansion recurses over the axes, so that their number is limited.
fn limit_axes(report: &mut Report, axes: &mut Vec<Entry>) {
    if let Some(axis) = axes.get(MAX_AXES) {
        let message = format!("a family has at most {MAX_AXES} axes");
        report.add(
            Problem::new("pddflow::pipeline::plan_limit", axis.key_span, message)
                .help("make one axis of several that change together"),
        );
        axes.truncate(MAX_AXES);
    }
}

fn check_declaration(report: &mut Report, node: &Declaration, entry: &Entry) {
    if let Some(exclude) = entry.value.get("exclude").filter(|_| !node.is_family) {
        report.add(
            Problem::new(UNKNOWN_KEY, exclude.key_span, "`exclude` without `for` has no effect")
                .help("add `for:` or remove `exclude`"),
        );
    }
}

fn exclude(node: &Rc<Node>) -> Vec<Rc<Node>> {
    match &node.tree {
        Tree::List(items) => items.clone(),
        Tree::Scalar(Value::Null) => Vec::new(),
        _ => vec![Rc::clone(node)],
    }
}

/// Node names stand in references and in `--set` paths, so that `.`, `[` and the like are not for them.
fn check_node_name(report: &mut Report, entry: &Entry) {
    let name = entry.key.as_str();
    let first = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let allowed = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    if first && name.chars().all(allowed) {
        return;
    }
    report.add(
        Problem::new(INVALID_NAME, entry.key_span, format!("`{name}` cannot name a node"))
            .help(format!("use letters, digits, `_` and `-`, for example `{}`", as_variable(name))),
    );
}
