//! Kinds for inputs of chance, and what must hold for each of them.

use pddflow_pipeline::{Arity, Catalog, Detail, KindSpec, Options, ParamProblem, PipelineFile, PortSpec};
use serde_json::{Value, json};

/// The kinds that the corpus uses; parameters are not checked, so that more inputs reach the end.
pub(crate) struct World(Vec<KindSpec>);

impl World {
    /// All kinds.
    pub(crate) fn new() -> Self {
        let port = |name: &str, artifact: &str, arity| PortSpec {
            name: name.into(),
            artifact: artifact.into(),
            arity,
            summary: String::new(),
        };
        let kind = |name: &str, inputs, outputs| KindSpec {
            name: name.into(),
            summary: String::new(),
            inputs,
            outputs,
            parameters: || json!({"type": "object"}),
            seeded: name != "dataset",
        };
        let data = || port("data", "dataset", Arity::One);
        Self(vec![
            kind("dataset", vec![], vec![data()]),
            kind("advance", vec![port("sets", "set", Arity::Many)], vec![port("weights", "weights", Arity::One)]),
            kind(
                "train",
                vec![data(), port("start", "weights", Arity::Optional)],
                vec![port("trajectories", "trajectories", Arity::One), port("curve", "results", Arity::One)],
            ),
            kind(
                "distill",
                vec![
                    data(),
                    port("trajectories", "trajectories", Arity::Many),
                    port("start", "weights", Arity::Optional),
                    port("previous", "set", Arity::Many),
                ],
                vec![port("set", "set", Arity::One)],
            ),
            kind(
                "evaluate",
                vec![data(), port("sets", "set", Arity::Some)],
                vec![port("results", "results", Arity::One)],
            ),
            kind("table", vec![port("results", "results|any", Arity::Some)], vec![port("table", "table", Arity::One)]),
        ])
    }

    /// Reads, plans, draws and lints one input.
    ///
    /// # Panics
    /// When something does not hold that must hold for every text.
    pub(crate) fn check(&self, text: &str, options: &Options) -> bool {
        let plan = PipelineFile::from_text("input.yaml", text).and_then(|file| file.plan(self, options));
        match &plan {
            Ok(plan) => {
                for (at, node) in plan.nodes.iter().enumerate() {
                    assert!(node.inputs.values().flatten().all(|input| input.node < at), "a producer comes later");
                }
                assert!(plan.view(Detail::Families).text().lines().count() <= plan.nodes.len());
                true
            }
            Err(problems) => {
                assert!(!problems.is_empty());
                for problem in problems {
                    assert!(problem.help().is_some_and(|help| !help.is_empty()), "no help: {}", problem.render());
                    assert!(problem.line() >= 1 && problem.column() >= 1);
                    let _ = problem.render();
                }
                false
            }
        }
    }

    /// As [`Self::check`], for one expression.
    pub(crate) fn check_expression(&self, expression: &str) -> bool {
        let text = format!(
            "format: 1\nparams: {{ k: 3, n: 2.5, list: [1, a], map: {{ key: x }}, out: \"${{{expression}}}\" }}\nnodes: {{ d: {{ kind: dataset }} }}\n"
        );
        self.check(&text, &Options::default())
    }
}

impl Catalog for World {
    fn kinds(&self) -> Vec<&KindSpec> {
        self.0.iter().collect()
    }

    fn kind(&self, name: &str) -> Option<&KindSpec> {
        self.0.iter().find(|kind| kind.name == name)
    }

    fn check(&self, _: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        Ok(with.clone())
    }
}
