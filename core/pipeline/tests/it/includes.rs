//! `include:` across files on disk.

use std::path::Path;

use insta::assert_snapshot;
use pddflow_pipeline::{Diagnostics, Options, PipelineFile, Plan, load};
use serde_json::json;

use crate::catalog::{Kinds, ids};

/// Writes files into a fresh folder and loads the first one.
fn load_files(files: &[(&str, &str)], options: &Options) -> (tempfile::TempDir, Result<Plan, Diagnostics>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let plan = load(&folder.path().join(files[0].0), &Kinds::new(), options);
    (folder, plan)
}

fn plan(files: &[(&str, &str)], options: &Options) -> Plan {
    load_files(files, options).1.unwrap_or_else(|problems| panic!("{}", problems.render()))
}

fn problems(files: &[(&str, &str)]) -> String {
    let (folder, plan) = load_files(files, &Options::default());
    plan.unwrap_err().render().replace(&folder.path().display().to_string(), "DIR")
}

const MAIN: &str = "format: 1
include: [parts/data.yaml, parts/eval.yaml]
params: { nets: 3, stages: 2 }
profiles:
  smoke: { params: { nets: 1 }, nodes: { eval: { with: { epochs: 1 } } } }
nodes:
  distill:
    for: { k: 1..=${stages} }
    kind: distill
    needs: { data: data, previous: \"distill[..${k}]\" }
    with: { ipc: 1, matcher: { dm: {} } }
";
const DATA: &str = "format: 1
plugins: [../plugins/a.so]
params: { source: mnist, seed: 3 }
nodes:
  data: { kind: dataset, with: { source: \"${source}\" } }
";
const EVAL: &str = "format: 1
params: { nets: 10, seed: 3, train: { epochs: 300, lr: 0.1 } }
profiles:
  smoke: { params: { nets: 2, train: { epochs: 2 } }, nodes: { eval: { with: { epochs: 2, training: union } } } }
nodes:
  eval:
    kind: evaluate
    needs: { data: data, sets: \"distill[*]\" }
    with: { model: mlp, nets: \"${nets}\", epochs: \"${train.epochs}\" }
";

fn files() -> [(&'static str, &'static str); 3] {
    [("main.yaml", MAIN), ("parts/data.yaml", DATA), ("parts/eval.yaml", EVAL)]
}

#[test]
fn included_parts_become_parts_of_the_pipeline() {
    let plan = plan(&files(), &Options::default());
    assert_eq!(ids(&plan), ["data", "distill[1]", "distill[2]", "eval"]);
    assert_eq!(plan.name, "main");
    assert_eq!(plan.params["nets"], json!(3));
    let with = &plan.node("eval").unwrap().with;
    assert_eq!((&with["nets"], &with["epochs"], &with["seed"]), (&json!(3), &json!(300), &json!(3)));
    assert!(plan.plugins[0].ends_with("parts/../plugins/a.so"), "{:?}", plan.plugins);
    assert!(plan.node("data").unwrap().file.ends_with("parts/data.yaml"));
    assert!(plan.node("distill[1]").unwrap().file.ends_with("main.yaml"));
}

#[test]
fn profiles_and_set_reach_into_included_files() {
    let options = Options { profile: Some("smoke".into()), ..Options::default() };
    let with = plan(&files(), &options).node("eval").unwrap().with.clone();
    assert_eq!(with, json!({"model": "mlp", "nets": 1, "epochs": 1, "training": "union", "seed": 3}));
    let set = vec!["nets=7".to_owned(), "nodes.eval.with.model=cnn".into(), "train.epochs=9".into()];
    let with = plan(&files(), &Options { set, profile: None }).node("eval").unwrap().with.clone();
    assert_eq!(with, json!({"model": "cnn", "nets": 7, "epochs": 9, "seed": 3}));
}

#[test]
fn mappings_of_params_are_merged() {
    let main = MAIN.replace("stages: 2 }", "stages: 2, train: { epochs: 5 } }");
    let plan = plan(&[("main.yaml", &main), files()[1], files()[2]], &Options::default());
    assert_eq!(plan.params["train"], json!({"epochs": 5, "lr": 0.1}));
}

#[test]
fn a_file_that_is_reached_twice_is_brought_in_once() {
    let part = "format: 1\ninclude: base.yaml\nnodes:\n  NAME: { kind: export, needs: { items: data } }\n";
    let files = [
        ("main.yaml", "format: 1\ninclude: [a.yaml, ./b.yaml, a.yaml]\n"),
        ("a.yaml", &part.replace("NAME", "a")),
        ("b.yaml", &part.replace("NAME", "b")),
        ("base.yaml", "format: 1\nnodes:\n  data: { kind: dataset, with: { source: x } }\n"),
    ];
    assert_eq!(ids(&plan(&files, &Options::default())), ["data", "a", "b"]);
}

#[test]
fn plugins_of_included_files_are_known_before_their_kinds() {
    let (folder, _) = load_files(&files(), &Options::default());
    let file = PipelineFile::read(&folder.path().join("main.yaml")).unwrap();
    assert_eq!(file.plugin_files(), [folder.path().join("parts").join("../plugins/a.so")]);
}

#[test]
fn problems_of_all_files_are_told_at_once_each_in_its_place() {
    let data = DATA.replace("kind: dataset", "kind: datset");
    let eval = EVAL.replace("model: mlp", "model: 3").replace("distill[*]", "distil[*]");
    let main = MAIN.replace("ipc: 1", "ipc: one");
    assert_snapshot!(problems(&[("main.yaml", &main), ("parts/data.yaml", &data), ("parts/eval.yaml", &eval)]));
}

#[test]
fn clashes_name_both_places() {
    let eval = EVAL.replace("seed: 3", "seed: 4").replace("  eval:\n    kind", "  data:\n    kind");
    assert_snapshot!(problems(&[files()[0], files()[1], ("parts/eval.yaml", &eval)]));
}

#[test]
fn cycles_of_files_are_shown_as_a_path() {
    let part = |next: &str| format!("format: 1\ninclude: [{next}]\n");
    let files = [("a.yaml", part("b.yaml")), ("b.yaml", part("d/c.yaml")), ("d/c.yaml", part("../b.yaml"))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    assert_snapshot!(problems(&files));
    assert!(problems(&[("a.yaml", &part("a.yaml"))]).contains("cycle: DIR/a.yaml -> DIR/a.yaml"));
}

#[test]
fn included_files_that_cannot_be_read_say_why_and_where() {
    let main = "format: 1\ninclude:\n  - pars.yaml\n  - parts\n  - latin.yaml\n  - 3\n  - empty.yaml\n";
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs_err::write(folder.path().join(name), bytes).unwrap();
    fs_err::create_dir(folder.path().join("parts")).unwrap();
    write("main.yaml", main.as_bytes());
    write("part.yaml", b"format: 1\n");
    write("latin.yaml", b"format: 1\nname: caf\xe9\n");
    write("empty.yaml", b"# nothing\n");
    let problems = load(&folder.path().join("main.yaml"), &Kinds::new(), &Options::default()).unwrap_err();
    assert_snapshot!(problems.render().replace(&folder.path().display().to_string(), "DIR"));
}

#[test]
fn a_device_is_not_read() {
    if Path::new("/dev/zero").exists() {
        let text = problems(&[("main.yaml", "format: 1\ninclude: /dev/zero\n")]);
        assert!(text.contains("it is not a regular file"), "{text}");
    }
}

#[test]
fn depth_and_number_of_files_are_limited() {
    let names: Vec<String> = (0..40).map(|at| format!("f{at}.yaml")).collect();
    let texts: Vec<String> = (0..40).map(|at| format!("format: 1\ninclude: f{}.yaml\n", at + 1)).collect();
    let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    assert!(
        problems(&files)
            .contains("pddflow::pipeline::include_limit]: files include each other more than 16 levels deep")
    );

    let names: Vec<String> = (0..400).map(|at| format!("f{at}.yaml")).collect();
    let main = format!("format: 1\ninclude: [{}]\n", names.join(", "));
    let mut files = vec![("main.yaml", main.as_str())];
    files.extend(names.iter().map(|name| (name.as_str(), "format: 1\n")));
    assert!(problems(&files).contains("pddflow::pipeline::include_limit]: the pipeline has more than 256 files"));
}
