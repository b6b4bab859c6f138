//! Profiles and `--set`.

use insta::assert_snapshot;
use pddflow_pipeline::Options;
use serde_json::json;

use crate::catalog::{plan_with, problems_with};

const TEXT: &str = r#"format: 1
params:
  stages: 5
  train: { epochs: 100, rates: [0.1, 0.2] }
  half: "${stages // 2}"
profiles:
  smoke:
    description: minutes on a CPU
    params: { stages: 2, train: { epochs: 1 } }
    nodes:
      d: { with: { matcher: { mtt: { syn_steps: 1 } } } }
  bare:
nodes:
  data: { kind: dataset, with: { source: mnist } }
  d:
    for: { k: 1..=${stages} }
    kind: distill
    needs: { data: data }
    with: { ipc: 1, iterations: "${train.epochs}", matcher: { mtt: { syn_steps: 10, max_start: 5 } } }
"#;

fn options(profile: Option<&str>, set: &[&str]) -> Options {
    Options { profile: profile.map(str::to_owned), set: set.iter().map(ToString::to_string).collect() }
}

#[test]
fn a_profile_lies_over_parameters_and_nodes() {
    let plan = plan_with(TEXT, &options(Some("smoke"), &[]));
    assert_eq!(plan.nodes.len(), 3);
    assert_eq!(plan.params["half"], json!(1));
    assert_eq!(plan.params["train"], json!({"epochs": 1, "rates": [0.1, 0.2]}));
    let with = &plan.node("d[1]").unwrap().with;
    assert_eq!(with["iterations"], json!(1));
    assert_eq!(with["matcher"], json!({"mtt": {"syn_steps": 1, "max_start": 5}}));
}

#[test]
fn set_is_stronger_than_the_profile_and_the_last_one_wins() {
    let set = ["stages=3", "params.train.epochs=7", "stages=4", "train.rates.1=0.5"];
    let plan = plan_with(TEXT, &options(Some("smoke"), &set));
    assert_eq!(plan.nodes.len(), 5);
    assert_eq!(plan.params["train"], json!({"epochs": 7, "rates": [0.1, 0.5]}));
}

#[test]
fn set_reaches_into_nodes() {
    let set = ["nodes.d.with.matcher={dm: {}}", "nodes.d.with.seed=9", "nodes.d.with.matcher.dm.lr=1.0"];
    let plan = plan_with(TEXT, &options(None, &set));
    let with = &plan.node("d[2]").unwrap().with;
    assert_eq!(with["matcher"], json!({"dm": {"lr": 1.0}}));
    assert_eq!(with["seed"], json!(9));
}

#[test]
fn set_values_are_yaml() {
    let cases = [
        ("stages=0x3", json!(3)),
        ("half='3'", json!("3")),
        ("half=a, b", json!("a, b")),
        ("half=", json!("")),
        ("half=[1, x]", json!([1, "x"])),
        ("half=${stages * 2}", json!(10)),
        ("half=a=b", json!("a=b")),
        ("half=2.0", json!(2.0)),
        ("half=null", json!(null)),
    ];
    for (argument, expected) in cases {
        let plan = plan_with(TEXT, &options(None, &[argument]));
        let key = argument.split('=').next().unwrap();
        assert_eq!(plan.params[key], expected, "{argument}");
    }
}

#[test]
fn a_wrong_override_is_shown_where_it_was_written() {
    let set = ["stages=3", "nodes.d.with.matcher.mtt.syn_steps=many", "nodes.d.with.ipcs=3"];
    assert_snapshot!(problems_with(TEXT, &options(None, &set)), @r#"
    error[pddflow::pipeline::parameter]: "many" is not of type "integer" (in `d[1]` and 2 more)
     --> --set:1:36
      |
    1 | nodes.d.with.matcher.mtt.syn_steps=many
      |                                    ^^^^
      = help: see the parameters of the kind `distill`

    error[pddflow::pipeline::parameter]: unknown parameter `ipcs` (in `d[1]` and 2 more)
     --> --set:1:14
      |
    1 | nodes.d.with.ipcs=3
      |              ^^^^
      = help: remove it
    "#);
}

#[test]
fn wrong_arguments_are_all_reported() {
    let set = [
        "stages",
        "stagse=3",
        "d=3",
        "train.epoch=3",
        "half.x=3",
        "train.rates.2=3",
        "half={a",
        "nodes.dd.with.ipc=1",
        "nodes.d.ipc=1",
        "nodes.d.kind.x=1",
        "=3",
    ];
    assert_snapshot!(problems_with(TEXT, &options(Some("smok"), &set)), @r#"
    error[pddflow::pipeline::unknown_profile]: there is no profile `smok`
     --> --profile:1:1
      |
    1 | smok
      | ^^^^
      = help: did you mean `smoke`?

    error[pddflow::pipeline::invalid_set]: a value is missing
     --> --set:1:1
      |
    1 | stages
      | ^^^^^^
      = help: write `--set key=value`, for example `--set stages=3`

    error[pddflow::pipeline::unknown_parameter]: there is no parameter `stagse`
     --> --set:1:1
      |
    1 | stagse=3
      | ^^^^^^
      = help: did you mean `stages`?

    error[pddflow::pipeline::unknown_parameter]: there is no parameter `d`
     --> --set:1:1
      |
    1 | d=3
      | ^
      = help: a node's parameter is set with `nodes.d.with.KEY=value`

    error[pddflow::pipeline::unknown_parameter]: there is no key `epoch`
     --> --set:1:7
      |
    1 | train.epoch=3
      |       ^^^^^
      = help: did you mean `epochs`?

    error[pddflow::pipeline::wrong_type]: a string has no key `x`
     --> --set:1:6
      |
    1 | half.x=3
      |      ^
      = help: set the whole value: `KEY={...}`

    error[pddflow::pipeline::unknown_parameter]: `2` is not the index of an item; the list has 2
     --> --set:1:13
      |
    1 | train.rates.2=3
      |             ^
      = help: the first item has index 0

    error[pddflow::pipeline::yaml_syntax]: unclosed bracket '{'
     --> --set:1:6
      |
    1 | half={a
      |      ^
      = help: add the closing bracket

    error[pddflow::pipeline::unknown_node]: there is no node `dd`
     --> --set:1:7
      |
    1 | nodes.dd.with.ipc=1
      |       ^^
      = help: did you mean `d`?

    error[pddflow::pipeline::unknown_key]: `ipc` of the node `d` cannot be overridden
     --> --set:1:9
      |
    1 | nodes.d.ipc=1
      |         ^^^
      = help: what can be overridden are `with`, `retries`, `timeout`, `allow_failure`, `resources`, `priority`, `shards`

    error[pddflow::pipeline::unknown_key]: `kind` of the node `d` cannot be overridden
     --> --set:1:9
      |
    1 | nodes.d.kind.x=1
      |         ^^^^
      = help: what can be overridden are `with`, `retries`, `timeout`, `allow_failure`, `resources`, `priority`, `shards`

    error[pddflow::pipeline::invalid_set]: the path has an empty key
     --> --set:1:1
      |
    1 | =3
      | ^
      = help: write `params.KEY`, `KEY` or `nodes.NAME.with.KEY`
    "#);
}

#[test]
fn names_in_profiles_are_checked_also_when_it_is_not_chosen() {
    let text = TEXT.replace("stages: 2,", "stags: 2,").replace("      d: { with", "      dd: { with");
    assert_snapshot!(problems_with(&text, &Options::default()), @r#"
    error[pddflow::pipeline::unknown_parameter]: there is no parameter `stags`
     --> pipeline.yaml:9:15
      |
    9 |     params: { stags: 2, train: { epochs: 1 } }
      |               ^^^^^
      = help: did you mean `stages`?

    error[pddflow::pipeline::unknown_node]: there is no node `dd`
      --> pipeline.yaml:11:7
       |
    11 |       dd: { with: { matcher: { mtt: { syn_steps: 1 } } } }
       |       ^^
       = help: did you mean `d`?
    "#);
}
