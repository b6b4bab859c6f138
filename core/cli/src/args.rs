//! Arguments that several commands share.

use crate::complete;
use crate::device::DeviceChoice;
use crate::place;
use crate::problem::Problem;
use clap::{Args, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use pddflow_cache::Store;
use pddflow_nodes::{Instructions, Library, LibraryOptions, use_at_most};
use pddflow_pipeline::{Options, PipelineFile, Selection, memory_bytes};
use std::path::{Path, PathBuf};

/// Which pipeline, and with which parameters.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline file [default: `pipeline.yaml` in the current folder]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Override a parameter; several values, separated by commas, make a sweep. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Apply a profile of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

impl PipelineArgs {
    /// What is laid over the file.
    pub(crate) fn options(&self) -> Options {
        Options { set: self.set.clone(), profile: self.profile.clone() }
    }

    /// The file, and the node that stands in its place where the file is left out.
    pub(crate) fn file_and_node(&self) -> Result<(&Path, Option<&str>), Problem> {
        let default = Path::new(place::PIPELINE);
        match &self.file {
            Some(word) if place::is_pipeline(word) || !default.is_file() => Ok((word, None)),
            Some(word) => Ok((default, word.to_str())),
            None if default.is_file() => Ok((default, None)),
            None => {
                let message = format!("no pipeline file is named, and the current folder has no `{}`", place::PIPELINE);
                Err(Problem::usage("no_file", message).with_help("name a file, or make one with `pddflow init`"))
            }
        }
    }

    /// Reads the file.
    pub(crate) fn read(&self) -> Result<PipelineFile, Problem> {
        Ok(PipelineFile::read(self.file_and_node()?.0)?)
    }
}

/// Which nodes of the pipeline.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Only these nodes and everything they need: `distill`, `distill[3]`, `eval[model=*]` [default: all nodes]
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) nodes: Vec<String>,
    /// Same as NODE; may be repeated
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) until: Vec<String>,
    /// Only these nodes, without what they need, which must be fresh. May be repeated
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) only: Vec<String>,
}

impl SelectArgs {
    /// What is selected; the node that stands in the place of the file is one of them.
    pub(crate) fn selection(&self, pipeline: &PipelineArgs) -> Result<Selection, Problem> {
        let (_, first) = pipeline.file_and_node()?;
        let until = first.map(str::to_owned).into_iter().chain(self.nodes.iter().chain(&self.until).cloned()).collect();
        Ok(Selection { until, only: self.only.clone() })
    }
}

/// Which node of which pipeline.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The node, such as `data` or `distill[3]`; a family or a pattern means all its nodes
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Store folder [default: .pddflow in the nearest parent folder that has one, or else in the current folder]
    #[arg(long, value_name = "DIR", env = "PDDFLOW_CACHE_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    cache_dir: Option<PathBuf>,
}

impl StoreArgs {
    fn root(&self) -> PathBuf {
        place::store_root(self.cache_dir.as_deref())
    }

    /// The folder of the store, from the root of the file system, whether or not it is there.
    pub(crate) fn folder(&self) -> PathBuf {
        let root = self.root();
        std::path::absolute(&root).unwrap_or(root)
    }

    /// The store, which need not exist. Nothing is written.
    pub(crate) fn open(&self) -> Result<Store, Problem> {
        Ok(Store::open(&self.root())?)
    }
}

/// Where things are found.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Folder with datasets, searched before anything is downloaded; may be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: Vec<PathBuf>,
    #[command(flatten)]
    plugins: PluginArgs,
    /// Instructions of the processor to compute with [default: the best that it has]. Other instructions round differently, so
    /// each level has results of its own: to share results between machines, choose what all of the machines have
    #[arg(long, value_enum, value_name = "LEVEL", env = "PDDFLOW_INSTRUCTIONS", hide_env_values = true)]
    instructions: Option<Level>,
    /// Device to compute with: `auto`, `cpu`, `cuda`, `vulkan` or `metal`. Of several GPUs each node has its own; `cuda:1` is one
    /// of them. `auto` takes GPUs if this build and the machine have them. Devices round differently, so each kind of device has
    /// results of its own
    #[arg(long, value_name = "DEVICE", env = "PDDFLOW_DEVICE", hide_env_values = true, default_value = "auto")]
    device: DeviceChoice,
}

/// Instructions of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// What every processor has that the program is built for
    Baseline,
    /// AVX2 and FMA
    Avx2,
    /// AVX-512: F, BW, DQ and VL
    Avx512,
}

impl Level {
    fn instructions(self) -> Instructions {
        match self {
            Self::Baseline => Instructions::Baseline,
            Self::Avx2 => Instructions::Avx2,
            Self::Avx512 => Instructions::Avx512,
        }
    }
}

/// A level that this processor does not have.
fn unavailable(level: Instructions, best: Instructions) -> Problem {
    let message = format!("this processor does not have the instructions `{}`", level.name());
    let help =
        format!("its best are `{}`; to share results between machines, choose what all of them have", best.name());
    Problem::usage("instructions", message).with_help(help)
}

impl PlaceArgs {
    /// How many graphics processors the nodes of a run have between them.
    pub(crate) fn gpus(&self, library: &Library) -> u32 {
        self.device.gpus(&library.options().device)
    }

    /// The kinds and plugins for a pipeline; from now on everything is computed with the instructions that were chosen.
    pub(crate) fn library(&self, file: &PipelineFile) -> Result<Library, Problem> {
        if let Some(level) = self.instructions.map(Level::instructions) {
            if !level.are_available() {
                return Err(unavailable(level, Instructions::in_use()));
            }
            use_at_most(level);
        }
        let mut options = self.plugins.options();
        options.device = self.device.resolve()?;
        options.search.files = file.plugin_files().to_vec();
        options.data_dirs = self.data_dir.iter().cloned().chain(place::SYSTEM_DATA.map(PathBuf::from)).collect();
        options.downloads = self.store.root().join(place::DOWNLOADS);
        Ok(Library::new(options))
    }
}

/// Where plugins are found.
#[derive(Debug, Args)]
pub(crate) struct PluginArgs {
    /// Folder with plugins; may be repeated. Searched after the pipeline's `plugins:` and before PDDFLOW_PLUGIN_PATH, the
    /// folder of the program and the user's data folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    plugin_dir: Vec<PathBuf>,
    /// Folders with plugins, separated as in PATH
    #[arg(long, value_name = "DIRS", env = "PDDFLOW_PLUGIN_PATH", hide_env_values = true, hide = true)]
    plugin_path: Option<std::ffi::OsString>,
}

impl PluginArgs {
    /// Options of a library that is only asked about plugins and kinds.
    pub(crate) fn options(&self) -> LibraryOptions {
        let mut options = LibraryOptions::default();
        let path = self.plugin_path.iter().flat_map(std::env::split_paths);
        options.search.folders.extend(self.plugin_dir.iter().cloned());
        options.search.folders.extend(path.filter(|folder| !folder.as_os_str().is_empty()));
        options.search.folders.extend(place::plugin_folders());
        options
    }
}

/// The limit of a store unless another one is set.
pub(crate) const DEFAULT_SIZE: &str = "100GiB";
/// Runs of each pipeline whose results are kept unless another number is set.
pub(crate) const KEPT_RUNS: usize = 3;

/// A number of bytes with an optional unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    memory_bytes(text).ok_or_else(|| "a size, such as 500MB or 20GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_that_the_processor_lacks_are_told_with_those_that_it_has() {
        let problem = unavailable(Instructions::Avx512, Instructions::Avx2);
        let text = format!("{problem:?}");
        assert!(text.contains("does not have the instructions `avx512`"), "{text}");
        assert!(text.contains("its best are `avx2`"), "{text}");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!([size("20GiB"), size("1.5KB"), size("7")], [Ok(20 << 30), Ok(1_500), Ok(7)]);
        assert!(["", "GiB", "-1B", "infB", "1 PB"].iter().all(|text| size(text).is_err()));
    }
}
