//! [`NodeLogs`]: what nodes print, in a file for each in the folder of the run, capped at both ends.

use pddflow_cache::{Digest, Store, StoreError};
use pddflow_pipeline::NodeId;
use std::collections::{HashMap, VecDeque};

/// Bytes that are kept of the beginning of a log.
const HEAD_BYTES: usize = 512 * 1024;
/// Bytes that are kept of its end: what a program says last is why it failed.
const TAIL_BYTES: usize = 512 * 1024;

/// The logs of the nodes of a run.
pub(crate) struct NodeLogs<'a> {
    store: &'a Store,
    run: String,
    open: HashMap<NodeId, NodeLog>,
}

#[derive(Default)]
struct NodeLog {
    /// Lines for the file that are not in it yet.
    waiting: String,
    /// Bytes of the beginning so far.
    head: usize,
    /// Lines after the beginning, the last of which are written when the node ends.
    tail: VecDeque<String>,
    tail_bytes: usize,
    left_out: usize,
}

impl NodeLog {
    fn line(&mut self, text: &str) {
        if self.tail.is_empty() && self.left_out == 0 && self.head + text.len() < HEAD_BYTES {
            self.head += text.len() + 1;
            self.waiting.extend([text, "\n"]);
            return;
        }
        self.tail_bytes += text.len() + 1;
        self.tail.push_back(text.to_owned());
        while self.tail_bytes > TAIL_BYTES {
            let Some(first) = self.tail.pop_front() else { break };
            self.tail_bytes -= first.len() + 1;
            self.left_out += 1;
        }
    }

    fn end(&mut self) {
        if self.left_out > 0 {
            self.waiting.push_str(&format!("({} lines left out)\n", self.left_out));
        }
        self.tail.drain(..).for_each(|line| self.waiting.extend([line.as_str(), "\n"]));
    }
}

impl<'a> NodeLogs<'a> {
    pub(crate) fn new(store: &'a Store, run: &str) -> Self {
        Self { store, run: run.to_owned(), open: HashMap::new() }
    }

    pub(crate) fn line(&mut self, node: &NodeId, text: &str) {
        self.open.entry(node.clone()).or_default().line(text);
    }

    /// Hands what was said so far to the system.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        let waiting = self.open.iter_mut().filter(|(_, log)| !log.waiting.is_empty());
        let mut write = waiting.map(|(node, log)| write(self.store, &self.run, node, log));
        write.try_for_each(|written| written)
    }

    /// The node has come to its end.
    pub(crate) fn end(&mut self, node: &NodeId) -> Result<(), StoreError> {
        let Some(mut log) = self.open.remove(node) else { return Ok(()) };
        log.end();
        write(self.store, &self.run, node, &mut log)
    }
}

fn write(store: &Store, run: &str, node: &NodeId, log: &mut NodeLog) -> Result<(), StoreError> {
    if log.waiting.is_empty() {
        return Ok(());
    }
    store.append_log(run, &name(node.as_str()), &std::mem::take(&mut log.waiting))
}

/// What a node printed in a run, with its warnings; of a very long log the beginning and the end. Empty if it printed
/// nothing, or if the run has no log of it.
///
/// # Errors
/// The log is there but cannot be read.
pub fn node_log(store: &Store, run: &str, node: &str) -> Result<String, StoreError> {
    let bytes = store.read_log(run, &name(node))?;
    Ok(bytes.map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// A file name for a node, whose own name may hold what no file system takes.
fn name(node: &str) -> String {
    Digest::of(node.as_bytes()).short()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        let mut log = NodeLog::default();
        let lines = 60_000;
        (0..lines).for_each(|number| log.line(&format!("line {number:050}")));
        log.end();
        assert!(log.waiting.len() <= HEAD_BYTES + TAIL_BYTES + 100, "{}", log.waiting.len());
        let kept: Vec<&str> = log.waiting.lines().collect();
        assert!(kept[0].ends_with("0000") && kept[kept.len() - 1].ends_with("59999"));
        let gap = kept.iter().find_map(|line| line.strip_prefix('(')?.strip_suffix(" lines left out)")).unwrap();
        assert_eq!(kept.len() - 1 + gap.parse::<usize>().unwrap(), lines);
    }
}
