//! Runs pipelines in memory and keeps what they said.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pddflow_artifact::{Files, Results};
use pddflow_cache::{Blob, Digest, KeyBuilder, RamStore};
use pddflow_host::SearchPaths;
use pddflow_nodes::{Library, LibraryOptions};
use pddflow_runner::pipeline::{self, InputRef, Options, Plan};
use pddflow_runner::{Artifact, Cancel, Inputs, Kinds as _, NodeContext, NodeError, RunEvent, Settings, Task};

/// `data`, one `distill` and one `eval`, as small as they can be.
pub(crate) fn distill_pipeline(matcher: &str, iterations: u64) -> String {
    format!(
        r#"
format: 1
name: tiny
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  distill:
    kind: distill
    needs: {{ data: data }}
    with: {{ ipc: 1, iterations: {iterations}, model: {{ convnet: {{ width: 4 }} }}, matcher: {{ {matcher} }} }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: distill }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 2, epochs: 3 }}
"#
    )
}

/// A library and a store, with what the latest run did.
pub(crate) struct Bench {
    library: Library,
    store: RamStore,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    started: Vec<String>,
    reasons: Vec<(String, String)>,
    progress: Vec<(String, u64)>,
    digests: BTreeMap<String, Digest>,
    metrics: Vec<(String, String, f64)>,
    finals: BTreeMap<String, BTreeMap<String, f64>>,
    failure: Option<NodeError>,
    warnings: Vec<String>,
}

/// The plugins of this build, as files.
fn plugins() -> Vec<PathBuf> {
    let here = std::env::current_exe().unwrap();
    let folder = here.parent().unwrap();
    [
        "model_alexcifarnet",
        "model_alexnet",
        "model_convnet",
        "model_lenet",
        "model_mlp",
        "model_pyramid",
        "model_resnet",
        "model_vgg",
        "matcher_cafe",
        "matcher_dc",
        "matcher_dd",
        "matcher_dm",
        "matcher_frepo",
        "matcher_generative",
        "matcher_haba",
        "matcher_idc",
        "matcher_kip",
        "matcher_mtt",
        "matcher_rfad",
        "matcher_tesla",
    ]
    .map(|name| folder.join(format!("{}pddflow_{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)))
    .to_vec()
}

/// Where the plugins of this build are.
pub(crate) fn search() -> SearchPaths {
    SearchPaths { files: plugins(), folders: Vec::new() }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let library = Library::new(LibraryOptions { search: search(), ..LibraryOptions::default() });
        Self { library, store: RamStore::new(), seen: Mutex::default() }
    }

    pub(crate) fn plan(&self, text: &str) -> Plan {
        let options = Options::default();
        pipeline::load_text("test.yaml", text, &self.library, &options).unwrap_or_else(|found| panic!("{found:?}"))
    }

    /// The diagnostics of a pipeline that must not be accepted.
    pub(crate) fn problems(&self, text: &str) -> String {
        let found = pipeline::load_text("test.yaml", text, &self.library, &Options::default());
        format!("{:?}", found.expect_err("the pipeline was accepted"))
    }

    /// Runs; the error is the first failed node's.
    pub(crate) fn run(&self, text: &str) -> Result<(), NodeError> {
        self.run_with(text, &Cancel::new());
        self.seen.lock().unwrap().failure.take().map_or(Ok(()), Err)
    }

    /// Runs with a checkpoint at every opportunity, and asks to stop at the given one (from 1); says whether it stopped.
    pub(crate) fn run_until(&self, text: &str, checkpoint: u64) -> bool {
        let cancel = Cancel::new();
        let (asked, left) = (cancel.clone(), AtomicU64::new(checkpoint));
        self.store.on_rename(move |path| {
            // Checkpoints are the files of this name.
            if path.ends_with("state") && left.fetch_sub(1, Ordering::SeqCst) == 1 {
                asked.stop();
            }
        });
        self.run_with(text, &cancel);
        cancel.requested()
    }

    /// Runs every node in a rayon pool of that many threads and gives the outputs as [`Self::digests`] does. The runner
    /// is left out: its workers are plain threads, and kernels on them use the one global pool.
    pub(crate) fn run_with_threads(&self, text: &str, threads: usize) -> BTreeMap<String, Digest> {
        let plan = self.plan(text);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut digests = BTreeMap::new();
        for node in &plan.nodes {
            let artifact = |input: &InputRef| {
                let from = plan.nodes[input.node].id.clone();
                let digest = digests[&format!("{from}.{}", input.output)];
                Artifact { digest, artifact: input.artifact.clone(), from }
            };
            let ports = node.inputs.iter().map(|(port, refs)| (port.clone(), refs.iter().map(artifact).collect()));
            let inputs = Inputs(ports.collect());
            let (key, _) = KeyBuilder::new().part("node", node.id.to_string().into()).finish().unwrap();
            let cancel = Cancel::new();
            let context = NodeContext::detached(&self.store, &node.id, key, &cancel);
            let outputs = pool.install(|| self.library.run(Task::of(node), &inputs, &context)).unwrap();
            digests.extend(outputs.artifacts.into_iter().map(|(port, digest)| (format!("{}.{port}", node.id), digest)));
        }
        digests
    }

    fn run_with(&self, text: &str, cancel: &Cancel) {
        *self.seen.lock().unwrap() = Seen::default();
        let plan = self.plan(text);
        let settings = Settings { jobs: 2, checkpoint_seconds: 0.0, journal: false, ..Settings::default() };
        let on_event = |event: RunEvent| self.seen.lock().unwrap().note(event);
        pddflow_runner::run(&plan, &self.library, &self.store, &settings, cancel, &on_event).unwrap();
    }

    /// What the latest run warned of.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.seen.lock().unwrap().warnings.clone()
    }

    /// Nodes that ran in the latest run, in the order of their start.
    pub(crate) fn started(&self) -> Vec<String> {
        self.seen.lock().unwrap().started.clone()
    }

    /// Outputs of the nodes of the latest run as `node.port`.
    pub(crate) fn digests(&self) -> BTreeMap<String, Digest> {
        self.seen.lock().unwrap().digests.clone()
    }

    /// The bytes of an output of the latest run, named as in [`Self::digests`].
    pub(crate) fn artifact(&self, name: &str) -> Blob {
        self.store.get(&self.digests()[name]).unwrap()
    }

    /// Why a node ran in the latest run.
    pub(crate) fn reasons(&self, node: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.reasons.iter().filter(|(at, _)| at == node).map(|(_, reason)| reason.clone()).collect()
    }

    /// The first that a node said of its progress in the latest run.
    pub(crate) fn first_progress(&self, node: &str) -> Option<u64> {
        let seen = self.seen.lock().unwrap();
        seen.progress.iter().find(|(at, _)| at == node).map(|(_, done)| *done)
    }

    /// The results of a node in the latest run.
    pub(crate) fn results(&self, node: &str) -> Results {
        Results::decode(&self.store.get(&self.digests()[&format!("{node}.results")]).unwrap()).unwrap()
    }

    /// An output `node.port` of files in the latest run.
    pub(crate) fn files(&self, output: &str) -> Files {
        Files::decode(&self.store.get(&self.digests()[output]).unwrap()).unwrap()
    }

    /// The metrics in a node's record.
    pub(crate) fn final_metrics(&self, node: &str) -> BTreeMap<String, f64> {
        self.seen.lock().unwrap().finals[node].clone()
    }

    /// All values of a node's metric in the latest run, in order.
    pub(crate) fn metric_values(&self, node: &str, name: &str) -> Vec<f64> {
        let seen = self.seen.lock().unwrap();
        seen.metrics.iter().filter(|(at, of, _)| at == node && of == name).map(|(_, _, value)| *value).collect()
    }
}

impl Seen {
    fn note(&mut self, event: RunEvent) {
        match event {
            RunEvent::NodeStarted { node, reasons, .. } => {
                self.reasons.extend(reasons.iter().map(|reason| (node.to_string(), reason.to_string())));
                self.started.push(node.to_string());
            }
            RunEvent::Progress { node, done, .. } => self.progress.push((node.to_string(), done)),
            RunEvent::NodeFresh { node, record } => {
                self.outputs(node.as_ref(), record.outputs.clone().into_iter().collect());
            }
            RunEvent::NodeFinished { node, outputs, metrics, .. } => {
                self.outputs(node.as_ref(), outputs);
                self.finals.insert(node.to_string(), metrics);
            }
            RunEvent::Metric { node, name, value, .. } => self.metrics.push((node.to_string(), name, value)),
            RunEvent::Warning { text, .. } => self.warnings.push(text),
            RunEvent::NodeFailed { error, .. } => {
                self.failure.get_or_insert(error);
            }
            _ => {}
        }
    }

    fn outputs(&mut self, node: &str, outputs: BTreeMap<String, Digest>) {
        self.digests.extend(outputs.into_iter().map(|(port, digest)| (format!("{node}.{port}"), digest)));
    }
}

/// Real images chosen at random, one of each class in so many sets, evaluated with these parameters.
pub(crate) fn picked(sets: usize, with: &str) -> String {
    format!(
        r#"
format: 1
name: picked
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  pick:
    for: {{ k: 1..={sets} }}
    kind: select
    needs: {{ data: data }}
    with: {{ method: random, ipc: 1, seed: "${{k}}" }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: "pick[*]" }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, {with} }}
"#
    )
}
