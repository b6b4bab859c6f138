//! Nodes that do not react to the end of their time: a plugin that never calls the host cannot be ended from outside, so
//! that the person who watches is told once.

use super::execution::{Execution, Stage};
use crate::event::RunEvent;
use std::cmp::Reverse;
use std::time::Instant;

impl Execution<'_, '_> {
    /// Notes when a node that begins now is long over its time.
    pub(super) fn watch_time(&mut self, at: usize) {
        let limit = self.plan.nodes[at].settings.timeout.and_then(|time| time.checked_add(self.shared.settings.grace));
        let limit = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.overdue.extend(limit.map(|limit| Reverse((limit, at, self.nodes[at].began))));
    }

    /// Tells of nodes that are long over their time and still run.
    pub(super) fn tell_overdue(&mut self) {
        while let Some(Reverse((limit, at, began))) = self.overdue.peek().copied() {
            if limit > Instant::now() {
                return;
            }
            self.overdue.pop();
            if self.nodes[at].stage != Stage::Running || self.nodes[at].began != began {
                continue;
            }
            let node = self.plan.nodes[at].id.clone();
            let place = self.plugins.get(&node).map_or_else(String::new, |plugin| format!(" (in {plugin})"));
            let text = format!(
                "over its timeout and does not react{place}: it cannot be ended from outside; Ctrl-C twice ends the run, \
                 and the results of other nodes are kept"
            );
            self.log.tell(RunEvent::Warning { node: Some(node), text });
        }
    }
}
