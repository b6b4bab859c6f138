//! The node of kind `table`.

use pddflow_cache::KeyPart;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Inputs, NodeContext, NodeError, Outputs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arrange::{REPORTED, arrange, shown};
use super::render::{csv, json, markdown};
use crate::Library;
use crate::artifact::{Files, Results};
use crate::failure::During;
use crate::kind::{Kind, part, port};
use crate::params::{problem, read, resolve, schema};

/// Raised when the files change for the same parameters.
const REVISION: u32 = 1;
/// Nobody's accuracy is known to more digits.
const MOST_DIGITS: usize = 6;

/// See the module.
pub(crate) struct TableKind;

/// Parameters of the kind `table`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableParams {
    /// What the rows are: `method`, another label of the results (such as `ipc` or `model`), or a parameter of the evaluation.
    #[serde(default = "method")]
    pub(super) rows: String,
    /// What the columns are; default: one column.
    #[serde(default)]
    pub(super) columns: Option<String>,
    /// Which accuracy: `reported`, or another reading of the results such as `best_on_test`.
    #[serde(default = "reported")]
    pub(super) reading: String,
    /// A line above the table.
    #[serde(default)]
    pub(super) title: Option<String>,
    /// Digits after the point in the Markdown form.
    #[serde(default = "one")]
    pub(super) digits: usize,
    /// Numbers of papers, shown in columns of their own beside the measured ones.
    #[serde(default)]
    pub(super) published: Vec<Published>,
}

/// A number of a paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Published {
    /// The row that it belongs to.
    pub(super) row: Value,
    /// The column; may be left out when there is one.
    #[serde(default)]
    pub(super) column: Value,
    /// Accuracy in percent.
    pub(super) mean: f64,
    /// Standard deviation in percent.
    #[serde(default)]
    pub(super) std: Option<f64>,
    /// Where it is from.
    #[serde(default)]
    pub(super) source: Option<String>,
}

fn method() -> String {
    "method".to_owned()
}

fn reported() -> String {
    REPORTED.to_owned()
}

fn one() -> usize {
    1
}

impl TableParams {
    /// The upper left cell.
    pub(super) fn corner(&self) -> String {
        self.columns.as_ref().map_or_else(|| self.rows.clone(), |columns| format!("{} \\ {columns}", self.rows))
    }

    /// The published number of a cell.
    pub(super) fn published(&self, row: &str, column: &str) -> Option<&Published> {
        let of_column = |found: &Published| match found.column {
            Value::Null => self.columns.is_none(),
            ref value => shown(value) == column,
        };
        self.published.iter().find(|found| shown(&found.row) == row && of_column(found))
    }
}

impl Kind for TableKind {
    fn spec(&self) -> KindSpec {
        KindSpec {
            name: "table".into(),
            summary: "Sets results side by side: Markdown, CSV and JSON.".into(),
            inputs: vec![port("results", "results", Arity::Some, "the results of evaluations")],
            outputs: vec![port("table", "table", Arity::One, "table.md, table.csv and table.json")],
            parameters: schema::<TableParams>(),
            seeded: false,
        }
    }

    fn check(&self, _: &Library, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let resolved = resolve::<TableParams>(with)?;
        if resolved["digits"].as_u64().is_some_and(|digits| digits > MOST_DIGITS as u64) {
            let help = Some(format!("give 0 to {MOST_DIGITS}"));
            return Err(vec![problem("/digits", "so many digits say nothing", help)]);
        }
        Ok(resolved)
    }

    fn key_parts(&self, _: &Library, _: &Value) -> Result<Vec<KeyPart>, NodeError> {
        Ok(vec![part("revision", REVISION)])
    }

    fn run(
        &self,
        _: &Library,
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: TableParams = read(&node.with)?;
        let mut results = Vec::new();
        for artifact in inputs.port("results") {
            results.push(Results::decode(&context.store().get(&artifact.digest).during("reading results")?)?);
        }
        let table = arrange(&results, &params.rows, params.columns.as_deref(), &params.reading)?;
        let json = serde_json::to_vec_pretty(&json(&table, &params)).during("writing the table")?;
        let mut files = Files::new();
        let contents = [
            ("table.md", markdown(&table, &params).into_bytes()),
            ("table.csv", csv(&table, &params).into_bytes()),
            ("table.json", json),
        ];
        for (name, bytes) in contents {
            files.insert(name, bytes).map_err(|error| NodeError::internal(error.to_string()))?;
        }
        let mut outputs = Outputs::default();
        outputs.artifacts.insert("table".into(), context.store().put(&files.encode()?).during("storing the table")?);
        Ok(outputs)
    }
}
