//! Crashes, full disks, lost power and damaged files. Mostly on the RAM store, which runs the same protocol.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{assert_consistent, bytes, key, record, work};
use pddflow_cache::{Digest, Fault, RamStore, Store, StoreErrorKind};
use std::io::ErrorKind;
use std::path::Path;

/// A new process on a store in which `before` was done, and the number of steps that `during` takes it.
fn prepared() -> (RamStore, u64) {
    let store = RamStore::new();
    work(&store, "before").unwrap();
    let (next, probe) = (store.killed(), store.killed());
    work(&probe, "during").unwrap();
    (next, probe.steps() - store.steps())
}

#[test]
fn death_at_any_step_leaves_nothing_partial_and_loses_nothing() {
    let (base, taken) = prepared();
    assert!(taken > 15, "the walk covers every step: {taken}");
    for step in 0..taken {
        let store = base.killed();
        store.fault_at(store.steps() + step, Fault::Die);
        // The last step removes an empty folder, which need not succeed.
        let done = work(&store, "during");
        assert_eq!(done.is_ok(), step == taken - 1, "step {step}: {done:?}");
        let next = store.killed();
        assert_consistent(&next, &["before", "during"]);
        assert!(next.record(&key("before")).unwrap().is_some());
        work(&next, "during").unwrap();
        assert_consistent(&next, &["before", "during"]);
    }
}

#[test]
fn what_returned_ok_survives_a_loss_of_power_at_any_step() {
    let (base, taken) = prepared();
    for step in 0..taken {
        for seed in 0..40 {
            let store = base.killed();
            store.fault_at(store.steps() + step, Fault::Die);
            let _ = work(&store, "during");
            let next = store.power_loss(seed);
            // The record is durable only after its artifact, so no record can name what is lost.
            assert_consistent(&next, &["before", "during"]);
            assert!(next.record(&key("before")).unwrap().is_some(), "step {step} seed {seed}");
            work(&next, "during").unwrap();
            assert!(next.record(&key("during")).unwrap().is_some());
        }
    }
}

/// Two nodes of a run whose results settle together, after both.
fn lazily(store: &RamStore) -> Result<(), pddflow_cache::StoreError> {
    store.set_lazy(true);
    work(store, "one")?;
    work(store, "two")?;
    store.commit()?;
    work(store, "three")?;
    store.commit()
}

/// Results wait for their sync; the power may go at any step before, during and after it.
#[test]
fn results_that_wait_for_their_sync_are_whole_or_absent_after_a_loss_of_power() {
    let names = ["before", "one", "two", "three"];
    let (base, _) = prepared();
    let probe = base.killed();
    lazily(&probe).unwrap();
    let taken = probe.steps() - base.steps();
    let mut kept = [0, 0];
    for step in 0..=taken {
        for seed in 0..25 {
            let store = base.killed();
            store.fault_at(store.steps() + step, Fault::Die);
            let settled = lazily(&store).is_ok();
            for (power, next) in [(true, store.power_loss(seed)), (false, store.killed())] {
                let there = names.map(|name| next.record(&key(name)).unwrap().is_some());
                assert!(there[0], "step {step}");
                assert!(!settled || there == [true; 4], "step {step} seed {seed}: what had settled is lost");
                // Unfinished work keeps its checkpoint: it goes only when the result is durable.
                assert_consistent(&next, &names);
                kept[usize::from(power)] += there.iter().filter(|there| **there).count();
                lazily(&next).unwrap();
                let warnings = next.take_warnings();
                // Half an artifact that nobody had promised is told when it is stored anew.
                assert!(power || warnings.is_empty(), "{warnings:?}");
                assert!(warnings.iter().all(|text| text.contains("stored anew")), "{warnings:?}");
                assert_consistent(&next, &names);
                assert!(names.iter().all(|name| next.record(&key(name)).unwrap().is_some()));
            }
        }
    }
    // Losing the power takes more than a kill does, but not everything.
    assert!(kept[1] < kept[0] && kept[1] > kept[0] / 2, "{kept:?}");
}

#[test]
fn a_checkpoint_stays_until_the_result_has_settled() {
    let store = RamStore::new();
    store.put_checkpoint(&key("a"), b"half way").unwrap();
    store.set_lazy(true);
    work(&store, "a").unwrap();
    assert!(store.checkpoint(&key("a")).unwrap().is_none(), "for this process it is gone");
    for seed in 0..50 {
        let next = store.power_loss(seed);
        let whole = next.record(&key("a")).unwrap().is_some();
        assert!(whole || next.checkpoint(&key("a")).unwrap().is_some(), "seed {seed}: both are lost");
    }
    store.commit().unwrap();
    assert_eq!(store.checkpoint(&key("a")).unwrap(), None);
}

#[test]
fn a_pending_record_is_taken_only_with_whole_artifacts() {
    let store = RamStore::new();
    store.set_lazy(true);
    work(&store, "a").unwrap();
    let files = store.files();
    let file = |part: &str| files.iter().find(|(path, _)| path.to_str().unwrap().contains(part)).unwrap();
    assert!(store.record(&key("a")).unwrap().is_some(), "in the same process");
    assert!(store.killed().record(&key("a")).unwrap().is_some(), "in the next process");
    for (path, whole) in [file("pending"), file("artifacts")] {
        for damaged in damages_of(whole) {
            let next = store.killed();
            assert!(next.damage(path, damaged));
            assert_eq!(next.record(&key("a")).unwrap(), None, "{}", path.display());
            work(&next, "a").unwrap();
            assert!(next.record(&key("a")).unwrap().is_some());
        }
    }
    // Taking it over makes it durable.
    let next = store.killed();
    next.record(&key("a")).unwrap().unwrap();
    next.commit().unwrap();
    assert!((0..20).all(|seed| next.power_loss(seed).record(&key("a")).unwrap().is_some()));
    assert!(next.files().iter().any(|(path, _)| path.to_str().unwrap().contains("records")));
}

#[test]
fn a_store_on_disk_settles_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for at in 0..40 {
        work(&store, &format!("n{at}")).unwrap();
    }
    let settled = |at: usize| store.record_path(&key(&format!("n{at}"))).exists();
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !(0..40).all(settled) {
        assert!(std::time::Instant::now() < limit, "nothing settles");
        std::thread::yield_now();
    }
    work(&store, "last").unwrap();
    drop(store);
    assert!(Store::open(folder.path()).unwrap().record_path(&key("last")).exists());
    assert_eq!(fs_err::read_dir(folder.path().join("v1/pending")).unwrap().count(), 0);
}

#[test]
fn an_error_at_any_step_is_reported_and_can_be_retried() {
    let (base, taken) = prepared();
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for step in 0..taken {
            let store = base.killed();
            store.fault_at(store.steps() + step, Fault::Fail(kind));
            if let Err(error) = work(&store, "during") {
                let expected = if kind == ErrorKind::Other { StoreErrorKind::Io } else { StoreErrorKind::Full };
                assert_eq!(*error.kind(), expected, "step {step}: {error}");
                assert!(std::error::Error::source(&error).is_some());
            }
            assert_consistent(&store, &["before", "during"]);
            work(&store, "during").unwrap();
            assert_consistent(&store, &["before", "during"]);
            let unfinished = store.files().iter().filter(|(path, _)| is_unfinished(path)).count();
            assert_eq!(unfinished, 0, "step {step}");
        }
    }
}

#[test]
fn a_full_disk_keeps_what_was_stored_and_shows_nothing_partial() {
    let store = RamStore::new();
    work(&store, "before").unwrap();
    let used: usize = store.files().iter().map(|(_, bytes)| bytes.len()).sum();
    store.set_capacity(Some(used as u64 + 1_000));
    let large = bytes(3, 5_000);
    let error = store.put(&large).unwrap_err();
    assert_eq!(*error.kind(), StoreErrorKind::Full);
    assert!(error.to_string().contains("no space left"), "{error}");
    assert!(error.help().contains("--cache-dir"));
    assert!(!store.contains(&Digest::of(&large)));
    assert!(store.put_checkpoint(&key("before"), &large).is_err());
    assert_consistent(&store, &["before"]);
    assert_eq!(store.files().iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), used);
    store.set_capacity(None);
    store.put(&large).unwrap();
}

#[test]
fn an_earlier_checkpoint_survives_a_failed_one() {
    let store = RamStore::new();
    store.put_checkpoint(&key("a"), b"one").unwrap();
    store.set_capacity(Some(0));
    assert!(store.put_checkpoint(&key("a"), b"two").is_err());
    assert_eq!(store.checkpoint(&key("a")).unwrap().unwrap(), b"one");
}

#[test]
fn a_read_only_store_is_readable_and_says_so() {
    let store = RamStore::new();
    work(&store, "before").unwrap();
    store.set_read_only(true);
    let digest = Digest::of(b"before");
    assert_eq!(&*store.get(&digest).unwrap(), b"before");
    assert_eq!(store.put(b"before").unwrap(), digest, "what is there needs no writing");
    for error in [store.put(b"new").err(), store.put_record(&record("new", digest)).err(), store.journal("r").err()] {
        let error = error.unwrap();
        assert_eq!(*error.kind(), StoreErrorKind::ReadOnly);
        assert_eq!(error.code(), "pddflow::cache::read_only");
    }
}

#[test]
fn every_flipped_bit_and_truncation_of_a_stored_file_is_detected() {
    let build = || {
        let store = RamStore::new();
        let digest = store.put(b"an artifact").unwrap();
        store.put_record(&record("a", digest)).unwrap();
        store.put_checkpoint(&key("a"), b"state").unwrap();
        let mut journal = store.journal("run").unwrap();
        journal.line(r#"{"event":"x"}"#).unwrap();
        journal.sync().unwrap();
        store.remember("p", &[("n", key("a"))]).unwrap();
        store
    };
    let store = build();
    let files = store.files();
    assert_eq!(files.len(), 5);
    let mut damages = 0;
    for (path, whole) in &files {
        for damaged in damages_of(whole) {
            damages += 1;
            let next = store.killed();
            assert!(next.damage(path, damaged));
            assert_detected(&next, path);
        }
    }
    assert!(damages > 4_000, "{damages}");
}

/// Every single flipped bit, every truncation, and some longer versions.
fn damages_of(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..whole.len() * 8).map(|bit| {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let shorter = (0..whole.len()).map(|length| whole[..length].to_vec());
    let longer = [[whole, b"\n"].concat(), [whole, b"\0"].concat(), [whole, whole].concat()];
    flipped.chain(shorter).chain(longer)
}

fn assert_detected(store: &RamStore, path: &Path) {
    let digest = Digest::of(b"an artifact");
    let name = path.to_str().unwrap();
    if name.contains("artifacts") {
        let error = store.get(&digest).unwrap_err();
        let StoreErrorKind::Damaged { quarantined_to: Some(to) } = error.kind() else { panic!("{error}") };
        assert!(to.to_str().unwrap().contains("quarantine"));
        assert!(error.to_string().contains("damaged"));
        assert!(!store.contains(&digest));
    } else if name.contains("records") {
        assert_eq!(store.record(&key("a")).unwrap(), None);
        assert_eq!(store.take_warnings().len(), 1);
        assert_eq!(store.take_warnings().len(), 0);
    } else if name.contains("partial") {
        assert_eq!(store.checkpoint(&key("a")).unwrap(), None);
        assert!(store.take_warnings()[0].contains("quarantine"));
    } else if name.contains("runs") {
        let journal = store.read_journal("run").unwrap().unwrap();
        assert!(journal.broken || journal.lines.is_empty());
        assert!(journal.lines.iter().all(|line| line == r#"{"event":"x"}"#));
    } else {
        assert_eq!(store.last_key_of("p", "n"), None);
    }
}

#[test]
fn a_checked_artifact_is_checked_again_when_its_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let digest = store.put(&bytes(1, 50_000)).unwrap();
    store.get(&digest).unwrap();
    let path = store.artifact_path(&digest);
    let mut damaged = bytes(1, 50_000);
    damaged[40_000] ^= 1;
    fs_err::remove_file(&path).unwrap();
    fs_err::write(&path, damaged).unwrap();
    let error = store.get(&digest).unwrap_err();
    let StoreErrorKind::Damaged { quarantined_to: Some(to) } = error.kind() else { panic!("{error}") };
    assert!(to.exists() && !path.exists());
    assert_eq!(*store.get(&digest).unwrap_err().kind(), StoreErrorKind::Missing);
    store.put(&bytes(1, 50_000)).unwrap();
    store.get(&digest).unwrap();
}

#[test]
fn a_cut_artifact_is_found_without_reading_it() {
    let store = RamStore::new();
    let digest = store.put(b"a whole artifact").unwrap();
    let mut record = record("a", digest);
    record.head.lengths.insert("out".to_owned(), 16);
    store.put_record(&record).unwrap();
    assert_eq!(store.look_up(&key("a")).unwrap().unwrap().missing, Vec::<String>::new());
    store.damage(&store.artifact_path(&digest), b"a whole arti".to_vec());
    assert_eq!(store.look_up(&key("a")).unwrap().unwrap().missing, ["out"]);
    // Its node runs again and puts it whole.
    store.put(b"a whole artifact").unwrap();
    assert_eq!(store.look_up(&key("a")).unwrap().unwrap().missing, Vec::<String>::new());
}

#[test]
fn putting_replaces_a_damaged_copy() {
    let store = RamStore::new();
    let digest = store.put(b"right").unwrap();
    let path = store.files()[0].0.clone();
    store.damage(&path, b"wrong".to_vec());
    store.put(b"right").unwrap();
    assert_eq!(&*store.get(&digest).unwrap(), b"right");
    assert_eq!(store.take_warnings().len(), 1);
}

#[test]
fn readers_of_a_damaged_artifact_do_not_move_away_the_new_one() {
    for round in 0..300 {
        let store = RamStore::new();
        let put = bytes(round, 3_000);
        let digest = store.put(&put).unwrap();
        let path = store.files()[0].0.clone();
        store.damage(&path, bytes(round + 1, 3_000));
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    if let Ok(blob) = store.get(&digest) {
                        assert_eq!(*blob, *put);
                    }
                });
            }
            barrier.wait();
            store.put(&put).unwrap();
        });
        assert_eq!(&*store.get(&digest).unwrap(), &put[..], "round {round}");
    }
}

#[test]
fn a_blob_stays_whole_while_its_file_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let put = bytes(1, 200_000);
    let digest = store.put(&put).unwrap();
    let blob = store.get(&digest).unwrap();
    fs_err::remove_file(store.artifact_path(&digest)).unwrap();
    assert_eq!(&*blob.clone(), &put[..]);
    drop(store);
    assert_eq!(&*blob, &put[..]);
}

#[test]
fn a_record_under_a_wrong_name_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.put_record(&record("a", Digest::of(b"1"))).unwrap();
    store.commit().unwrap();
    let wrong = store.record_path(&key("b"));
    fs_err::create_dir_all(wrong.parent().unwrap()).unwrap();
    fs_err::copy(store.record_path(&key("a")), &wrong).unwrap();
    assert_eq!(store.record(&key("b")).unwrap(), None);
    assert!(store.take_warnings()[0].contains("another key"));
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with('.'))
}
