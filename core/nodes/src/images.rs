//! The kind `images`: pictures of sets, for people.
//!
//! One PNG for each set, or one with all sets side by side: a row for each class, its images from left to right, as pixels
//! (the normalisation is undone; values outside the range of pixels are cut).

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{problem, read, resolve, schema};
use pddflow_artifact::{Dataset, DistilledSet, Files};
use pddflow_cache::KeyPart;
use pddflow_figures::images::{Grid, set_names, show};
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, part};

/// Raised when the pictures change for the same parameters.
const REVISION: u32 = 3;
/// Larger pictures of a pixel help nobody.
const MOST_SCALE: usize = 32;

/// See the module.
pub(crate) struct ImagesKind;

/// Parameters of the kind `images`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImagesParams {
    /// Most images of each class that are shown; default: all.
    #[serde(default)]
    columns: Option<usize>,
    /// How often each pixel is repeated in both directions, 1 to 32; default: 4 for images up to 32 pixels, 2 up to 64.
    #[serde(default)]
    scale: Option<usize>,
    /// One picture for each set, or one with the sets side by side, such as the stages of progressive distillation.
    #[serde(default)]
    layout: Layout,
}

/// How several sets are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// One picture for each set, named by its method.
    #[default]
    Separate,
    /// One picture, `sets.png`: a row for each class, the sets from left to right.
    SideBySide,
}

impl Kind for ImagesKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "images".into(),
            summary: "Draws sets as PNG grids: a row for each class.".into(),
            inputs: vec![
                port("sets", "set", Arity::Some, "the sets; each becomes one picture"),
                port("data", "dataset", Arity::Optional, "the real data; needed for whitened sets only"),
            ],
            outputs: vec![port("files", "files", Arity::One, "PNGs: one for each set, or one of all")],
            parameters: schema::<ImagesParams>,
            seeded: false,
        }
    }

    fn check(&self, _: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let resolved = resolve::<ImagesParams>(with)?;
        let in_range = |name: &str, most: usize| {
            let value = resolved[name].as_u64();
            let wrong = value.is_some_and(|value| value == 0 || value > most as u64);
            wrong.then(|| {
                problem(format!("/{name}"), "it is out of range", Some(format!("give 1 to {most}, or leave it out")))
            })
        };
        let problems: Vec<ParamProblem> =
            [in_range("columns", 10_000), in_range("scale", MOST_SCALE)].into_iter().flatten().collect();
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    fn key_parts(&self, _: &Surroundings, _: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![part("revision", REVISION)])
    }

    fn run(
        &self,
        _: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: ImagesParams = read(node.with)?;
        let grid = Grid { columns: params.columns, scale: params.scale };
        let (sets, data) = sets_and_data(inputs, context)?;
        let mut shown = Vec::new();
        for (set, from) in sets.iter().zip(inputs.port("sets")) {
            shown.push(show(set, from, data.as_ref())?);
        }
        let mut files = Files::new();
        let mut insert = |name: String, picture: Vec<u8>| {
            files.insert(name, picture).map_err(|error| NodeError::internal(error.to_string()))
        };
        match params.layout {
            Layout::Separate => {
                for (shown, name) in shown.iter().zip(set_names(&sets)) {
                    insert(format!("{name}.png"), grid.draw(std::slice::from_ref(shown))?)?;
                }
            }
            Layout::SideBySide => {
                check_alike(&sets, inputs)?;
                insert("sets.png".to_owned(), grid.draw(&shown)?)?;
            }
        }
        let mut outputs = Outputs::default();
        let digest = context.put(&files.encode()?).during("storing the pictures")?;
        outputs.artifacts.insert("files".into(), digest);
        Ok(outputs)
    }
}

/// Sets in one picture need the same rows and the same size.
fn check_alike(sets: &[DistilledSet], inputs: &Inputs) -> NodeResult<()> {
    let Some(first) = sets.first() else { return Ok(()) };
    let alike = |set: &DistilledSet| set.size() == first.size() && set.info.class_names == first.info.class_names;
    match sets.iter().zip(inputs.port("sets")).find(|(set, _)| !alike(set)) {
        Some((_, from)) => {
            let message = format!("the set of `{}` has other classes or another size than the first one", from.from);
            Err(fail("set_mismatch", message).with_help("write `layout: separate`"))
        }
        None => Ok(()),
    }
}

/// The sets at port `sets` and the data set at port `data`, if there is one.
pub(crate) fn sets_and_data(
    inputs: &Inputs,
    context: &NodeContext<'_>,
) -> NodeResult<(Vec<DistilledSet>, Option<Dataset>)> {
    let mut sets = Vec::new();
    for artifact in inputs.port("sets") {
        sets.push(DistilledSet::decode(&context.get(&artifact.digest).during("reading a set")?)?);
    }
    let data = match inputs.port("data") {
        [data, ..] => Some(Dataset::decode(&context.get(&data.digest).during("reading the data set")?)?),
        [] => None,
    };
    Ok((sets, data))
}
