//! `pddflow plugin build`: builds a plugin and puts it where it is found.

use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use clap::ValueHint;
use std::env::consts::{DLL_EXTENSION, DLL_PREFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLES: &str = "\
Examples:
  pddflow plugin build
  pddflow plugin build my-matcher --to plugins";

/// Build the plugin of a folder and install it where `run` finds it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folder of the plugin: a crate, or one with `plugin.c`
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// Folder to install it into [default: the user's folder of plugins, which every run searches]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let libraries = if self.folder.join("Cargo.toml").is_file() {
            cargo(&self.folder)?
        } else if self.folder.join("plugin.c").is_file() {
            vec![c_compiler(&self.folder)?]
        } else {
            let help = match self.folder.join("matcher.py").is_file() {
                true => "a matcher in Python is not built: `pddflow run pipeline.yaml` runs it",
                false => "name a folder with Cargo.toml or plugin.c; `pddflow plugin new NAME` makes one",
            };
            let message = format!("{} is no folder of a plugin", self.folder.display());
            return Err(Problem::usage("plugin", message).with_help(help));
        };
        let to = self.to.clone().or_else(place::user_plugins).ok_or_else(|| {
            Problem::usage("plugin", "this system has no folder for data of the user".to_owned())
                .with_help("name a folder with `--to DIR`, and pass it to `run` with `--plugin-dir DIR`")
        })?;
        for library in libraries {
            let installed = install(&library, &to).map_err(|error| {
                Problem::usage("plugin", format!("{} cannot be installed: {error}", library.display()))
                    .with_help("choose a folder that can be written to with `--to DIR`")
            })?;
            output.data(&format!("installed {}\n", installed.display()));
        }
        Ok(Exit::Ok)
    }
}

/// Builds the crate; the dynamic libraries that cargo says it made.
fn cargo(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).args(["build", "--release", "--message-format", "json-render-diagnostics"]);
    let built = command.stderr(std::process::Stdio::inherit()).output().map_err(|error| tool("cargo", &error))?;
    if !built.status.success() {
        return Err(failed("cargo build"));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let made: Vec<PathBuf> = messages.lines().flat_map(dynamic_libraries).collect();
    if made.is_empty() {
        return Err(Problem::usage("plugin", "the crate makes no dynamic library".to_owned())
            .with_help("write `crate-type = [\"cdylib\"]` under `[lib]` in its Cargo.toml"));
    }
    Ok(made)
}

/// Of one message of cargo.
fn dynamic_libraries(line: &str) -> Vec<PathBuf> {
    let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { return Vec::new() };
    let kinds = message["target"]["kind"].as_array();
    let is_library = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"));
    if message["reason"] != "compiler-artifact" || !is_library {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    files.map(PathBuf::from).filter(|file| file.extension().is_some_and(|found| found == DLL_EXTENSION)).collect()
}

fn c_compiler(folder: &Path) -> Result<PathBuf, Problem> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = folder.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
    let library = folder.join(format!("{DLL_PREFIX}{name}.{DLL_EXTENSION}"));
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&compiler);
    command.current_dir(&folder).args(["-std=c11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "plugin.c", "-o"]);
    let done = command.arg(&library).status().map_err(|error| tool(&compiler.to_string_lossy(), &error))?;
    if done.success() { Ok(library) } else { Err(failed("the C compiler")) }
}

/// Copies under another name first, so that a running program never sees half a library.
fn install(library: &Path, to: &Path) -> std::io::Result<PathBuf> {
    fs_err::create_dir_all(to)?;
    let target = to.join(library.file_name().unwrap_or_default());
    let copy = tempfile::Builder::new().prefix(".installing-").tempfile_in(to)?;
    fs_err::copy(library, copy.path())?;
    copy.persist(&target).map_err(|error| error.error)?;
    Ok(target)
}

fn tool(name: &str, error: &std::io::Error) -> Problem {
    Problem::usage("plugin", format!("`{name}` cannot be started: {error}"))
        .with_help("install it: a Rust toolchain for crates, a C compiler for plugin.c")
}

fn failed(what: &str) -> Problem {
    Problem::usage("plugin", format!("{what} failed; its messages are above"))
        .with_help("mend the sources and build again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_that_cargo_names() {
        let line = format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["cdylib"]}},"filenames":["/t/libx.{DLL_EXTENSION}","/t/libx.d"]}}"#
        );
        assert_eq!(dynamic_libraries(&line), [PathBuf::from(format!("/t/libx.{DLL_EXTENSION}"))]);
        for other in [r#"{"reason":"build-finished"}"#, "text", &line.replace("cdylib", "lib")] {
            assert!(dynamic_libraries(other).is_empty(), "{other}");
        }
    }
}
