//! What of a store reads what lies in its files. Shared by the test `fuzz` and the example `fuzz_store`.

use pddflow_cache::{Digest, Key, RamStore, Record};
use pddflow_fuzz::{Chance, Target, bytes, corpus, text};
use std::path::Path;

/// The key that the records of the corpus are asked for by.
const KEY: Key = Key::from_bytes([7; 32]);
const RUN: &str = "r1";
/// Bytes of what closes a record.
const END: usize = r#","digest":"b3:"#.len() + 64 + "\"}\n".len();
/// Pieces that a reader of records looks at.
const WORDS: [&str; 28] = [
    "\"format\":1",
    "\"format\":2,",
    "\"format\":1e0,",
    "\"key\":",
    "\"k:\"",
    "\"b3:\"",
    "\"parts\":[]",
    "{\"name\":\"with\",\"value\":null}",
    "\"outputs\":{}",
    "\"metrics\":{\"a\":1}",
    "\"seconds\":",
    "\"NaN\"",
    "\"-inf\"",
    "1e999",
    "-0",
    "18446744073709551616",
    "\"log\":[\"\"]",
    "\"program\":\"\"",
    "\"digest\":null",
    ",",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[[[[[[[[[",
    "\\ud800",
    "\\u0000",
    "é",
];

/// Records. Most inputs carry a digest that is right, so that what comes after that check is reached.
pub(crate) fn records() -> Target {
    Target {
        name: "records",
        corpus: corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/records")),
        make: Box::new(|chance, corpus| match chance.below(4) {
            0 => bytes::damaged(chance, corpus),
            1 => sealed(&String::from_utf8_lossy(chance.one_of::<Vec<u8>>(corpus))),
            _ => sealed(&text::damaged(chance, corpus, &WORDS)),
        }),
        check: Box::new(check_record),
    }
}

/// Closes a text as the writer of records does.
pub(crate) fn sealed(text: &str) -> Vec<u8> {
    let open = text.split(",\"digest\":\"b3:").next().unwrap_or_default().trim_end();
    let open = open.strip_suffix('}').unwrap_or(open);
    format!("{open},\"digest\":\"{}\"}}\n", Digest::of(open.as_bytes())).into_bytes()
}

/// What is accepted carries its own digest, belongs to the key, and is the same after another writing.
fn check_record(input: &[u8]) -> bool {
    let Ok(record) = Record::from_file(input, &KEY) else { return false };
    assert_eq!(record.key, KEY);
    let open = &input[..input.len() - END];
    let end = format!(",\"digest\":\"{}\"}}\n", Digest::of(open));
    assert_eq!(&input[open.len()..], end.as_bytes(), "a record without its digest was accepted");
    let written = record.to_file().expect("what was read can be written");
    let again = Record::from_file(&written, &KEY).expect("what was written can be read");
    assert_eq!(again.to_file().expect("as before"), written);
    true
}

/// Files of lines and checkpoints as a store finds them: a journal, the names index, the state of a node.
pub(crate) fn files() -> Target {
    let whole = whole_store();
    let paths: Vec<_> = whole.files().into_iter().map(|(path, _)| path).collect();
    let corpus = whole.files().into_iter().map(|(_, bytes)| bytes).collect();
    Target {
        name: "files",
        corpus,
        make: Box::new(shuffled),
        check: Box::new(move |input| paths.iter().filter(|path| check_file(path, input)).count() > 0),
    }
}

/// Bytes damaged, or lines of a file left out, doubled or exchanged.
fn shuffled(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    if chance.below(2) == 0 {
        return bytes::damaged(chance, corpus);
    }
    let from: &Vec<u8> = chance.one_of(corpus);
    let lines: Vec<&[u8]> = from.split_inclusive(|byte| *byte == b'\n').collect();
    (0..chance.below(2 * lines.len() + 1)).flat_map(|_| *chance.one_of(&lines)).copied().collect()
}

fn whole_store() -> RamStore {
    let store = RamStore::new();
    let mut journal = store.journal(RUN).expect("a journal");
    for number in 0..6 {
        journal.line(&format!("{{\"number\":{number}}}")).expect("a line");
    }
    journal.sync().expect("a journal");
    for byte in 1..5 {
        let key = Key::from_bytes([byte; 32]);
        store.remember("pipeline", &[("node", key), ("é[1]", KEY)]).expect("names");
    }
    store.put_checkpoint(&KEY, b"state of a node").expect("a checkpoint");
    store
}

/// Puts the input in the place of a file; whether its reader took all of it.
fn check_file(path: &Path, input: &[u8]) -> bool {
    let store = whole_store();
    assert!(store.damage(path, input.to_vec()));
    let store = store.reopened();
    let journal = store.read_journal(RUN).expect("no damage is an error");
    let journal = journal.expect("the file is there");
    // Lines are believed in their order only: what is read is how the journal began.
    for (number, line) in journal.lines.iter().enumerate() {
        assert_eq!(*line, format!("{{\"number\":{number}}}"));
    }
    let state = store.checkpoint(&KEY).expect("no damage is an error");
    assert!(state.as_deref().is_none_or(|state| state == b"state of a node"));
    let names = ["node", "é[1]"].map(|node| store.last_key_of("pipeline", node));
    assert!(names.iter().flatten().all(|key| (1..8).any(|byte| *key == Key::from_bytes([byte; 32]))));
    !journal.broken && state.is_some() && names.iter().all(Option::is_some)
}
