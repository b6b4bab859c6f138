//! Going on with what is left: with [`Settings::partial_inputs`](crate::Settings::partial_inputs), a node that takes
//! several artifacts at a port runs on those whose makers did not fail, such as a table over many results. Its key holds
//! just these, so that it runs again once the others are there. A port left without any artifact still stops its node.

use super::execution::{Execution, Stage};
use crate::event::{RunEvent, SkipReason};
use crate::summary::Outcome;

impl Execution<'_, '_> {
    /// A node has no result and will have none: those after it need not wait for it.
    pub(super) fn go_on_without(&mut self, at: usize) {
        if !self.shared.settings.partial_inputs {
            return;
        }
        for down in self.graph.after[at].clone() {
            let node = &mut self.nodes[down];
            node.missing = node.missing.saturating_sub(1);
            if node.missing == 0 && node.stage == Stage::Waiting {
                self.to_assess.insert(down);
            }
        }
    }

    /// Whether a node has to be left out because a port has nothing left; it is then skipped. What it can do without is
    /// told.
    pub(super) fn lacks_a_port(&mut self, at: usize) -> bool {
        if !self.shared.settings.partial_inputs {
            return false;
        }
        let plan = self.plan;
        let (mut lost, mut fatal) = (Vec::new(), None);
        for inputs in plan.nodes[at].inputs.values() {
            let gone = inputs.iter().map(|input| input.node).filter(|up| self.records[*up].is_none());
            let gone: Vec<usize> = gone.collect();
            if !gone.is_empty() && gone.len() == inputs.len() {
                fatal = fatal.or(gone.first().copied());
            }
            lost.extend(gone);
        }
        if let Some(up) = fatal {
            let node = plan.nodes[self.first_failed_before(up)].id.clone();
            self.skip(at, SkipReason::NeedsFailed { node });
            self.go_on_without(at);
            return true;
        }
        if !lost.is_empty() {
            let names: Vec<&str> = lost.iter().map(|up| plan.nodes[*up].id.as_str()).collect();
            let text = format!("goes on without {}, which did not give a result", names.join(", "));
            self.log.tell(RunEvent::Warning { node: Some(plan.nodes[at].id.clone()), text });
        }
        false
    }

    /// The failed node that left another one without a result.
    fn first_failed_before(&self, at: usize) -> usize {
        let lost = |up: &usize| matches!(self.nodes[*up].stage, Stage::Done(Outcome::Failed | Outcome::Skipped));
        let mut found = at;
        while self.nodes[found].stage == Stage::Done(Outcome::Skipped) {
            match self.graph.before[found].iter().copied().find(lost) {
                Some(up) => found = up,
                None => break,
            }
        }
        found
    }
}
