//! Settings of a node: how it is run, never what it computes. They do not enter the key.
//!
//! A setting is one row of [`SETTINGS`]: the allowed keys, what is read, the schema for editors and the table of
//! `core/docs/pipelines.md` follow from it. Every value may be written with `${...}`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::catalog::SHARDS;
use crate::diagnostic::problem::{Problem, Report};
use crate::document::keys::{Key, UNKNOWN_KEY, names, or_expression};
use crate::plan::{NodeSettings, Resources, Retries};
use crate::template::{Compiled, Evaluator, Failure, compile};
use crate::text::quantity;
use crate::text::source::Span;
use crate::text::suggest::suggest;
use crate::yaml::tree::{Entry, Node, Tree};

pub(crate) const SETTING: &str = "pddflow::pipeline::setting";
const UNKNOWN_POOL: &str = "pddflow::pipeline::unknown_pool";
/// Most attempts after the first.
const MAX_RETRIES: u32 = 1_000;
/// Most units of a resource.
const MAX_UNITS: u32 = 1_000_000;
const MAX_PRIORITY: i32 = 1_000_000;
const MAX_SHARDS: u32 = 1_000;

/// How many nodes may use each named pool at the same time.
pub(crate) type Pools = BTreeMap<String, u32>;
/// Reads a value into its part of the settings.
pub(crate) type Read<T> = fn(&mut Reader<'_>, &Value, &mut T);

/// All settings of nodes.
pub(crate) const SETTINGS: [Key<Read<NodeSettings>>; 6] = [
    Key {
        name: "retries",
        schema: |_| {
            json!({
                "description": "How many times a failed node runs again, and how long it waits before: `3`, or `{ times: 3, wait: 10s, factor: 2, most: 5m }` for waits of 10 s, 20 s and 40 s. Without further keys: 1 s, doubled each time, at most 5 minutes.",
                "anyOf": [
                    {"type": ["integer", "null"], "minimum": 0},
                    {"$ref": "#/$defs/expression"},
                    {"type": "object", "required": ["times"], "additionalProperties": false,
                     "properties": properties(&RETRIES)},
                ],
            })
        },
        read: |reader, value, settings| settings.retries = reader.retries(value),
    },
    Key {
        name: "timeout",
        schema: |_| {
            time(
                "Longest time of one attempt: `2h`, `90s`, `1h30m`, or seconds as a number. The node is asked to stop and writes a checkpoint, from which the next attempt or run continues.",
            )
        },
        read: |reader, value, settings| settings.timeout = reader.time(value),
    },
    Key {
        name: "allow_failure",
        schema: |_| {
            let about = "`true`: a failure of this node does not fail the run; nodes that need it are skipped.";
            or_expression(about, json!({"type": "boolean"}))
        },
        read: |reader, value, settings| match value {
            Value::Bool(allowed) => settings.allow_failure = *allowed,
            _ => reader.wrong("`allow_failure` must be true or false", "write `true`"),
        },
    },
    Key {
        name: "resources",
        schema: |_| {
            let about = "What the node uses while it runs: `{ cpus: 4, memory: 8GiB, gpus: 1, pools: { download: 1 } }`. The node waits until these are free; one that asks for more than the machine has runs alone. Each node has its `gpus` to itself: a program of `command` sees no others (`CUDA_VISIBLE_DEVICES`), and a kind that trains nets computes on one, without asking, where the run's device is a GPU. On a cluster also `time`, `partition`, `account`, `qos`, `constraint`, `gres` and `extra` ([how](cluster.md)).";
            let parts = properties(&RESOURCES);
            or_expression(about, json!({"type": "object", "additionalProperties": false, "properties": parts}))
        },
        read: |reader, value, settings| match value {
            Value::Object(map) => reader.each(&RESOURCES, map, &mut settings.resources),
            _ => {
                let help = "for example `{ cpus: 4, memory: 8GiB, gpus: 1, pools: { download: 1 } }`";
                reader.wrong("`resources` must be a mapping", help);
            }
        },
    },
    Key {
        name: "priority",
        schema: |_| {
            let about = "An integer, by default 0: nodes with a larger one start earlier; among equals those that start the longest remaining path.";
            or_expression(about, json!({"type": "integer"}))
        },
        read: |reader, value, settings| {
            let priority = value.as_i64().and_then(|value| i32::try_from(value).ok());
            match priority.filter(|priority| (-MAX_PRIORITY..=MAX_PRIORITY).contains(priority)) {
                Some(priority) => settings.priority = priority,
                None => reader.wrong(
                    format!("`priority` must be an integer from -{MAX_PRIORITY} to {MAX_PRIORITY}"),
                    "nodes with a larger one start earlier; the default is 0",
                ),
            }
        },
    },
    Key {
        name: SHARDS,
        schema: |_| {
            let about = "Cuts `train`, `advance` or `evaluate` into so many nodes, each with a part of the nets, which run side by side and on several machines; the results are the same to the bit. Choose it before the first run: the pieces have keys of their own.";
            or_expression(about, json!({"type": "integer", "minimum": 1, "maximum": MAX_SHARDS}))
        },
        read: |reader, value, settings| {
            let shards = value.as_u64().and_then(|value| u32::try_from(value).ok());
            match shards.filter(|shards| (1..=MAX_SHARDS).contains(shards)) {
                Some(shards) => settings.shards = shards,
                None => reader.wrong(
                    format!("`shards` must be an integer from 1 to {MAX_SHARDS}"),
                    "it is the number of nodes among which the nets are divided; the default is 1",
                ),
            }
        },
    },
];
/// Their keys.
pub(crate) const SETTING_KEYS: [&str; SETTINGS.len()] = names(&SETTINGS);

const RETRIES: [Key<Read<Retries>>; 4] = [
    Key {
        name: "times",
        schema: |_| or_expression("Attempts after the first one.", json!({"type": "integer", "minimum": 0})),
        read: |reader, value, retries| retries.times = reader.times(value),
    },
    Key {
        name: "wait",
        schema: |_| time("Time before the second attempt."),
        read: |reader, value, retries| retries.wait = reader.time(value).unwrap_or(retries.wait),
    },
    Key {
        name: "factor",
        schema: |_| {
            let about = "How much longer each further wait is.";
            json!({"description": about, "type": ["number", "string"]})
        },
        read: |reader, value, retries| match value.as_f64().filter(|factor| (1.0..=100.0).contains(factor)) {
            Some(factor) => retries.factor = factor,
            None => reader.wrong("`factor` must be a number from 1 to 100", "2 doubles every wait"),
        },
    },
    Key {
        name: "most",
        schema: |_| time("Longest wait."),
        read: |reader, value, retries| retries.most = reader.time(value).unwrap_or(retries.most),
    },
];

pub(crate) const RESOURCES: [Key<Read<Resources>>; 11] = [
    Key {
        name: "cpus",
        schema: |_| amount("Processor cores."),
        read: |reader, value, resources| resources.cpus = reader.units(value),
    },
    Key {
        name: "memory",
        schema: |_| {
            json!({
                "description": "Memory, for example `8GiB`; on a cluster, a list such as `[8GiB, 32GiB]` gives the node's second job more.",
                "type": ["string", "integer", "array"],
            })
        },
        read: |reader, value, resources| {
            let mut amounts = reader.of_jobs(value, Reader::memory).into_iter();
            resources.memory_bytes = amounts.next().unwrap_or(0);
            resources.more_memory = amounts.collect();
        },
    },
    Key {
        name: "gpus",
        schema: |_| amount("GPUs."),
        read: |reader, value, resources| resources.gpus = reader.units(value),
    },
    Key {
        name: "pools",
        schema: |_| {
            let about = "Units of the pools that the pipeline declares.";
            json!({"description": about, "type": "object", "additionalProperties": amount("Units.")})
        },
        read: |reader, value, resources| resources.pools = reader.pools(value),
    },
    Key {
        name: "time",
        schema: |_| {
            json!({
                "description": "Time limit of the node's job on a cluster, `2h`; a list such as `[1h, 4h]` gives its second job more. The node goes on from its checkpoint.",
                "type": ["string", "number", "array"],
            })
        },
        read: |reader, value, resources| resources.time = reader.of_jobs(value, Reader::time),
    },
    Key {
        name: "partition",
        schema: |_| text("Partition of the cluster."),
        read: |reader, value, resources| resources.partition = reader.text(value),
    },
    Key {
        name: "account",
        schema: |_| text("Account of the cluster that the job is charged to."),
        read: |reader, value, resources| resources.account = reader.text(value),
    },
    Key {
        name: "qos",
        schema: |_| text("Quality of service on the cluster."),
        read: |reader, value, resources| resources.qos = reader.text(value),
    },
    Key {
        name: "constraint",
        schema: |_| text("Features that the machine of the cluster must have."),
        read: |reader, value, resources| resources.constraint = reader.text(value),
    },
    Key {
        name: "gres",
        schema: |_| text("Generic resources of the cluster, such as `gpu:a100:1`, in place of `gpus`."),
        read: |reader, value, resources| resources.gres = reader.text(value),
    },
    Key {
        name: "extra",
        schema: |_| texts("Further options of `sbatch`, such as `--exclusive`; none that is set already."),
        read: |reader, value, resources| resources.extra = reader.texts(value),
    },
];

pub(crate) fn text(about: &str) -> Value {
    json!({"description": about, "type": "string"})
}

pub(crate) fn texts(about: &str) -> Value {
    json!({"description": about, "type": "array", "items": {"type": "string"}})
}

pub(crate) fn time(about: &str) -> Value {
    json!({"description": about, "type": ["string", "number"]})
}

pub(crate) fn amount(about: &str) -> Value {
    or_expression(about, json!({"type": "integer", "minimum": 0}))
}

pub(crate) fn properties<T>(keys: &[Key<Read<T>>]) -> Map<String, Value> {
    keys.iter().map(|key| (key.name.to_owned(), (key.schema)(&[]))).collect()
}

/// The settings as a Markdown table, for the documentation.
#[must_use]
pub fn settings_table() -> String {
    let schemas = SETTINGS.iter().map(|setting| (setting.name, (setting.schema)(&[])));
    let row = |(name, schema): (&str, Value)| {
        format!("| `{name}` | {} |\n", schema["description"].as_str().unwrap_or_default())
    };
    format!("| setting | what it does |\n|---|---|\n{}", schemas.map(row).collect::<String>())
}

/// The settings of a declaration, compiled once for all its instances.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    description: Option<String>,
    entries: Vec<(Entry, Compiled)>,
    /// Evaluated beforehand when they are the same for every instance.
    constant: bool,
}

/// Compiles the settings of a declaration; other entries are passed over.
pub(crate) fn compile_settings(report: &mut Report, description: Option<&String>, entries: &[Entry]) -> Settings {
    let settings = entries.iter().filter(|entry| SETTING_KEYS.contains(&entry.key.as_str()));
    let compile = |entry: &Entry| Some((entry.clone(), compile(report, &entry.value)?));
    let entries: Vec<(Entry, Compiled)> = settings.filter_map(compile).collect();
    let constant = entries.iter().all(|(_, value)| value.is_constant());
    Settings { description: description.cloned(), entries, constant }
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
                // As if it were not written.
                Ok(Value::Null) => {}
                Ok(value) => {
                    let mut reader = Reader { node: &entry.value, pools, failures, path: Vec::new() };
                    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == entry.key) {
                        (setting.read)(&mut reader, &value, &mut settings);
                    }
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
    value.as_u64().and_then(|units| u32::try_from(units).ok()).filter(|units| *units <= MAX_UNITS)
}

/// Reads one setting; `node` is its place in the file. What is wrong goes to `failures` and is left out.
pub(crate) struct Reader<'a> {
    pub(crate) node: &'a Rc<Node>,
    pub(crate) pools: &'a Pools,
    pub(crate) failures: &'a mut Vec<Failure>,
    /// The keys below the setting that lead to the value being read.
    pub(crate) path: Vec<String>,
}

impl Reader<'_> {
    /// Reads every key of a mapping by its row.
    pub(crate) fn each<T>(&mut self, keys: &[Key<Read<T>>], map: &Map<String, Value>, target: &mut T) {
        for (name, value) in map {
            self.path.push(name.clone());
            match keys.iter().find(|key| key.name == name) {
                Some(key) => (key.read)(self, value, target),
                None => {
                    let help = suggest(name, "the keys here", keys.iter().map(|key| key.name));
                    self.wrong_key(UNKNOWN_KEY, format!("unknown key `{name}`"), help);
                }
            }
            self.path.pop();
        }
    }

    fn retries(&mut self, value: &Value) -> Option<Retries> {
        let mut retries = Retries::default();
        match value {
            Value::Object(map) => {
                self.each(&RETRIES, map, &mut retries);
                if !map.contains_key("times") {
                    self.times(&Value::Null);
                }
            }
            times => retries.times = self.times(times),
        }
        Some(retries)
    }

    fn times(&mut self, value: &Value) -> u32 {
        let times = value.as_u64().and_then(|times| u32::try_from(times).ok());
        times.filter(|times| *times <= MAX_RETRIES).unwrap_or_else(|| {
            let help = "write `retries: 3` or `retries: { times: 3, wait: 10s, factor: 2, most: 5m }`";
            self.wrong(format!("`retries` must be a number of times from 0 to {MAX_RETRIES}"), help);
            0
        })
    }

    /// A time limit, or one for each job of a node.
    /// One amount, or a list with one for each job of a node.
    fn of_jobs<T>(&mut self, value: &Value, read: impl Fn(&mut Self, &Value) -> Option<T>) -> Vec<T> {
        match value {
            Value::Array(amounts) => amounts.iter().filter_map(|amount| read(self, amount)).collect(),
            amount => read(self, amount).into_iter().collect(),
        }
    }

    fn memory(&mut self, value: &Value) -> Option<u64> {
        let bytes = quantity::bytes(value);
        if bytes.is_none() {
            let message = format!("{value} is not an amount of memory");
            self.wrong(message, "write `8GiB`, `500MB`, or bytes as a number");
        }
        bytes
    }

    /// A text that is not empty and is one line.
    pub(crate) fn text(&mut self, value: &Value) -> Option<String> {
        let text = value.as_str().filter(|text| !text.trim().is_empty() && !text.contains(['\n', '\r']));
        if text.is_none() {
            self.wrong(
                format!("{value} is not a text of one line"),
                "write a name, in quotes if it looks like a number",
            );
        }
        text.map(str::to_owned)
    }

    pub(crate) fn texts(&mut self, value: &Value) -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().filter_map(|item| self.text(item)).collect(),
            Value::String(_) => self.text(value).into_iter().collect(),
            _ => {
                self.wrong(
                    format!("{value} is not a list of texts"),
                    "write `[first, second]`, or one `- text` line for each",
                );
                Vec::new()
            }
        }
    }

    pub(crate) fn time(&mut self, value: &Value) -> Option<Duration> {
        let time = quantity::time(value);
        if time.is_none() {
            self.wrong(format!("{value} is not a time"), "write `90s`, `30m`, `1h30m`, or seconds as a number");
        }
        time
    }

    pub(crate) fn units(&mut self, value: &Value) -> u32 {
        units(value).unwrap_or_else(|| {
            self.wrong(format!("{value} is not a number of units"), "write an integer, 0 or more");
            0
        })
    }

    fn pools(&mut self, value: &Value) -> Pools {
        let Value::Object(map) = value else {
            self.wrong("`pools` must be a mapping", "for example `pools: { download: 1 }`");
            return Pools::new();
        };
        let mut taken = Pools::new();
        for (name, value) in map {
            self.path.push(name.clone());
            match self.pools.get(name) {
                Some(size) => drop(taken.insert(name.clone(), self.taken(name, *size, value))),
                None => {
                    let help = match self.pools.is_empty() {
                        true => format!("declare it at the top of the file: `pools: {{ {name}: 2 }}`"),
                        false => suggest(name, "pools", self.pools.keys().map(String::as_str)),
                    };
                    self.wrong_key(UNKNOWN_POOL, format!("there is no pool `{name}`"), help);
                }
            }
            self.path.pop();
        }
        taken
    }

    fn taken(&mut self, pool: &str, size: u32, value: &Value) -> u32 {
        let units = self.units(value);
        if units > size {
            let message = format!("the pool `{pool}` has a size of {size}, but this takes {units}");
            self.wrong(message, "such a node can never start; make the pool larger");
        }
        units
    }

    /// A problem with the value.
    pub(crate) fn wrong(&mut self, message: impl Into<String>, help: impl Into<String>) {
        let span = self.span(false);
        self.fail(Problem::new(SETTING, span, message).help(help));
    }

    /// A problem with its key.
    pub(crate) fn wrong_key(&mut self, code: &'static str, message: String, help: String) {
        let span = self.span(true);
        self.fail(Problem::new(code, span, message).help(help));
    }

    fn fail(&mut self, problem: Problem) {
        self.failures.push(Failure::Problem(Box::new(problem)));
    }

    /// The place of the value, or of its key, as deep as the file has it.
    fn span(&self, key: bool) -> Span {
        let (mut node, mut span) = (self.node, self.node.span);
        for name in &self.path {
            let Some(entry) = node.get(name) else {
                break;
            };
            node = &entry.value;
            span = if key { entry.key_span } else { node.span };
        }
        span
    }
}
