//! A YAML mapping while it is read.

use std::collections::HashMap;
use std::rc::Rc;

use crate::text::source::Span;
use crate::yaml::tree::{Entry, Node, Tree};

#[derive(Default)]
pub(crate) struct OpenMap {
    entries: Vec<Entry>,
    /// Where each key is in `entries`; filled once there are more than [`SCANNED_KEYS`].
    places: HashMap<String, usize>,
    /// The key whose value comes next.
    pub(crate) key: Option<(String, Span)>,
    /// Mappings that `<<` names.
    pub(crate) merges: Vec<Rc<Node>>,
}

/// Keys of a mapping that are compared one by one; most mappings have fewer, and a table costs more.
const SCANNED_KEYS: usize = 16;

impl OpenMap {
    pub(crate) fn find(&self, key: &str) -> Option<&Entry> {
        if self.entries.len() <= SCANNED_KEYS {
            return self.entries.iter().find(|entry| entry.key == key);
        }
        self.entries.get(*self.places.get(key)?)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        if self.entries.len() > SCANNED_KEYS {
            let known = self.places.len();
            for (place, entry) in self.entries.iter().enumerate().skip(known) {
                self.places.insert(entry.key.clone(), place);
            }
        }
    }

    /// The entries, with those that `<<` adds.
    pub(crate) fn into_entries(mut self) -> Vec<Entry> {
        for target in std::mem::take(&mut self.merges) {
            if let Tree::Map(inherited) = &target.tree {
                for entry in inherited {
                    if self.find(&entry.key).is_none() {
                        self.push(entry.clone());
                    }
                }
            }
        }
        // Most mappings have one to three keys, and a file has many mappings.
        self.entries.shrink_to_fit();
        self.entries
    }
}
