//! The folder of results is what the nodes gave, but for what a person changed.

use pddflow_tests::{Place, Ran};

/// Three nodes that write files; `EXTRA` names more files of each.
const PIPELINE: &str = r#"
format: 1
name: words
nodes:
  word:
    for: { n: 0..3 }
    kind: command
    with: { run: [sh, -c, "echo ${n} > word.txt; mkdir more; for f in a EXTRA; do echo $f > more/$f.txt; done"], outputs: [word.txt, more/a.txt, OUTPUTS] }
"#;
const WORD: &str = "results/words/word[1]/word.txt";
const MORE: &str = "results/words/word[1]/more";

type Files = Vec<(String, Vec<u8>)>;

fn write(place: &Place, extra: &str) {
    let outputs: Vec<String> = extra.split(' ').map(|name| format!("more/{name}.txt")).collect();
    place.write("words.yaml", PIPELINE.replace("EXTRA", extra).replace("OUTPUTS", &outputs.join(", ")));
}

/// A place with results.
fn filled(extra: &str) -> (Place, Files) {
    let place = Place::new();
    write(&place, extra);
    assert_eq!(run(&place).nodes("node_started").len(), 3);
    let results = results(&place);
    (place, results)
}

fn run(place: &Place) -> Ran {
    place.run(&["run", "words.yaml", "--json"]).succeeds()
}

/// All files but the index, which is hidden, and the report, which is of the last run that ran something.
fn results(place: &Place) -> Files {
    let mut files = place.files("results");
    files.retain(|(name, _)| !name.contains("/.") && !name.ends_with("/report.html"));
    files
}

fn names(place: &Place, folder: &str) -> Vec<String> {
    place.files(folder).into_iter().map(|(name, _)| name.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_is_missing_comes_back_without_a_node_that_runs() {
    let (place, all) = filled("b");
    assert_eq!(all.len(), 9);
    let losses: [&dyn Fn(); 4] = [
        &|| fs_err::remove_file(place.path(WORD)).unwrap(),
        &|| fs_err::remove_dir_all(place.path("results/words/word[1]")).unwrap(),
        &|| fs_err::remove_file(place.path("results/words/.pddflow-results.json")).unwrap(),
        &|| fs_err::remove_dir_all(place.path("results/words")).unwrap(),
    ];
    for (number, lose) in losses.into_iter().enumerate() {
        lose();
        let ran = run(&place);
        assert_eq!(ran.nodes("node_started"), Vec::<String>::new());
        assert_eq!(results(&place), all, "loss {number}");
        assert!(!ran.err.contains("warning"), "loss {number}: {}", ran.err);
    }
}

#[test]
fn what_a_person_changed_is_kept_and_named_by_a_run_with_nothing_to_do() {
    let (place, _) = filled("b");
    place.write(WORD, "my own notes\n");
    for extra in ["b", "b", "b c"] {
        write(&place, extra);
        let ran = run(&place);
        assert!(ran.err.contains("word[1]/word.txt was changed since it was written"), "{}", ran.err);
        assert_eq!(fs_err::read_to_string(place.path(WORD)).unwrap(), "my own notes\n");
    }
    fs_err::remove_file(place.path(WORD)).unwrap();
    assert!(!run(&place).err.contains("was changed"));
    assert_eq!(fs_err::read_to_string(place.path(WORD)).unwrap(), "1\n");
}

#[test]
fn a_node_that_gives_fewer_files_leaves_none_of_the_old_ones() {
    let (place, _) = filled("b c");
    assert_eq!(names(&place, MORE), ["a.txt", "b.txt", "c.txt"]);
    place.write(&format!("{MORE}/c.txt"), "mine\n");
    write(&place, "d");
    let ran = run(&place);
    assert_eq!(names(&place, MORE), ["a.txt", "c.txt", "d.txt"], "c was changed, so it stays");
    assert!(ran.err.contains("more/c.txt was changed"), "{}", ran.err);
}

#[test]
fn an_export_does_not_mix_with_other_files() {
    let (place, _) = filled("b c");
    let export = |more: &[&str]| place.run(&[&["export", "words.yaml", "word[1]", "--to", "set"], more].concat());
    let _ = export(&[]).succeeds();
    let _ = export(&[]).succeeds();
    write(&place, "b");
    let _ = run(&place);
    let refused = export(&[]).ends_with(2);
    assert!(refused.err.contains("pddflow::cli::folder_not_empty"), "{}", refused.err);
    assert!(refused.err.contains("set/more/c.txt") && refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(names(&place, "set/more"), ["a.txt", "b.txt", "c.txt"]);
    fs_err::remove_file(place.path("set/more/c.txt")).unwrap();
    place.write("set/word.txt", "edited\n");
    assert!(export(&[]).ends_with(2).err.contains("set/word.txt"));
    let _ = export(&["--force"]).succeeds();
    assert_eq!(fs_err::read_to_string(place.path("set/word.txt")).unwrap(), "1\n");
}

#[test]
fn a_damaged_artifact_is_made_again_when_its_files_are_needed() {
    let (place, all) = filled("b");
    let before = run(&place).digests();
    for (name, bytes) in place.files(".pddflow/v1/artifacts") {
        fs_err::remove_file(place.path(&name)).unwrap();
        place.write(&name, bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>());
    }
    fs_err::remove_dir_all(place.path("results")).unwrap();
    let mended = run(&place);
    assert_eq!((mended.nodes("node_started").len(), mended.digests()), (3, before));
    assert_eq!(results(&place), all);
}
