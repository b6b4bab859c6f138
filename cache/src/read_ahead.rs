//! Records read ahead: while one core plans a pipeline, another reads what its nodes gave last time. Which those are is
//! in the names index, before the plan is known.

use crate::digest::Key;
use crate::objects::{Objects, lock};
use crate::record::RecordHead;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Fewer records are read as quickly as a thread is started.
const LEAST_RECORDS: usize = 64;

/// What was read ahead and not asked for yet.
#[derive(Default)]
pub(crate) struct Ahead {
    heads: Mutex<HashMap<Key, RecordHead>>,
    ended: AtomicBool,
}

impl Ahead {
    /// The head of a record, once. The first question ends the reading: those who ask read the rest as quickly.
    pub(crate) fn take(&self, key: &Key) -> Option<RecordHead> {
        self.end();
        lock(&self.heads).remove(key)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Objects {
    /// Begins to read the records that the nodes of a pipeline had last time.
    pub(crate) fn read_ahead(self: &Arc<Self>, pipeline: &str) -> Option<JoinHandle<()>> {
        let (objects, pipeline) = (Arc::clone(self), pipeline.to_owned());
        let work = move || {
            let keys = objects.last_keys(&pipeline);
            if keys.len() < LEAST_RECORDS {
                return;
            }
            for key in keys {
                // What cannot be read is met again, and told, by whoever needs it.
                let head = objects.record_head_now(&key).ok().flatten();
                if objects.ahead.ended.load(Ordering::Relaxed) {
                    return;
                }
                lock(&objects.ahead.heads).extend(head.map(|head| (key, head)));
            }
        };
        std::thread::Builder::new().name("pddflow-reader".to_owned()).spawn(work).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::ram::RamDisk;
    use crate::key::KeyBuilder;
    use crate::record::Record;
    use crate::store::Store as _;
    use std::path::Path;

    const COUNT: usize = LEAST_RECORDS + 10;

    fn over(disk: &RamDisk) -> Arc<Objects> {
        Arc::new(Objects::new(Box::new(disk.clone()), Path::new("store")))
    }

    /// A disk with records, the index that names them, and their heads.
    fn filled() -> (RamDisk, Vec<RecordHead>) {
        let disk = RamDisk::default();
        let objects = over(&disk);
        let record = |at: usize| {
            let (key, parts) = KeyBuilder::new().part("at", at.into()).finish().unwrap();
            let (outputs, metrics) = Default::default();
            let head =
                RecordHead { key, outputs, metrics, seconds: at as f64, log: Vec::new(), program: String::new() };
            objects.put_record(&Record { parts, head: head.clone() }).unwrap();
            objects.remember("p", &[(&at.to_string(), key)]).unwrap();
            head
        };
        let heads = (0..COUNT).map(record).collect();
        (disk, heads)
    }

    #[test]
    fn what_was_read_ahead_is_what_the_files_say() {
        let (disk, heads) = filled();
        let objects = over(&disk);
        assert!(disk.damage(&objects.record_path(&heads[3].key), b"{}".to_vec()));
        objects.read_ahead("p").unwrap().join().unwrap();
        assert_eq!(lock(&objects.ahead.heads).len(), COUNT - 1);
        for turn in ["read ahead", "read now"] {
            for (at, head) in heads.iter().enumerate() {
                let expected = (at != 3).then_some(head);
                assert_eq!(objects.record_head(&head.key).unwrap().as_ref(), expected, "{turn} {at}");
            }
        }
        assert_eq!(objects.take_warnings().len(), 1);
    }

    #[test]
    fn a_question_ends_the_reading() {
        let (disk, heads) = filled();
        let objects = over(&disk);
        assert_eq!(objects.record_head(&heads[0].key).unwrap().as_ref(), Some(&heads[0]));
        objects.read_ahead("p").unwrap().join().unwrap();
        assert!(lock(&objects.ahead.heads).is_empty());
    }
}
