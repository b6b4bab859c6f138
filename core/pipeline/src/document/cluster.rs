//! The part `cluster:` of a pipeline: how its nodes run on one. It never changes a result and enters no key.
//!
//! A setting is one row of [`CLUSTER`]: the allowed keys, what is read, the schema for editors and the table of
//! `core/docs/cluster.md` follow from it. Every value may be written with `${...}`.

use serde_json::{Map, Value, json};

use crate::diagnostic::problem::Report;
use crate::document::keys::{Key, UNKNOWN_KEY};
use crate::document::setting::{Pools, RESOURCES, Read, Reader, amount, properties, texts, time};
use crate::expand::params::Params;
use crate::expression::Scope;
use crate::plan::{ClusterSettings, Resources};
use crate::template::{Budget, Evaluator, Failure, compile};
use crate::text::suggest::suggest;
use crate::yaml::tree::Entry;

/// What is read, and what it is checked against.
pub(crate) struct Draft {
    settings: ClusterSettings,
    /// The kinds that there are.
    kinds: Vec<String>,
}

/// All settings of a cluster.
pub(crate) const CLUSTER: [Key<Read<Draft>>; 12] = [
    Key {
        name: "defaults",
        schema: |_| {
            resources(
                "Resources of nodes that do not say otherwise, with the keys of `resources`: `{ partition: gpu, account: ml, time: 4h, memory: 16GiB, cpus: 4 }`.",
            )
        },
        read: |reader, value, draft| draft.settings.defaults = read_resources(reader, value),
    },
    Key {
        name: "kinds",
        schema: |_| {
            let about =
                "Resources of the nodes of a kind, before the defaults: `{ distill: { gpus: 1, time: [4h, 24h] } }`.";
            json!({"description": about, "type": "object", "additionalProperties": resources("Of this kind.")})
        },
        read: |reader, value, draft| match value {
            Value::Object(map) => {
                for (kind, value) in map {
                    reader.path.push(kind.clone());
                    if is_kind(reader, kind, &draft.kinds) {
                        let resources = read_resources(reader, value);
                        draft.settings.kinds.insert(kind.clone(), resources);
                    }
                    reader.path.pop();
                }
            }
            _ => reader.wrong("`kinds` must be a mapping", "for example `{ distill: { gpus: 1 } }`"),
        },
    },
    Key {
        name: "head",
        schema: |_| {
            texts(
                "Kinds whose nodes stay with the run, such as `dataset` where only the head reaches the internet. `table`, `figure`, `filter`, `classes`, `images` and `export` always do.",
            )
        },
        read: |reader, value, draft| {
            let names = reader.texts(value);
            draft.settings.head = names.into_iter().filter(|name| is_kind(reader, name, &draft.kinds)).collect();
        },
    },
    Key {
        name: "setup",
        schema: |_| texts("Lines of shell before the program in every job, such as `module load cuda`."),
        read: |reader, value, draft| draft.settings.setup = reader.texts(value),
    },
    Key {
        name: "at_once",
        schema: |_| amount("Most tasks of one array that run at once; by default as many as the cluster has room for."),
        read: |reader, value, draft| draft.settings.at_once = Some(reader.units(value)).filter(|most| *most > 0),
    },
    Key {
        name: "queued",
        schema: |_| amount("Most tasks in the queue, by default 1000; further nodes wait with the run."),
        read: |reader, value, draft| draft.settings.queued = reader.units(value).max(1),
    },
    Key {
        name: "requeue",
        schema: |_| json!({"description": "`true`: the cluster itself may start a job again, for instance after a preemption. By default the run submits another.", "type": "boolean"}),
        read: |reader, value, draft| match value {
            Value::Bool(requeue) => draft.settings.requeue = *requeue,
            _ => reader.wrong("`requeue` must be true or false", "write `true`"),
        },
    },
    Key {
        name: "memory_per_cpu",
        schema: |_| json!({"description": "`true`: memory is asked for by `--mem-per-cpu`, as some clusters want it: the node's memory divided by its `cpus`.", "type": "boolean"}),
        read: |reader, value, draft| match value {
            Value::Bool(per_cpu) => draft.settings.memory_per_cpu = *per_cpu,
            _ => reader.wrong("`memory_per_cpu` must be true or false", "write `true`"),
        },
    },
    Key {
        name: "signal",
        schema: |_| time("How long before its time limit a job is told to write a checkpoint, by default 2m."),
        read: |reader, value, draft| set(&mut draft.settings.signal, reader.time(value)),
    },
    Key {
        name: "quiet",
        schema: |_| time("How long an array waits for further nodes, by default 2s."),
        read: |reader, value, draft| set(&mut draft.settings.quiet, reader.time(value)),
    },
    Key {
        name: "poll",
        schema: |_| {
            time(
                "Shortest time between two questions to the cluster, by default 10s; it grows to a minute while nothing changes.",
            )
        },
        read: |reader, value, draft| set(&mut draft.settings.poll, reader.time(value)),
    },
    Key {
        name: "lost",
        schema: |_| {
            time(
                "A job without a sign of life for this long, and in three answers of the cluster, is submitted again; by default 2m.",
            )
        },
        read: |reader, value, draft| set(&mut draft.settings.lost, reader.time(value)),
    },
];

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn resources(about: &str) -> Value {
    json!({"description": about, "type": "object", "additionalProperties": false, "properties": properties(&RESOURCES)})
}

fn read_resources(reader: &mut Reader<'_>, value: &Value) -> Resources {
    let mut resources = Resources::default();
    match value {
        Value::Object(map) => reader.each(&RESOURCES, map, &mut resources),
        Value::Null => {}
        _ => reader.wrong("resources must be a mapping", "for example `{ cpus: 4, memory: 8GiB, time: 2h }`"),
    }
    resources
}

fn is_kind(reader: &mut Reader<'_>, name: &str, kinds: &[String]) -> bool {
    let known = kinds.iter().any(|kind| kind == name);
    if !known {
        let help = suggest(name, "kinds", kinds.iter().map(String::as_str));
        reader.wrong_key(UNKNOWN_KEY, format!("there is no kind `{name}`"), help);
    }
    known
}

/// The schema of the part.
pub(crate) fn schema() -> Value {
    let properties: Map<String, Value> = CLUSTER.iter().map(|key| (key.name.to_owned(), (key.schema)(&[]))).collect();
    json!({
        "description": "How nodes run on a cluster (`run --on slurm`). Never changes a result.",
        "type": "object", "additionalProperties": false, "properties": properties,
    })
}

/// The settings as a Markdown table, for the documentation.
#[must_use]
pub fn cluster_table() -> String {
    let row = |key: &Key<Read<Draft>>| {
        let schema = (key.schema)(&[]);
        format!("| `{}` | {} |\n", key.name, schema["description"].as_str().unwrap_or_default())
    };
    format!("| key of `cluster:` | what it says |\n|---|---|\n{}", CLUSTER.iter().map(row).collect::<String>())
}

/// Evaluates and reads the entries of the part; what is wrong goes to the report.
pub(crate) fn read(
    report: &mut Report,
    entries: &[Entry],
    (params, budget): (&Params, &Budget),
    pools: &Pools,
    kinds: Vec<String>,
) -> ClusterSettings {
    let mut draft = Draft { settings: ClusterSettings::default(), kinds };
    for entry in entries {
        let Some(compiled) = compile(report, &entry.value) else { continue };
        let scope = Scope { axes: &[], params: &params.values, broken: &params.broken };
        let mut failures = Vec::new();
        match (Evaluator { scope, sources: &report.sources, budget }).value(&compiled) {
            Ok(Value::Null) => {}
            Ok(value) => {
                let mut reader = Reader { node: &entry.value, pools, failures: &mut failures, path: Vec::new() };
                if let Some(key) = CLUSTER.iter().find(|key| key.name == entry.key) {
                    (key.read)(&mut reader, &value, &mut draft);
                }
            }
            Err(failure) => failures.push(failure),
        }
        for failure in failures {
            if let Failure::Problem(problem) = failure {
                report.add(*problem);
            }
        }
    }
    draft.settings
}
