//! `pddflow plugin check`: tries a plugin on small problems and says what is wrong with it.

use crate::args::PluginArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use clap::ValueHint;
use pddflow_artifact::NamedTensors;
use pddflow_nodes::trial::{Outcome, Report, TrialOptions, check_plugin};
use pddflow_pipeline::Diagnostic;
use pddflow_report::{Tone, count};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  pddflow plugin check target/release/libmy_matcher.so
  pddflow plugin check libmy_matcher.so --with lr=0.5 --with inner=2
  pddflow plugin check libpddflow_matcher_python.so --with file=my_matcher.py

Each matcher and model of the file is run on a few small images: whether the same key gives the same bits, whether gradients are those
of finite differences, whether a cancelled run ends, and more. Warnings do not fail.";

/// Try a plugin on small problems and say what is wrong with it, as a compiler would
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The plugin: a dynamic library
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Only these of its matchers and models
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// A parameter of the plugin, as JSON or else as text. May be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    with: Vec<(String, Value)>,
    /// The model that matchers see images through: an id, or an id with parameters as JSON, `{"mlp": {"width": 16}}`
    #[arg(long, value_name = "MODEL", default_value = r#"{"convnet": {"width": 4, "depth": 2}}"#, value_parser = model)]
    model: Model,
    /// What matchers work from that need tensors, such as a generator: a safetensors file for coloured images of 16 x 16, 3 classes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tensors: Option<PathBuf>,
    #[command(flatten)]
    plugins: PluginArgs,
}

type Model = (String, Value);

fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

fn model(text: &str) -> Result<Model, String> {
    let Ok(value) = serde_json::from_str::<Map<String, Value>>(text) else { return Ok((text.to_owned(), json!({}))) };
    let one = value.into_iter().next();
    one.ok_or_else(|| "write an id, or an id with parameters: `{\"convnet\": {\"width\": 8}}`".to_owned())
}

/// The tensors of a file, by name.
fn tensors(file: &Path) -> Result<NamedTensors, Problem> {
    let wrong = |message: String| Problem::new(Exit::Usage, "pddflow::cli::tensors", message);
    let bytes = fs_err::read(file).map_err(|error| wrong(error.to_string()))?;
    NamedTensors::read(&bytes).map_err(|error| wrong(format!("{}: {error}", file.display())))
}

impl Args {
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let options = TrialOptions {
            search: self.plugins.options().search,
            with: Value::Object(self.with.iter().cloned().collect()),
            model: self.model.clone(),
            folder: PathBuf::new(),
            tensors: self.tensors.as_deref().map(tensors).transpose()?,
        };
        let reports = check_plugin(&self.file, &self.ids, &options).map_err(|error| {
            let problem =
                Problem::new(Exit::Plugin, error.code(), format!("{}: {}", self.file.display(), error.message()));
            match error.help() {
                Some(help) => problem.with_help(help),
                None => problem,
            }
        })?;
        if output.json() {
            output.value(&json!({ "file": self.file, "plugins": reports.iter().map(to_json).collect::<Vec<_>>() }));
        } else {
            output.data(&reports.iter().map(|report| shown(report, output)).collect::<String>());
        }
        for report in &reports {
            for finding in &report.findings {
                if let Outcome::Warning { message, help } = &finding.outcome {
                    output.note(&format!("warning: {}: {}: {message}; {help}", report.title, finding.check));
                }
            }
        }
        let wrong = reports.iter().flat_map(|report| {
            report.findings.iter().filter_map(move |finding| match &finding.outcome {
                Outcome::Wrong { message, help } => {
                    let code = format!("pddflow::check::{}", finding.check);
                    Some(Diagnostic::new(code, format!("{}: {message}", report.title)).with_help(help.clone()))
                }
                _ => None,
            })
        });
        Problem::of_all(Exit::Plugin, wrong).map_or(Ok(Exit::Ok), Err)
    }
}

fn shown(report: &Report, output: &Output) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", output.paint.tone(Tone::Strong, &report.title));
    for line in &report.about {
        let _ = writeln!(text, "  {}", output.paint.tone(Tone::Faint, line));
    }
    let mut wrong = 0;
    for finding in &report.findings {
        let (tone, word, what) = match &finding.outcome {
            Outcome::Passed(what) => (Tone::Good, "ok", what),
            Outcome::Skipped(what) => (Tone::Faint, "skipped", what),
            Outcome::Warning { message, .. } => (Tone::Warn, "warning", message),
            Outcome::Wrong { message, .. } => {
                wrong += 1;
                (Tone::Bad, "wrong", message)
            }
        };
        let _ = writeln!(text, "  {} {:<13} {what}", output.paint.tone(tone, &format!("{word:<8}")), finding.check);
    }
    let _ = writeln!(text, "  {}, {wrong} wrong", count(report.findings.len(), "check"));
    text
}

fn to_json(report: &Report) -> Value {
    let findings = report.findings.iter().map(|finding| {
        let (outcome, message, help) = match &finding.outcome {
            Outcome::Passed(message) => ("passed", message, None),
            Outcome::Skipped(message) => ("skipped", message, None),
            Outcome::Warning { message, help } => ("warning", message, Some(help)),
            Outcome::Wrong { message, help } => ("wrong", message, Some(help)),
        };
        json!({ "check": finding.check, "outcome": outcome, "message": message, "help": help })
    });
    json!({ "plugin": report.title, "about": report.about, "findings": findings.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_json_or_text() {
        assert_eq!(parameter("lr=0.5"), Ok(("lr".to_owned(), json!(0.5))));
        assert_eq!(parameter("file=a=b.py"), Ok(("file".to_owned(), json!("a=b.py"))));
        assert!(parameter("lr").is_err());
        assert_eq!(model("mlp"), Ok(("mlp".to_owned(), json!({}))));
        assert_eq!(model(r#"{"mlp": {"width": 3}}"#), Ok(("mlp".to_owned(), json!({"width": 3}))));
        assert!(model("{}").is_err());
    }
}
