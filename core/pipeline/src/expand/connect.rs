//! `needs`: ports of a node to artifacts of other nodes.

use serde_json::Value;

use crate::catalog::{Arity, KindSpec, PortSpec};
use crate::document::keys::WRONG_TYPE;
use crate::expand::family::truth;
use crate::expand::need::{Item, Need, artifact_words};
use crate::expand::select::select;
use crate::expand::world::World;
use crate::template::{Compiled, Evaluator, Failure};
use crate::text::reference;
use crate::text::source::Span;
use crate::text::suggest::suggest;
use crate::text::text_error::TextError;
use crate::yaml::tree::describe;

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
            failures.push(Failure::new(
                PLAN_LIMIT,
                need.span,
                message,
                "shorten the families or refer to fewer instances",
            ));
        }
        Vec::new()
    }
}

fn arity_failure(spec: &PortSpec, span: Span, count: usize) -> Failure {
    let help = match (spec.arity, count) {
        (Arity::One | Arity::Some, 0) => "the reference selects no instance here; start it at one that exists",
        (Arity::One, _) => "refer to one instance, for example `distill[3]`",
        _ => "refer to one instance or leave the input out",
    };
    let message = format!("the input `{}` takes {}, this gives {count}", spec.name, spec.arity.words());
    Failure::new(ARITY, span, message, help)
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
                    let message = format!("a reference must be a string, not {}", describe(text));
                    return Err(Failure::new(WRONG_TYPE, span, message, "for example `[\"distill[1]\"]`"));
                };
                reference_links(world, need, (text, span), evaluator, links)?;
            }
            Ok(())
        }
        other => {
            let message = format!("a reference must be a string, not {}", describe(&other));
            Err(Failure::new(WRONG_TYPE, span, message, "for example `distill[3]`"))
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
    let failure = |error: Box<TextError>| Failure::in_text(evaluator.sources, span, text, *error);
    let reference = reference::parse(text).map_err(failure)?;
    let (name, name_range) = &reference.family;
    let Some(index) = world.names.get(name.as_str()).copied() else {
        let help = suggest(name, "nodes", world.declarations.iter().map(|node| node.name.as_str()));
        let message = format!("there is no node `{name}`");
        return Err(failure(TextError::new(UNKNOWN_NODE, name_range.clone(), message, help)));
    };
    let family = world.families.get(index).filter(|family| !family.broken).ok_or(Failure::Poisoned)?;
    let chosen = select(family, &reference).map_err(failure)?;
    // The unknown kind is reported; nothing can be said about its outputs.
    let kind = world.kinds.get(index).copied().flatten().ok_or(Failure::Poisoned)?;
    let (output, range) = match &reference.output {
        Some((output, range)) => (Some(output.as_str()), range),
        None => (None, name_range),
    };
    let output = output_of(kind, name, output, need.spec)
        .map_err(|(code, message, help)| failure(TextError::new(code, range.clone(), message, help)))?;
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
                    let message =
                        format!("the outputs `{}` and `{}` of the kind `{}` both fit", one.name, two.name, kind.name);
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
        format!("the input `{}` takes {wanted}, but `{node}.{}` is `{}`", input.name, output.name, output.artifact);
    let fitting: Vec<String> = kind
        .outputs
        .iter()
        .filter(|output| input.accepts(&output.artifact))
        .map(|output| format!("`{node}.{}`", output.name))
        .collect();
    let help = match fitting.as_slice() {
        [] => format!("refer to a node with an output of type {wanted}"),
        fitting => format!("this output fits: {}", fitting.join(", ")),
    };
    (ARTIFACT, message, help)
}
