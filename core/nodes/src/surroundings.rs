//! What every kind needs besides its parameters and inputs: plugins, data folders, device, number format.

use std::path::PathBuf;
use std::sync::Arc;

use pddflow_artifact::failure::NodeResult;
use pddflow_cache::{Digest, KeyPart, MadeOn};
use pddflow_host::{PluginInfo, Registry, SearchPaths};
use pddflow_runner::NodeContext;
use pddflow_tensor::{DType, Device, Instructions};
use pddflow_training::plugins::Plugins;
use pddflow_training::splits::{Prepared, SplitCache, TensorOptions};
use serde_json::Value;

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
    /// Where tensors live; of nodes that have graphics processors of their own, the first of those from this one on.
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

/// What every kind needs besides its parameters and inputs.
#[derive(Clone)]
pub(crate) struct Surroundings {
    options: Arc<LibraryOptions>,
    plugins: Arc<Plugins>,
    tensors: TensorOptions,
    splits: Arc<SplitCache>,
}

impl Surroundings {
    /// Nothing is opened yet.
    pub(crate) fn new(options: LibraryOptions) -> Self {
        let dtype = match options.precision {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        };
        let tensors = TensorOptions { device: options.device.clone(), dtype };
        Self {
            plugins: Arc::new(Plugins::new(options.search.clone())),
            tensors,
            splits: Arc::default(),
            options: Arc::new(options),
        }
    }

    /// The same for a node that may have graphics processors to itself: its tensors live on the first.
    pub(crate) fn of(&self, context: &NodeContext<'_>) -> Self {
        let mut here = self.clone();
        if let (Some(&first), Device::Burn(backend, _)) = (self.gpus(context).first(), &self.options.device) {
            here.tensors.device = Device::Burn(*backend, first);
        }
        here
    }

    /// The graphics processors that a node has to itself, by the numbers that they have on this machine.
    pub(crate) fn gpus(&self, context: &NodeContext<'_>) -> Vec<usize> {
        let from = if let Device::Burn(_, number) = self.options.device { number } else { 0 };
        context.gpus().iter().map(|gpu| from.saturating_add(*gpu as usize)).collect()
    }

    /// Where things are found.
    pub(crate) fn options(&self) -> &LibraryOptions {
        &self.options
    }

    /// The plugins.
    pub(crate) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Where tensors live, and their number format.
    pub(crate) fn tensors(&self) -> &TensorOptions {
        &self.tensors
    }

    /// What nets are made with.
    pub(crate) fn for_nets(&self) -> (&Plugins, &TensorOptions) {
        (&self.plugins, &self.tensors)
    }

    /// Where tensors live.
    pub(crate) fn device(&self) -> &Device {
        &self.tensors.device
    }

    /// Number format of the tensors.
    pub(crate) fn dtype(&self) -> DType {
        self.tensors.dtype
    }

    /// A data set, normalised; those used last are kept.
    pub(crate) fn prepare(&self, context: &NodeContext<'_>, data: &Digest) -> NodeResult<Arc<Prepared>> {
        self.splits.prepare(&self.tensors, context, data)
    }

    /// The ingredients that every kind shares whose artifacts come out of tensor kernels: those of the kernels, the device, and the
    /// number format.
    pub(crate) fn numeric_parts(&self, revision: u32) -> Vec<KeyPart> {
        let mut parts = kernel_parts(revision);
        parts.push(part("device", self.device_class()));
        parts.push(part("precision", self.options.precision.name()));
        parts
    }

    /// Where a result with these key parts is made.
    pub(crate) fn made_on(&self, parts: &[KeyPart]) -> MadeOn {
        let known = self.plugins.opened().map(Registry::list).unwrap_or_default();
        let used = |plugin: &PluginInfo| {
            let (name, key) = (plugin.role.to_string(), plugin.key());
            parts.iter().any(|part| part.name == name && part.value == key.as_str())
        };
        let described = |plugin: &PluginInfo| {
            let digest = Digest::from_bytes(plugin.digest);
            (format!("{} {}", plugin.role, plugin.id), format!("{} {digest}", plugin.version))
        };
        MadeOn {
            host: host(),
            instructions: Instructions::in_use().name().to_owned(),
            device: self.device_class(),
            threads: rayon::current_num_threads(),
            plugins: known.iter().filter(|plugin| used(plugin)).map(described).collect(),
        }
    }

    fn device_class(&self) -> String {
        self.options.device.class()
    }
}

/// Name of this machine; empty where the system does not say it in a file.
fn host() -> String {
    fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// What an artifact depends on that comes out of kernels on the processor. Sums and products are rounded differently with other
/// instructions, so their level is part of the key.
pub(crate) fn kernel_parts(revision: u32) -> Vec<KeyPart> {
    vec![
        part("revision", revision),
        part("kernels", pddflow_tensor::kernel_revision()),
        part("instructions", Instructions::in_use().name()),
    ]
}

/// One named ingredient of a key.
pub(crate) fn part(name: &str, value: impl Into<Value>) -> KeyPart {
    KeyPart { name: name.to_owned(), value: value.into() }
}
