//! What of this crate reads what lies in files. Shared by the test `fuzz` and the example `fuzz_journals`.

use pddflow_fuzz::{Target, corpus, text};
use pddflow_runner::cache::RamStore;
use pddflow_runner::{named_run, past_run, run_head, run_outline, uses};
use std::path::Path;

const RUN: &str = "r5-0-0";
/// Pieces that the reader of a run's history looks at.
const WORDS: [&str; 28] = [
    "\"at\":-1,",
    "\"at\":1e300,",
    "{\"run\":",
    "{\"plan\":[]}",
    "{\"end\":",
    "{\"fresh\":{}}",
    "{\"started\":",
    "{\"skipped\":",
    "{\"progress\":",
    "\"version\":1,",
    "\"event\":\"run_started\"",
    "\"node\":\"a\",",
    "\"key\":\"k:",
    "\"reasons\":[{\"reason\":\"never_ran\"}]",
    "\"reasons\":[{}]",
    "\"metrics\":{\"x\":null}",
    "\"sweep\":[[\"a\",[1]]],",
    "\"unix_milliseconds\":18446744073709551615,",
    "\"seconds\":-1,",
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
    let named = named_run(&store, "last", None).expect("the store can be read");
    assert_eq!(named.is_some(), run_head(&store, RUN).is_ok_and(|head| head.is_some()));
    let used = uses(&store, 3).expect("the store can be read");
    let (run, outline) = (past_run(&store, RUN), run_outline(&store, RUN));
    let Ok(Some(run)) = run else { return outline.is_ok_and(|run| run.is_some()) };
    let outline = outline.expect("what is read as a whole is read in part").expect("a run");
    assert_eq!((outline.state, outline.counts), (run.state, run.counts));
    assert!(!used.keys.is_empty() || run.nodes.values().all(|node| node.key.is_none()));
    assert!(!run.seconds.is_nan());
    true
}
