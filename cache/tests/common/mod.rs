//! Shared by the tests of the store.
#![allow(dead_code, reason = "not every test program needs all of it")]

use litemap::LiteMap;
use pddflow_cache::{Digest, Key, KeyBuilder, KeyPart, Record, RecordHead, Store};
use std::collections::BTreeMap;

/// A record with one output.
pub(crate) fn record(name: &str, output: Digest) -> Record {
    let (key, parts) = KeyBuilder::new().part("kind", name.into()).finish().unwrap();
    let head = RecordHead {
        key,
        outputs: [("out".to_owned(), output)].into_iter().collect(),
        lengths: LiteMap::new(),
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.5)]),
        seconds: 0.25,
        log: vec!["said".to_owned()],
        program: "test".to_owned(),
    };
    Record { parts, made_on: None, head }
}

/// The key of [`record`].
pub(crate) fn key(name: &str) -> Key {
    KeyBuilder::new().parts([KeyPart::new("kind", name.into())]).finish().unwrap().0
}

/// Bytes that depend on `at` and fill more than one page.
pub(crate) fn bytes(at: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + at * 7 + i / 251) as u8).collect()
}

/// One whole node: checkpoint, artifact, record, clearing. What was done when it failed.
pub(crate) fn work(store: &Store, name: &str) -> Result<(), pddflow_cache::StoreError> {
    // Makes folders that are not durable; what follows must be so all the same.
    store
        .journal(name)
        .map(drop)
        .or_else(|error| if store.runs()?.iter().any(|run| run == name) { Ok(()) } else { Err(error) })?;
    store.put_checkpoint(&key(name), b"half way")?;
    let digest = store.put(name.as_bytes())?;
    store.put_record(&record(name, digest))?;
    store.clear_checkpoint(&key(name))
}

/// A record that is there has its artifacts, with the right bytes; what `work` did is whole or absent.
pub(crate) fn assert_consistent(store: &Store, names: &[&str]) {
    for name in names {
        if let Some(found) = store.record(&key(name)).unwrap() {
            assert_eq!(found, record(name, Digest::of(name.as_bytes())));
            assert_eq!(&*store.get(found.outputs.get("out").unwrap()).unwrap(), name.as_bytes());
        }
        if let Some(state) = store.checkpoint(&key(name)).unwrap() {
            assert_eq!(state, b"half way");
        }
    }
    assert_eq!(store.take_warnings(), Vec::<String>::new());
}
