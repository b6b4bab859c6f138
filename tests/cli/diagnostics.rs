//! Bad pipeline files: every problem at once, with its place, in the committed words.

use crate::golden;
use pddflow_tests::Place;

const BAD: &str = "\
format: 1
name: bad
params: { ipc: 1 }
nodes:
  data:
    kind: datset
    with: { source: fashion-mini }
  pictures:
    kind: dataset
    with: { source: fashion-mini, normalise: standard }
  dm:
    kind: distill
    needs: { data: dat, previous: pictures }
    with: { ipc: \"${ipcs}\", iterations: 1, model: { convnet: { widht: 8 } }, matcher: { dn: {} } }
  eval:
    kind: evaluate
    needs: { data: pictures }
    with: { model: { convnet: { widht: 8 } } }
  dsa:
    kind: distill
    needs: { data: pictures }
    with: { ipc: 0, iterations: 1, model: convnet, matcher: { dn: {} } }
  table: { kind: table, needs: { results: \"eval[3]\" }, wiht: {} }
";

/// Two distillations, each on top of the other: none can be first.
const CYCLE: &str = "\
format: 1
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  a:
    kind: distill
    needs: { data: data, previous: b }
    with: { ipc: 1, iterations: 1, model: convnet, matcher: dm }
  b:
    kind: distill
    needs: { data: data, previous: a }
    with: { ipc: 1, iterations: 1, model: convnet, matcher: dm }
";

#[test]
fn every_problem_is_shown_at_once() {
    let place = Place::new();
    place.write("bad.yaml", BAD);
    let ran = place.run(&["run", "bad.yaml"]).ends_with(3);
    golden("bad_pipeline", &ran.err);
    assert!(!place.path(".pddflow").exists(), "nothing may be written for a bad pipeline");
}

#[test]
fn problems_are_json_where_asked() {
    let place = Place::new();
    place.write("bad.yaml", BAD);
    let ran = place.run(&["plan", "bad.yaml", "--json"]).ends_with(3);
    let value: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(value["exit"], 3);
    let first = &value["errors"][0];
    assert_eq!(first["file"], "bad.yaml");
    assert!(first["line"].as_u64().unwrap() > 0 && !first["source_line"].as_str().unwrap().is_empty());
}

#[test]
fn other_bad_files_have_clear_texts() {
    let place = Place::new();
    place.write("cycle.yaml", CYCLE);
    place.write("bytes.yaml", [0xff, 0xfe, b'a']);
    place.write("empty.yaml", "");
    place.write("list.yaml", "- a\n- b\n");
    place.write("format.yaml", "format: 99\nnodes: {}\n");
    let mut text = String::new();
    for file in ["cycle.yaml", "bytes.yaml", "empty.yaml", "list.yaml", "format.yaml", "absent.yaml"] {
        let ran = place.run(&["run", file]).ends_with(3);
        text.push_str(&format!("======== {file}\n{}\n", ran.err));
    }
    golden("bad_files", &text);
}

#[test]
fn a_bad_set_names_itself() {
    let place = Place::new();
    place.run(&["plan", "smoke.yaml", "--set", "sed=1"]).ends_with(3).says(&["sed", "did you mean `seed`?"]);
    place.run(&["plan", "smoke.yaml", "--profile", "fast"]).ends_with(3).says(&["there is no profile `fast`"]);
}

#[test]
fn colours_only_where_asked() {
    let place = Place::new();
    place.write("bad.yaml", BAD);
    assert!(!place.run(&["plan", "bad.yaml"]).err.contains('\u{1b}'));
    assert!(place.run(&["plan", "bad.yaml", "--color", "always"]).err.contains('\u{1b}'));
}
