//! Verifying and collecting whole stores.
#![allow(clippy::unwrap_used, reason = "a failing test should panic")]

mod common;

use common::{bytes, key, record, work};
use pddflow_cache::{CollectRules, Digest, KeyUse, RamStore, Store, Uses};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn now() -> SystemTime {
    NOW + 1_000 * DAY
}

/// Five results of 1,000 bytes, `n0` used last on day 100, `n1` on day 200 and so on; `n0` is to be kept.
fn filled() -> (RamStore, Uses) {
    let store = RamStore::new();
    let mut used = Uses::default();
    for at in 0..5_u32 {
        let digest = store.put(&bytes(at as usize, 1_000)).unwrap();
        let name = format!("n{at}");
        store.put_record(&record(&name, digest)).unwrap();
        used.keys.insert(key(&name), KeyUse { last: NOW + (at + 1) * 100 * DAY, kept: at == 0 });
    }
    (store, used)
}

fn left(store: &RamStore) -> Vec<usize> {
    (0..5).filter(|at| store.contains(&Digest::of(&bytes(*at, 1_000)))).collect()
}

fn rules(most_bytes: u64, days: u32) -> CollectRules {
    CollectRules { most_bytes, most_age: days * DAY, ..CollectRules::default() }
}

#[test]
fn the_longest_unused_goes_first_until_the_size_fits() {
    let (store, used) = filled();
    let done = store.collect_at(&used, &rules(3_000, 10_000), now()).unwrap();
    assert_eq!((done.artifacts, done.bytes, done.freed(), done.kept_bytes), (5, 5_000, 2_000, 1_000));
    assert_eq!(left(&store), [0, 3, 4]);
    // What must be kept may exceed the limit.
    store.collect_at(&used, &rules(0, 10_000), now()).unwrap();
    assert_eq!(left(&store), [0]);
    assert_eq!(store.record_keys().unwrap().len(), 5, "records say why; they stay while they are not too old");
}

#[test]
fn what_is_too_old_goes_and_a_dry_run_removes_nothing() {
    let (store, used) = filled();
    let dry = CollectRules { dry_run: true, ..rules(u64::MAX, 650) };
    let said = store.collect_at(&used, &dry, now()).unwrap();
    assert_eq!((said.removed.len(), left(&store).len()), (2, 5));
    assert_eq!(store.collect_at(&used, &rules(u64::MAX, 650), now()).unwrap().removed, said.removed);
    assert_eq!(left(&store), [0, 3, 4]);
    let nothing = CollectRules::default();
    let (store, used) = filled();
    assert_eq!(store.collect_at(&used, &nothing, NOW + 510 * DAY).unwrap().removed.len(), 2, "half a year");
}

#[test]
fn records_and_journals_that_no_kept_run_names_go_when_they_are_too_old() {
    let (store, mut used) = filled();
    for run in ["kept", "old"] {
        store.journal(run).unwrap().line("{\"event\":1}").unwrap();
    }
    let going_on = store.journal("going-on").unwrap();
    store.remember("pipeline", &[("n", key("n0"))]).unwrap();
    used.runs.insert("kept".to_owned());
    let dry = CollectRules { dry_run: true, ..rules(u64::MAX, 650) };
    let said = store.collect_at(&used, &dry, now()).unwrap();
    assert_eq!(
        (said.records, said.runs, store.record_keys().unwrap().len(), store.runs().unwrap().len()),
        (2, 1, 5, 3)
    );
    let done = store.collect_at(&used, &rules(u64::MAX, 650), now()).unwrap();
    assert_eq!((done.records, done.runs), (2, 1));
    assert_eq!(store.record_keys().unwrap().len(), 3, "the kept one, and two that were used later");
    assert_eq!(store.runs().unwrap(), ["going-on", "kept"]);
    assert!(store.record(&key("n0")).unwrap().is_some() && left(&store) == [0, 3, 4]);
    drop(going_on);
    let young = CollectRules::default();
    assert_eq!(store.collect_at(&Uses::default(), &young, NOW + DAY).unwrap().runs, 0, "half a year is not over");
}

#[test]
fn an_artifact_of_several_records_is_kept_for_any_of_them() {
    let (store, mut used) = filled();
    store.put_record(&record("other", Digest::of(&bytes(1, 1_000)))).unwrap();
    used.keys.insert(key("other"), KeyUse { last: NOW, kept: true });
    store.collect_at(&used, &rules(0, 10_000), now()).unwrap();
    assert_eq!(left(&store), [0, 1]);
}

#[test]
fn what_was_just_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (young, old) = (store.put(b"young").unwrap(), store.put(b"old").unwrap());
    let file = fs_err::File::open(store.artifact_path(&old)).unwrap();
    file.file().set_modified(SystemTime::now() - 2 * DAY).unwrap();
    let done = store.collect(&Uses::default(), &rules(0, 1)).unwrap();
    assert_eq!(done.removed.iter().map(|(digest, _)| *digest).collect::<Vec<_>>(), [old]);
    assert!(store.contains(&young) && !store.contains(&old));
    assert!(store.collect_due(DAY));
    store.note_collected().unwrap();
    assert!(!store.collect_due(DAY));
}

#[test]
fn a_put_of_bytes_that_are_there_keeps_them_from_being_collected() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (again, once) = (store.put(b"again").unwrap(), store.put(b"once").unwrap());
    for digest in [again, once] {
        let file = fs_err::File::open(store.artifact_path(&digest)).unwrap();
        file.file().set_modified(SystemTime::now() - 2 * DAY).unwrap();
    }
    // A run that is about to write the record that names it.
    Store::open(folder.path()).unwrap().put(b"again").unwrap();
    store.collect(&Uses::default(), &rules(0, 1)).unwrap();
    assert!(store.contains(&again) && !store.contains(&once));
}

#[test]
fn leftovers_of_kills_are_removed() {
    let store = RamStore::new();
    work(&store, "done").unwrap();
    store.put_checkpoint(&key("done"), b"left by a kill").unwrap();
    store.put_checkpoint(&key("unfinished"), b"of use").unwrap();
    for step in 1..6 {
        let next = store.killed();
        next.fault_at(next.steps() + step, pddflow_cache::Fault::Die);
        let _ = work(&next, "other");
        let next = next.killed();
        next.collect_at(&Uses::default(), &rules(u64::MAX, 100_000), now()).unwrap();
        let unfinished = next.files().iter().any(|(path, _)| path.to_str().unwrap().contains(".new-"));
        assert!(!unfinished, "step {step}");
        assert_eq!(next.checkpoint(&key("done")).unwrap(), None);
        assert!(next.checkpoint(&key("unfinished")).unwrap().is_some());
        work(&next, "other").unwrap();
    }
}

#[test]
fn states_of_finished_work_are_limited_in_size_and_age() {
    let store = RamStore::new();
    for reached in [10, 20, 30] {
        store.put_state(&key("lineage"), reached, &bytes(1, 400)).unwrap();
    }
    let collect = |most_bytes, days| {
        let next = store.killed();
        next.collect_at(&Uses::default(), &rules(most_bytes, days), now()).unwrap();
        (next.states(&key("lineage")), next.files().len())
    };
    assert_eq!(collect(u64::MAX, 100_000), (vec![10, 20, 30], 3));
    // A tenth of the size holds two of them.
    assert_eq!(collect(10_000, 100_000), (vec![20, 30], 2));
    assert_eq!(collect(u64::MAX, 1), (vec![], 0));
}

#[test]
fn verifying_finds_every_damaged_file_on_any_number_of_threads() {
    let store = RamStore::new();
    for at in 0..20 {
        let name = format!("n{at}");
        work(&store, &name).unwrap();
        store.put_checkpoint(&key(&name), b"state").unwrap();
    }
    let whole = store.reopened().verify(4).unwrap();
    assert_eq!((whole.artifacts, whole.records, whole.checkpoints, whole.journals), (20, 20, 20, 20));
    assert_eq!((whole.damaged.len(), whole.cut_short.len()), (0, 0));
    for threads in [1, 4] {
        let next = store.killed();
        let mut damaged = 0;
        for (path, mut bytes) in next.files() {
            if !path.ends_with("journal") {
                bytes[0] ^= 1;
                damaged += usize::from(next.damage(&path, bytes));
            }
        }
        let found = next.verify(threads).unwrap();
        assert_eq!((damaged, found.damaged.len()), (60, 60), "{:?}", found.damaged);
        assert_eq!(next.reopened().verify(threads).unwrap().damaged.len(), 0, "all of it is set aside");
    }
}
