//! `needs` as written: ports of a node, each with references that may depend on conditions.

use serde_json::Value;

use crate::catalog::{KindSpec, PortSpec};
use crate::diagnostic::problem::{Problem, Report};
use crate::document::declaration::Declaration;
use crate::document::keys::{MISSING_KEY, WRONG_TYPE, check_keys};
use crate::template::{Compiled, compile};
use crate::text::source::Span;
use crate::text::suggest::{nearest, suggest};
use crate::yaml::tree::{Entry, Node, Tree};

const UNKNOWN_PORT: &str = "pddflow::pipeline::unknown_port";
const MISSING_INPUT: &str = "pddflow::pipeline::missing_input";
/// Keys of a conditional reference.
pub(crate) const CHOICE_KEYS: [&str; 3] = ["if", "then", "else"];

/// One entry of `needs`.
#[derive(Debug)]
pub(crate) struct Need<'a> {
    pub(crate) port: String,
    /// The port's description, if kind and port are known.
    pub(crate) spec: Option<&'a PortSpec>,
    /// Where the value stands.
    pub(crate) span: Span,
    pub(crate) items: Vec<Item>,
    /// The value is a constant: it means the same for each instance.
    pub(crate) constant: bool,
    /// Some reference could not be read, so that the number of artifacts is not known.
    pub(crate) broken: bool,
}

/// Checks the ports of a declaration and compiles its references.
pub(crate) fn compile_needs<'a>(
    report: &mut Report,
    declaration: &Declaration,
    kind: Option<&'a KindSpec>,
) -> Vec<Need<'a>> {
    let mut needs = Vec::new();
    for entry in &declaration.needs {
        let spec = kind.and_then(|kind| kind.inputs.iter().find(|port| port.name == entry.key));
        if let (Some(kind), None) = (kind, spec) {
            let known = kind.inputs.iter().map(|port| port.name.as_str());
            report.add(
                Problem::new(
                    UNKNOWN_PORT,
                    entry.key_span,
                    format!("the kind `{}` has no input `{}`", kind.name, entry.key),
                )
                .help(suggest(&entry.key, "inputs", known)),
            );
        }
        let (items, broken) = compile_items(report, &entry.value, &entry.key);
        needs.push(Need {
            port: entry.key.clone(),
            spec,
            span: entry.value.span,
            constant: items.iter().all(Item::is_constant),
            items,
            broken,
        });
    }
    if let Some(kind) = kind {
        check_missing(report, declaration, kind);
    }
    needs
}

/// Inputs that must be connected and are not. A misspelled port is one problem, not two.
fn check_missing(report: &mut Report, declaration: &Declaration, kind: &KindSpec) {
    if let Some(node) = &declaration.needs_without_ports {
        let first = match &node.tree {
            Tree::List(items) => items.first().and_then(|item| item.as_text()),
            _ => node.as_text(),
        };
        let port = kind.inputs.first().map_or("PORT", |port| &port.name);
        let message = format!("`needs` must be a mapping of inputs, not {}", node.describe());
        let help = format!("write `needs: {{ {port}: {} }}`", first.unwrap_or("NODE"));
        report.add(Problem::new(WRONG_TYPE, node.span, message).help(help));
        return;
    }
    let free = || {
        let ports = kind.inputs.iter().map(|port| port.name.as_str());
        ports.filter(|port| !declaration.needs.iter().any(|entry| entry.key == *port))
    };
    let known = |name: &str| kind.inputs.iter().any(|port| port.name == name);
    let meant: Vec<&str> = declaration
        .needs
        .iter()
        .filter(|entry| !known(&entry.key))
        .filter_map(|entry| nearest(&entry.key, free()))
        .collect();
    for port in &kind.inputs {
        let connected = declaration.needs.iter().any(|entry| entry.key == port.name);
        if connected || port.arity.may_be_absent() || meant.contains(&port.name.as_str()) {
            continue;
        }
        let artifact = artifact_words(&port.artifact);
        let message = format!("`{}` needs an input `{}` ({artifact})", declaration.name, port.name);
        let help = format!("add `needs: {{ {}: NODE }}` with a node that has an output of type {artifact}", port.name);
        report.add(Problem::new(MISSING_INPUT, declaration.span, message).help(help));
    }
}

/// The types an input takes: `set`, `set` or `dataset`.
pub(crate) fn artifact_words(artifact: &str) -> String {
    let types: Vec<String> = artifact.split('|').map(|one| format!("`{}`", one.trim())).collect();
    types.join(" or ")
}

/// A reference, or a choice between references.
#[derive(Debug)]
pub(crate) enum Item {
    Reference(Compiled, Span),
    Choice(Box<Choice>),
}

/// `{ if: CONDITION, then: REFERENCES, else: REFERENCES }`; without `else` nothing is taken.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) condition: Compiled,
    pub(crate) span: Span,
    pub(crate) then: Vec<Item>,
    pub(crate) otherwise: Vec<Item>,
}

impl Item {
    fn is_constant(&self) -> bool {
        match self {
            Self::Reference(compiled, _) => compiled.is_constant(),
            Self::Choice(choice) => {
                let mut items = choice.then.iter().chain(&choice.otherwise);
                choice.condition.is_constant() && items.all(Self::is_constant)
            }
        }
    }
}

/// The items of one value: a reference, a choice, or a list of them. What cannot be read is left out and said.
fn compile_items(report: &mut Report, node: &Node, port: &str) -> (Vec<Item>, bool) {
    let nodes: Vec<&Node> = match &node.tree {
        Tree::List(items) => items.iter().map(|item| &**item).collect(),
        _ => vec![node],
    };
    let mut items = Vec::new();
    let mut broken = false;
    for node in nodes {
        let item = match &node.tree {
            Tree::Map(entries) => compile_choice(report, node, entries, port),
            Tree::Scalar(Value::String(_) | Value::Null) => {
                compile(report, node).map(|compiled| Item::Reference(compiled, node.span))
            }
            _ => {
                report.add(no_reference(node, port));
                None
            }
        };
        broken |= item.is_none();
        items.extend(item);
    }
    (items, broken)
}

fn no_reference(node: &Node, port: &str) -> Problem {
    let message = format!("`{port}` must be a reference or a list of references, not {}", node.describe());
    Problem::new(WRONG_TYPE, node.span, message)
        .help("for example `data`, \"distill[3]\" or [\"distill[1]\", \"distill[2]\"]")
}

fn compile_choice(report: &mut Report, node: &Node, entries: &[Entry], port: &str) -> Option<Item> {
    check_keys(report, entries, &CHOICE_KEYS, "keys of a conditional reference");
    let (Some(condition), Some(then)) = (node.get("if"), node.get("then")) else {
        let span = entries.first().map_or(node.span, |entry| entry.key_span);
        let message = format!("a conditional reference for `{port}` needs `if` and `then`");
        report.add(
            Problem::new(MISSING_KEY, span, message)
                .help("for example `{ if: \"${k > 1}\", then: \"distill[..${k}]\" }`; `else` may follow"),
        );
        return None;
    };
    let compiled = compile(report, &condition.value);
    let (then, then_broken) = compile_items(report, &then.value, port);
    let (otherwise, else_broken) = match node.get("else") {
        Some(entry) => compile_items(report, &entry.value, port),
        None => (Vec::new(), false),
    };
    let known = entries.iter().all(|entry| CHOICE_KEYS.contains(&entry.key.as_str()));
    let choice = Choice { condition: compiled?, span: condition.value.span, then, otherwise };
    (known && !then_broken && !else_broken).then(|| Item::Choice(Box::new(choice)))
}
