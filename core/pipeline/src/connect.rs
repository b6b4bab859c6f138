//! `needs`: ports of a node to artifacts of other nodes.

use std::ops::Range;

use serde_json::Value;

use crate::catalog::{Arity, KindSpec, PortSpec};
use crate::document::WRONG_TYPE;
use crate::error::Problem;
use crate::family::truth;
use crate::need::{Item, Need, artifact_words};
use crate::reference;
use crate::resolve::World;
use crate::select::{INVALID_REFERENCE, select};
use crate::source::Span;
use crate::suggest::suggest;
use crate::syntax::describe;
use crate::template::{Compiled, Evaluator, Failure};

const UNKNOWN_NODE: &str = "pddflow::pipeline::unknown_node";
const UNKNOWN_OUTPUT: &str = "pddflow::pipeline::unknown_output";
const ARTIFACT: &str = "pddflow::pipeline::artifact_mismatch";
const ARITY: &str = "pddflow::pipeline::arity";
const PLAN_LIMIT: &str = "pddflow::pipeline::plan_limit";
/// Most edges of a plan. A slice of all earlier instances makes n * (n - 1) / 2 of them.
const MAX_LINKS: usize = 4_000_000;

/// One input of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The producing instance, counted over the plan in the order of declaration.
    pub(crate) node: usize,
    /// The index of its output port.
    pub(crate) output: usize,
    /// The reference that makes the link.
    pub(crate) span: Span,
}

/// Turns references into links and counts them.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    count: usize,
    /// The constant entry resolved last, by its place, with its links; none after an error, which is reported once.
    constant: Option<(Span, Vec<Link>)>,
}

impl Connector {
    /// The links of one input port of one instance.
    pub(crate) fn links(
        &mut self,
        world: World<'_>,
        need: &Need<'_>,
        evaluator: &Evaluator<'_>,
        failures: &mut Vec<Failure>,
    ) -> Vec<Link> {
        if let Some((_, links)) = self.constant.as_ref().filter(|(span, _)| need.constant && *span == need.span) {
            let links = links.clone();
            return self.counted(links, need, failures);
        }
        let mut links = Vec::new();
        let mut complete = !need.broken;
        for item in &need.items {
            complete &= add_item(world, need, item, evaluator, (&mut links, failures));
        }
        if let Some(spec) = need.spec.filter(|spec| complete && !spec.arity.allows(links.len())) {
            failures.push(arity_failure(spec, need.span, links.len()));
        }
        if need.constant {
            self.constant = Some((need.span, links.clone()));
        }
        self.counted(links, need, failures)
    }

    fn counted(&mut self, links: Vec<Link>, need: &Need<'_>, failures: &mut Vec<Failure>) -> Vec<Link> {
        self.count += links.len();
        if self.count <= MAX_LINKS {
            return links;
        }
        if self.count - links.len() <= MAX_LINKS {
            let message = format!("the plan has more than {MAX_LINKS} edges");
            failures.push(fail(PLAN_LIMIT, need.span, message, "shorten the families or refer to fewer instances"));
        }
        Vec::new()
    }
}

fn fail(code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure::Problem(Box::new(Problem::new(code, span, message).help(help)))
}

fn arity_failure(spec: &PortSpec, span: Span, count: usize) -> Failure {
    let help = match (spec.arity, count) {
        (Arity::One | Arity::Some, 0) => "the reference means no instance here; let it begin with one that exists",
        (Arity::One, _) => "refer to one instance, for example `distill[3]`",
        _ => "refer to one instance or leave the input out",
    };
    let message = format!("the input `{}` takes {}, this gives {count}", spec.name, spec.arity.words());
    fail(ARITY, span, message, help)
}

/// Adds the links of an item and says whether all of them are known.
fn add_item(
    world: World<'_>,
    need: &Need<'_>,
    item: &Item,
    evaluator: &Evaluator<'_>,
    (links, failures): (&mut Vec<Link>, &mut Vec<Failure>),
) -> bool {
    let outcome = match item {
        Item::Reference(compiled, span) => item_links(world, need, (compiled, *span), evaluator, links),
        Item::Choice(choice) => match truth(evaluator, &choice.condition, choice.span) {
            Ok(holds) => {
                let chosen = if holds { &choice.then } else { &choice.otherwise };
                let mut complete = true;
                for item in chosen {
                    complete &= add_item(world, need, item, evaluator, (links, failures));
                }
                return complete;
            }
            Err(failure) => Err(failure),
        },
    };
    match outcome {
        Ok(()) => true,
        Err(failure) => {
            failures.push(failure);
            false
        }
    }
}

/// Adds the links of one reference; a list of references or null may come out of an expression.
fn item_links(
    world: World<'_>,
    need: &Need<'_>,
    (item, span): (&Compiled, Span),
    evaluator: &Evaluator<'_>,
    links: &mut Vec<Link>,
) -> Result<(), Failure> {
    match evaluator.value(item)? {
        Value::String(text) => reference_links(world, need, (&text, span), evaluator, links),
        Value::Null => Ok(()),
        Value::Array(texts) => {
            for text in &texts {
                let Value::String(text) = text else {
                    let message = format!("a reference must be a text, not {}", describe(text));
                    return Err(fail(WRONG_TYPE, span, message, "for example `[\"distill[1]\"]`"));
                };
                reference_links(world, need, (text, span), evaluator, links)?;
            }
            Ok(())
        }
        other => {
            let message = format!("a reference must be a text, not {}", describe(&other));
            Err(fail(WRONG_TYPE, span, message, "for example `distill[3]`"))
        }
    }
}

fn reference_links(
    world: World<'_>,
    need: &Need<'_>,
    (text, span): (&str, Span),
    evaluator: &Evaluator<'_>,
    links: &mut Vec<Link>,
) -> Result<(), Failure> {
    // Exact where the text is written out; the whole value where an expression made it.
    let at = |range: &Range<usize>| evaluator.sources.locate(span, text, range.clone());
    let reference = reference::parse(text).map_err(|error| {
        let help = "references are `data`, `data.PORT`, `distill[3]`, `distill[..3]`, `eval[model=x]`, `distill[*]`";
        fail(INVALID_REFERENCE, at(&error.range), error.message, help)
    })?;
    let (name, name_range) = &reference.family;
    let Some(index) = world.names.get(name.as_str()).copied() else {
        let known = world.declarations.iter().map(|node| node.name.as_str());
        let help = suggest(name, "nodes", known);
        return Err(fail(UNKNOWN_NODE, at(name_range), format!("there is no node `{name}`"), help));
    };
    let Some(family) = world.families.get(index).filter(|family| !family.broken) else {
        return Err(Failure::Poisoned);
    };
    let chosen =
        select(family, &reference).map_err(|error| fail(error.code, at(&error.range), error.message, error.help))?;
    let output = match world.kinds.get(index).copied().flatten() {
        Some(kind) => {
            let range = reference.output.as_ref().map_or(name_range, |(_, range)| range);
            let output = reference.output.as_ref().map(|(output, _)| output.as_str());
            output_of(kind, name, output, need.spec).map_err(|error| fail(error.0, at(range), error.1, error.2))?
        }
        // The unknown kind is reported; nothing can be said about its outputs.
        None => return Err(Failure::Poisoned),
    };
    links.extend(chosen.into_iter().map(|instance| Link { node: family.first + instance, output, span }));
    Ok(())
}

type OutputError = (&'static str, String, String);

/// The output port that a reference means: the named one, else the only one that fits the input, else the first.
fn output_of(kind: &KindSpec, node: &str, name: Option<&str>, input: Option<&PortSpec>) -> Result<usize, OutputError> {
    let takes = |output: &PortSpec| input.is_none_or(|input| input.accepts(&output.artifact));
    let index = match name {
        Some(name) => kind.outputs.iter().position(|output| output.name == name).ok_or_else(|| {
            let known = kind.outputs.iter().map(|output| output.name.as_str());
            let message = format!("the kind `{}` has no output `{name}`", kind.name);
            (UNKNOWN_OUTPUT, message, suggest(name, "outputs", known))
        })?,
        None => {
            let mut fitting = kind.outputs.iter().enumerate().filter(|(_, output)| takes(output));
            match (fitting.next(), fitting.next()) {
                (Some((index, _)), None) => index,
                // Several fit: the first output of the kind if it does, else it has to be said.
                (Some((0, _)), Some(_)) | (None, _) => 0,
                (Some((_, one)), Some((_, two))) => {
                    let message = format!("both `{}` and `{}` of the kind `{}` fit", one.name, two.name, kind.name);
                    return Err((
                        UNKNOWN_OUTPUT,
                        message,
                        format!("say which: `{node}.{}` or `{node}.{}`", one.name, two.name),
                    ));
                }
            }
        }
    };
    let Some(output) = kind.outputs.get(index) else {
        let message = format!("the kind `{}` has no outputs", kind.name);
        return Err((UNKNOWN_OUTPUT, message, "refer to another node".to_owned()));
    };
    match input {
        Some(input) if !takes(output) => Err(mismatch(kind, node, output, input)),
        _ => Ok(index),
    }
}

fn mismatch(kind: &KindSpec, node: &str, output: &PortSpec, input: &PortSpec) -> OutputError {
    let wanted = artifact_words(&input.artifact);
    let message =
        format!("the input `{}` takes {wanted}, but `{node}.{}` gives `{}`", input.name, output.name, output.artifact);
    let fitting: Vec<String> = kind
        .outputs
        .iter()
        .filter(|output| input.accepts(&output.artifact))
        .map(|output| format!("`{node}.{}`", output.name))
        .collect();
    let help = match fitting.as_slice() {
        [] => format!("refer to a node that gives {wanted}"),
        fitting => format!("this output fits: {}", fitting.join(", ")),
    };
    (ARTIFACT, message, help)
}
