//! Laws that hold for every store, real or in memory.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{bytes, key, record};
use pddflow_cache::{Digest, Lock, RamStore, Store, StoreErrorKind};
use proptest::prelude::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a check on a store of each kind.
fn on_each(check: impl Fn(&Store)) {
    check(&RamStore::new());
    let folder = tempfile::tempdir().unwrap();
    check(&Store::open(&folder.path().join("a").join("store")).unwrap());
}

#[test]
fn what_was_put_comes_back() {
    on_each(|store| {
        for length in [0, 1, 4_096, 16 * 1024 - 1, 16 * 1024, 100_000] {
            let put = bytes(1, length);
            let digest = store.put(&put).unwrap();
            assert_eq!(digest, Digest::of(&put));
            assert!(store.contains(&digest));
            assert_eq!(&*store.get(&digest).unwrap(), &put[..]);
            assert_eq!(store.put(&put).unwrap(), digest);
        }
        let other = Digest::of(b"never put");
        assert!(!store.contains(&other));
        let error = store.get(&other).unwrap_err();
        assert_eq!(*error.kind(), StoreErrorKind::Missing);
        assert_eq!(error.digest(), Some(&other));
    });
}

#[test]
fn records_and_checkpoints_are_replaced_and_cleared() {
    on_each(|store| {
        assert_eq!(store.record(&key("a")).unwrap(), None);
        let mut first = record("a", Digest::of(b"1"));
        store.put_record(&first).unwrap();
        first.head.seconds = 7.0;
        store.put_record(&first).unwrap();
        assert_eq!(store.record(&key("a")).unwrap(), Some(first));
        assert_eq!(store.record(&key("b")).unwrap(), None);

        assert_eq!(store.checkpoint(&key("a")).unwrap(), None);
        store.clear_checkpoint(&key("a")).unwrap();
        store.put_checkpoint(&key("a"), b"one").unwrap();
        store.put_checkpoint(&key("a"), b"two").unwrap();
        assert_eq!(store.checkpoint(&key("a")).unwrap().unwrap(), b"two");
        store.clear_checkpoint(&key("a")).unwrap();
        assert_eq!(store.checkpoint(&key("a")).unwrap(), None);
    });
}

#[test]
fn a_journal_keeps_its_lines() {
    on_each(|store| {
        assert_eq!(store.runs().unwrap(), Vec::<String>::new());
        assert_eq!(store.read_journal("r1").unwrap(), None);
        let mut journal = store.journal("r1").unwrap();
        assert_eq!(store.first_line("r1").unwrap(), None);
        journal.line(r#"{"event":"started"}"#).unwrap();
        journal.flush().unwrap();
        assert_eq!(store.read_journal("r1").unwrap().unwrap().lines.len(), 1);
        for at in 0..2_000 {
            journal.line(&format!("{{\"at\":{at},\"text\":\"é\"}}")).unwrap();
        }
        journal.sync().unwrap();
        let read = store.read_journal("r1").unwrap().unwrap();
        assert!(!read.broken);
        assert_eq!(read.lines.len(), 2_001);
        assert_eq!(read.lines[2_000], "{\"at\":1999,\"text\":\"é\"}");
        assert_eq!(store.first_line("r1").unwrap().as_ref(), read.lines.first());
        assert_eq!(store.runs().unwrap(), ["r1"]);
        assert!(store.journal("r1").is_err(), "an id is used once");
        for name in ["", "..", "a/b", ".hidden", "a b", &"x".repeat(81)] {
            assert_eq!(*store.journal(name).err().unwrap().kind(), StoreErrorKind::InvalidName, "{name}");
        }
    });
}

#[test]
fn names_are_remembered_by_pipeline() {
    on_each(|store| {
        store.put_record(&record("a", Digest::of(b"1"))).unwrap();
        assert_eq!(store.last_key_of("p", "n"), None);
        store.remember("p", &[("n", key("a"))]).unwrap();
        store.remember("p", &[("m", key("b"))]).unwrap();
        assert_eq!(store.last_key_of("p", "n"), Some(key("a")));
        assert_eq!(store.last_key_of("p", "m"), Some(key("b")), "a name may outlive its record");
        assert_eq!(store.last_key_of("q", "n"), None);
    });
}

#[test]
fn another_process_finds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path()).unwrap();
    let digest = open().put(b"bytes").unwrap();
    open().put_record(&record("a", digest)).unwrap();
    open().remember("p", &[("n", key("a"))]).unwrap();
    open().remember("p", &[("n", key("b"))]).unwrap();
    let store = open();
    assert_eq!(&*store.get(&digest).unwrap(), b"bytes");
    assert!(store.record(&key("a")).unwrap().is_some());
    assert_eq!(store.last_key_of("p", "n"), Some(key("b")));
}

#[test]
fn opening_touches_nothing_and_a_file_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let store = Store::open(&root).unwrap();
    assert!(!store.contains(&Digest::of(b"x")));
    assert_eq!(store.record(&key("a")).unwrap(), None);
    assert!(!root.exists());
    fs_err::write(&root, b"a file").unwrap();
    assert_eq!(*Store::open(&root).err().unwrap().kind(), StoreErrorKind::Io);
}

#[test]
fn a_key_is_computed_by_one_at_a_time() {
    on_each(|store| {
        let Lock::Held(ours) = store.lock(&key("a")) else { panic!("a free key") };
        assert!(matches!(store.lock(&key("a")), Lock::Elsewhere));
        assert!(matches!(store.lock(&key("b")), Lock::Held(_)));
        drop(ours);
        assert!(matches!(store.lock(&key("a")), Lock::Held(_)));
    });
}

#[test]
fn a_store_without_locks_says_so_once() {
    let store = RamStore::new();
    store.set_read_only(true);
    for name in ["a", "b"] {
        assert!(matches!(store.lock(&key(name)), Lock::Unavailable));
    }
    let warnings = store.take_warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("cannot be locked"), "{warnings:?}");
}

#[test]
fn the_holder_of_a_key_is_a_run_of_another_process() {
    let store = RamStore::new();
    // As another process on another machine would have begun it: with its own name and number in the first line.
    let mut ours = store.journal("ours").unwrap();
    ours.line(&format!("{{\"key\":\"{}\"}}", key("a"))).unwrap();
    ours.flush().unwrap();
    assert_eq!(store.holder(&key("a")), None, "a process does not wait for itself");
    let path = store.files()[0].0.clone();
    let theirs = |text: &str| {
        let text = text.replace("memory", "alpha");
        store.damage(&path, text.into_bytes());
    };
    let text = String::from_utf8(store.files()[0].1.clone()).unwrap();
    theirs(&text);
    let holder = store.holder(&key("a")).unwrap();
    assert_eq!((holder.run.as_str(), holder.host.as_str()), ("ours", "alpha"));
    // The only other run there is, though its journal does not name the key yet.
    assert_eq!(store.holder(&key("b")), Some(holder));
    drop(ours);
    assert_eq!(store.holder(&key("a")), None, "it has ended");
}

#[test]
fn a_run_is_known_to_live_until_its_journal_ends() {
    on_each(|store| {
        assert!(!store.is_running("r"));
        let journal = store.journal("r").unwrap();
        assert!(store.is_running("r"));
        drop(journal);
        assert!(!store.is_running("r"));
    });
}

/// Many threads with a view of their own, as processes have, race for a few keys: never two hold the same.
#[test]
fn locks_hold_under_contention() {
    let folder = tempfile::tempdir().unwrap();
    let held: Vec<AtomicUsize> = (0..3).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (folder, held) = (folder.path(), &held);
            scope.spawn(move || {
                let store = Store::open(folder).unwrap();
                for round in 0..200 {
                    let which = (thread + round) % held.len();
                    if let Lock::Held(lock) = store.lock(&key(&which.to_string())) {
                        assert_eq!(held[which].fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        assert_eq!(held[which].fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    }
                }
            });
        }
    });
    let left = fs_err::read_dir(folder.path().join("v1")).unwrap();
    assert!(left.into_iter().all(|entry| entry.unwrap().file_name() == "locks"));
}

#[test]
fn many_threads_may_put_the_same() {
    on_each(|store| {
        let barrier = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    for at in 0..20 {
                        let put = bytes(at, 20_000);
                        let digest = store.put(&put).unwrap();
                        store.put_record(&record(&format!("n{at}"), digest)).unwrap();
                        assert_eq!(&*store.get(&digest).unwrap(), &put[..]);
                    }
                });
            }
        });
        assert_eq!(store.take_warnings(), Vec::<String>::new());
    });
}

#[test]
fn no_unfinished_file_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    common::work(&store, "a").unwrap();
    store.commit().unwrap();
    let mut left: Vec<String> = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() { folders.push(entry.path()) } else { left.push(name) }
        }
    }
    left.retain(|name| name != "locks");
    left.sort();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_round_trip_through_memory(put in prop::collection::vec(any::<u8>(), 0..300)) {
        let store = RamStore::new();
        let digest = store.put(&put).unwrap();
        prop_assert_eq!(&*store.reopened().get(&digest).unwrap(), &put[..]);
        store.put_checkpoint(&key("a"), &put).unwrap();
        prop_assert_eq!(store.checkpoint(&key("a")).unwrap().unwrap(), put);
    }
}

/// A record gets its final name when it is durable. Whoever looks at that moment sees it, under one name or the other.
#[test]
fn a_record_is_seen_while_it_is_committed() {
    const RECORDS: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let (writer, reader) = (Store::open(folder.path()).unwrap(), Store::open(folder.path()).unwrap());
    let digest = writer.put(b"bytes").unwrap();
    let (written, seen, missed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..RECORDS {
                let key = key(&number.to_string());
                while written.load(Ordering::Acquire) <= 2 * number {
                    std::hint::spin_loop();
                }
                // Until it is committed, and once more.
                loop {
                    let committed = written.load(Ordering::Acquire) == 2 * number + 2;
                    missed.fetch_add(usize::from(reader.record_head(&key).unwrap().is_none()), Ordering::Relaxed);
                    if committed {
                        break;
                    }
                }
                seen.store(number + 1, Ordering::Release);
            }
        });
        for number in 0..RECORDS {
            writer.put_record(&record(&number.to_string(), digest)).unwrap();
            written.fetch_add(1, Ordering::Release);
            writer.commit().unwrap();
            written.fetch_add(1, Ordering::Release);
            while seen.load(Ordering::Acquire) <= number {
                std::thread::yield_now();
            }
        }
    });
    assert_eq!(missed.into_inner(), 0, "looks at a record that was there");
}
