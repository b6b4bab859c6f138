//! Families to instances with parameters checked and inputs connected.

use litemap::LiteMap;
use serde_json::{Map, Value};

use crate::catalog::{KindSpec, ParamProblem};
use crate::diagnostic::problem::{Problem, Report};
use crate::document::declaration::Declaration;
use crate::document::setting::{Settings, compile_settings};
use crate::expand::connect::{Connector, Link};
use crate::expand::family::Family;
use crate::expand::need::{Need, compile_needs};
use crate::expand::world::World;
use crate::expression::Scope;
use crate::plan::NodeSettings;
use crate::template::{Compiled, Evaluator, Failure, compile};
use crate::text::source::Span;
use crate::yaml::tree::{Node, Tree, is_template};

const PARAMETER: &str = "pddflow::pipeline::parameter";
/// The parameter that kinds with randomness share.
const SEED: &str = "seed";

/// An instance before the plan is ordered.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) family: usize,
    pub(crate) instance: usize,
    pub(crate) with: Value,
    pub(crate) inputs: LiteMap<String, Vec<Link>>,
    pub(crate) settings: NodeSettings,
}

/// Resolves all instances, in the order of declaration.
pub(crate) fn drafts(report: &mut Report, world: World<'_>) -> Vec<Draft> {
    let mut connector = Connector::default();
    let mut drafts = Vec::with_capacity(world.families.iter().map(|family| family.points.len()).sum());
    for family in 0..world.families.len() {
        resolve_family(report, world, family, (&mut connector, &mut drafts));
    }
    drafts
}

fn resolve_family(
    report: &mut Report,
    world: World<'_>,
    index: usize,
    (connector, drafts): (&mut Connector, &mut Vec<Draft>),
) {
    let (Some(family), Some(declaration)) = (world.families.get(index), world.declarations.get(index)) else {
        return;
    };
    let kind = world.kinds.get(index).copied().flatten();
    let with = match declaration.with().filter(|entry| !entry.value.is_null()) {
        Some(entry) => compile(report, &entry.value),
        None => Some(Compiled::Constant(Value::Object(Map::new()), 1)),
    };
    let needs = compile_needs(report, declaration, kind);
    let compiled_settings = compile_settings(report, declaration.description.as_ref(), &declaration.changeable);
    // The same for all: evaluated, and a mistake in it told, once.
    let mut shared: Option<NodeSettings> = None;
    for (instance, point) in family.points.iter().enumerate() {
        let scope = Scope { axes: point, params: &world.params.values, broken: &world.params.broken };
        let subject = Subject { world, declaration, kind, scope, family, instance };
        let (inputs, complete) = subject.inputs(report, connector, &needs);
        let with = with.as_ref().and_then(|with| subject.with(report, with));
        if let Some(with) = with.as_ref().filter(|_| complete) {
            subject.check_inputs(report, with, &inputs);
        }
        let settings = match &shared {
            Some(settings) => settings.clone(),
            None => subject.settings(report, &compiled_settings),
        };
        if compiled_settings.is_constant() {
            shared.get_or_insert_with(|| settings.clone());
        }
        drafts.push(Draft { family: index, instance, with: with.unwrap_or_default(), inputs, settings });
    }
}

/// One instance while it is resolved.
struct Subject<'a> {
    world: World<'a>,
    declaration: &'a Declaration,
    kind: Option<&'a KindSpec>,
    scope: Scope<'a>,
    family: &'a Family,
    instance: usize,
}

impl Subject<'_> {
    fn add(&self, report: &mut Report, problem: Problem) {
        report.add(match self.family.is_family {
            true => problem.instance(self.family.id(self.instance).as_str()),
            false => problem,
        });
    }

    fn fail(&self, report: &mut Report, failure: Failure) {
        if let Failure::Problem(problem) = failure {
            self.add(report, *problem);
        }
    }

    /// The links of each port, and whether all of them are known.
    fn inputs(
        &self,
        report: &mut Report,
        connector: &mut Connector,
        needs: &[Need<'_>],
    ) -> (LiteMap<String, Vec<Link>>, bool) {
        let mut inputs = LiteMap::new_vec();
        let mut complete = self.declaration.needs_without_ports.is_none();
        for need in needs {
            let mut failures = Vec::new();
            let evaluator = Evaluator { scope: self.scope, sources: &report.sources, budget: self.world.budget };
            let links = connector.links(self.world, need, &evaluator, &mut failures);
            complete &= failures.is_empty() && !need.broken && need.spec.is_some();
            for failure in failures {
                match failure {
                    // What is wrong for every instance alike is not a problem of the first one.
                    Failure::Problem(problem) if need.constant => report.add(*problem),
                    failure => self.fail(report, failure),
                }
            }
            if !links.is_empty() {
                inputs.insert(need.port.clone(), links);
            }
        }
        (inputs, complete)
    }

    fn settings(&self, report: &mut Report, settings: &Settings) -> NodeSettings {
        let mut failures = Vec::new();
        let evaluator = Evaluator { scope: self.scope, sources: &report.sources, budget: self.world.budget };
        let value = settings.evaluate(&evaluator, self.world.pools, &mut failures);
        for failure in failures {
            match failure {
                Failure::Problem(problem) if settings.is_constant() => report.add(*problem),
                failure => self.fail(report, failure),
            }
        }
        value
    }

    /// The checked parameters; `None` after an error.
    fn with(&self, report: &mut Report, compiled: &Compiled) -> Option<Value> {
        let evaluator = Evaluator { scope: self.scope, sources: &report.sources, budget: self.world.budget };
        let mut with = match evaluator.shared_value(compiled) {
            Ok(with) => with,
            Err(failure) => {
                self.fail(report, failure);
                return None;
            }
        };
        let kind = self.kind?;
        if kind.seeded
            && with.as_object().is_some_and(|map| !map.contains_key(SEED))
            && let Value::Object(map) = with.to_mut()
        {
            let seed = self.world.params.values.get(SEED).cloned();
            map.insert(SEED.to_owned(), seed.unwrap_or_else(|| Value::from(0)));
        }
        match self.world.catalog.check(&kind.name, &with) {
            Ok(canonical) => Some(canonical),
            Err(problems) => {
                for problem in problems {
                    self.parameter(report, problem);
                }
                None
            }
        }
    }

    /// Whether inputs and parameters go together.
    fn check_inputs(&self, report: &mut Report, with: &Value, inputs: &LiteMap<String, Vec<Link>>) {
        let Some(kind) = self.kind else { return };
        let count = |port: &str| inputs.get(port).map_or(0, Vec::len);
        if let Err(problem) = self.world.catalog.check_inputs(&kind.name, with, &count) {
            self.add(report, self.declaration.input_problem(problem));
        }
    }

    fn parameter(&self, report: &mut Report, problem: ParamProblem) {
        let span = locate(self.declaration, &problem);
        let help = problem
            .help
            .unwrap_or_else(|| format!("see the parameters of the kind `{}`", self.kind.map_or("", |kind| &kind.name)));
        self.add(report, Problem::new(PARAMETER, span, problem.message).help(help));
    }
}

/// The place of a parameter problem in the YAML.
///
/// A scalar is shown itself; a mapping or list by the key that opens it, since that is where something is missing.
pub(crate) fn locate(declaration: &Declaration, problem: &ParamProblem) -> Span {
    let (pointer, mut key_wanted) = match problem.pointer.strip_suffix('#') {
        Some(pointer) => (pointer, true),
        None => (problem.pointer.as_str(), false),
    };
    key_wanted |= problem.message.starts_with("unknown");
    let Some(with) = declaration.with() else {
        return declaration.span;
    };
    let (mut node, mut key_span) = (&*with.value, with.key_span);
    let tokens = pointer.split('/').skip(1).filter(|token| !token.is_empty());
    for token in tokens {
        let token = token.replace("~1", "/").replace("~0", "~");
        match step(node, &token) {
            Some((below, span)) => {
                key_span = span.unwrap_or(below.span);
                node = below;
            }
            // What is not in the file is missing from where the search ended, or comes out of an expression there.
            None => {
                key_wanted = false;
                break;
            }
        }
    }
    match &node.tree {
        Tree::Scalar(value) if !key_wanted && !value.is_null() => node.span,
        _ => key_span,
    }
}

/// The value of a key or index, with the key's place.
fn step<'a>(node: &'a Node, token: &str) -> Option<(&'a Node, Option<Span>)> {
    match &node.tree {
        Tree::Map(entries) => {
            let exact = entries.iter().find(|entry| entry.key == token);
            let computed = || entries.iter().find(|entry| is_template(&entry.key));
            let entry = exact.or_else(computed)?;
            Some((&entry.value, Some(entry.key_span)))
        }
        Tree::List(items) => {
            let item = items.get(token.parse::<usize>().ok()?)?;
            Some((item, None))
        }
        Tree::Scalar(_) => None,
    }
}
