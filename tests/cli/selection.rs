//! Nodes chosen on the command line, sweeps, settings of nodes, lint.

use pddflow_tests::Place;

fn nodes(place: &Place, arguments: &[&str]) -> Vec<String> {
    let call: Vec<&str> = ["plan", "smoke.yaml", "--json"].into_iter().chain(arguments.iter().copied()).collect();
    let value = place.run(&call).succeeds().json();
    value["nodes"].as_array().unwrap().iter().map(|node| node["node"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_node_is_chosen_with_what_it_needs() {
    let place = Place::new();
    assert_eq!(nodes(&place, &["eval[of=d?]"]), ["data", "dm", "eval[of=dm]"]);
    assert_eq!(nodes(&place, &["--until", "random", "--until", "dm"]), ["data", "random", "dm"]);
    place.run(&["plan", "smoke.yaml", "evl"]).ends_with(2).says(&["no node `evl`", "did you mean `eval`?"]);
}

#[test]
fn only_the_chosen_nodes_run() {
    let place = Place::new();
    let failed = place.run(&["run", "smoke.yaml", "--only", "random"]).ends_with(1);
    failed.says(&["`data` is needed, has no result, and was not selected", "--until"]);
    let _ = place.run(&["run", "smoke.yaml", "random"]).succeeds();
    let _ = place.run(&["run", "smoke.yaml", "--only", "random"]).succeeds();
    let value = place.run(&["plan", "smoke.yaml", "--json", "grids"]).succeeds().json();
    let states: Vec<&str> =
        value["nodes"].as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["fresh", "fresh", "stale", "stale", "unknown"]);
}

#[test]
fn a_sweep_shares_what_does_not_depend_on_it() {
    let place = Place::new();
    let found = nodes(&place, &["--set", "nodes.eval.with.nets=1,2", "eval[of=dm]"]);
    assert_eq!(found, ["data", "dm", "eval[nets=1,of=dm]", "eval[nets=2,of=dm]"]);
    let _ = place.run(&["run", "smoke.yaml", "random", "--set", "nodes.random.with.ipc=1,2", "--quiet"]).succeeds();
    let value = place.run(&["show", "smoke.yaml", "random", "--json"]).succeeds().json();
    assert_eq!(value["node"], "random");
}

#[test]
fn settings_are_checked_and_do_not_change_keys() {
    let place = Place::new();
    let _ = place.run(&["run", "smoke.yaml", "data"]).succeeds();
    let set =
        ["--set", "nodes.data.timeout=1h", "--set", "nodes.data.retries=2", "--set", "nodes.data.resources={gpus: 1}"];
    let call: Vec<&str> =
        ["run", "smoke.yaml", "data", "--resources", "cpus=1,memory=1GiB"].into_iter().chain(set).collect();
    place.run(&call).succeeds().says(&["1 fresh"]);
    place.run(&["run", "smoke.yaml", "--set", "nodes.data.timeout=soon"]).ends_with(3).says(&["is not a time"]);
    place.run(&["run", "smoke.yaml", "--resources", "nets=1"]).ends_with(2).says(&["no resource `nets`"]);
    place.run(&["run", "smoke.yaml", "--resources", "cpus"]).ends_with(2).says(&["a name and an amount"]);
}

#[test]
fn lint_warns_and_fails_when_asked_to() {
    let place = Place::new();
    assert!(place.run(&["lint", "smoke.yaml", "--deny"]).succeeds().out.contains("no likely mistakes"));
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("worse.yaml", text.replace("  seed: 0\n", "  seed: 0\n  unread: 1\n"));
    let out = place.run(&["lint", "worse.yaml"]).succeeds().out;
    assert!(out.contains("warning[pddflow::lint::unused_parameter]: the parameter `unread` is never used"), "{out}");
    let _ = place.run(&["lint", "worse.yaml", "--deny"]).ends_with(3);
    let value = place.run(&["lint", "worse.yaml", "--json"]).succeeds().json();
    assert_eq!(value["warnings"][0]["line"], 7);
}

#[test]
fn included_files_are_found_beside_the_file() {
    let place = Place::new();
    place.write("main.yaml", "format: 1\ninclude: smoke.yaml\nparams: { model: { convnet: { width: 2 } } }\n");
    let value = place.run(&["plan", "main.yaml", "--json"]).succeeds().json();
    assert_eq!(value["nodes"].as_array().unwrap().len(), 10);
    assert_eq!(value["params"]["model"]["convnet"]["width"], 2);
    place.write("main.yaml", "format: 1\ninclude: smok.yaml\n");
    place.run(&["plan", "main.yaml"]).ends_with(3).says(&["main.yaml:2:10", "did you mean", "smoke.yaml"]);
}

#[test]
fn graphs_are_drawn_as_pictures() {
    let out = Place::new().run(&["graph", "smoke.yaml", "--format", "svg"]).succeeds().out;
    assert!(out.starts_with("<svg") && out.contains("eval [of] x3"), "{out}");
}
