//! `pddflow plugin list`: which matchers and models are found.

use crate::args::PluginArgs;
use crate::exit::Exit;
use crate::opened::plugin_problem;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_nodes::{Library, PluginInfo};
use pddflow_report::{Tone, count};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// List all plugins that are found, in search order
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plugins: PluginArgs,
}

impl Args {
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        list(&self.plugins, output)
    }
}

fn list(args: &PluginArgs, output: &Output) -> Result<Exit, Problem> {
    let library = Library::new(args.options());
    if let Some(problem) = plugin_problem(&library) {
        return Err(problem);
    }
    let Ok(registry) = library.registry() else { return Ok(Exit::Ok) };
    for warning in registry.warnings() {
        output.note(&format!("warning: {warning}"));
    }
    let plugins = registry.list();
    if output.json() {
        let plugins: Vec<Value> = plugins.iter().map(as_json).collect();
        output.value(&json!({ "plugins": plugins }));
        return Ok(Exit::Ok);
    }
    let mut text = String::new();
    for plugin in &plugins {
        let role = output.paint.tone(Tone::Faint, &format!("{:<8}", plugin.role.to_string()));
        let id = output.paint.tone(Tone::Strong, &plugin.id);
        let _ = writeln!(text, "{role}{id} {}  {}", plugin.version, plugin.summary);
        let _ = writeln!(text, "        {}", output.paint.tone(Tone::Faint, &plugin.file.display().to_string()));
    }
    let _ = writeln!(text, "{}", count(plugins.len(), "plugin"));
    output.data(&text);
    Ok(Exit::Ok)
}

/// What is known of a plugin.
pub(super) fn as_json(plugin: &PluginInfo) -> Value {
    json!({
        "id": plugin.id, "role": plugin.role.to_string(), "version": plugin.version, "revision": plugin.revision,
        "summary": plugin.summary, "file": plugin.file, "schema": plugin.schema,
        "digest": pddflow_cache::Digest::from_bytes(plugin.digest),
    })
}
