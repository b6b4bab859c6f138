//! Sweeps: `--set stages=1,3,5` gives several values, and one plan has the nodes of all of them.
//!
//! Several such arguments give the product of their values; one combination is a *point*. The pipeline is planned for
//! each point as if its values alone had been set, and the plans are put together: an instance that is the same at all
//! points is one node with its plain name, any other has the values that it depends on in its name:
//! `distill[stages=3,k=1]`. So nothing is computed twice, and what does not depend on the sweep is shared.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use litemap::LiteMap;
use serde_json::Value;

use crate::diagnostic::shown::{Diagnostic, Diagnostics};
use crate::document::overlay::value_list;
use crate::plan::{InputRef, NodeId, Plan, PlanNode};
use crate::text::scalar;

/// Most points of a sweep.
pub(crate) const MAX_POINTS: usize = 1_000;

/// One argument with several values.
#[derive(Debug)]
struct Axis {
    /// Its place among the arguments.
    at: usize,
    key: String,
    values: Vec<String>,
}

/// The points of the sweep that the arguments ask for; the one without values if they ask for none.
#[derive(Debug)]
pub(crate) struct Sweep {
    axes: Vec<Axis>,
}

impl Sweep {
    /// Finds the arguments that have several values.
    pub(crate) fn of(arguments: &[String]) -> Self {
        let axis = |(at, argument): (usize, &String)| {
            let (key, value) = argument.split_once('=')?;
            let values = value_list(value)?;
            Some(Axis { at, key: key.trim().to_owned(), values })
        };
        Self { axes: arguments.iter().enumerate().filter_map(axis).collect() }
    }

    /// How many points there are; none if they are more than a number holds.
    pub(crate) fn points(&self) -> Option<usize> {
        self.axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    /// The arguments at a point, each with one value; the last axis runs fastest.
    pub(crate) fn arguments(&self, arguments: &[String], point: usize) -> Vec<String> {
        let mut arguments = arguments.to_vec();
        for (axis, value) in self.axes.iter().zip(self.values(point)) {
            if let Some(argument) = arguments.get_mut(axis.at) {
                *argument = format!("{}={value}", axis.key);
            }
        }
        arguments
    }

    /// `stages=3, nets=5`.
    fn words(&self, point: usize) -> String {
        let values = self.axes.iter().zip(self.values(point));
        values.map(|(axis, value)| format!("{}={value}", axis.key)).collect::<Vec<_>>().join(", ")
    }

    fn values(&self, point: usize) -> Vec<&str> {
        let mut rest = point;
        let mut values: Vec<&str> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let value = axis.values.get(rest % axis.values.len().max(1)).map_or("", String::as_str);
                rest /= axis.values.len().max(1);
                value
            })
            .collect();
        values.reverse();
        values
    }

    /// The axes as names show them: the last word of the key where that is clear, else the whole key.
    fn names(&self, plans: &[Plan]) -> Vec<String> {
        let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
        let nodes = plans.iter().flat_map(|plan| &plan.nodes);
        let taken: HashSet<&str> = nodes.flat_map(|node| &node.axes).map(|(axis, _)| axis.as_str()).collect();
        let is_clear = |name: &str| {
            let same = self.axes.iter().filter(|axis| last(&axis.key) == name).count();
            same == 1 && !taken.contains(name)
        };
        let name = |axis: &Axis| match last(&axis.key) {
            name if is_clear(&name) => name,
            // A family has an axis of that name: the parameter is told apart by its full path.
            _ if !axis.key.contains('.') => format!("params.{}", axis.key),
            _ => axis.key.clone(),
        };
        self.axes.iter().map(name).collect()
    }

    /// The sweep over the seeds of `params.seeds`.
    pub(crate) fn over_seeds(seeds: &[u64]) -> Self {
        let values = seeds.iter().map(u64::to_string).collect();
        Self { axes: vec![Axis { at: 0, key: "seed".to_owned(), values }] }
    }

    /// Puts the plans of all points together. A node whose kind `collects` is one node for all of them, with the inputs of
    /// each.
    pub(crate) fn merge(&self, plans: Vec<Plan>, collects: &dyn Fn(&str) -> bool) -> Plan {
        let names = self.names(&plans);
        let value = |text: &str| scalar::resolve(text).unwrap_or_else(|_| Value::from(text));
        let points: Vec<Vec<Value>> =
            (0..plans.len()).map(|point| self.values(point).into_iter().map(value).collect()).collect();
        let contents = contents(&plans, collects);
        let kept = essential(&plans, &contents, &points);
        let mut merged =
            Merged { names: &names, points: &points, kept: &kept, collects, places: HashMap::new(), nodes: Vec::new() };
        for (point, plan) in plans.iter().enumerate() {
            merged.add(point, plan);
        }
        let nodes = producers_first(merged.nodes);
        let sweep = self.axes.iter().zip(&names);
        let sweep = sweep.map(|(axis, name)| (name.clone(), axis.values.iter().map(|text| value(text)).collect()));
        let sweep = sweep.collect();
        let mut plan = plans.into_iter().next().unwrap_or_default();
        plan.nodes = nodes;
        plan.sweep = sweep;
        plan
    }
}

/// For each point and node a number that is the same for nodes that are the same in every respect, inputs included unless
/// they are collected over the points.
fn contents(plans: &[Plan], collects: &dyn Fn(&str) -> bool) -> Vec<Vec<usize>> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut all = Vec::with_capacity(plans.len());
    for plan in plans {
        let mut numbers: Vec<usize> = Vec::with_capacity(plan.nodes.len());
        for node in &plan.nodes {
            let mut inputs = String::new();
            for (port, refs) in node.inputs.iter().filter(|_| !collects(&node.kind)) {
                for input in refs {
                    let _ = write!(inputs, " {port}={:?}.{}", numbers.get(input.node), input.output);
                }
            }
            let content = format!("{} {} {}{inputs} {:?}", node.id, node.kind, node.with, node.settings);
            let next = known.len();
            numbers.push(*known.entry(content).or_insert(next));
        }
        all.push(numbers);
    }
    all
}

/// For each instance the axes of the sweep that it depends on, as positions.
fn essential<'a>(plans: &'a [Plan], contents: &[Vec<usize>], points: &[Vec<Value>]) -> HashMap<&'a str, Vec<usize>> {
    let mut seen: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
    for (point, (plan, contents)) in plans.iter().zip(contents).enumerate() {
        for (node, content) in plan.nodes.iter().zip(contents) {
            seen.entry(node.id.as_str()).or_default().push((point, *content));
        }
    }
    let axes = points.first().map_or(0, Vec::len);
    seen.into_iter().map(|(id, seen)| (id, essential_axes(&seen, points, axes))).collect()
}

/// The axes without which the contents of an instance could not be told apart.
fn essential_axes(seen: &[(usize, usize)], points: &[Vec<Value>], axes: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..axes).collect();
    if seen.iter().all(|(_, content)| seen.first().is_some_and(|(_, first)| first == content)) {
        return Vec::new();
    }
    for axis in (0..axes).rev() {
        let without: Vec<usize> = kept.iter().copied().filter(|kept| *kept != axis).collect();
        let mut found: HashMap<String, usize> = HashMap::new();
        let determined = seen.iter().all(|(point, content)| {
            let values = points.get(*point).map(|values| project(values, &without));
            *found.entry(format!("{values:?}")).or_insert(*content) == *content
        });
        if determined {
            kept = without;
        }
    }
    kept
}

fn project(values: &[Value], axes: &[usize]) -> Vec<Value> {
    axes.iter().filter_map(|axis| values.get(*axis).cloned()).collect()
}

/// The nodes of all points while they are put together.
struct Merged<'a> {
    names: &'a [String],
    points: &'a [Vec<Value>],
    kept: &'a HashMap<&'a str, Vec<usize>>,
    collects: &'a dyn Fn(&str) -> bool,
    places: HashMap<NodeId, usize>,
    nodes: Vec<PlanNode>,
}

impl Merged<'_> {
    /// Adds the nodes of a point that are not there yet, and to those that collect the inputs that they have here.
    fn add(&mut self, point: usize, plan: &Plan) {
        let mut places: Vec<usize> = Vec::with_capacity(plan.nodes.len());
        for node in &plan.nodes {
            let mut values = self.point_of(point, node.id.as_str());
            values.extend(node.point.iter().cloned());
            let id = if values.is_empty() { node.id.clone() } else { NodeId::at(&node.family, &values, &node.axes) };
            let mut node = node.clone();
            for input in node.inputs.iter_mut().flat_map(|(_, inputs)| inputs) {
                input.node = places.get(input.node).copied().unwrap_or(input.node);
            }
            if let Some(place) = self.places.get(&id) {
                places.push(*place);
                if (self.collects)(&node.kind)
                    && let Some(known) = self.nodes.get_mut(*place)
                {
                    collect(&mut known.inputs, node.inputs);
                }
                continue;
            }
            (node.point, node.id) = (values, id.clone());
            places.push(self.nodes.len());
            self.places.insert(id, self.nodes.len());
            self.nodes.push(node);
        }
    }

    fn point_of(&self, point: usize, id: &str) -> Vec<(String, Value)> {
        let kept = self.kept.get(id).map_or(&[][..], Vec::as_slice);
        let values = self.points.get(point);
        let one = |axis: &usize| Some((self.names.get(*axis)?.clone(), values?.get(*axis)?.clone()));
        kept.iter().filter_map(one).collect()
    }
}

/// Adds what is not there yet to the inputs of a node that collects.
fn collect(known: &mut LiteMap<String, Vec<InputRef>>, more: LiteMap<String, Vec<InputRef>>) {
    for (port, inputs) in more {
        match known.get_mut(&port) {
            Some(known) => inputs.into_iter().for_each(|input| {
                if !known.contains(&input) {
                    known.push(input);
                }
            }),
            None => {
                known.insert(port, inputs);
            }
        }
    }
}

/// The nodes in an order in which each stands after those that it takes from; otherwise as they were.
fn producers_first(nodes: Vec<PlanNode>) -> Vec<PlanNode> {
    if nodes.iter().enumerate().all(|(at, node)| producers(node).all(|producer| producer < at)) {
        return nodes;
    }
    let mut order = Vec::with_capacity(nodes.len());
    let mut places = vec![None; nodes.len()];
    // Depth first without recursion: a node is placed when it comes up again after those that it takes from.
    let mut stack: Vec<usize> = (0..nodes.len()).rev().collect();
    while let Some(at) = stack.pop() {
        let waits: Vec<usize> = producers(&nodes[at]).filter(|producer| places[*producer].is_none()).collect();
        match (places[at], waits.is_empty()) {
            (Some(_), _) => {}
            (None, true) => {
                places[at] = Some(order.len());
                order.push(at);
            }
            (None, false) => {
                stack.push(at);
                stack.extend(waits);
            }
        }
    }
    let mut nodes: Vec<Option<PlanNode>> = nodes.into_iter().map(Some).collect();
    let mut ordered: Vec<PlanNode> = order.iter().filter_map(|at| nodes[*at].take()).collect();
    for input in ordered.iter_mut().flat_map(|node| node.inputs.iter_mut()).flat_map(|(_, inputs)| inputs) {
        input.node = places[input.node].unwrap_or(input.node);
    }
    ordered
}

fn producers(node: &PlanNode) -> impl Iterator<Item = usize> {
    node.inputs.iter().flat_map(|(_, inputs)| inputs).map(|input| input.node)
}

/// The problems of all points, each told once; one that does not come up at all of them says where it does.
pub(crate) fn all_problems(sweep: &Sweep, found: Vec<(usize, Diagnostics)>) -> Diagnostics {
    let points = sweep.points().unwrap_or(usize::MAX);
    let mut all: Vec<(Diagnostic, usize, usize)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (point, problems) in found {
        for problem in problems {
            let (line, column) = (problem.line(), problem.column());
            let name = format!("{} {} {line} {column} {}", problem.code(), problem.file(), problem.message());
            match known.get(&name).and_then(|at| all.get_mut(*at)) {
                Some((_, _, times)) => *times += 1,
                None => {
                    known.insert(name, all.len());
                    all.push((problem, point, 1));
                }
            }
        }
    }
    let told = all.into_iter().map(
        |(problem, point, times)| {
            if times == points { problem } else { problem.at(&sweep.words(point)) }
        },
    );
    told.collect()
}
