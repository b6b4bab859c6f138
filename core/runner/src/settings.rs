//! [`Settings`]: what may differ between two runs without changing a result.

use crate::resources::Capacity;
use std::time::Duration;

/// How a run is carried out. Nothing here enters a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many nodes run at the same time, at least 1.
    pub jobs: usize,
    /// After a failure, go on with the nodes that do not depend on it.
    pub keep_going: bool,
    /// How much of each resource nodes may use at the same time.
    pub capacity: Capacity,
    /// After a failure, also run nodes that take several artifacts at a port with those of them that are there.
    pub partial_inputs: bool,
    /// Time between checkpoints of a node, in seconds; 0 makes one due at every opportunity.
    pub checkpoint_seconds: f64,
    /// How long after its timeout a node may take to return before a warning says that it does not react.
    pub grace: Duration,
    /// Id of the run: letters, digits, `.`, `_`, `-`, never used before in this store. None makes one from the time.
    pub run: Option<String>,
    /// Name and version of the program, for records.
    pub program: String,
    /// Names for the run, by which it can be found later.
    pub tags: Vec<String>,
    /// Places of nodes in the plan that run even if they are fresh.
    pub force: Vec<usize>,
    /// Whether a journal is kept.
    pub journal: bool,
    /// End once nothing is left but jobs that go on without this process.
    pub detach: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 1,
            keep_going: false,
            capacity: Capacity::default(),
            partial_inputs: false,
            checkpoint_seconds: 60.0,
            grace: Duration::from_secs(10),
            run: None,
            program: concat!("pddflow ", env!("CARGO_PKG_VERSION")).to_owned(),
            tags: Vec::new(),
            force: Vec::new(),
            journal: true,
            detach: false,
        }
    }
}
