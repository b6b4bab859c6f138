//! What results rest on: data, sets, plugins, parameters.

use crate::gather::Gathered;
use crate::words::{flat, grouped, pairs};
use pddflow_artifact::Side;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Data sets that are described.
const MOST_DATA: usize = 6;
/// Sets that are described.
const MOST_SETS: usize = 200;

/// What results rest on.
pub(crate) struct Provenance {
    /// Of the run: id, file, program...
    pub(crate) run: Vec<(String, String)>,
    pub(crate) params: Vec<(String, String)>,
    /// Role and id of each plugin, with its version and digest.
    pub(crate) plugins: Vec<(String, String)>,
    pub(crate) data: Vec<DataView>,
    pub(crate) sets: Vec<SetView>,
    pub(crate) more_sets: usize,
    /// The plan as JSON: every node with all its parameters.
    pub(crate) plan: String,
}

/// A data set.
pub(crate) struct DataView {
    pub(crate) node: String,
    pub(crate) lines: Vec<(&'static str, String)>,
}

/// Where a set of images is.
pub(crate) struct SetView {
    pub(crate) node: String,
    pub(crate) digest: String,
    pub(crate) key: String,
    pub(crate) program: String,
    pub(crate) host: String,
}

/// The plan is left out where it is longer than this.
const MOST_PLAN_BYTES: usize = 200_000;

/// What the results of a run rest on.
pub(crate) fn provenance(gathered: &Gathered<'_>) -> Provenance {
    let head = &gathered.run.head;
    let mut run = vec![
        ("run".to_owned(), head.run.clone()),
        ("pipeline".to_owned(), head.pipeline.clone()),
        ("file".to_owned(), head.file.clone()),
        ("program".to_owned(), head.program.clone()),
        ("store".to_owned(), gathered.store.root().display().to_string()),
    ];
    if !head.sweep.is_empty() {
        let axes: Vec<(String, Value)> =
            head.sweep.iter().map(|(axis, values)| (axis.clone(), Value::Array(values.clone()))).collect();
        run.push(("sweep".to_owned(), pairs(&axes)));
    }
    let mut plugins: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for made in gathered.nodes.iter().filter_map(|node| node.made_on()) {
        for (plugin, version) in &made.plugins {
            plugins.entry(plugin.clone()).or_default().insert(version.clone());
        }
    }
    let plugins =
        plugins.into_iter().map(|(plugin, versions)| (plugin, versions.into_iter().collect::<Vec<_>>().join("; ")));
    let plan = serde_json::to_string_pretty(&gathered.run.plan).unwrap_or_default();
    let sets: Vec<SetView> = gathered
        .of_type("set")
        .map(|(node, output)| SetView {
            node: node.planned.id.clone(),
            digest: output.digest.to_string(),
            key: node.past.key.map_or_else(String::new, |key| key.to_string()),
            program: node.record.as_ref().map_or_else(String::new, |record| record.program.clone()),
            host: node.made_on().map_or_else(String::new, |made| made.host.clone()),
        })
        .collect();
    let more_sets = sets.len().saturating_sub(MOST_SETS);
    Provenance {
        run,
        params: flat(&Value::Object(head.params.clone())),
        plugins: plugins.collect(),
        data: data(gathered),
        sets: sets.into_iter().take(MOST_SETS).collect(),
        more_sets,
        plan: if plan.len() > MOST_PLAN_BYTES { String::new() } else { plan },
    }
}

fn data(gathered: &Gathered<'_>) -> Vec<DataView> {
    let sources = gathered.of_type("dataset").filter(|(node, _)| node.planned.kind == "dataset");
    let mut views = Vec::new();
    for (node, output) in sources.take(MOST_DATA) {
        let Some(data) = gathered.dataset(output) else { continue };
        let size = data.size();
        let mut lines = vec![
            ("source", data.source().to_owned()),
            ("digest", output.digest.to_string()),
            ("training images", grouped(data.rows(Side::Train) as u64)),
            ("test images", grouped(data.rows(Side::Test) as u64)),
            ("size", format!("{} × {}, {}", size.height, size.width, pddflow_report::count(size.channels, "channel"))),
            ("classes", data.class_names().join(", ")),
        ];
        lines.extend(data.license().map(|license| ("licence", license.to_owned())));
        views.push(DataView { node: node.planned.id.clone(), lines });
    }
    views
}
