//! Settings of a node: how it is run, never what it computes. They do not enter the key.
//!
//! | key | form | default |
//! |---|---|---|
//! | `retries` | `3`, or `{ times: 3, wait: 10s, factor: 2, most: 5m }` | none; first wait 1 s, doubled, at most 5 minutes |
//! | `timeout` | `2h`, `90s`, a number of seconds | none |
//! | `allow_failure` | `true` | `false` |
//! | `resources` | `{ cpus: 4, memory: 8GiB, gpus: 1, pools: { download: 1 } }` | none |
//! | `priority` | an integer; larger ones start earlier | 0 |
//!
//! All may be written with `${...}`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::document::{UNKNOWN_KEY, check_keys};
use crate::error::{Problem, Report};
use crate::plan::{NodeSettings, Resources, Retries};
use crate::quantity;
use crate::source::Span;
use crate::suggest::suggest;
use crate::syntax::{Entry, Node, Tree};
use crate::template::{Compiled, Evaluator, Failure, compile};

/// The keys of a node that are settings.
pub(crate) const SETTING_KEYS: [&str; 5] = ["retries", "timeout", "allow_failure", "resources", "priority"];
pub(crate) const RETRY_KEYS: [&str; 4] = ["times", "wait", "factor", "most"];
pub(crate) const RESOURCE_KEYS: [&str; 4] = ["cpus", "memory", "gpus", "pools"];
const SETTING: &str = "pddflow::pipeline::setting";
const UNKNOWN_POOL: &str = "pddflow::pipeline::unknown_pool";
/// Most attempts after the first.
const MOST_RETRIES: u64 = 1_000;
/// Most units of a resource.
const MOST_UNITS: u64 = 1_000_000;
const MOST_PRIORITY: i64 = 1_000_000;

/// How many nodes may use each named pool at the same time.
pub(crate) type Pools = BTreeMap<String, u32>;

/// The settings of a declaration, compiled once for all its instances.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    description: Option<String>,
    entries: Vec<(Entry, Compiled)>,
    /// Evaluated beforehand when they are the same for every instance.
    constant: bool,
}

/// Compiles the settings of a declaration.
pub(crate) fn compile_settings(report: &mut Report, description: Option<&String>, entries: &[Entry]) -> Settings {
    let mut compiled = Vec::new();
    for entry in entries {
        let keys: &[&str] = match entry.key.as_str() {
            "retries" => &RETRY_KEYS,
            "resources" => &RESOURCE_KEYS,
            _ => &[],
        };
        if let Tree::Map(inner) = &entry.value.tree {
            check_keys(report, inner, keys, &format!("keys of `{}`", entry.key));
        }
        compiled.extend(compile(report, &entry.value).map(|value| (entry.clone(), value)));
    }
    let constant = compiled.iter().all(|(_, value)| value.is_constant());
    Settings { description: description.cloned(), entries: compiled, constant }
}

impl Settings {
    /// Whether they are the same for every instance.
    pub(crate) fn is_constant(&self) -> bool {
        self.constant
    }

    /// The settings of one instance; problems are collected.
    pub(crate) fn evaluate(
        &self,
        evaluator: &Evaluator<'_>,
        pools: &Pools,
        failures: &mut Vec<Failure>,
    ) -> NodeSettings {
        let mut settings = NodeSettings { description: self.description.clone(), ..NodeSettings::default() };
        for (entry, compiled) in &self.entries {
            match evaluator.value(compiled) {
                Ok(value) => {
                    let mut reader = Reader { node: &entry.value, pools, failures };
                    reader.set(&mut settings, &entry.key, &value);
                }
                Err(failure) => failures.push(failure),
            }
        }
        settings
    }
}

/// The pools that a file declares: `pools: { download: 2 }`.
pub(crate) fn read_pools(report: &mut Report, entries: &[Entry]) -> Pools {
    let mut pools = Pools::new();
    for entry in entries {
        let size = match &entry.value.tree {
            Tree::Scalar(value) => units(value).filter(|size| *size > 0),
            _ => None,
        };
        match size {
            Some(size) => drop(pools.insert(entry.key.clone(), size)),
            None => report.add(
                Problem::new(SETTING, entry.value.span, format!("the pool `{}` has no size", entry.key))
                    .help("write how many nodes may use it at once, for example `download: 2`"),
            ),
        }
    }
    pools
}

fn units(value: &Value) -> Option<u32> {
    let units = value.as_u64().filter(|units| *units <= MOST_UNITS)?;
    u32::try_from(units).ok()
}

/// Reads one setting; `node` is its place in the file. What is wrong goes to `failures` and is left out.
struct Reader<'a> {
    node: &'a Rc<Node>,
    pools: &'a Pools,
    failures: &'a mut Vec<Failure>,
}

impl Reader<'_> {
    fn set(&mut self, settings: &mut NodeSettings, key: &str, value: &Value) {
        match (key, value) {
            // As if it were not written.
            (_, Value::Null) => {}
            ("retries", value) => settings.retries = self.retries(value),
            ("timeout", value) => settings.timeout = self.time(value, &[]),
            ("allow_failure", Value::Bool(allowed)) => settings.allow_failure = *allowed,
            ("allow_failure", _) => self.wrong(&[], "`allow_failure` must be true or false", "write `true`"),
            ("resources", Value::Object(map)) => settings.resources = self.resources(map),
            ("resources", _) => {
                let help = "for example `{ cpus: 4, memory: 8GiB, gpus: 1, pools: { download: 1 } }`";
                self.wrong(&[], "`resources` must be a mapping", help);
            }
            (_, value) => {
                let priority = value.as_i64().filter(|priority| priority.abs() <= MOST_PRIORITY);
                match priority.and_then(|priority| i32::try_from(priority).ok()) {
                    Some(priority) => settings.priority = priority,
                    None => {
                        let message = format!("`priority` must be an integer from -{MOST_PRIORITY} to {MOST_PRIORITY}");
                        self.wrong(&[], message, "nodes with a larger one start earlier; the default is 0");
                    }
                }
            }
        }
    }

    fn retries(&mut self, value: &Value) -> Option<Retries> {
        let mut retries = Retries::default();
        let times = match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match key.as_str() {
                        "wait" => retries.wait = self.time(value, &["wait"])?,
                        "most" => retries.most = self.time(value, &["most"])?,
                        "factor" => retries.factor = self.factor(value)?,
                        _ => {}
                    }
                }
                map.get("times").unwrap_or(&Value::Null)
            }
            times => times,
        };
        let Some(times) = times.as_u64().filter(|times| *times <= MOST_RETRIES) else {
            let at: &[&str] = if value.is_object() { &["times"] } else { &[] };
            let help = "write `retries: 3` or `retries: { times: 3, wait: 10s, factor: 2, most: 5m }`";
            self.wrong(at, format!("`retries` must be a number of times from 0 to {MOST_RETRIES}"), help);
            return None;
        };
        retries.times = u32::try_from(times).unwrap_or(u32::MAX);
        Some(retries)
    }

    fn factor(&mut self, value: &Value) -> Option<f64> {
        let factor = value.as_f64().filter(|factor| (1.0..=100.0).contains(factor));
        if factor.is_none() {
            self.wrong(&["factor"], "`factor` must be a number from 1 to 100", "2 doubles every wait");
        }
        factor
    }

    fn time(&mut self, value: &Value, path: &[&str]) -> Option<Duration> {
        let time = quantity::duration(value);
        if time.is_none() {
            let help = "write `90s`, `30m`, `1h30m`, or seconds as a number";
            self.wrong(path, format!("{value} is not a time"), help);
        }
        time
    }

    fn resources(&mut self, map: &Map<String, Value>) -> Resources {
        let mut resources = Resources::default();
        for (key, value) in map {
            match key.as_str() {
                "cpus" => resources.cpus = self.units(value, &["cpus"]).unwrap_or(0),
                "gpus" => resources.gpus = self.units(value, &["gpus"]).unwrap_or(0),
                "memory" => match quantity::bytes(value) {
                    Some(bytes) => resources.memory_bytes = bytes,
                    None => {
                        let message = format!("{value} is not an amount of memory");
                        self.wrong(&["memory"], message, "write `8GiB`, `500MB`, or bytes as a number");
                    }
                },
                "pools" => resources.pools = self.pools(value),
                _ => {}
            }
        }
        resources
    }

    fn units(&mut self, value: &Value, path: &[&str]) -> Option<u32> {
        let units = units(value);
        if units.is_none() {
            self.wrong(path, format!("{value} is not a number of units"), "write an integer, 0 or more");
        }
        units
    }

    fn pools(&mut self, value: &Value) -> Pools {
        let Value::Object(map) = value else {
            self.wrong(&["pools"], "`pools` must be a mapping", "for example `pools: { download: 1 }`");
            return Pools::new();
        };
        let mut taken = Pools::new();
        for (name, value) in map {
            let Some(size) = self.pools.get(name) else {
                let help = match self.pools.is_empty() {
                    true => format!("declare it at the top of the file: `pools: {{ {name}: 2 }}`"),
                    false => suggest(name, "pools", self.pools.keys().map(String::as_str)),
                };
                let span = self.span(&["pools", name], true);
                self.fail(Problem::new(UNKNOWN_POOL, span, format!("there is no pool `{name}`")).help(help));
                continue;
            };
            let Some(units) = self.units(value, &["pools", name]) else {
                continue;
            };
            if units > *size {
                let message = format!("the pool `{name}` has a size of {size}, this takes {units}");
                self.wrong(&["pools", name], message, "such a node could never start; make the pool larger");
            }
            taken.insert(name.clone(), units);
        }
        taken
    }

    fn wrong(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::new(SETTING, self.span(path, false), message).help(help);
        self.fail(problem);
    }

    fn fail(&mut self, problem: Problem) {
        self.failures.push(Failure::Problem(Box::new(problem)));
    }

    /// The place of a value, or of its key, as deep as the file has it.
    fn span(&self, path: &[&str], key: bool) -> Span {
        let (mut node, mut span) = (self.node, self.node.span);
        for name in path {
            let Some(entry) = node.get(name) else {
                break;
            };
            node = &entry.value;
            span = if key { entry.key_span } else { node.span };
        }
        span
    }
}

/// The problem of overlaying what is no setting and no parameters.
pub(crate) fn not_a_setting(node: &str, key: &str, span: Span) -> Problem {
    let known = SETTING_KEYS.into_iter().chain(["with"]);
    Problem::new(UNKNOWN_KEY, span, format!("`{key}` of the node `{node}` cannot be changed from outside"))
        .help(suggest(key, "what can be changed", known))
}
