//! Evaluates `params`, which may read each other in any order.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::diagnostic::problem::{Problem, Report};
use crate::expression::Scope;
use crate::template::{Budget, Compiled, Evaluator, Failure, compile};
use crate::text::source::Span;
use crate::yaml::tree::Entry;

/// The values of all parameters, and the names of those whose definition has an error.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) values: Map<String, Value>,
    pub(crate) broken: HashSet<String>,
}

/// Longest chain of parameters that read each other.
const MAX_CHAIN: usize = 200;

/// Evaluates all parameters.
pub(crate) fn evaluate(report: &mut Report, budget: &Budget, entries: &[Entry]) -> Params {
    let mut work = Work { budget, pending: HashMap::new(), path: Vec::new(), params: Params::default() };
    for entry in entries {
        match compile(report, &entry.value) {
            Some(compiled) => {
                work.pending.insert(entry.key.clone(), (compiled, entry.key_span));
            }
            None => {
                work.params.broken.insert(entry.key.clone());
            }
        }
    }
    for entry in entries {
        work.resolve(report, &entry.key);
    }
    work.params
}

struct Work<'a> {
    budget: &'a Budget,
    pending: HashMap<String, (Compiled, Span)>,
    /// The parameters being resolved, each read by the one before.
    path: Vec<(String, Span)>,
    params: Params,
}

impl Work<'_> {
    fn resolve(&mut self, report: &mut Report, name: &str) {
        let Some((compiled, span)) = self.pending.remove(name) else {
            return self.check_cycle(report, name);
        };
        self.path.push((name.to_owned(), span));
        if self.path.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} parameters read each other in a chain");
            report.add(Problem::new("pddflow::pipeline::plan_limit", span, message).help("shorten the chain"));
            self.params.broken.insert(name.to_owned());
        } else {
            let mut names = Vec::new();
            compiled.names(&mut |name| names.push(name.to_owned()));
            for read in names {
                self.resolve(report, &read);
            }
        }
        self.path.pop();
        self.finish(report, name, &compiled);
    }

    fn finish(&mut self, report: &mut Report, name: &str, compiled: &Compiled) {
        if self.params.broken.contains(name) {
            return;
        }
        let evaluator = Evaluator {
            scope: Scope { axes: &[], params: &self.params.values, broken: &self.params.broken },
            sources: &report.sources,
            budget: self.budget,
        };
        match evaluator.value(compiled) {
            Ok(value) => {
                self.params.values.insert(name.to_owned(), value);
            }
            Err(failure) => {
                if let Failure::Problem(problem) = failure {
                    report.add(*problem);
                }
                self.params.broken.insert(name.to_owned());
            }
        }
    }

    /// A parameter that is not pending is done, unknown, or read by itself.
    fn check_cycle(&mut self, report: &mut Report, name: &str) {
        let Some(start) = self.path.iter().position(|(known, _)| known == name) else {
            return;
        };
        let cycle = self.path.get(start..).unwrap_or(&[]);
        let names: Vec<&str> = cycle.iter().map(|(name, _)| name.as_str()).collect();
        let Some((_, span)) = cycle.first() else {
            return;
        };
        let mut problem = Problem::new(
            "pddflow::pipeline::parameter_cycle",
            *span,
            format!("parameters refer to each other in a cycle: {} -> {name}", names.join(" -> ")),
        )
        .help("give one of them a constant value");
        for (name, span) in cycle.iter().skip(1) {
            problem = problem.other(*span, format!("`{name}` is part of the cycle"));
        }
        report.add(problem);
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        self.params.broken.extend(names);
    }
}
