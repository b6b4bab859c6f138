//! How long planning takes. The target is 100 ms for 10,000 instances in a release build.

use std::time::Instant;

use pddflow_pipeline::{Arity, Catalog, KindSpec, Options, ParamProblem, PortSpec, load_text};
use serde_json::{Value, json};

/// Kinds whose check costs nothing, so that only the planner is measured.
struct Bare(Vec<KindSpec>);

impl Catalog for Bare {
    fn kinds(&self) -> Vec<&KindSpec> {
        self.0.iter().collect()
    }

    fn kind(&self, name: &str) -> Option<&KindSpec> {
        self.0.iter().find(|kind| kind.name == name)
    }

    fn check(&self, _kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        Ok(with.clone())
    }
}

fn bare() -> Bare {
    let port =
        |name: &str, arity| PortSpec { name: name.into(), artifact: "set".into(), arity, summary: String::new() };
    Bare(vec![KindSpec {
        name: "step".into(),
        summary: String::new(),
        inputs: vec![port("one", Arity::Optional), port("many", Arity::Many)],
        outputs: vec![port("set", Arity::One)],
        parameters: || json!({}),
        seeded: true,
    }])
}

fn measure(name: &str, text: &str, nodes: usize) {
    let kinds = bare();
    let best = (0..3)
        .map(|_| {
            let started = Instant::now();
            let plan = load_text("speed.yaml", text, &kinds, &Options::default()).unwrap();
            assert_eq!(plan.nodes.len(), nodes);
            started.elapsed()
        })
        .min()
        .unwrap();
    let build = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("{name}: {nodes} instances planned in {:.1} ms ({build})", best.as_secs_f64() * 1e3);
    // Twenty times the target: a busy machine and an unoptimised build pass, a quadratic step does not.
    assert!(best.as_secs_f64() < 2.0, "{name} took {best:?}");
}

#[test]
fn ten_thousand_instances_of_families() {
    let text = "format: 1
params: { n: 2000, seed: 1 }
nodes:
  root: { kind: step }
  a:
    for: { k: 1..=${n} }
    kind: step
    needs: { one: root, many: \"a[${max(1, k - 1)}..${k}]\" }
    with: { model: convnet, epochs: \"${k * 2}\", name: \"run-${k}\", nested: { lr: 0.1, steps: [1, 2, \"${k}\"] } }
  b:
    for: { k: 1..=${n} }
    kind: step
    needs: { one: \"a[${k}]\", many: [root, root] }
  c:
    for: { k: 1..=${n}, m: [x, y, z] }
    kind: step
    needs: { one: \"b[${k}]\" }
    with: { m: \"${m}\", big: \"${if k > 100 then 1 else 0}\" }
";
    measure("families", text, 10_001);
}

#[test]
fn ten_thousand_nodes_written_out() {
    let mut text = String::from("format: 1\nnodes:\n  n0: { kind: step }\n");
    for node in 1..10_000 {
        text.push_str(&format!(
            "  n{node}:\n    kind: step\n    needs: {{ one: n{} }}\n    with: {{ epochs: {node}, model: convnet }}\n",
            node - 1
        ));
    }
    measure("written out", &text, 10_000);
}

#[test]
fn a_thousand_stages_that_use_all_before() {
    let text = "format: 1
nodes:
  d:
    for: { k: 1..=1000 }
    kind: step
    needs: { many: \"d[..${k}]\" }
";
    measure("half a million edges", text, 1_000);
}
