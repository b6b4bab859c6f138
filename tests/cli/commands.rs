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
        ("matcher", "dm"),
        ("matcher", "idc"),
        ("matcher", "mtt"),
        ("matcher", "tesla"),
        ("model", "alexnet"),
        ("model", "convnet"),
        ("model", "mlp"),
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
