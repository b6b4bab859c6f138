//! A change of numbers raises a revision: the committed table of what every kind, matcher and model gives on a small pipeline.
//!
//! A key holds everything that a result depends on, the revisions of its kind, its plugins and the kernels among it. The table has
//! the key and the digest of every artifact of `tests/fixtures/every_kind.yaml`, at each level of instructions. A digest that
//! changed while its key did not is a change of numbers that users' stores would not notice. Where keys changed too, the table is
//! out of date and is made anew:
//!
//! ```sh
//! UPDATE_DIGESTS=1 cargo test --workspace --test e2e revisions
//! ```

use pddflow_tests::{Place, workspace_root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Key and digest by artifact, `node.port`.
type Rows = BTreeMap<String, (String, String)>;
/// So many characters of a key or a digest are enough to tell two apart.
const SHORT: usize = 19;

fn path(level: &str) -> PathBuf {
    workspace_root().join(format!("tests/golden/digests-{level}.tsv"))
}

fn read(level: &str) -> Rows {
    let text = fs_err::read_to_string(path(level)).unwrap_or_default();
    let row = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [artifact, key, digest] => (artifact.to_owned(), (key.to_owned(), digest.to_owned())),
        _ => panic!("no row of three columns: {line}"),
    };
    text.lines().map(row).collect()
}

fn write(level: &str, rows: &Rows) {
    let line = |(artifact, (key, digest)): (&String, &(String, String))| format!("{artifact}\t{key}\t{digest}\n");
    fs_err::write(path(level), rows.iter().map(line).collect::<String>()).unwrap();
}

/// What the pipeline gives at a level.
fn made(level: &str) -> Rows {
    let place = Place::new();
    let ran = place.run(&["run", "every_kind.yaml", "--json", "--instructions", level]).succeeds();
    let short = |text: &serde_json::Value| text.as_str().unwrap()[..SHORT].to_owned();
    let mut rows = Rows::new();
    for event in ran.events().iter().filter(|event| event["event"] == "node_finished") {
        for (port, digest) in event["outputs"].as_object().unwrap() {
            let artifact = format!("{}.{port}", event["node"].as_str().unwrap());
            rows.insert(artifact, (short(&event["key"]), short(digest)));
        }
    }
    rows
}

/// Artifacts whose numbers changed although their keys did not.
fn silent_changes(known: &Rows, made: &Rows) -> Vec<String> {
    let changed = |(artifact, (key, digest)): (&String, &(String, String))| {
        let (known_key, known_digest) = known.get(artifact)?;
        (known_key == key && known_digest != digest).then(|| artifact.clone())
    };
    made.iter().filter_map(changed).collect()
}

/// Whether this processor has the instructions.
fn has(level: &str) -> bool {
    let report = Place::new().run(&["doctor", "--json"]).succeeds().json();
    let levels = ["baseline", "avx2", "avx512"];
    let rank = |name: &str| levels.iter().position(|known| *known == name).unwrap();
    rank(level) <= rank(report["instructions"].as_str().unwrap())
}

fn check(level: &str) {
    if !has(level) {
        println!("SKIPPED: this processor does not have the instructions {level}");
        return;
    }
    let (known, made) = (read(level), made(level));
    let silent = silent_changes(&known, &made);
    assert!(
        silent.is_empty(),
        "at level {level} these changed under the same key: {silent:?}\nraise the revision of the first kind, matcher or model \
         that changed, or `kernel_revision` of core/tensor where a kernel did; results in users' stores would stay old otherwise"
    );
    if std::env::var_os("UPDATE_DIGESTS").is_some() {
        write(level, &made);
    }
    assert_eq!(
        read(level),
        made,
        "the table of level {level} is out of date: UPDATE_DIGESTS=1 cargo test --workspace --test e2e revisions"
    );
}

#[test]
fn the_baseline_gives_what_the_table_says() {
    check("baseline");
}

#[test]
fn avx2_gives_what_the_table_says() {
    check("avx2");
}

#[test]
fn avx512_gives_what_the_table_says() {
    check("avx512");
}

#[test]
fn the_pipeline_has_every_kind_matcher_and_model() {
    let place = Place::new();
    let text = fs_err::read_to_string(place.path("every_kind.yaml")).unwrap();
    let kinds: BTreeSet<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("kind: ")).collect();
    let schema = place.run(&["schema", "--no-plugins"]).succeeds().json();
    let known = kinds_in(&schema);
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(known.iter().map(String::as_str).collect::<BTreeSet<_>>(), kinds);
    let listed = place.run(&["plugin", "list", "--json"]).succeeds().json();
    let plugins: Vec<&str> =
        listed["plugins"].as_array().unwrap().iter().map(|found| found["id"].as_str().unwrap()).collect();
    assert!(plugins.len() > 8, "{plugins:?}");
    // What `python` gives is PyTorch's, of whatever version there is.
    for plugin in plugins.into_iter().filter(|plugin| *plugin != "python") {
        assert!(text.contains(&format!("{{ {plugin}: {{")), "no node uses `{plugin}`");
    }
}

#[test]
fn a_change_under_the_same_key_is_found() {
    let row = |key: &str, digest: &str| Rows::from([("dm.set".to_owned(), (key.to_owned(), digest.to_owned()))]);
    assert_eq!(silent_changes(&row("k1", "d1"), &row("k1", "d2")), ["dm.set"]);
    assert_eq!(silent_changes(&row("k1", "d1"), &row("k2", "d2")), Vec::<String>::new());
    assert_eq!(silent_changes(&row("k1", "d1"), &row("k1", "d1")), Vec::<String>::new());
}

/// The kinds of nodes that a schema knows.
fn kinds_in(schema: &serde_json::Value) -> BTreeSet<String> {
    match schema {
        serde_json::Value::Object(fields) => {
            let own = fields.get("kind").and_then(|kind| kind["const"].as_str()).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(kinds_in)).collect()
        }
        serde_json::Value::Array(items) => items.iter().flat_map(kinds_in).collect(),
        _ => BTreeSet::new(),
    }
}
