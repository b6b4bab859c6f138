//! `--set key=a,b,c` and patterns of nodes.

use pddflow_pipeline::{Options, Plan, Selection};
use proptest::prelude::*;
use serde_json::json;

use crate::catalog::{Kinds, ids, plan, plan_with, problems, producers};

const TEXT: &str = r#"format: 1
params: { stages: 2, nets: 3, model: mlp, source: mnist }
nodes:
  data: { kind: dataset, with: { source: "${source}" } }
  distill:
    for: { k: 1..=${stages} }
    kind: distill
    needs: { data: data, previous: "distill[..${k}]" }
    with: { ipc: 1, matcher: { dm: {} } }
  eval:
    kind: evaluate
    needs: { data: data, sets: "distill[*]" }
    with: { model: "${model}", nets: "${nets}" }
"#;

fn sweep(set: &[&str]) -> Plan {
    plan_with(TEXT, &Options { set: set.iter().map(ToString::to_string).collect(), profile: None })
}

#[test]
fn all_points_share_one_plan_and_what_does_not_depend_on_them() {
    let plan = sweep(&["stages=1,3"]);
    assert_eq!(ids(&plan), ["data", "distill[1]", "eval[stages=1]", "distill[2]", "distill[3]", "eval[stages=3]"]);
    assert_eq!(producers(&plan, "eval[stages=1]", "sets"), ["distill[1]"]);
    assert_eq!(producers(&plan, "eval[stages=3]", "sets"), ["distill[1]", "distill[2]", "distill[3]"]);
    assert_eq!(plan.node("eval[stages=3]").unwrap().point, [("stages".to_owned(), json!(3))]);
    assert!(plan.node("data").unwrap().point.is_empty());
    assert_eq!(plan.sweep, [("stages".to_owned(), vec![json!(1), json!(3)])]);
    assert_eq!(plan.nodes.len(), 6);
}

#[test]
fn names_carry_only_the_values_that_matter() {
    let plan = sweep(&["source=mnist,cifar", "nets=1,2", "stages=1"]);
    assert_eq!(
        ids(&plan),
        [
            "data[source=mnist]",
            "distill[source=mnist,k=1]",
            "eval[source=mnist,nets=1]",
            "eval[source=mnist,nets=2]",
            "data[source=cifar]",
            "distill[source=cifar,k=1]",
            "eval[source=cifar,nets=1]",
            "eval[source=cifar,nets=2]",
        ]
    );
}

#[test]
fn an_axis_is_not_confused_with_one_of_a_family() {
    let text = TEXT.replace("  eval:\n", "  eval:\n    for: { model: [a, b] }\n");
    let options = Options { set: vec!["model=x,y".into(), "nodes.data.with.source=p,q".into()], profile: None };
    let plan = plan_with(&text, &options);
    assert_eq!(plan.sweep[0].0, "params.model");
    assert!(ids(&plan).contains(&"eval[source=q,model=a]"), "{:?}", ids(&plan));
}

#[test]
fn a_list_or_a_text_with_commas_is_one_value() {
    for value in ["source=[1,2]", "source='a,b'", "source=a, b", "source=a:b,c"] {
        let set = vec![value.to_owned()];
        let plan = Kinds::new().plan(TEXT, &Options { set, profile: None });
        assert!(plan.is_err() || plan.unwrap().sweep.is_empty(), "{value}");
    }
}

#[test]
fn problems_of_all_points_are_told_once() {
    let set = vec!["nets=1,x,y".to_owned(), "stages=1,2".into()];
    let problems = Kinds::new().plan(TEXT, &Options { set, profile: None }).unwrap_err();
    let shown: Vec<&str> = problems.iter().map(pddflow_pipeline::Diagnostic::message).collect();
    let expected = [
        r#""x" is not of type "integer" (with nets=x, stages=1)"#,
        r#""y" is not of type "integer" (with nets=y, stages=1)"#,
    ];
    assert_eq!(shown, expected);
}

#[test]
fn sweeps_are_limited() {
    let many: Vec<String> = (0..40).map(|value| value.to_string()).collect();
    let set = vec![format!("nets={}", many.join(",")), format!("stages={}", many.join(","))];
    let problems = Kinds::new().plan(TEXT, &Options { set, profile: None }).unwrap_err();
    assert!(problems.render().contains("pddflow::pipeline::plan_limit]: the sweep has more than 1000 points"));
}

fn selected(text: &str, until: &[&str], only: &[&str]) -> Result<Vec<String>, String> {
    let strings = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
    let selection = Selection { until: strings(until), only: strings(only) };
    let plan = plan(text).select(&selection).map_err(|error| format!("{error}; {}", error.help))?;
    let shown = |node: &pddflow_pipeline::PlanNode| {
        format!("{}{}", if node.settings.only_if_fresh { "(" } else { "" }, node.id)
    };
    for node in &plan.nodes {
        assert!(
            node.inputs
                .values()
                .flatten()
                .all(|input| plan.nodes[input.node].kind != node.kind || node.kind == "distill")
        );
    }
    Ok(plan.nodes.iter().map(shown).collect())
}

#[test]
fn patterns_select_nodes_and_what_they_need() {
    let text = TEXT
        .replace("stages: 2", "stages: 4")
        .replace("  eval:\n", "  eval:\n    for: { model: [resnet10, resnet18, mlp], run: [a, b] }\n");
    let cases: [(&[&str], &[&str], &str); 10] = [
        (&["data"], &[], "data"),
        (&["distill[2]"], &[], "data distill[1] distill[2]"),
        (&["distill[..3]"], &[], "data distill[1] distill[2]"),
        (&["d*"], &[], "data distill[1] distill[2] distill[3] distill[4]"),
        (
            &["eval[model=res*,run=a]"],
            &[],
            "data distill[1] distill[2] distill[3] distill[4] eval[model=resnet10,run=a] eval[model=resnet18,run=a]",
        ),
        (&["data", "distill[1]"], &[], "data distill[1]"),
        (&[], &["distill[3]"], "(data (distill[1] (distill[2] distill[3]"),
        (&[], &["distill[3]", "distill[2]"], "(data (distill[1] distill[2] distill[3]"),
        (&["distill[3]"], &["distill"], "(data distill[1] distill[2] distill[3]"),
        (
            &[],
            &["eval[run=b, model=m?p]"],
            "(data (distill[1] (distill[2] (distill[3] (distill[4] eval[model=mlp,run=b]",
        ),
    ];
    for (until, only, expected) in cases {
        assert_eq!(selected(&text, until, only).unwrap().join(" "), expected, "{until:?} {only:?}");
    }
    let wrong = [
        ("distil", "the pipeline has no node `distil`; did you mean `distill`?"),
        ("distill[9]", "the pipeline has no node `distill[9]`; did you mean `distill[1]`?"),
        ("data.data", "the pipeline has no node `data.data`; name the node without an output"),
        ("eval[mdl=mlp]", "the pipeline has no node `eval[mdl=mlp]`"),
        ("distill[", "`distill[` is not a node pattern: `[` has no closing `]`"),
    ];
    for (pattern, expected) in wrong {
        let error = selected(&text, &[pattern], &[]).unwrap_err();
        assert!(error.starts_with(expected), "{pattern}: {error}");
    }
    assert!(selected(&text, &["data"], &["distill"]).unwrap_err().starts_with("no node matches both selections"));
}

#[test]
fn patterns_know_the_values_of_a_sweep() {
    let plan = sweep(&["stages=1,3"]);
    let of = |pattern: &str| -> Vec<&str> {
        plan.matching(pattern).unwrap().iter().map(|at| plan.nodes[*at].id.as_str()).collect()
    };
    assert_eq!(of("eval[stages=3]"), ["eval[stages=3]"]);
    assert_eq!(of("eval"), ["eval[stages=1]", "eval[stages=3]"]);
    assert_eq!(of("*[2]"), ["distill[2]"]);
}

proptest! {
    #[test]
    fn a_sweep_has_the_nodes_of_its_points(stages in prop::collection::btree_set(0_usize..6, 2..4), nets in prop::collection::btree_set(1_usize..5, 1..3)) {
        let values = |set: &std::collections::BTreeSet<usize>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let text = TEXT.replace("sets: \"distill[*]\"", "sets: [\"distill[*]\", extra]").replace("  eval:\n", "  extra: { kind: distill, needs: { data: data }, with: { ipc: 9, matcher: { dm: {} } } }\n  eval:\n");
        let set = |stages: String, nets: String| vec![format!("stages={stages}"), format!("nets={nets}")];
        let swept = plan_with(&text, &Options { set: set(values(&stages), values(&nets)), profile: None });
        prop_assert!(swept.nodes.iter().enumerate().all(|(at, node)| node.inputs.values().flatten().all(|input| input.node < at)));
        // What a node computes: its kind and parameters, and the same of all that it needs.
        fn content(plan: &Plan, at: usize) -> String {
            let node = &plan.nodes[at];
            let inputs: Vec<String> = node.inputs.values().flatten().map(|input| content(plan, input.node)).collect();
            format!("{} {} {inputs:?}", node.kind, node.with)
        }
        let contents = |plan: &Plan| (0..plan.nodes.len()).map(|at| content(plan, at)).collect::<std::collections::BTreeSet<_>>();
        let mut single = std::collections::BTreeSet::new();
        for stages in &stages {
            for nets in &nets {
                single.append(&mut contents(&plan_with(&text, &Options { set: set(stages.to_string(), nets.to_string()), profile: None })));
            }
        }
        prop_assert_eq!(contents(&swept), single);
        let unique: std::collections::HashSet<&str> = ids(&swept).into_iter().collect();
        prop_assert_eq!(unique.len(), swept.nodes.len());
    }
}

const SEEDED: &str = r#"format: 1
params: { seeds: [0, 1], seed: 0, ipc: 1 }
nodes:
  data: { kind: dataset, with: { source: mnist } }
  distill: { for: { k: 1..=2 }, kind: distill, needs: { data: data, previous: "distill[..${k}]" }, with: { ipc: "${ipc}", matcher: { dm: {} } } }
  fixed: { kind: distill, needs: { data: data }, with: { ipc: 1, seed: 7, matcher: { dm: {} } } }
  eval: { kind: evaluate, needs: { data: data, sets: "distill[*]" }, with: { model: mlp } }
  eval_fixed: { kind: evaluate, needs: { data: data, sets: fixed }, with: { model: mlp } }
  table: { kind: table, needs: { rows: ["eval", "eval_fixed"] } }
  files: { kind: export, needs: { items: "distill[*]" } }
"#;

#[test]
fn seeds_repeat_what_depends_on_the_seed_and_tables_collect() {
    let plan = plan(SEEDED);
    let of = |seed: u64| {
        ["distill[seed=#,k=1]", "distill[seed=#,k=2]", "eval[seed=#]", "eval_fixed[seed=#]", "files[seed=#]"]
            .map(|name| name.replace('#', &seed.to_string()))
    };
    let mut expected: Vec<String> = ["data", "fixed", "table"].map(str::to_owned).into();
    expected.extend(of(0).into_iter().chain(of(1)));
    let mut found: Vec<&str> = ids(&plan);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let rows = ["eval[seed=0]", "eval_fixed[seed=0]", "eval[seed=1]", "eval_fixed[seed=1]"];
    assert_eq!(producers(&plan, "table", "rows"), rows);
    assert_eq!(producers(&plan, "distill[seed=1,k=2]", "previous"), ["distill[seed=1,k=1]"]);
    assert_eq!(plan.node("distill[seed=1,k=1]").unwrap().with["seed"], json!(1));
    assert!(plan.sweep.is_empty());
    for (at, node) in plan.nodes.iter().enumerate() {
        assert!(node.inputs.iter().flat_map(|(_, inputs)| inputs).all(|input| input.node < at), "{}", node.id);
    }
}

#[test]
fn seeds_and_a_sweep_go_together_and_a_given_seed_goes_before() {
    let set = |set: &[&str]| {
        let options = Options { set: set.iter().map(ToString::to_string).collect(), profile: None };
        plan_with(SEEDED, &options)
    };
    let plan = set(&["ipc=1,10"]);
    assert_eq!(producers(&plan, "table[ipc=10]", "rows")[..1], ["eval[ipc=10,seed=0]"]);
    assert!(set(&["seed=5"]).nodes.iter().all(|node| node.point.is_empty()));
    assert_eq!(set(&["seeds=[3]"]).node("distill[1]").unwrap().with["seed"], json!(3));
}

#[test]
fn seeds_are_a_list_of_different_numbers() {
    for wrong in ["[]", "[0, 0]", "[a]", "3", "[-1]"] {
        let text = SEEDED.replace("[0, 1]", wrong);
        let shown = problems(&text);
        assert!(shown.contains("pddflow::pipeline::seeds"), "{shown}");
        assert!(shown.contains("not a list of different whole numbers"), "{shown}");
    }
}
