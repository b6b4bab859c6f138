//! Commands that need no run.

use crate::golden;
use pddflow_tests::{Place, workspace_root};
use serde_json::Value;

#[test]
fn graphs_are_drawn() {
    let place = Place::new();
    let mut text = String::new();
    for arguments in [
        &["--format", "text"][..],
        &["--format", "text", "--instances"],
        &["--format", "dot"],
        &["--format", "mermaid"],
    ] {
        let call: Vec<&str> = ["graph", "smoke.yaml"].into_iter().chain(arguments.iter().copied()).collect();
        text.push_str(&format!("======== {}\n{}\n", arguments.join(" "), place.run(&call).succeeds().out));
    }
    golden("graph", &text);
    let value = place.run(&["graph", "smoke.yaml", "--json"]).succeeds().json();
    assert_eq!(value["nodes"].as_array().unwrap().len(), 10);
    let edge = &value["edges"][0];
    assert_eq!((&edge["from"], &edge["to"]), (&Value::from("data"), &Value::from("random")));
}

#[test]
fn a_plan_writes_nothing() {
    let place = Place::new();
    let value = place.run(&["plan", "smoke.yaml", "--json"]).succeeds().json();
    let state = |name: &str| {
        let nodes = value["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["node"] == name).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!([state("data"), state("dm"), state("table")], ["stale", "unknown", "unknown"]);
    assert!(!place.path(".pddflow").exists());
}

#[test]
fn a_dry_run_takes_the_patterns_of_force_seriously() {
    let place = Place::new();
    let shown = place.run(&["run", "smoke.yaml", "--dry-run", "--force=data"]).succeeds();
    assert!(shown.err.contains("`--force` would run 1 node also where they are fresh"), "{}", shown.err);
    let refused = place.run(&["run", "smoke.yaml", "--dry-run", "--force=zz"]).ends_with(2);
    assert!(refused.err.contains("zz"), "{}", refused.err);
}

#[test]
fn tags_are_no_names_of_other_runs() {
    let place = Place::new();
    for tag in ["last", "last~2", "r1796089149851-23566-0", ""] {
        let refused = place.run(&["run", "smoke.yaml", "--dry-run", "--tag", tag]).ends_with(2);
        assert!(refused.err.contains("tag"), "{tag}: {}", refused.err);
    }
    for tag in ["last-one", "r1", "r1-2", "latest"] {
        let _ = place.run(&["run", "smoke.yaml", "--dry-run", "--tag", tag]).succeeds();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_and_files_that_may_not_grow_are_errors() {
    let place = Place::new();
    let shell = |command: &str| {
        let program = pddflow_tests::program();
        let done = std::process::Command::new("sh")
            .args(["-c", command])
            .env("P", program)
            .current_dir(place.path("."))
            .output();
        let done = done.unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, told) = shell("\"$P\" graph smoke.yaml > /dev/full");
    assert!(code == Some(5) && told.contains("standard output cannot be written"), "{code:?} {told}");
    let (code, told) = shell("ulimit -f 1; \"$P\" run smoke.yaml data --quiet");
    assert!(code.is_some_and(|code| code == 1 || code == 5) && told.contains("File too large"), "{code:?} {told}");
}

#[test]
fn nodes_of_a_family_that_are_alike_share_a_line_of_the_plan() {
    let place = Place::new();
    let lines = |arguments: &[&str]| -> Vec<String> {
        let out = place.run(&[&["plan", "smoke.yaml"], arguments].concat()).succeeds().out;
        out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let plan = lines(&[]);
    assert_eq!(plan.len(), 9, "{plan:?}");
    assert_eq!(plan[4], "unknown eval[*] 3 nodes: depends on the result of data, random, dm and 1 more");
    assert_eq!(plan[5], "unknown table depends on the result of eval[*]");
    assert_eq!(plan[8], "10 nodes: 1 stale, 9 unknown");
    let all = lines(&["--instances"]);
    assert_eq!((all.len(), all[4].as_str()), (11, "unknown eval[of=random] depends on the result of data, random"));
    let _ = place.run(&["run", "smoke.yaml", "eval[of=random]", "--quiet"]).succeeds();
    let plan = lines(&[]);
    assert!(plan.contains(&"fresh eval[of=random]".to_owned()), "{plan:?}");
    assert!(
        plan.iter().any(|line| line.starts_with("unknown eval[*] 2 of 3 nodes: depends on the result of ")),
        "{plan:?}"
    );
}

const TWO_AXES: &str = "\
format: 1
name: two
nodes:
  n:
    for: { a: [x, y], b: [1, 2] }
    kind: command
    with: { run: [sh, -c, \"echo ${a} ${b}; echo ${a} > out\"], outputs: [out] }
";

#[test]
fn a_family_or_axes_in_any_order_name_nodes() {
    let place = Place::new();
    place.write("two.yaml", TWO_AXES);
    let of = |command: &str, node: &str| place.run(&[command, "two.yaml", node, "--json"]).succeeds().json();
    assert_eq!(of("explain", "n")["nodes"].as_array().unwrap().len(), 4);
    place.run(&["show", "two.yaml", "n"]).ends_with(1).says(&["node n[a=x,b=1] has no result"]);
    let _ = place.run(&["run", "two.yaml", "n[b=1]", "--quiet"]).succeeds();
    for command in ["show", "explain", "logs"] {
        assert_eq!(of(command, "n[b=1,a=y]")["node"], "n[a=y,b=1]", "{command}");
    }
    let shown = place.run(&["show", "two.yaml", "n"]).succeeds();
    assert!(shown.out.contains("n[a=x,b=1] (command)") && shown.out.contains("n[a=y,b=1] (command)"), "{}", shown.out);
    shown.says(&["without a result: n[a=x,b=2], n[a=y,b=2]"]);
    let logs = place.run(&["logs", "two.yaml", "n[b=1]"]).succeeds().out;
    assert_eq!(logs, "==> n[a=x,b=1]\nx 1\n==> n[a=y,b=1]\ny 1\n");
    let _ = place.run(&["export", "two.yaml", "n[b=1]", "--to", "all"]).succeeds();
    assert_eq!(fs_err::read_to_string(place.path("all/n[a=y,b=1]/out")).unwrap(), "y\n");
    let _ = place.run(&["export", "two.yaml", "n[b=1,a=x]", "--to", "one"]).succeeds();
    assert!(place.path("one/out").is_file());
    for command in ["show", "explain", "logs", "export"] {
        let arguments = if command == "export" { vec!["--to", "o"] } else { Vec::new() };
        let ran = place.run(&[&[command, "two.yaml", "n[c=1]"], arguments.as_slice()].concat()).ends_with(2);
        ran.says(&["the pipeline has no node `n[c=1]`"]);
    }
}

/// What a `train` left for longer ones to go on from goes with its node, or a run would not compute it anew.
#[test]
fn a_node_that_is_removed_begins_at_its_beginning() {
    let place = Place::new();
    let pipeline = "format: 1
params: { epochs: 2 }
nodes:
  data: { kind: dataset, with: { source: fashion-mini, train_per_class: 4, test_per_class: 1 } }
  nets: { kind: train, needs: { data: data }, with: { model: { mlp: { width: 4 } }, nets: 1, epochs: \"${epochs}\", batch: 8 } }
";
    place.write("pipeline.yaml", pipeline);
    let _ = place.run(&["run", "--quiet"]).succeeds();
    let longer = |place: &Place| place.run(&["explain", "nets", "--set", "epochs=3"]);
    let shown = longer(&place);
    let goes_on = shown.code == Some(0) && shown.out.contains("extends from 2 of 3 epochs");
    assert!(goes_on, "{}{}", shown.out, shown.err);
    assert!(place.run(&["cache", "rm", "nets", "-n"]).succeeds().out.contains(", and 1 state to go on from"));
    assert!(place.run(&["cache", "rm", "nets"]).succeeds().out.contains("removed 1 record"));
    assert!(!longer(&place).out.contains("extends from 2 of 3 epochs"), "a state is left");
    let again = place.run(&["run", "--json"]).succeeds();
    assert_eq!(again.nodes("node_finished"), ["nets"]);
}

#[test]
fn results_are_removed_by_node_or_key() {
    let place = Place::new();
    place.write("pipeline.yaml", TWO_AXES);
    let folder = place.run(&["cache", "dir"]).succeeds().out;
    assert_eq!(folder.trim_end(), place.path(".pddflow").display().to_string());
    let _ = place.run(&["run", "--quiet"]).succeeds();
    // Nodes that differ in `b` give the same file: it goes with the last of them.
    let out = |arguments: &[&str]| place.run(&[&["cache", "rm"], arguments].concat()).succeeds().out;
    assert!(out(&["n[b=1,a=x]", "-n"]).starts_with("would remove 1 record and 0 artifacts"));
    assert!(place.run(&["plan"]).succeeds().out.contains("4 fresh"));
    assert!(out(&["n[b=1,a=x]"]).starts_with("removed 1 record and 0 artifacts"));
    let plan = place.run(&["plan"]).succeeds().out;
    assert!(plan.contains("3 fresh, 1 stale") && plan.contains("is missing"), "{plan}");
    let key = place.run(&["show", "n[a=x,b=2]", "--json"]).succeeds().json()["key"].as_str().unwrap().to_owned();
    assert!(out(&[&key[..12]]).starts_with("removed 1 record and 1 artifact ("));
    assert!(out(&["n"]).starts_with("removed 2 records and 1 artifact ("));
    assert!(place.run(&["cache", "verify"]).succeeds().out.contains("no damage found"));
    place.run(&["cache", "rm", "k:00"]).ends_with(2).says(&["no record begins with `k:00`"]);
    place.run(&["cache", "rm", "none"]).ends_with(2).says(&["no node `none`"]);
    let told = place.run(&["run", "--verbose"]).succeeds().err;
    assert!(told.contains("run     n[a=x,b=1]"), "{told}");
    let told = place.run(&["run", "-v"]).succeeds().err;
    assert!(told.contains("fresh   n[a=x,b=1]  k:"), "{told}");
}

#[test]
fn the_plugins_of_this_repository_are_listed() {
    let place = Place::new();
    let value = place.run(&["plugin", "list", "--json"]).succeeds().json();
    let mut found: Vec<(&str, &str)> = value["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| (plugin["role"].as_str().unwrap(), plugin["id"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    for expected in [
        ("matcher", "cafe"),
        ("matcher", "dc"),
        ("matcher", "dd"),
        ("matcher", "dm"),
        ("matcher", "frepo"),
        ("matcher", "glad"),
        ("matcher", "haba"),
        ("matcher", "idc"),
        ("matcher", "itgan"),
        ("matcher", "kip"),
        ("matcher", "mtt"),
        ("matcher", "rfad"),
        ("matcher", "tesla"),
        ("model", "alexcifarnet"),
        ("model", "alexnet"),
        ("model", "convnet"),
        ("model", "lenet"),
        ("model", "mlp"),
        ("model", "pyramid"),
        ("model", "resnet"),
        ("model", "vgg"),
    ] {
        assert!(found.contains(&expected), "{found:?}");
    }
    let text = place.run(&["plugin", "list"]).succeeds().out;
    assert!(text.contains("convnet"), "{text}");
}

#[test]
fn a_broken_plugin_that_is_named_ends_with_4() {
    let place = Place::new();
    place.write("broken.so", "not a library");
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", format!("plugins: [broken.so]\n{text}"));
    place.run(&["run", "smoke.yaml"]).ends_with(4).says(&["pddflow::plugin::not_a_library", "broken.so", "help: "]);
    place.write("smoke.yaml", format!("plugins: [absent.so]\n{text}"));
    place.run(&["plan", "smoke.yaml"]).ends_with(4).says(&["pddflow::plugin::not_found", "absent.so"]);
}

#[test]
fn other_files_of_a_plugin_folder_do_not_matter() {
    let place = Place::new();
    fs_err::create_dir(place.path("plugins")).unwrap();
    place.write("plugins/notes.txt", "no plugin");
    place.write("plugins/libother.so", "not a library");
    let ran = place.run(&["plugin", "list", "--json", "--plugin-dir", "plugins", "--plugin-dir", "absent"]).succeeds();
    assert!(ran.json()["plugins"].as_array().unwrap().len() >= 3);
}

#[test]
fn the_committed_schema_is_what_the_program_prints() {
    let printed = Place::new().run(&["schema", "--no-plugins"]).succeeds().out;
    let committed = fs_err::read_to_string(workspace_root().join("pipelines/schema.json")).unwrap_or_default();
    let renew = "cargo run -p pddflow-cli -- schema --no-plugins > pipelines/schema.json";
    assert!(printed == committed, "pipelines/schema.json is not up to date: run `{renew}`");
}

#[test]
fn the_schema_has_the_parameters_of_installed_plugins() {
    let place = Place::new();
    let with = place.run(&["schema"]).succeeds().json();
    let definitions = &with["$defs"];
    assert_eq!(definitions["matcher_dm"]["properties"]["lr"]["default"], 1.0);
    let presets = definitions["matcher_mtt"]["properties"]["preset"].to_string();
    assert!(presets.contains("cifar10-ipc10"), "{presets}");
    assert_eq!(
        definitions["Model"]["oneOf"][1]["properties"]["convnet"]["else"]["anyOf"][0]["$ref"],
        "#/$defs/model_convnet"
    );
    let parameters = &definitions["with_distill"]["properties"];
    assert_eq!(parameters["matcher"]["else"]["$ref"], "#/$defs/Matcher");
    assert!(parameters["model"].to_string().contains("#/$defs/Model\""), "{}", parameters["model"]);
    let without = place.run(&["schema", "--no-plugins"]).succeeds().out;
    assert!(!without.contains("matcher_dm"));
}

#[test]
fn every_committed_pipeline_is_valid() {
    let place = Place::new();
    let mut checked = 0;
    for entry in fs_err::read_dir(workspace_root().join("pipelines")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let _ = place.run(&["graph".as_ref(), path.as_os_str()]).succeeds();
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn what_never_ran_cannot_be_shown() {
    let place = Place::new();
    let words = ["node dm has no result", "`pddflow run smoke.yaml` makes it"];
    place.run(&["show", "smoke.yaml", "dm"]).ends_with(1).says(&words);
    place.run(&["export", "smoke.yaml", "dm", "--to", "out"]).ends_with(1).says(&words);
    assert!(!place.path("out").exists());
}
