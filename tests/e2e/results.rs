//! The folder of results is what the nodes gave, whatever became of it since; also when no result was read because
//! nothing seemed to have changed.

use pddflow_tests::{Place, Ran};

const PIPELINE: &str = r#"
format: 1
name: words
nodes:
  word:
    for: { n: 0..3 }
    kind: command
    with: { run: [sh, -c, "echo ${n} > word.txt; mkdir more; echo more > more/text.txt"], outputs: [word.txt, more/text.txt] }
"#;
const WORD: &str = "results/words/word[1]/word.txt";

type Files = Vec<(String, Vec<u8>)>;

/// A place whose results were compared and found right, and those results.
fn compared() -> (Place, Files) {
    let place = Place::new();
    place.write("words.yaml", PIPELINE);
    assert_eq!(run(&place).nodes("node_started").len(), 3);
    let results = place.files("results");
    assert_eq!(results.len(), 6);
    (place, results)
}

fn run(place: &Place) -> Ran {
    place.run(&["run", "words.yaml", "--json"]).succeeds()
}

#[test]
fn what_became_of_results_is_undone() {
    let (place, results) = compared();
    let word = place.path(WORD);
    let modified = fs_err::metadata(&word).unwrap().modified().unwrap();
    let edits: [&dyn Fn(); 5] = [
        &|| {
            // As long as before, and as old as before.
            fs_err::write(&word, "7\n").unwrap();
            fs_err::OpenOptions::new().write(true).open(&word).unwrap().set_modified(modified).unwrap();
        },
        &|| fs_err::write(&word, "longer\n").unwrap(),
        &|| fs_err::remove_file(&word).unwrap(),
        &|| fs_err::remove_dir_all(place.path("results/words/word[1]")).unwrap(),
        &|| fs_err::remove_dir_all(place.path("results/words")).unwrap(),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        edit();
        assert_ne!(place.files("results"), results, "edit {number}");
        assert_eq!(run(&place).nodes("node_started"), Vec::<String>::new());
        assert_eq!(place.files("results"), results, "edit {number}");
    }
}

#[test]
fn an_artifact_that_somebody_wrote_over_is_made_again() {
    let (place, results) = compared();
    let before = run(&place).digests();
    for (name, bytes) in place.files(".pddflow/v1/artifacts") {
        // A new file of the same length, as old as the first.
        let modified = fs_err::metadata(place.path(&name)).unwrap().modified().unwrap();
        fs_err::remove_file(place.path(&name)).unwrap();
        place.write(&name, bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>());
        fs_err::OpenOptions::new().write(true).open(place.path(&name)).unwrap().set_modified(modified).unwrap();
    }
    let mended = run(&place);
    assert_eq!((mended.nodes("node_started").len(), mended.digests()), (3, before));
    assert_eq!(place.files("results"), results);
}
