//! The example of the architecture document.

use pddflow_pipeline::Detail;
use serde_json::json;

use crate::catalog::{ids, plan, producers};

pub(crate) const EXAMPLE: &str = r#"format: 1
name: fashion-pdd-mtt
params: { stages: 5, ipc_per_stage: 2, seed: 0 }

nodes:
  data:
    kind: dataset
    with: { source: fashion-mnist, normalize: standard }

  start:                                   # nets after progressive training on the sets so far; k = 1: random init
    for: { k: 1..=${stages} }
    kind: advance
    needs: { sets: "distill[..${k}]" }     # the instances before k, in order
    with: { model: convnet, nets: 10, epochs: 100 }

  experts:
    for: { k: 1..=${stages} }
    kind: train
    needs: { data: data, start: "start[${k}]" }
    with: { model: convnet, epochs: 8, snapshots: epoch, augment: dsa }

  distill:
    for: { k: 1..=${stages} }
    kind: distill
    needs: { data: data, trajectories: "experts[${k}]", previous: "distill[..${k}]" }
    with: { ipc: "${ipc_per_stage}", iterations: 500, matcher: { mtt: { syn_steps: 10, expert_epochs: 2, max_start: 5 } } }

  eval:
    for: { model: [convnet, resnet10, resnet18] }
    kind: evaluate
    needs: { data: data, sets: "distill[*]" }
    with: { model: "${model}", training: progressive, nets: 5, epochs: 300 }
"#;

#[test]
fn the_example_is_planned_as_it_reads() {
    let plan = plan(EXAMPLE);
    assert_eq!(plan.name, "fashion-pdd-mtt");
    assert_eq!(plan.params["stages"], json!(5));
    assert_eq!(plan.nodes.len(), 1 + 3 * 5 + 3);
    assert_eq!(
        &ids(&plan)[..8],
        ["data", "start[1]", "experts[1]", "distill[1]", "start[2]", "experts[2]", "distill[2]", "start[3]"]
    );
    assert_eq!(ids(&plan)[16..], ["eval[model=convnet]", "eval[model=resnet10]", "eval[model=resnet18]"]);
    assert!(producers(&plan, "start[1]", "sets").is_empty());
    assert_eq!(producers(&plan, "distill[3]", "previous"), ["distill[1]", "distill[2]"]);
    assert_eq!(producers(&plan, "distill[3]", "trajectories"), ["experts[3]"]);
    assert_eq!(producers(&plan, "eval[model=resnet10]", "sets").len(), 5);
}

#[test]
fn an_expression_alone_keeps_its_type() {
    let plan = plan(EXAMPLE);
    let distill = plan.node("distill[2]").unwrap();
    assert_eq!(distill.with["ipc"], json!(2));
    assert_eq!(plan.node("eval[model=resnet10]").unwrap().with["model"], json!("resnet10"));
}

#[test]
fn the_default_output_is_the_one_that_fits() {
    let plan = plan(EXAMPLE);
    let input = &plan.node("distill[1]").unwrap().inputs.get("trajectories").unwrap()[0];
    assert_eq!((input.output.as_str(), input.artifact.as_str()), ("trajectories", "trajectories"));
}

#[test]
fn a_seeded_kind_gets_the_seed_of_the_pipeline() {
    let seeded = plan(&EXAMPLE.replace("seed: 0", "seed: 7"));
    assert_eq!(seeded.node("distill[1]").unwrap().with["seed"], json!(7));
    let without = plan(&EXAMPLE.replace(", seed: 0", ""));
    assert_eq!(without.node("distill[1]").unwrap().with["seed"], json!(0));
    let own = plan(&EXAMPLE.replace("iterations: 500", "iterations: 500, seed: \"${10 + k}\""));
    assert_eq!(own.node("distill[2]").unwrap().with["seed"], json!(12));
    assert!(own.node("data").unwrap().with.get("seed").is_none());
}

#[test]
fn producers_come_before_consumers() {
    let plan = plan(EXAMPLE);
    for (index, node) in plan.nodes.iter().enumerate() {
        for input in node.inputs.values().flatten() {
            assert!(input.node < index, "{} comes before its input", node.id);
        }
    }
}

#[test]
fn the_span_of_a_node_is_its_name() {
    let plan = plan(EXAMPLE);
    let span = plan.node("distill[4]").unwrap().span;
    assert_eq!(&EXAMPLE[span.offset()..span.offset() + span.len()], "distill");
}

#[test]
fn pictures_show_families() {
    let plan = plan(EXAMPLE);
    let families = plan.view(Detail::Families);
    insta::assert_snapshot!(families.text());
    insta::assert_snapshot!(families.mermaid());
    insta::assert_snapshot!(families.dot());
    let text = plan.view(Detail::Instances).text();
    assert_eq!(text.lines().count(), 19);
    assert!(text.contains("distill[2]            distill   <- data, distill[1], experts[2]"), "{text}");
}

#[test]
fn a_node_has_its_inputs_and_axes() {
    let plan = plan(EXAMPLE);
    let node = &plan.nodes[6];
    let previous = &node.inputs.get("previous").unwrap()[0];
    assert_eq!(
        (plan.nodes[previous.node].id.as_str(), &*previous.output, &*previous.artifact),
        ("distill[1]", "set", "set")
    );
    assert_eq!(node.axes, [("k".to_owned(), json!(2))]);
}
