//! The library: all built-in kinds together with what they share (plugins, data folders, device).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use pddflow_cache::KeyPart;
use pddflow_host::{PluginError, Registry, SearchPaths};
use pddflow_runner::pipeline::{Catalog, InputProblem, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Growing, Inputs, Kinds, NodeContext, NodeError, Outputs};
use pddflow_tensor::{DType, Device, trace};
use serde_json::Value;

use crate::failure::{NodeResult, fail};
use crate::kind::{Kind, part};
use crate::params::{problem, suggestion};
use crate::splits::SplitCache;
use crate::{
    advance, classes, command, continual, dataset, distill, evaluate, export, figure, filter, forgetting, images,
    select, table, train,
};

/// Number format of images, weights and gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision: what the field uses.
    #[default]
    F32,
    /// Double precision, on the CPU only: for checks.
    F64,
}

impl Precision {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// Where the library finds things, and what it computes with.
#[derive(Clone, Debug)]
pub struct LibraryOptions {
    /// Files and folders with plugins, in the order in which they are searched.
    pub search: SearchPaths,
    /// Folders in which data sets are looked for before anything is downloaded.
    pub data_dirs: Vec<PathBuf>,
    /// Folder that receives downloads.
    pub downloads: PathBuf,
    /// Where tensors live.
    pub device: Device,
    /// Their number format.
    pub precision: Precision,
}

impl Default for LibraryOptions {
    fn default() -> Self {
        Self {
            search: SearchPaths::default(),
            data_dirs: Vec::new(),
            downloads: PathBuf::from(".pddflow/downloads"),
            device: Device::Cpu,
            precision: Precision::F32,
        }
    }
}

/// The built-in kinds with their surroundings; see the crate's overview.
pub struct Library {
    options: LibraryOptions,
    kinds: BTreeMap<String, (KindSpec, Box<dyn Kind>)>,
    registry: OnceLock<Result<Registry, PluginError>>,
    splits: SplitCache,
}

fn built_in() -> Vec<Box<dyn Kind>> {
    vec![
        Box::new(dataset::DatasetKind),
        Box::new(classes::ClassesKind),
        Box::new(forgetting::ForgettingKind),
        Box::new(filter::FilterKind),
        Box::new(select::SelectKind),
        Box::new(train::TrainKind),
        Box::new(advance::AdvanceKind),
        Box::new(distill::DistillKind),
        Box::new(evaluate::EvaluateKind),
        Box::new(continual::ContinualKind),
        Box::new(table::TableKind),
        Box::new(figure::FigureKind),
        Box::new(images::ImagesKind),
        Box::new(export::ExportKind),
        Box::new(command::CommandKind),
    ]
}

impl Library {
    /// A library over the built-in kinds. Plugins are not opened before something asks for one.
    #[must_use]
    pub fn new(options: LibraryOptions) -> Self {
        let kinds = built_in().into_iter().map(|kind| {
            let spec = kind.spec();
            (spec.name.clone(), (spec, kind))
        });
        Self { options, kinds: kinds.collect(), registry: OnceLock::new(), splits: SplitCache::default() }
    }

    /// Where the library finds things.
    #[must_use]
    pub fn options(&self) -> &LibraryOptions {
        &self.options
    }

    /// The table of plugins; opened at the first call.
    pub fn registry(&self) -> Result<&Registry, &PluginError> {
        self.registry.get_or_init(|| Registry::open(&self.options.search)).as_ref()
    }

    /// The table of plugins if something has asked for one: a pipeline without plugins should not load them.
    #[must_use]
    pub fn opened_registry(&self) -> Option<&Registry> {
        self.registry.get()?.as_ref().ok()
    }

    /// Where tensors live.
    pub(crate) fn device(&self) -> &Device {
        &self.options.device
    }

    /// Number format of the tensors.
    pub(crate) fn dtype(&self) -> DType {
        match self.options.precision {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        }
    }

    /// Normalised images of recently used data sets.
    pub(crate) fn splits(&self) -> &SplitCache {
        &self.splits
    }

    /// The ingredients that every numeric kind shares.
    pub(crate) fn numeric_parts(&self, revision: u32) -> Vec<KeyPart> {
        vec![
            part("revision", revision),
            part("kernels", pddflow_tensor::kernel_revision()),
            part("device", self.device_class()),
            part("precision", self.options.precision.name()),
        ]
    }

    fn device_class(&self) -> &'static str {
        match self.options.device {
            Device::Cpu => "cpu",
            #[cfg(feature = "cuda")]
            Device::Cuda(_) => "cuda",
        }
    }

    fn find(&self, name: &str) -> NodeResult<&dyn Kind> {
        self.kinds.get(name).map(|(_, kind)| kind.as_ref()).ok_or_else(|| {
            fail("unknown_kind", format!("there is no node kind `{name}`"))
                .with_help(suggestion(name, &self.kinds.keys().map(String::as_str).collect::<Vec<_>>()))
        })
    }
}

impl Catalog for Library {
    fn kinds(&self) -> Vec<&KindSpec> {
        self.kinds.values().map(|(spec, _)| spec).collect()
    }

    fn kind(&self, name: &str) -> Option<&KindSpec> {
        self.kinds.get(name).map(|(spec, _)| spec)
    }

    fn check(&self, kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let found = self.find(kind).map_err(|error| vec![problem("", error.message, error.help)])?;
        found.check(self, with)
    }

    fn check_inputs(&self, kind: &str, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        self.kinds.get(kind).map_or(Ok(()), |(_, kind)| kind.check_inputs(self, with, count))
    }
}

impl Kinds for Library {
    fn key_parts(&self, node: &PlanNode) -> Result<Vec<KeyPart>, NodeError> {
        self.find(&node.kind)?.key_parts(self, &node.with)
    }

    fn key_with(&self, node: &PlanNode) -> Option<Value> {
        self.find(&node.kind).ok()?.key_with(&node.with)
    }

    fn growing(&self, node: &PlanNode) -> Option<Growing> {
        self.find(&node.kind).ok()?.growing(self, &node.with)
    }

    fn run(&self, node: &PlanNode, inputs: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
        let _span = trace::span(node.id.to_string());
        self.find(&node.kind)?.run(self, node, inputs, context)
    }
}
