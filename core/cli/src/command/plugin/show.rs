//! `pddflow plugin show`: a plugin with its parameters, their defaults and presets.

use crate::args::PluginArgs;
use crate::command::plugin::list::as_json;
use crate::exit::Exit;
use crate::opened::plugin_problem;
use crate::output::Output;
use crate::problem::Problem;
use crate::reference;
use pddflow_nodes::{Library, PluginInfo, Registry};
use serde_json::{Value, json};

/// Show a plugin: its parameters with types and defaults, and its presets
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the plugin, such as `dm`
    #[arg(value_name = "PLUGIN")]
    id: String,
    #[command(flatten)]
    plugins: PluginArgs,
}

impl Args {
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let found = named(&self.plugins, &self.id)?;
        if found.is_empty() {
            return Err(Problem::usage("unknown_plugin", format!("there is no plugin `{}`", self.id))
                .with_help("`pddflow plugin list` lists all that are found; `--plugin-dir` names a folder with more"));
        }
        if output.json() {
            output.value(&json!({ "plugins": found.iter().map(as_json).collect::<Vec<Value>>() }));
            return Ok(Exit::Ok);
        }
        output.markdown(&found.iter().map(reference::plugin).collect::<Vec<String>>().join("\n"));
        Ok(Exit::Ok)
    }
}

/// The plugins of that name: a matcher and a model may share one.
pub(crate) fn named(args: &PluginArgs, id: &str) -> Result<Vec<PluginInfo>, Problem> {
    let library = Library::new(args.options());
    if let Some(problem) = plugin_problem(&library) {
        return Err(problem);
    }
    let plugins = library.registry().map(Registry::list).unwrap_or_default();
    Ok(plugins.into_iter().filter(|plugin| plugin.id == id).collect())
}
