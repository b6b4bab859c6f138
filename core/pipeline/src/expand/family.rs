//! `for` and `exclude`: a declaration to its instances.
//!
//! Axes form a product in the order of declaration, the last one running fastest. A later axis may read an earlier
//! one. A declaration without `for` has one instance without axes.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::diagnostic::problem::{Problem, Report};
use crate::document::declaration::Declaration;
use crate::document::keys::WRONG_TYPE;
use crate::expand::axis::{INVALID_AXIS, MAX_INSTANCES, PLAN_LIMIT, axis_values};
use crate::expand::params::Params;
use crate::expression::{Scope, display, equal};
use crate::plan::NodeId;
use crate::template::{Budget, Compiled, Evaluator, Failure, compile};
use crate::text::source::Span;
use crate::text::suggest::suggest;
use crate::yaml::tree::{Node, Tree, describe, is_template};

/// Most combinations of axis values of a family, excluded ones included.
const MAX_VISITED: usize = 1_000_000;
const UNKNOWN_AXIS: &str = "pddflow::pipeline::unknown_axis";

/// The values of an instance's axes, in the order of declaration.
pub(crate) type Point = Vec<(String, Value)>;

/// A declaration with its instances.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) axes: Vec<String>,
    pub(crate) is_family: bool,
    pub(crate) points: Vec<Point>,
    /// Instances by axis and by the value's text, to find them without a scan.
    by_text: Vec<HashMap<String, Vec<usize>>>,
    by_integer: Vec<BTreeMap<i64, Vec<usize>>>,
    /// Its axes have an error; references to it are not judged.
    pub(crate) broken: bool,
    /// The plan's index of the first instance.
    pub(crate) first: usize,
}

/// What expansion needs besides the declaration.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) params: &'a Params,
    pub(crate) budget: &'a Budget,
    /// Instances of the plan before this declaration.
    pub(crate) first: usize,
}

/// Expands a declaration; after an error the family is marked as broken.
pub(crate) fn expand(report: &mut Report, declaration: &Declaration, context: Context<'_>) -> Family {
    let mut family = Family {
        name: declaration.name.clone(),
        axes: declaration.axes.iter().map(|axis| axis.key.clone()).collect(),
        is_family: declaration.is_family,
        first: context.first,
        ..Family::default()
    };
    let axes = compile_axes(report, declaration);
    let excludes = compile_excludes(report, declaration);
    if let Some(axes) = &axes {
        check_excluded_values(report, declaration, axes);
    }
    let (Some(axes), Some(excludes)) = (axes, excludes) else {
        family.broken = true;
        return family;
    };
    let mut expansion =
        Expansion { report, context, declaration, axes: &axes, excludes: &excludes, points: Vec::new(), visited: 0 };
    let complete = expansion.from(&mut Vec::new());
    let points = expansion.points;
    if let Err(failure) = complete {
        if let Failure::Problem(problem) = failure {
            report.add(*problem);
        }
        family.broken = true;
        return family;
    }
    family.points = points;
    family.index();
    family
}

impl Family {
    /// The name of an instance: `data`, `distill[3]`, `eval[model=resnet18]`.
    pub(crate) fn id(&self, instance: usize) -> NodeId {
        let point = self.points.get(instance).map_or(&[][..], Vec::as_slice);
        NodeId::of(&self.name, point)
    }

    /// Instances whose axis has the value written so.
    pub(crate) fn with_text(&self, axis: usize, text: &str) -> &[usize] {
        let index = self.by_text.get(axis);
        index.and_then(|index| index.get(text)).map_or(&[], Vec::as_slice)
    }

    /// Instances by the value of an axis, ascending; empty unless all its values are integers.
    pub(crate) fn integers(&self, axis: usize) -> Option<&BTreeMap<i64, Vec<usize>>> {
        self.by_integer.get(axis)
    }

    /// The texts of an axis's values in order.
    pub(crate) fn texts(&self, axis: usize) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let texts = self.points.iter().filter_map(|point| display(&point.get(axis)?.1));
        texts.filter(|text| seen.insert(text.clone())).collect()
    }

    fn index(&mut self) {
        self.by_text = vec![HashMap::new(); self.axes.len()];
        self.by_integer = vec![BTreeMap::new(); self.axes.len()];
        for (instance, point) in self.points.iter().enumerate() {
            for (axis, (_, value)) in point.iter().enumerate() {
                if let (Some(index), Some(text)) = (self.by_text.get_mut(axis), display(value)) {
                    index.entry(text).or_default().push(instance);
                }
                if let (Some(index), Some(integer)) = (self.by_integer.get_mut(axis), value.as_i64()) {
                    index.entry(integer).or_default().push(instance);
                }
            }
        }
        for index in &mut self.by_integer {
            if index.values().map(Vec::len).sum::<usize>() != self.points.len() {
                index.clear();
            }
        }
    }
}

fn compile_axes(report: &mut Report, declaration: &Declaration) -> Option<Vec<Compiled>> {
    // Compiled one by one, so that the errors of all axes are reported.
    let compiled: Vec<Option<Compiled>> = declaration.axes.iter().map(|axis| compile(report, &axis.value)).collect();
    compiled.into_iter().collect()
}

/// A point is excluded when all its values are listed, when the condition holds, or when its `when` does not.
enum Exclude {
    Values(Vec<(String, Compiled)>),
    Condition(Compiled),
    Unless(Compiled),
}

fn compile_excludes(report: &mut Report, declaration: &Declaration) -> Option<Vec<(Exclude, Span)>> {
    let mut compiled: Vec<Option<(Exclude, Span)>> =
        declaration.exclude.iter().map(|node| Some((compile_exclude(report, declaration, node)?, node.span))).collect();
    if let Some(when) = &declaration.when {
        compiled.push(compile(report, when).map(|condition| (Exclude::Unless(condition), when.span)));
    }
    compiled.into_iter().collect()
}

fn compile_exclude(report: &mut Report, declaration: &Declaration, node: &Node) -> Option<Exclude> {
    let Tree::Map(entries) = &node.tree else {
        if node.as_text().is_some_and(is_template) {
            return compile(report, node).map(Exclude::Condition);
        }
        report.add(
            Problem::new(
                WRONG_TYPE,
                node.span,
                format!("what is excluded must be a mapping of axes, not {}", node.describe()),
            )
            .help("write `exclude: [{ model: resnet18, k: 1 }]` or a condition in `${...}`"),
        );
        return None;
    };
    let mut values = Vec::new();
    let mut valid = true;
    for entry in entries {
        let known = declaration.axes.iter().map(|axis| axis.key.as_str());
        if !declaration.axes.iter().any(|axis| axis.key == entry.key) {
            report.add(unknown_axis(&declaration.name, &entry.key, entry.key_span, known));
            valid = false;
        }
        match compile(report, &entry.value) {
            Some(compiled) => values.push((entry.key.clone(), compiled)),
            None => valid = false,
        }
    }
    valid.then_some(Exclude::Values(values))
}

/// The problem of naming an axis that a family does not have.
pub(crate) fn unknown_axis<'a>(family: &str, axis: &str, span: Span, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::new(UNKNOWN_AXIS, span, format!("`{family}` has no axis `{axis}`")).help(suggest(axis, "axes", known))
}

/// An excluded value that a written-out axis does not have is a mistake; where expressions decide, it may be one point less.
fn check_excluded_values(report: &mut Report, declaration: &Declaration, axes: &[Compiled]) {
    for node in &declaration.exclude {
        let Tree::Map(entries) = &node.tree else {
            continue;
        };
        for entry in entries {
            let axis = declaration.axes.iter().zip(axes).find(|(axis, _)| axis.key == entry.key);
            let Some((_, Compiled::Constant(Value::Array(values), _))) = axis else {
                continue;
            };
            let excluded: Vec<&Node> = match &entry.value.tree {
                Tree::List(items) => items.iter().map(|item| &**item).collect(),
                _ => vec![&*entry.value],
            };
            for node in excluded {
                let Tree::Scalar(value) = &node.tree else {
                    continue;
                };
                let templated = node.as_text().is_some_and(is_template);
                if !templated && !values.iter().any(|known| equal(known, value)) {
                    let written = display(value).unwrap_or_default();
                    let known: Vec<String> = values.iter().filter_map(display).collect();
                    report.add(
                        Problem::new(
                            INVALID_AXIS,
                            node.span,
                            format!("the axis `{}` has no value `{written}`", entry.key),
                        )
                        .help(suggest(
                            &written,
                            "its values",
                            known.iter().map(String::as_str),
                        )),
                    );
                }
            }
        }
    }
}

struct Expansion<'a> {
    report: &'a mut Report,
    context: Context<'a>,
    declaration: &'a Declaration,
    axes: &'a [Compiled],
    excludes: &'a [(Exclude, Span)],
    points: Vec<Point>,
    /// Prefixes looked at, also those that are excluded or lead nowhere.
    visited: usize,
}

impl Expansion<'_> {
    /// Adds all points that begin with `prefix`.
    fn from(&mut self, prefix: &mut Point) -> Result<(), Failure> {
        self.visited += 1;
        if self.visited > MAX_VISITED {
            let message = format!("the axes have more than {MAX_VISITED} combinations");
            return Err(Failure::new(
                PLAN_LIMIT,
                self.declaration.span,
                message,
                "shorten the axes instead of excluding points",
            ));
        }
        let Some((axis, compiled)) = self.declaration.axes.get(prefix.len()).zip(self.axes.get(prefix.len())) else {
            if !self.is_excluded(prefix)? {
                self.points.push(prefix.clone());
            }
            return Ok(());
        };
        let value = self.evaluator(prefix).value(compiled)?;
        let values = axis_values(axis, value)?;
        let room = MAX_INSTANCES.saturating_sub(self.context.first + self.points.len());
        if values.len() > room {
            let message = format!("the plan has more than {MAX_INSTANCES} nodes");
            return Err(Failure::new(PLAN_LIMIT, axis.value.span, message, "shorten the axes or exclude points"));
        }
        for value in values {
            prefix.push((axis.key.clone(), value));
            self.from(prefix)?;
            prefix.pop();
        }
        Ok(())
    }

    fn evaluator<'b>(&'b self, point: &'b [(String, Value)]) -> Evaluator<'b> {
        Evaluator {
            scope: Scope { axes: point, params: &self.context.params.values, broken: &self.context.params.broken },
            sources: &self.report.sources,
            budget: self.context.budget,
        }
    }

    fn is_excluded(&self, point: &[(String, Value)]) -> Result<bool, Failure> {
        let evaluator = self.evaluator(point);
        for (exclude, span) in self.excludes {
            let excluded = match exclude {
                Exclude::Condition(condition) => truth(&evaluator, condition, *span)?,
                Exclude::Unless(condition) => !truth(&evaluator, condition, *span)?,
                Exclude::Values(values) => holds_all(&evaluator, values, point)?,
            };
            if excluded {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The value of a condition, which stands in YAML as `true`, `false` or one `${...}`.
pub(crate) fn truth(evaluator: &Evaluator<'_>, condition: &Compiled, span: Span) -> Result<bool, Failure> {
    match evaluator.value(condition)? {
        Value::Bool(truth) => Ok(truth),
        other => {
            let message = format!("the condition must be true or false, not {}", describe(&other));
            Err(Failure::new(WRONG_TYPE, span, message, "for example `${k > 3 and model == 'mlp'}`"))
        }
    }
}

fn holds_all(
    evaluator: &Evaluator<'_>,
    values: &[(String, Compiled)],
    point: &[(String, Value)],
) -> Result<bool, Failure> {
    for (axis, excluded) in values {
        let actual = point.iter().find(|(name, _)| name == axis).map(|(_, value)| value);
        let excluded = evaluator.value(excluded)?;
        let matches = actual.is_some_and(|actual| match &excluded {
            Value::Array(items) => items.iter().any(|item| equal(item, actual)),
            single => equal(single, actual),
        });
        if !matches {
            return Ok(false);
        }
    }
    Ok(true)
}
