//! The node of kind `command`.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use pddflow_artifact::Files;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{problem, read, resolve_and_read, schema};
use pddflow_cache::{Digest, KeyPart};
use pddflow_runner::pipeline::{ANY_ARTIFACT, Arity, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Artifact, Inputs, NodeContext, NodeError, Outputs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::{self, Call};
use super::word::Word;
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
    /// Files that the program leaves in its folder: relative paths. All must be there at the end.
    #[schemars(length(min = 1))]
    outputs: Vec<String>,
    /// Files that the program reads: paths relative to the folder where pddflow is called. They are copied into its
    /// folder under the same names, and their bytes enter the key.
    #[serde(default)]
    files: Vec<String>,
    /// Environment variables of the program besides `PATH` and `HOME`.
    #[serde(default)]
    env: BTreeMap<String, Word>,
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
            outputs: vec![port("files", "files", Arity::One, "the declared outputs")],
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
        if params.outputs.is_empty() {
            let help = "name the files that the program leaves in its folder";
            problems.push(problem("/outputs", "at least one output is needed", Some(help.into())));
        }
        for (list, names) in [("outputs", &params.outputs), ("files", &params.files)] {
            for (at, name) in names.iter().enumerate().filter(|(_, name)| !is_inside(name)) {
                let message = format!("`{name}` is no relative path inside of the folder");
                let help = "write it without a leading `/` and without `..`";
                problems.push(problem(format!("/{list}/{at}"), message, Some(help.into())));
            }
        }
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn key_parts(&self, _: &Surroundings, node: &PlanNode) -> Result<Vec<KeyPart>, NodeError> {
        // Of a fresh node nothing else is wanted, so the rest is not read.
        let files = node.with["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut parts = vec![part("revision", REVISION)];
        for name in files {
            parts.push(part(&format!("file {name}"), Digest::of(&declared(name)?).to_string()));
        }
        Ok(parts)
    }

    fn run(
        &self,
        _: &Surroundings,
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: CommandParams = read(&node.with)?;
        let folder = tempfile::Builder::new().prefix("pddflow-").tempdir().map_err(|error| cannot("make", &error))?;
        for name in &params.files {
            write(&folder.path().join(name), &declared(name)?)?;
        }
        for (at, artifact) in inputs.port("inputs").iter().enumerate() {
            give(artifact, &folder.path().join("inputs").join(at.to_string()), context)?;
        }
        let call = Call { run: &params.run, env: &params.env, folder: folder.path() };
        process::run(&call, context)?;
        let files = take(&params.outputs, folder.path())?;
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("files".into(), context.put(&files.encode()?).during("storing the outputs")?);
        Ok(outputs)
    }
}

/// Whether a path stays inside of the folder it is relative to.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// The bytes of a file that the program reads.
fn declared(name: &str) -> NodeResult<Vec<u8>> {
    fs_err::read(name).map_err(|error| {
        fail("command_file", format!("the declared file `{name}` cannot be read"))
            .with_source(error)
            .with_help("paths are relative to the folder where pddflow is called")
    })
}

fn give(artifact: &Artifact, to: &Path, context: &NodeContext<'_>) -> NodeResult<()> {
    let blob = context.get(&artifact.digest).during("reading an input")?;
    if !TREES.contains(&artifact.artifact.as_str()) {
        return write(to, &blob);
    }
    Files::decode(&blob)?.iter().try_for_each(|(name, bytes)| write(&to.join(name), bytes))
}

fn write(path: &Path, bytes: &[u8]) -> NodeResult<()> {
    let made = path.parent().map_or(Ok(()), fs_err::create_dir_all);
    made.and_then(|()| fs_err::write(path, bytes)).map_err(|error| cannot("fill", &error))
}

fn cannot(verb: &str, error: &std::io::Error) -> NodeError {
    fail("command_folder", format!("cannot {verb} the folder of the program: {error}"))
        .with_help("free some space, or name another folder for temporary files with TMPDIR")
}

/// The declared outputs; it is an error when one is not there, whatever the program said at its end.
fn take(names: &[String], folder: &Path) -> NodeResult<Files> {
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
        files.insert(name.as_str(), bytes).map_err(|error| fail("command_output", error.to_string()))?;
    }
    if missing.is_empty() {
        return Ok(files);
    }
    let message = format!("the program ended well but did not leave {}", missing.join(", "));
    Err(fail("command_output", message)
        .with_help("outputs are plain files, with paths relative to the program's folder"))
}
