//! Warnings, and pictures of plans.

use insta::assert_snapshot;
use pddflow_pipeline::{Detail, Options, PipelineFile};

use crate::catalog::{Kinds, plan};
use crate::example::EXAMPLE;

fn lint(text: &str) -> String {
    let file = PipelineFile::from_text("pipeline.yaml", text).unwrap();
    file.lint(&Kinds::new(), &Options::default()).unwrap().1.render()
}

#[test]
fn the_example_is_clean() {
    assert_eq!(lint(EXAMPLE), "");
}

#[test]
fn every_lint_has_an_example() {
    let text = "format: 1
params: { epochs: 3, epoch: 4, model: mlp, seed: 0 }
pools: { download: 2 }
profiles: { smoke: { params: { epochs: \"${epoch}\" } }, p: { params: { lonely: 1 } } }
nodes:
  data: { kind: dataset, with: { source: no } }
  again: { kind: dataset, with: { source: no, normalize: \"${if false then 'zca' else 'none'}\" } }
  copy: { kind: dataset, with: { source: \"no\", normalize: none } }
  sets:
    for: { run: 1..=2, model: [a, b] }
    kind: distill
    needs: { data: data }
    with: { ipc: 1, matcher: { dm: {} } }
  none:
    for: { k: 1..1 }
    kind: twin
  start: { kind: advance, with: { model: mlp } }
  eval:
    kind: evaluate
    needs: { data: data, sets: \"sets[*]\" }
    with: { model: \"${model}\", epochs: \"${epochs}\" }
"
    .replace("seed: 0 }", "seed: 0, lonely: 1 }");
    assert_snapshot!(lint(&text));
}

#[test]
fn seeded_nodes_read_the_list_of_seeds() {
    let text = "format: 1
params: { seeds: [0, 1] }
nodes:
  data: { kind: dataset, with: { source: no } }
  sets: { kind: distill, needs: { data: data }, with: { ipc: 1, matcher: { dm: {} } } }
";
    assert!(!lint(text).contains("seeds"), "{}", lint(text));
    let unseeded = text.split("  sets").next().unwrap_or_default();
    assert!(lint(unseeded).contains("the parameter `seeds` is never used"), "{}", lint(unseeded));
}

#[test]
fn a_profile_with_errors_is_found_although_it_is_not_chosen() {
    let text = "format: 1
params: { n: 1 }
profiles: { broken: { params: { n: many } } }
nodes:
  t: { for: { k: \"1..=${n}\" }, kind: twin }
  e: { kind: export, needs: { items: \"t[*].left\" } }
";
    let file = PipelineFile::from_text("pipeline.yaml", text).unwrap();
    let problems = file.lint(&Kinds::new(), &Options::default()).map(|(_, warnings)| warnings).unwrap_err();
    assert!(problems.render().contains("pddflow::pipeline::invalid_range"), "{}", problems.render());
}

#[test]
fn names_of_nodes_are_known_without_kinds() {
    let text = EXAMPLE.replace("kind: distill", "kind: unheard_of");
    let file = PipelineFile::from_text("pipeline.yaml", &text).unwrap();
    let options = Options { set: vec!["stages=1".into()], profile: None };
    let names: Vec<String> = file.node_names(&options).iter().map(ToString::to_string).collect();
    assert_eq!(
        names.join(" "),
        "data start[1] experts[1] distill[1] eval[model=convnet] eval[model=resnet10] eval[model=resnet18]"
    );
}

#[test]
fn a_picture_has_every_family_and_edge_once() {
    let plan = plan(EXAMPLE);
    for (detail, nodes) in [(Detail::Families, 5), (Detail::Instances, plan.nodes.len())] {
        let view = plan.view(detail);
        let svg = view.svg();
        assert_eq!(svg.matches("<rect").count(), nodes);
        assert_eq!(svg.matches("marker-end").count(), view.mermaid().matches(" --> ").count());
        // Every number is one, and every box lies in the picture.
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"));
    }
    assert!(plan.view(Detail::Families).svg().contains("distill [k] x5"));
    assert!(
        crate::catalog::plan("format: 1\nnodes: { t: { for: { k: 1..1 }, kind: twin } }\n")
            .view(Detail::Families)
            .svg()
            .contains("</svg>")
    );
}
