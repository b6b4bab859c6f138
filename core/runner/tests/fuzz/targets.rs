//! What of this crate reads what lies in files. Shared by the test `fuzz` and the example `fuzz_journals`.

use pddflow_fuzz::{Target, corpus, text};
use pddflow_runner::cache::RamStore;
use pddflow_runner::{named_run, past_run, used_keys};
use std::path::Path;

const RUN: &str = "r5-0-0";
/// Pieces that the reader of a run's history looks at.
const WORDS: [&str; 30] = [
    "\"at\":-1,",
    "\"at\":1e300,",
    "\"event\":\"run_started\"",
    "\"event\":\"run_finished\"",
    "\"event\":\"node_fresh\"",
    "\"event\":\"node_finished\"",
    "\"event\":\"node_skipped\"",
    "\"event\":\"progress\"",
    "\"node\":\"a\",",
    "\"key\":\"k:",
    "\"reasons\":[{\"reason\":\"never_ran\"}]",
    "\"reasons\":[{}]",
    "\"error\":{}",
    "\"metrics\":{\"x\":null}",
    "\"tags\":[\"t\"],",
    "\"sweep\":[[\"a\",[1]]],",
    "\"params\":[],",
    "\"unix_milliseconds\":18446744073709551615,",
    "\"seconds\":1e19,",
    "\"seconds\":-1,",
    "\"nodes\":18446744073709551615,",
    "\"cancelled\":true,",
    "null",
    "true",
    "-1",
    "1e400",
    "{",
    "}",
    "[[[[",
    "\\ud800",
];

/// The lines of a run's journal. Each gets the check that a reader asks for, so that what comes after it is reached.
pub(crate) fn journals() -> Target {
    Target {
        name: "journals",
        corpus: corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/journals")),
        make: Box::new(|chance, corpus| text::damaged(chance, corpus, &WORDS).into_bytes()),
        check: Box::new(|input| check(&String::from_utf8_lossy(input))),
    }
}

/// Whatever a journal says, its run and what it used can be asked for.
fn check(text: &str) -> bool {
    let store = RamStore::new();
    let mut journal = store.journal(RUN).expect("a journal");
    let objects = text.lines().filter(|line| line.len() > 2 && line.starts_with('{') && line.ends_with('}'));
    objects.for_each(|line| journal.line(line).expect("a line"));
    journal.flush().expect("a journal");
    let run = past_run(&store, RUN).expect("no line is an error");
    let named = named_run(&store, "last", None).expect("no line is an error");
    assert_eq!(run.is_some(), named.is_some());
    let used = used_keys(&store, 3).expect("no line is an error");
    let Some(run) = run else { return false };
    assert!(!used.is_empty() || run.nodes.values().all(|node| node.key.is_none()));
    assert!(!run.seconds.is_nan());
    true
}
