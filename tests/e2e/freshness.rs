//! What runs, and what does not.

use crate::smoke;
use pddflow_tests::Place;

#[test]
fn a_second_run_runs_nothing_and_an_edit_only_its_branch() {
    let place = Place::new();
    let first = smoke(&place, &["--jobs", "1"]).succeeds();
    assert_eq!(first.nodes("node_started").len(), 10);
    let results = place.files("results");

    let second = smoke(&place, &[]).succeeds();
    assert_eq!(second.nodes("node_started"), Vec::<String>::new());
    assert_eq!(second.digests(), first.digests());
    assert_eq!(place.files("results"), results);

    // One parameter of one matcher: its node, what uses it, and nothing else.
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    place.write("smoke.yaml", text.replace("dm: { lr: 1.0,", "dm: { lr: 0.5,"));
    let planned = place.run(&["plan", "smoke.yaml"]).succeeds().out;
    assert!(planned.contains("with.matcher.dm.lr: 1.0 -> 0.5"), "{planned}");
    let third = smoke(&place, &[]).succeeds();
    assert_eq!(third.nodes("node_started"), ["dm", "eval[of=dm]", "grids", "release", "table"]);

    // Back again: the earlier results are still there.
    place.write("smoke.yaml", text);
    assert_eq!(smoke(&place, &[]).succeeds().nodes("node_started"), Vec::<String>::new());
}

#[test]
fn names_and_places_do_not_matter() {
    let place = Place::new();
    let _ = smoke(&place, &[]).succeeds();
    let text = fs_err::read_to_string(place.path("smoke.yaml")).unwrap();
    fs_err::create_dir(place.path("inner")).unwrap();
    let renamed =
        text.replace("name: smoke", "name: other").replace("dsa:\n", "renamed:\n").replace("dm, dsa]", "dm, renamed]");
    place.write("inner/other.yaml", renamed);
    let ran = place.run(&["run", "inner/other.yaml", "--json"]).succeeds();
    assert_eq!(ran.nodes("node_started"), Vec::<String>::new());
}

#[test]
fn results_lie_where_the_readme_says() {
    let place = Place::new();
    let ran = place.run(&["run", "smoke.yaml", "--results", "out"]).succeeds();
    assert!(ran.out.contains("DSA") && ran.out.contains("| "), "the table is printed:\n{}", ran.out);
    ran.says(&["10 nodes: 10 ran", "out/smoke/table"]);
    let files: Vec<String> = place.files("out").into_iter().map(|(name, _)| name).collect();
    for expected in [".md", ".csv", ".json", ".png", ".safetensors"] {
        assert!(files.iter().any(|name| name.ends_with(expected)), "no {expected} in {files:?}");
    }
    let shown = place.run(&["show", "smoke.yaml", "eval[of=dm]"]).succeeds().out;
    assert!(shown.contains("metrics") && shown.contains("k:"), "{shown}");
    let _ = place.run(&["export", "smoke.yaml", "dm", "--to", "exported"]).succeeds();
    let bytes = fs_err::read(place.path("exported/set.safetensors")).unwrap();
    let digest = place.run(&["show", "smoke.yaml", "dm", "--json"]).succeeds().json();
    let digest =
        digest["outputs"].as_array().unwrap().iter().find(|output| output["port"] == "set").unwrap()["digest"].clone();
    assert_eq!(digest, pddflow_cache::Digest::of(&bytes).to_string());
}

#[test]
fn quiet_prints_the_table_and_nothing_else() {
    let place = Place::new();
    let ran = place.run(&["run", "smoke.yaml", "--quiet"]).succeeds();
    assert_eq!(ran.err, "");
    assert!(ran.out.starts_with("| method |") && !ran.out.contains("fresh"), "{}", ran.out);
}

#[test]
fn results_of_two_devices_never_mix() {
    let place = Place::new();
    let run = |device: &str| place.run(&["run", "smoke.yaml", "dm", "--json", "--device", device]).succeeds();
    assert_eq!(run("cpu").nodes("node_started"), ["data", "dm"]);
    let planned = place.run(&["plan", "smoke.yaml", "dm", "--device", "flex"]).succeeds().out;
    assert!(planned.contains("device: \"cpu\" -> \"flex\""), "{planned}");
    // What no tensor is computed for stays.
    assert_eq!(run("flex").nodes("node_started"), ["dm"]);
    assert_eq!(run("cpu").nodes("node_started"), Vec::<String>::new());
}
