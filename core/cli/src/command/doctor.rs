//! `pddflow doctor`: what this build and this machine have, and whether each device computes what the processor does.

use crate::args::{PluginArgs, StoreArgs};
use crate::exit::Exit;
use crate::machine;
use crate::opened::plugin_problem;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_nodes::{Backend, Device, Instructions, Library, check_device};
use pddflow_report::{Tone, bytes, count, seconds};
use pddflow_runner::cores;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Instant;

/// Single precision: a hundred roundings of 6e-8 with some room, far below what a wrong kernel gives.
const TOLERANCE: f64 = 1e-4;

const EXAMPLES: &str = "\
Examples:
  pddflow doctor
  pddflow doctor --json";

/// Check this machine: devices, instructions, memory, store and plugins
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// What is known of a backend.
enum State {
    /// This build does not have it.
    NotBuilt,
    /// No device or no driver is found.
    Nothing,
    /// Devices in order, each with seconds and the deviation from the processor, or what failed.
    Checked(Vec<(f64, Result<f64, String>)>),
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let devices: Vec<(Backend, State)> = Backend::ALL.iter().map(|&backend| (backend, state(backend))).collect();
        let store = self.store.open()?;
        let library = Library::new(self.plugins.options());
        let plugin_fault = plugin_problem(&library);
        let plugins = library.registry().map_or(0, |registry| registry.list().len());
        let memory = machine::memory_for_nodes();
        let best = Instructions::in_use();
        let failed = devices.iter().any(|(_, state)| has_failed(state)) || plugin_fault.is_some();
        if output.json() {
            let listed: Vec<Value> = devices.iter().map(|(backend, state)| as_json(*backend, state)).collect();
            output.value(&json!({
                "version": env!("CARGO_PKG_VERSION"), "instructions": best.name(), "cores": cores(),
                "memory_for_nodes": memory, "devices": listed, "store": store.root(), "plugins": plugins, "healthy": !failed,
            }));
        } else {
            let mut text = String::new();
            let mut row = |name: &str, value: &str| {
                let _ = writeln!(text, "{} {value}", output.paint.tone(Tone::Strong, &format!("{name:<13}")));
            };
            row("pddflow", env!("CARGO_PKG_VERSION"));
            row("processor", &format!("{}, instructions up to {}", count(cores(), "core"), best.name()));
            row("memory", &format!("{} for nodes", bytes(memory)));
            for (backend, state) in &devices {
                row(backend.name(), &described(*backend, state));
            }
            row("store", &store.root().display().to_string());
            row("plugins", &count(plugins, "plugin"));
            output.data(&text);
        }
        match plugin_fault {
            Some(problem) => Err(problem),
            None if failed => {
                let message = "a device does not compute what the processor does";
                let help = "choose another one with `--device`, or update its driver";
                Err(Problem::usage("device", message).with_help(help))
            }
            None => Ok(Exit::Ok),
        }
    }
}

fn state(backend: Backend) -> State {
    if !backend.is_built() {
        return State::NotBuilt;
    }
    match backend.count() {
        0 => State::Nothing,
        found => State::Checked((0..found).map(|index| checked(&Device::Burn(backend, index))).collect()),
    }
}

fn checked(device: &Device) -> (f64, Result<f64, String>) {
    let start = Instant::now();
    let deviation = check_device(device).map_err(|error| error.to_string());
    (start.elapsed().as_secs_f64(), deviation)
}

fn is_right(deviation: &Result<f64, String>) -> bool {
    deviation.as_ref().is_ok_and(|deviation| *deviation <= TOLERANCE)
}

fn has_failed(state: &State) -> bool {
    matches!(state, State::Checked(devices) if devices.iter().any(|(_, deviation)| !is_right(deviation)))
}

fn described(backend: Backend, state: &State) -> String {
    match state {
        State::NotBuilt => {
            format!(
                "not in this build; add it with `--features pddflow-cli/{}`",
                backend.feature().unwrap_or(backend.name())
            )
        }
        State::Nothing => "no device or no driver is found".to_owned(),
        State::Checked(devices) => {
            let one = |(index, (took, deviation)): (usize, &(f64, Result<f64, String>))| match deviation {
                Ok(deviation) if *deviation <= TOLERANCE => {
                    let model = match backend.model(index) {
                        "" => String::new(),
                        model => format!(", {model},"),
                    };
                    let took = seconds(*took);
                    format!(
                        "{}:{index}{model} agrees with the processor ({took}, deviation {deviation:.0e})",
                        backend.name()
                    )
                }
                Ok(deviation) => format!("{}:{index} deviates from the processor by {deviation:.0e}", backend.name()),
                Err(message) => format!("{}:{index} failed: {message}", backend.name()),
            };
            devices.iter().enumerate().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}

fn as_json(backend: Backend, state: &State) -> Value {
    let devices: Vec<Value> = match state {
        State::Checked(devices) => devices
            .iter()
            .enumerate()
            .map(|(index, (took, deviation))| {
                json!({
                    "model": backend.model(index), "seconds": took, "deviation": deviation.as_ref().ok(), "error": deviation.as_ref().err(),
                    "healthy": is_right(deviation),
                })
            })
            .collect(),
        _ => Vec::new(),
    };
    json!({ "backend": backend.name(), "built": backend.is_built(), "devices": devices })
}
