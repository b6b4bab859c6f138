//! Warnings about pipelines that can be run and are probably not what was meant.
//!
//! | code | what it finds |
//! |---|---|
//! | `unused_parameter` | a parameter that no expression reads |
//! | `unused_axis` | an axis that changes nothing: all its instances compute the same |
//! | `shared_seed` | an axis for repetitions (`run`, `seed`, ...) that the node's seed does not depend on |
//! | `shadowed_parameter` | an axis with the name of a parameter |
//! | `empty_family` | a family without instances |
//! | `unused_node` | a node that nothing needs, in a pipeline that ends in results or files |
//! | `same_node` | two declarations that compute the same |
//! | `string_like_boolean` | `yes`, `no`, `on`, `off`: texts in YAML 1.2 |
//! | `unused_pool` | a pool that no node takes from |
//! | `parameter` | what a kind finds in the parameters of its nodes |

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use crate::catalog::Catalog;
use crate::diagnostic::problem::{Problem, Report};
use crate::diagnostic::shown::Diagnostics;
use crate::document::declaration::Declaration;
use crate::document::parts::Document;
use crate::expand::resolve::locate;
use crate::plan::Plan;
use crate::template::compile;
use crate::text::source::Span;
use crate::text::suggest::nearest;
use crate::yaml::tree::{Node, Tree};

/// Artifacts that people look at; a node that gives one is no dead end.
const RESULTS: [&str; 3] = ["results", "table", "files"];
/// Axes with such names repeat an experiment.
const REPEATS: [&str; 8] = ["seed", "seeds", "run", "runs", "repeat", "repeats", "trial", "trials"];
const SEED: &str = "seed";
/// What repeats the pipeline with several seeds.
const SEEDS: &str = "seeds";
const LIKE_BOOLEANS: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];

/// A pipeline file that is looked at.
pub(crate) struct Linter<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    /// With a profile and overrides applied.
    pub(crate) document: &'a Document,
    /// All profiles as written.
    pub(crate) profiles: &'a Document,
    pub(crate) plan: &'a Plan,
}

impl Linter<'_> {
    /// All warnings, in the order of their places.
    pub(crate) fn warnings(&self, mut report: Report) -> Diagnostics {
        self.parameters(&mut report);
        for declaration in &self.document.nodes {
            self.axes(&mut report, declaration);
            self.texts(&mut report, declaration);
        }
        self.families(&mut report);
        self.dead_ends(&mut report);
        self.twins(&mut report);
        self.pools(&mut report);
        self.parameters_of_kinds(&mut report);
        report.finish()
    }

    fn parameters(&self, report: &mut Report) {
        if self.document.params.is_empty() {
            return;
        }
        let mut read = HashSet::new();
        for entry in &self.document.params {
            names(report, &entry.value, &mut read);
        }
        for profile in &self.profiles.profiles {
            profile.params.iter().for_each(|entry| names(report, &entry.value, &mut read));
            profile.nodes.iter().for_each(|entry| names(report, &entry.value, &mut read));
        }
        for node in &self.document.nodes {
            read.extend(names_of(report, node));
        }
        let seeded = |node: &Declaration| {
            let kind = node.kind.as_ref().and_then(|(kind, _)| self.catalog.kind(kind));
            kind.is_some_and(|kind| kind.seeded)
        };
        if self.document.nodes.iter().any(seeded) {
            read.extend([SEED.to_owned(), SEEDS.to_owned()]);
        }
        for entry in self.document.params.iter().filter(|entry| !read.contains(&entry.key)) {
            let used = self.document.params.iter().map(|entry| entry.key.as_str()).filter(|name| read.contains(*name));
            let help = match nearest(&entry.key, used) {
                Some(near) => format!("remove it, or did you mean `{near}`, which is used?"),
                None => format!("remove it, or use it: `${{{}}}`", entry.key),
            };
            report.add(
                warning(
                    "pddflow::lint::unused_parameter",
                    entry.key_span,
                    format!("the parameter `{}` is never used", entry.key),
                )
                .help(help),
            );
        }
    }

    fn axes(&self, report: &mut Report, node: &Declaration) {
        if node.axes.is_empty() {
            return;
        }
        let mut with = HashSet::new();
        if let Some(entry) = node.with() {
            names(report, &entry.value, &mut with);
        }
        let mut read = with.clone();
        let conditions = node.exclude.iter().chain(&node.when);
        let others = conditions.chain(node.needs.iter().map(|entry| &entry.value));
        others.chain(node.axes.iter().map(|axis| &axis.value)).for_each(|node| names(report, node, &mut read));
        let is_seeded =
            node.kind.as_ref().and_then(|(kind, _)| self.catalog.kind(kind)).is_some_and(|kind| kind.seeded);
        // Counted only where it decides something: the plan may be long.
        let instances = || self.plan.nodes.iter().filter(|planned| planned.family == node.name).count();
        for axis in &node.axes {
            let (name, family) = (&axis.key, &node.name);
            if self.document.params.iter().any(|entry| entry.key == *name) {
                let message = format!("the axis `{name}` hides the parameter of that name");
                let help = format!("rename the axis, for example `one_{name}`, so that `${{{name}}}` is unambiguous");
                report.add(warning("pddflow::lint::shadowed_parameter", axis.key_span, message).help(help));
            }
            let repeats = REPEATS.contains(&name.to_lowercase().as_str()) && is_seeded;
            if repeats && !self.seed_depends_on(report, node, name) {
                let message = format!("all instances of `{family}` along `{name}` have the same seed");
                let help = format!("write `seed: ${{{name}}}` under `with`, or `seed: ${{1000 * seed + {name}}}`");
                report.add(warning("pddflow::lint::shared_seed", axis.key_span, message).help(help));
            } else if !read.contains(name) && instances() > 1 {
                let message = format!("`{family}` does not use its axis `{name}`: all its instances compute the same");
                let help = format!("use `${{{name}}}` under `with` or `needs`, or remove the axis");
                report.add(warning("pddflow::lint::unused_axis", axis.key_span, message).help(help));
            }
        }
    }

    fn seed_depends_on(&self, report: &mut Report, node: &Declaration, axis: &str) -> bool {
        let mut read = HashSet::new();
        if let Some(seed) = node.with().and_then(|with| with.value.get(SEED)) {
            names(report, &seed.value, &mut read);
        }
        // What it takes may bring the seed: an evaluation of sets made with different seeds.
        node.needs.iter().for_each(|entry| names(report, &entry.value, &mut read));
        read.contains(axis)
    }

    fn families(&self, report: &mut Report) {
        let present: HashSet<&str> = self.plan.nodes.iter().map(|node| node.family.as_str()).collect();
        for node in self.document.nodes.iter().filter(|node| !present.contains(node.name.as_str())) {
            if node.when.is_none() {
                let message = format!("the family `{}` has no instances", node.name);
                let help = "check its ranges and `exclude`; use `when` for nodes that can be disabled";
                report.add(warning("pddflow::lint::empty_family", node.span, message).help(help));
            }
        }
    }

    /// Whether people look at what a family gives.
    fn gives_results(&self, node: &Declaration) -> bool {
        let kind = node.kind.as_ref().and_then(|(kind, _)| self.catalog.kind(kind));
        let outputs = kind.map_or(&[][..], |kind| kind.outputs.as_slice());
        outputs.is_empty() || outputs.iter().any(|output| RESULTS.contains(&output.artifact.as_str()))
    }

    fn dead_ends(&self, report: &mut Report) {
        let family = |at: usize| self.plan.nodes.get(at).map(|node| node.family.as_str());
        let inputs =
            self.plan.nodes.iter().flat_map(|node| {
                node.inputs.values().flatten().filter(|input| family(input.node) != Some(&node.family))
            });
        let needed: HashSet<&str> = inputs.filter_map(|input| family(input.node)).collect();
        let present: HashSet<&str> = self.plan.nodes.iter().map(|node| node.family.as_str()).collect();
        let ends = |node: &&Declaration| present.contains(node.name.as_str()) && !needed.contains(node.name.as_str());
        let (good, dead): (Vec<&Declaration>, Vec<&Declaration>) =
            self.document.nodes.iter().filter(ends).partition(|node| self.gives_results(node));
        // A pipeline that only makes sets or weights is for these.
        if good.is_empty() {
            return;
        }
        for node in dead {
            let message = format!("nothing needs `{}`", node.name);
            let help = "it runs all the same; use its output under `needs` of another node, or remove it";
            report.add(warning("pddflow::lint::unused_node", node.span, message).help(help));
        }
    }

    /// Declarations that compute the same. Within a family an unused axis is the problem, and told as such.
    fn twins(&self, report: &mut Report) {
        let mut known = HashMap::with_capacity(self.plan.nodes.len());
        let mut numbers: Vec<usize> = Vec::with_capacity(self.plan.nodes.len());
        let mut first: HashMap<usize, &str> = HashMap::new();
        let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
        for node in &self.plan.nodes {
            let inputs = node.inputs.iter().map(|(port, inputs)| {
                let inputs = inputs.iter().map(|input| (numbers.get(input.node).copied(), input.output.as_str()));
                (port.as_str(), inputs.collect::<Vec<_>>())
            });
            let content = (node.kind.as_str(), &node.with, inputs.collect::<Vec<_>>());
            let next = known.len();
            let number = *known.entry(content).or_insert(next);
            numbers.push(number);
            let earlier = *first.entry(number).or_insert(&node.family);
            if earlier != node.family {
                told.insert((earlier, &node.family));
            }
        }
        let place = |name: &str| self.document.nodes.iter().find(|node| node.name == name).map(|node| node.span);
        for (earlier, later) in told {
            if let (Some(first), Some(second)) = (place(earlier), place(later)) {
                let message = format!("`{later}` computes the same as `{earlier}`");
                let help = "it is computed only once; refer to the first one, or change what should differ";
                report
                    .add(warning("pddflow::lint::same_node", second, message).other(first, "the first one").help(help));
            }
        }
    }

    /// What the kinds themselves find.
    fn parameters_of_kinds(&self, report: &mut Report) {
        let declarations: HashMap<&str, &Declaration> =
            self.document.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
        for node in &self.plan.nodes {
            let Some(declaration) = declarations.get(node.family.as_str()) else { continue };
            for problem in self.catalog.lint(&node.kind, &node.with) {
                let span = locate(declaration, &problem);
                let found = warning("pddflow::lint::parameter", span, problem.message).instance(node.id.as_str());
                report.add(match problem.help {
                    Some(help) => found.help(help),
                    None => found,
                });
            }
        }
    }

    fn texts(&self, report: &mut Report, node: &Declaration) {
        node.changeable.iter().for_each(|entry| like_booleans(report, &entry.value));
    }

    fn pools(&self, report: &mut Report) {
        let taken: HashSet<&str> =
            self.plan.nodes.iter().flat_map(|node| node.settings.resources.pools.keys()).map(String::as_str).collect();
        for (name, span) in &self.document.pool_spans {
            if !taken.contains(name.as_str()) {
                let message = format!("no node uses the pool `{name}`");
                let help = format!("write `resources: {{ pools: {{ {name}: 1 }} }}` at a node, or remove it");
                report.add(warning("pddflow::lint::unused_pool", *span, message).help(help));
            }
        }
    }
}

fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Problem {
    Problem::new(code, span, message).warning()
}

/// Every parameter or axis that a node reads anywhere.
fn names_of(report: &mut Report, node: &Declaration) -> HashSet<String> {
    let mut read = HashSet::new();
    let entries = node.needs.iter().chain(&node.axes).chain(&node.changeable).map(|entry| &entry.value);
    for value in entries.chain(&node.exclude).chain(&node.when) {
        names(report, value, &mut read);
    }
    read
}

fn names(report: &mut Report, node: &Node, read: &mut HashSet<String>) {
    if let Some(compiled) = compile(report, node) {
        compiled.names(&mut |name| {
            read.insert(name.to_owned());
        });
    }
}

/// Unquoted texts that other YAML versions take for booleans.
fn like_booleans(report: &mut Report, node: &Node) {
    match &node.tree {
        Tree::Scalar(Value::String(text)) if LIKE_BOOLEANS.iter().any(|word| word.eq_ignore_ascii_case(text)) => {
            if report.sources.slice(node.span) == text {
                let message = format!("`{text}` is a string, not a boolean");
                let help = format!("write `true` or `false`; quote it if you mean the string: `\"{text}\"`");
                report.add(warning("pddflow::lint::string_like_boolean", node.span, message).help(help));
            }
        }
        Tree::List(items) => items.iter().for_each(|item| like_booleans(report, item)),
        Tree::Map(entries) => entries.iter().for_each(|entry| like_booleans(report, &entry.value)),
        Tree::Scalar(_) => {}
    }
}
