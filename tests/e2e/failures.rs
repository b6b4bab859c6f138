//! Nodes that fail: clear texts, exit codes, and the rest of the work is kept.

use crate::smoke;
use pddflow_tests::Place;

#[test]
fn a_loss_that_is_not_finite_is_an_error_with_its_iteration() {
    let place = Place::new();
    let arguments = ["run", "smoke.yaml", "--keep-going", "--set", "nodes.dm.with.matcher.dm.lr=1e38"];
    let ran = place.run(&arguments).ends_with(1);
    ran.says(&["node dm failed", "iteration", "--> smoke.yaml:", "help: "]);
    // What does not need the failed node is there.
    let plan = place.run(&["plan", "smoke.yaml", "--json"]).succeeds().json();
    let fresh = |name: &str| {
        plan["nodes"].as_array().unwrap().iter().any(|node| node["node"] == name && node["state"] == "fresh")
    };
    assert!(fresh("eval[of=dsa]") && fresh("random") && !fresh("dm"));
}

#[test]
fn a_table_is_made_of_what_is_there_if_asked_for() {
    let place = Place::new();
    let ran = smoke(&place, &["--keep-going=always", "--set", "nodes.dm.with.matcher.dm.lr=1e38"]).ends_with(1);
    assert!(ran.nodes("node_finished").contains(&"table".to_owned()), "{}", ran.err);
    assert_eq!(ran.nodes("node_skipped"), ["eval[of=dm]", "release"]);
    let table = fs_err::read_to_string(place.path("results/smoke/table/table.md")).unwrap_or_default();
    assert!(!table.contains("DM"), "{table}");
}

#[test]
fn without_keep_going_the_first_failure_ends_the_run() {
    let place = Place::new();
    let ran = smoke(&place, &["--jobs", "1", "--set", "nodes.dm.with.matcher.dm.lr=1e38"]).ends_with(1);
    assert_eq!(ran.nodes("node_failed"), ["dm"]);
    assert!(ran.nodes("node_skipped").contains(&"table".to_owned()));
}

#[test]
fn an_unknown_plugin_is_named_with_the_nearest_one() {
    let place = Place::new();
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", text.replace("matcher: { dm:", "matcher: { dmm:"));
    place.run(&["run", "smoke.yaml"]).ends_with(3).says(&["smoke.yaml:22:", "dmm", "did you mean `dm`?"]);
}

#[test]
fn a_wrong_parameter_of_a_plugin_has_its_place() {
    let place = Place::new();
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", text.replace("dm: { lr: 1.0,", "dm: { lr: fast,"));
    place.run(&["run", "smoke.yaml"]).ends_with(3).says(&["smoke.yaml:22:", "lr"]);
}
