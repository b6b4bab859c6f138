//! `nodes:` to declarations: the keys of a node, their types, the names.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::catalog::{InputProblem, KindSpec};
use crate::diagnostic::problem::{Problem, Report};
use crate::document::keys::{
    INVALID_NAME, Key, UNKNOWN_KEY, as_variable, check_keys, check_variable, is_too_long, mapping, meant, names,
    or_expression, text,
};
use crate::document::setting::{SETTING, SETTING_KEYS, SETTINGS};
use crate::text::source::Span;
use crate::yaml::tree::{Entry, Node, Tree};

/// Most axes of a family.
const MAX_AXES: usize = 16;
const INPUT: &str = "pddflow::pipeline::input";
/// The key of a node's parameters.
pub(crate) const WITH: &str = "with";

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
    /// What a profile and `--set` can change: `with` and the settings.
    pub(crate) changeable: Vec<Entry>,
}

impl Declaration {
    /// A problem with what comes into one of its ports, at the place of that port.
    pub(crate) fn input_problem(&self, found: InputProblem) -> Problem {
        let written = self.needs.iter().find(|entry| entry.key == found.port);
        let span = written.map_or(self.span, |entry| entry.value.span);
        Problem::new(INPUT, span, found.message).help(found.help)
    }

    /// What is wrong with a setting, at the place where it is written.
    pub(crate) fn setting_problem(&self, name: &str, (message, help): (String, String)) -> Problem {
        let written = self.changeable.iter().find(|entry| entry.key == name);
        let span = written.map_or(self.span, |entry| entry.value.span);
        Problem::new(SETTING, span, message).help(help)
    }

    /// The entry of its parameters, which may be empty.
    pub(crate) fn with(&self) -> Option<&Entry> {
        self.changeable.iter().find(|entry| entry.key == WITH)
    }
}

/// Whether a profile and `--set` can change what stands under a key of a node.
pub(crate) fn is_changeable(key: &str) -> bool {
    key == WITH || SETTING_KEYS.contains(&key)
}

type Read = fn(&mut Report, &Entry, &mut Declaration);

/// Keys of a node besides its settings.
const OWN_KEYS: [Key<Read>; 7] = [
    Key {
        name: "kind",
        schema: |kinds| {
            let kind = |kind: &&KindSpec| json!({"const": kind.name, "description": kind.summary});
            json!({"description": "What the node does.", "oneOf": kinds.iter().map(kind).collect::<Vec<_>>()})
        },
        read: |report, entry, node| node.kind = text(report, entry).map(|kind| (kind, entry.value.span)),
    },
    Key {
        name: "description",
        schema: |_| json!({"type": "string", "description": "What the node is for."}),
        read: |report, entry, node| node.description = text(report, entry),
    },
    Key {
        name: "for",
        schema: |_| {
            json!({
                "type": "object",
                "description": "Axes of a family: one instance for each point of their product, in the order of the axes.",
                "propertyNames": {"$ref": "#/$defs/variable"},
                "additionalProperties": {"$ref": "#/$defs/axis"},
            })
        },
        read: |report, entry, node| {
            node.is_family = true;
            let axes = mapping(report, &entry.value, "`for`").unwrap_or(&[]);
            let valid = axes.iter().filter(|axis| check_variable(report, axis, "an axis"));
            node.axes = valid.cloned().collect();
            limit_axes(report, &mut node.axes);
        },
    },
    Key {
        name: "exclude",
        schema: |_| {
            json!({
                "description": "Points that the family leaves out.",
                "anyOf": [{"$ref": "#/$defs/exclude"}, {"type": "array", "items": {"$ref": "#/$defs/exclude"}}],
            })
        },
        read: |_, entry, node| node.exclude = exclude(&entry.value),
    },
    Key {
        name: "when",
        schema: |_| {
            let about = "A condition, for example `${transition}`: where it does not hold the node does not exist.";
            or_expression(about, json!({"type": "boolean"}))
        },
        read: |_, entry, node| node.when = Some(Rc::clone(&entry.value)),
    },
    Key {
        name: "needs",
        schema: |_| {
            json!({
                "type": ["object", "null"],
                "description": "Inputs: for each port of the kind the artifacts it takes.",
                "additionalProperties": {"$ref": "#/$defs/references"},
            })
        },
        read: |report, entry, node| match &entry.value.tree {
            Tree::Map(_) | Tree::Scalar(Value::Null) => {
                node.needs = mapping(report, &entry.value, "`needs`").unwrap_or(&[]).to_vec();
            }
            _ => node.needs_without_ports = Some(Rc::clone(&entry.value)),
        },
    },
    Key {
        name: WITH,
        schema: |_| json!({"type": ["object", "null"], "description": "Parameters of the node."}),
        read: |report, entry, node| {
            if mapping(report, &entry.value, "`with`").is_some() {
                node.changeable.push(Entry { key: WITH.to_owned(), ..entry.clone() });
            }
        },
    },
];
/// Keys of a node.
const NODE_KEYS: [&str; OWN_KEYS.len() + SETTINGS.len()] = joined(names(&OWN_KEYS), SETTING_KEYS);

const fn joined<const A: usize, const B: usize, const N: usize>(
    first: [&'static str; A],
    second: [&'static str; B],
) -> [&'static str; N] {
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < A { first[at] } else { second[at - A] };
        at += 1;
    }
    all
}

/// Each key of a node with its schema.
pub(crate) fn schemas(kinds: &[&KindSpec]) -> Value {
    let own = OWN_KEYS.iter().map(|key| (key.name.to_owned(), (key.schema)(kinds)));
    own.chain(SETTINGS.iter().map(|key| (key.name.to_owned(), (key.schema)(kinds)))).collect()
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
    let mut node = Declaration {
        name: entry.key.clone(),
        span: entry.key_span,
        kind: None,
        kind_missing: !keys.iter().any(|key| meant(key, keys, &NODE_KEYS) == "kind"),
        description: None,
        axes: Vec::new(),
        is_family: false,
        exclude: Vec::new(),
        when: None,
        needs: Vec::new(),
        needs_without_ports: None,
        changeable: Vec::new(),
    };
    for key in keys {
        let name = meant(key, keys, &NODE_KEYS);
        if let Some(own) = OWN_KEYS.iter().find(|own| own.name == name) {
            (own.read)(report, key, &mut node);
        } else if SETTING_KEYS.contains(&name) {
            node.changeable.push(Entry { key: name.to_owned(), ..key.clone() });
        }
    }
    if !node.is_family {
        refuse_exclude(report, &mut node, entry);
    }
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

fn refuse_exclude(report: &mut Report, node: &mut Declaration, entry: &Entry) {
    node.exclude.clear();
    if let Some(exclude) = entry.value.get("exclude") {
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
    if is_too_long(report, entry.key_span, name) || (first && name.chars().all(allowed)) {
        return;
    }
    report.add(
        Problem::new(INVALID_NAME, entry.key_span, format!("`{name}` cannot name a node"))
            .help(format!("use letters, digits, `_` and `-`, for example `{}`", as_variable(name))),
    );
}
