//! The node of kind `command`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use pddflow_artifact::Files;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{problem, read, resolve_and_read, schema};
use pddflow_cache::{Digest, KeyPart};
use pddflow_runner::pipeline::{ANY_ARTIFACT, Arity, KindSpec, ParamProblem};
use pddflow_runner::{Artifact, Inputs, NodeContext, NodeError, Outputs, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::left::{self, Left, ports};
use super::process::{self, Call};
use super::word::Word;
use super::work::{Work, cannot};
use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the surroundings of the program change.
const REVISION: u32 = 1;
/// Artifact types that are trees of files.
const TREES: [&str; 2] = ["files", "table"];

/// See the module.
pub(crate) struct CommandKind;

/// Parameters of the kind `command`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommandParams {
    /// The program and its arguments. There is no shell: for one, write `[sh, -c, "..."]`.
    #[schemars(length(min = 1))]
    run: Vec<Word>,
    /// Files that the program leaves in its folder: relative paths. All must be there at the end. A mapping names outputs that
    /// other kinds take: `{ set: out/images.safetensors, files: [log.txt] }`; what they name is checked.
    outputs: Left,
    /// Files that the program reads: paths relative to the pipeline file. They are copied into its folder under the same
    /// names; their bytes, and whether they are executable, enter the key.
    #[serde(default)]
    files: Vec<String>,
    /// Environment variables of the program besides `PATH` and `HOME`.
    #[serde(default)]
    env: BTreeMap<String, Word>,
    /// Names of environment variables that are passed on to the program. Their values enter no key and no record: use it
    /// for what cannot change the result, such as a token or a proxy.
    #[serde(default)]
    pass: Vec<String>,
    /// Any number; a change runs the program again.
    #[serde(default)]
    revision: u32,
}

impl Kind for CommandKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "command".into(),
            summary: "Runs a program in a folder of its own and takes the files that it declares.".into(),
            inputs: vec![port("inputs", ANY_ARTIFACT, Arity::Many, "what the program finds under `inputs`, in order")],
            outputs: ports(),
            parameters: schema::<CommandParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let (resolved, params) = resolve_and_read::<CommandParams>(with)?;
        let mut problems = Vec::new();
        if params.run.first().is_none_or(|program| program.0.is_empty()) {
            problems.push(problem("/run", "a program is needed", Some("write `run: [program, argument, ...]`".into())));
        }
        if params.outputs.names().next().is_none() {
            let help = "name the files that the program leaves in its folder";
            problems.push(problem("/outputs", "at least one output is needed", Some(help.into())));
        }
        let files = params.files.iter().enumerate().map(|(at, name)| (format!("/files/{at}"), name.as_str()));
        for (at, name) in params.outputs.names().chain(files).filter(|(_, name)| !is_inside(name)) {
            let message = format!("`{name}` is no relative path inside of the folder");
            problems.push(problem(at, message, Some("write it without a leading `/` and without `..`".into())));
        }
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn gives(&self, with: &Value, output: &str) -> bool {
        read::<CommandParams>(with).is_ok_and(|params| params.outputs.has(output))
    }

    fn lint(&self, with: &Value) -> Vec<ParamProblem> {
        let program = with["run"][0].as_str().unwrap_or_default();
        if !Path::new(program).is_absolute() || !Path::new(program).exists() {
            return Vec::new();
        }
        let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
        let message = format!("the path `{program}` is part of the key, and may be another one on another machine");
        let help = format!("write `{name}`, which is looked for in the folders of PATH");
        vec![problem("/run/0", message, Some(help))]
    }

    fn key_parts(&self, _: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        // Of a fresh node nothing else is wanted, so the rest is not read.
        let files = node.with["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut parts = vec![part("revision", REVISION)];
        for name in files {
            let Declared { bytes, executable } = declared(node, name)?;
            let sign = if executable { ", executable" } else { "" };
            parts.push(part(&format!("file {name}"), format!("{}{sign}", Digest::of(&bytes))));
        }
        Ok(parts)
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: CommandParams = read(node.with)?;
        let mut work = Work::new(context.work_folder())?;
        for name in &params.files {
            let Declared { bytes, executable } = declared(node, name)?;
            let path = work.write(Path::new(name), &bytes)?;
            if executable {
                make_executable(&path).map_err(|error| cannot("fill", &error))?;
            }
        }
        for (at, artifact) in inputs.port("inputs").iter().enumerate() {
            give(artifact, &Path::new("inputs").join(at.to_string()), &work, context)?;
        }
        let passed = params.pass.iter().map(|name| process::variable(name).map(|value| (name.as_str(), value)));
        let passed = passed.collect::<NodeResult<Vec<_>>>()?;
        let gpus = surroundings.gpus(context);
        process::run(&Call { run: &params.run, env: &params.env, passed: &passed, gpus: &gpus }, &mut work, context)?;
        // A file may be an output of its own and one of the files.
        let left: BTreeSet<&str> = params.outputs.names().map(|(_, name)| name).collect();
        let all = take(left, &work.files())?;
        let bytes =
            |name: &String| all.get(name).ok_or_else(|| NodeError::internal("an output was taken and is not there"));
        let mut outputs = Outputs::default();
        for (output, name) in &params.outputs.typed {
            let bytes = bytes(name)?;
            left::check(output, name, bytes)?;
            outputs.artifacts.insert(output.clone(), context.put(bytes).during("storing the outputs")?);
        }
        if params.outputs.has(left::FILES) {
            let mut files = Files::new();
            for name in &params.outputs.files {
                let inserted = files.insert(name.as_str(), bytes(name)?);
                inserted.map_err(|error| fail("command_output", error.to_string()))?;
            }
            outputs.artifacts.insert(left::FILES.into(), context.put(&files.encode()?).during("storing the outputs")?);
        }
        Ok(outputs)
    }
}

/// Whether a path stays inside of the folder it is relative to.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// A file that the program reads.
struct Declared {
    bytes: Vec<u8>,
    executable: bool,
}

fn declared(node: Task<'_>, name: &str) -> NodeResult<Declared> {
    let path = node.folder.join(name);
    let read = || Ok(Declared { bytes: fs_err::read(&path)?, executable: is_executable(&fs_err::metadata(&path)?) });
    read().map_err(|error: std::io::Error| {
        fail("command_file", format!("the declared file `{name}` cannot be read"))
            .with_source(error)
            .with_help("paths are relative to the pipeline file")
    })
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs_err::metadata(path)?.permissions();
    // Where it can be read it can be executed.
    permissions.set_mode(permissions.mode() | (permissions.mode() & 0o444) >> 2);
    fs_err::set_permissions(path, permissions)
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn give(artifact: &Artifact, name: &Path, work: &Work, context: &NodeContext<'_>) -> NodeResult<()> {
    let blob = context.get(&artifact.digest).during("reading an input")?;
    if !TREES.contains(&artifact.artifact.as_str()) {
        return work.link(name, &context.artifact_path(&artifact.digest), &blob);
    }
    Files::decode(&blob)?.iter().try_for_each(|(file, bytes)| work.write(&name.join(file), bytes).map(drop))
}

/// The declared outputs; it is an error when one is not there, whatever the program said at its end.
fn take<'a>(names: impl IntoIterator<Item = &'a str>, folder: &Path) -> NodeResult<Files> {
    let mut files = Files::new();
    let mut missing = Vec::new();
    for name in names {
        let path = folder.join(name);
        // A link could lead out of the folder.
        if !fs_err::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            missing.push(format!("`{name}`"));
            continue;
        }
        let bytes = fs_err::read(&path).map_err(|error| cannot("read", &error))?;
        files.insert(name, bytes).map_err(|error| fail("command_output", error.to_string()))?;
    }
    if missing.is_empty() {
        return Ok(files);
    }
    let message = format!("the program ended well but did not leave {}", missing.join(", "));
    Err(fail("command_output", message)
        .with_help("outputs are plain files, with paths relative to the program's folder"))
}
