//! `pddflow help`: commands, and what pipelines can say.

use crate::args::PluginArgs;
use crate::command::plugin::show::named;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use crate::reference;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use pddflow_artifact::params::suggestion;
use pddflow_nodes::{Library, LibraryOptions};
use std::ffi::OsStr;

const EXAMPLES: &str = "\
Examples:
  pddflow help run           a command
  pddflow help distill       a kind of nodes: inputs, outputs and parameters
  pddflow help image-folder  a source of images
  pddflow help dm            a plugin
  pddflow help kinds         all kinds, sources, parameters, settings and expressions as one page of Markdown";

/// Print help on a command, a kind of nodes, a source or a plugin
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to explain: a command, a kind, a source, a plugin, or `kinds`, `settings` or `expressions`
    #[arg(value_name = "TOPIC", add = ArgValueCompleter::new(complete))]
    topic: Vec<String>,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// Topics that are no name of something.
const PAGES: [&str; 3] = ["kinds", "settings", "expressions"];

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let words: Vec<&str> = self.topic.iter().map(String::as_str).collect();
        let command = crate::command_help(&words, output);
        command.iter().for_each(|help| output.data(help));
        let page = match words.as_slice() {
            [name] => self.page(name, command.is_none())?,
            _ => None,
        };
        // `export` is both a command and a kind.
        if let (Some(_), Some(_)) = (&command, &page) {
            output.data("\n");
        }
        match page {
            Some(page) => output.markdown(&page),
            None if command.is_none() => return Err(unknown(&words)),
            None => {}
        }
        Ok(Exit::Ok)
    }

    fn page(&self, name: &str, with_plugins: bool) -> Result<Option<String>, Problem> {
        let library = Library::new(LibraryOptions::default());
        let text = match name {
            "kinds" => Some(reference::page(&library)),
            "settings" => Some(pddflow_pipeline::settings_table()),
            "expressions" => Some(pddflow_pipeline::expressions_table()),
            name => reference::topic(&library, name),
        };
        if text.is_some() || !with_plugins {
            return Ok(text);
        }
        let plugins: Vec<String> = named(&self.plugins, name)?.iter().map(reference::plugin).collect();
        Ok((!plugins.is_empty()).then(|| plugins.join("\n")))
    }
}

/// Commands, kinds, sources and pages.
fn topics() -> Vec<String> {
    let library = Library::new(LibraryOptions::default());
    let pages = PAGES.iter().map(ToString::to_string);
    crate::commands().into_iter().chain(reference::topics(&library)).chain(pages).collect()
}

fn complete(written: &OsStr) -> Vec<CompletionCandidate> {
    let written = written.to_string_lossy();
    topics().into_iter().filter(|topic| topic.starts_with(&*written)).map(CompletionCandidate::new).collect()
}

fn unknown(words: &[&str]) -> Problem {
    let name = words.join(" ");
    let topics = topics();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    Problem::usage("unknown_topic", format!("there is no command, kind, source or plugin `{name}`"))
        .with_help(format!("{}\n`pddflow plugin list` lists the plugins", suggestion(&name, &names)))
}
