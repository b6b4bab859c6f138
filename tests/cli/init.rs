//! A pipeline to begin with, and the default file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pddflow_tests::Place;

/// A red and a blue square of 16x16.
const PICTURES: [(&str, &str); 2] = [
    (
        "cat",
        "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mM4ISdHEmIY1TCqYfhqAADkYgQQ6ZuA8QAAAABJRU5ErkJggg==",
    ),
    (
        "dog",
        "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mOQkztBEmIY1TCqYfhqAACQUwQQlNl6vgAAAABJRU5ErkJggg==",
    ),
];

fn nodes(place: &Place, arguments: &[&str]) -> Vec<String> {
    let value = place.run(arguments).succeeds().json();
    value["nodes"].as_array().unwrap().iter().map(|node| node["node"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pipeline_for_a_folder_of_images_runs_from_the_default_file() {
    let place = Place::new();
    for (class, picture) in PICTURES {
        fs_err::create_dir_all(place.path("my photos").join(class)).unwrap();
        for number in 0..10 {
            place.write(&format!("my photos/{class}/{number}.png"), STANDARD.decode(picture).unwrap());
        }
    }
    let told = place.run(&["init", "--data", "my photos", "--size", "16"]).succeeds().out;
    assert!(told.starts_with("wrote pipeline.yaml\n"), "{told}");
    assert!(place.run(&["lint", "--deny"]).succeeds().out.contains("no likely mistakes"));
    let small = ["--profile", "smoke", "--set", "model={convnet: {width: 2, depth: 2}}"];
    let with = |arguments: &[&str]| place.run(&[arguments, &small].concat()).succeeds();
    let out = with(&["run", "--quiet"]).out;
    assert!(out.contains("| DM |") && out.contains("| random |"), "{out}");
    // A node stands where the file is left out.
    assert!(with(&["show", "table"]).out.contains("| DM |"));
    assert!(with(&["explain", "dm[1]"]).out.contains("dm[1] (distill) is fresh"));
    assert!(with(&["plan", "--check"]).out.contains("8 fresh"));
    let release = with(&["export", "release[1]", "--to", "out"]).out;
    assert!(release.contains("README.md"), "{release}");
}

#[test]
fn a_file_that_is_there_is_kept() {
    let place = Place::new();
    place.write("pipeline.yaml", "mine");
    place.run(&["init"]).ends_with(2).says(&["pipeline.yaml is there already and is kept", "`pddflow init FILE`"]);
    assert_eq!(fs_err::read_to_string(place.path("pipeline.yaml")).unwrap(), "mine");
    let _ = place.run(&["init", "other.yaml", "--data", "cifar10"]).succeeds();
    let _ = place.run(&["lint", "other.yaml", "--deny"]).succeeds();
    let data = ["init", "third.yaml", "--data", "cifar-10"];
    place.run(&data).ends_with(2).says(&["`cifar-10` is no source and no folder", "did you mean `cifar10`?"]);
    place.run(&["init", "absent/p.yaml"]).ends_with(2).says(&["cannot be written", "absent"]);
}

#[test]
fn the_default_file_is_taken_where_none_is_named() {
    let place = Place::new();
    place.run(&["plan"]).ends_with(2).says(&["the current folder has no `pipeline.yaml`", "`pddflow init`"]);
    // Without a default file a word is the file, as ever.
    place.run(&["plan", "dm"]).ends_with(3).says(&["dm"]);
    fs_err::copy(place.path("smoke.yaml"), place.path("pipeline.yaml")).unwrap();
    let all = nodes(&place, &["plan", "smoke.yaml", "--json"]);
    assert_eq!(nodes(&place, &["plan", "--json"]), all);
    assert_eq!(nodes(&place, &["plan", "dm", "random", "--json"]), ["data", "random", "dm"]);
    assert_eq!(nodes(&place, &["plan", "--until", "dm", "--json"]), ["data", "dm"]);
    place.run(&["plan", "evl"]).ends_with(2).says(&["no node `evl`"]);
    place.run(&["show", "dm"]).ends_with(1).says(&["node dm has no result"]);
    let _ = place.run(&["lint"]).succeeds();
    let _ = place.run(&["graph"]).succeeds();
}
