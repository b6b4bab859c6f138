//! Reading ahead: while one core reads and plans a pipeline, another reads what its nodes gave last time. Which records
//! those are is in the names index, before the plan is known.

use crate::digest::Key;
use crate::objects::{Objects, lock};
use crate::record::Lookup;
use crate::store::Store as _;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Fewer records are read as quickly as a thread is started.
const LEAST_RECORDS: usize = 64;

/// What was read ahead and not asked for yet.
#[derive(Default)]
pub(crate) struct Ahead {
    found: Mutex<HashMap<Key, Lookup>>,
    ended: AtomicBool,
}

impl Ahead {
    /// What is under a key, once. The first question ends the reading: those who ask read the rest as quickly.
    pub(crate) fn take(&self, key: &Key) -> Option<Lookup> {
        self.end();
        lock(&self.found).remove(key)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Objects {
    /// Begins to read what the nodes of a pipeline gave last time.
    pub(crate) fn read_ahead(self: &Arc<Self>, pipeline: &str) -> Option<JoinHandle<()>> {
        let (objects, pipeline) = (Arc::clone(self), pipeline.to_owned());
        let work = move || {
            let keys = objects.last_keys(&pipeline);
            if keys.len() < LEAST_RECORDS {
                return;
            }
            // At once: tables that grow take fresh memory for each size that they go through.
            lock(&objects.ahead.found).reserve(keys.len());
            lock(&objects.seen).reserve(keys.len());
            for key in keys {
                // What cannot be read is met again, and told, by whoever needs it.
                let head = objects.record_head(&key).ok().flatten();
                let found = head.map(|head| Lookup::new(head, |digest| objects.contains(digest)));
                if objects.ahead.ended.load(Ordering::Relaxed) {
                    return;
                }
                lock(&objects.ahead.found).extend(found.map(|found| (key, found)));
            }
        };
        std::thread::Builder::new().name("pddflow-reader".to_owned()).spawn(work).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::disk::Disk as _;
    use crate::disk::ram::RamDisk;
    use crate::key::KeyBuilder;
    use crate::record::{Record, RecordHead};
    use litemap::LiteMap;
    use std::collections::BTreeMap;
    use std::path::Path;

    const COUNT: usize = LEAST_RECORDS + 10;

    fn over(disk: &RamDisk) -> Arc<Objects> {
        Arc::new(Objects::new(Box::new(disk.clone()), Path::new("store")))
    }

    /// A disk with records, each with an artifact, the index that names them, and what is under them.
    fn filled() -> (RamDisk, Vec<Lookup>) {
        let disk = RamDisk::default();
        let objects = over(&disk);
        let record = |at: usize| {
            let (key, parts) = KeyBuilder::new().part("at", at.into()).finish().unwrap();
            let (mut outputs, metrics) = (LiteMap::new(), BTreeMap::new());
            outputs.insert("files".to_owned(), objects.put(&[at as u8; 50]).unwrap());
            let head =
                RecordHead { key, outputs, metrics, seconds: at as f64, log: Vec::new(), program: String::new() };
            objects.put_record(&Record { parts, head: head.clone() }).unwrap();
            objects.remember("p", &[(&at.to_string(), key)]).unwrap();
            Lookup { head, missing: Vec::new() }
        };
        let found = (0..COUNT).map(record).collect();
        (disk, found)
    }

    fn artifact(found: &Lookup) -> Digest {
        *found.head.outputs.get("files").unwrap()
    }

    #[test]
    fn what_was_read_ahead_is_what_the_files_say() {
        let (disk, mut all) = filled();
        let objects = over(&disk);
        assert!(disk.damage(&objects.record_path(&all[3].head.key), b"{}".to_vec()));
        disk.remove(&objects.artifact_path(&artifact(&all[7]))).unwrap();
        all[7].missing.push("files".to_owned());
        objects.read_ahead("p").unwrap().join().unwrap();
        assert_eq!(lock(&objects.ahead.found).len(), COUNT - 1);
        for turn in ["read ahead", "read now"] {
            for (at, found) in all.iter().enumerate() {
                let expected = (at != 3).then_some(found);
                assert_eq!(objects.look_up(&found.head.key).unwrap().as_ref(), expected, "{turn} {at}");
            }
        }
        assert_eq!(objects.take_warnings().len(), 1);
    }

    #[test]
    fn a_question_ends_the_reading() {
        let (disk, all) = filled();
        let objects = over(&disk);
        assert_eq!(objects.look_up(&all[0].head.key).unwrap().as_ref(), Some(&all[0]));
        objects.read_ahead("p").unwrap().join().unwrap();
        assert!(lock(&objects.ahead.found).is_empty());
    }
}
