//! [`ReadyQueue`]: nodes that could run, in one queue for each distinct demand of resources.
//!
//! Of a queue whose first node cannot have its resources no other can either, so that any number of nodes that wait for
//! a GPU cost one look and never hide a node that needs only a core.

use pddflow_pipeline::Resources;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Largest priority first, then longest path, then in the order of the plan.
type Rank = (i32, u64, Reverse<usize>);

/// What a node waits for: room in the executor that it is for, and what it takes of what running nodes share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Place of the executor in the list of those of the run.
    pub(crate) executor: usize,
    pub(crate) resources: Resources,
}

/// Nodes that ask for the same.
struct Queue {
    demand: Demand,
    nodes: BinaryHeap<Rank>,
    /// Whether its first node was refused in this round.
    refused: bool,
}

#[derive(Default)]
pub(crate) struct ReadyQueue(Vec<Queue>);

impl ReadyQueue {
    pub(crate) fn push(&mut self, demand: &Demand, priority: i32, path: u64, at: usize) {
        let rank = (priority, path, Reverse(at));
        match self.0.iter_mut().find(|queue| queue.demand == *demand) {
            Some(queue) => queue.nodes.push(rank),
            None => {
                self.0.push(Queue { demand: demand.clone(), nodes: BinaryHeap::from([rank]), refused: false });
            }
        }
    }

    /// Begins a round: every queue is asked again.
    pub(crate) fn begin_round(&mut self) {
        self.0.retain(|queue| !queue.nodes.is_empty());
        self.0.iter_mut().for_each(|queue| queue.refused = false);
    }

    /// Takes out the first node whose resources `take` gives.
    pub(crate) fn pop(&mut self, mut take: impl FnMut(&Demand) -> bool) -> Option<usize> {
        loop {
            let open = self.0.iter_mut().filter(|queue| !queue.refused && !queue.nodes.is_empty());
            let queue = open.max_by_key(|queue| queue.nodes.peek().copied())?;
            if take(&queue.demand) {
                return queue.nodes.pop().map(|(_, _, Reverse(at))| at);
            }
            queue.refused = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(gpus: u32) -> Demand {
        let mut demand = Demand::default();
        demand.resources.gpus = gpus;
        demand
    }

    #[test]
    fn priority_comes_first_then_the_longest_path_then_the_order_of_the_plan() {
        let mut ready = ReadyQueue::default();
        for (at, (gpus, priority, path)) in [(0, 0, 5), (1, 0, 9), (0, 0, 9), (1, 1, 1)].into_iter().enumerate() {
            ready.push(&demand(gpus), priority, path, at);
        }
        ready.begin_round();
        let order: Vec<usize> = std::iter::from_fn(|| ready.pop(|_| true)).collect();
        assert_eq!(order, [3, 1, 2, 0]);
    }

    #[test]
    fn a_queue_that_is_refused_is_asked_once_a_round() {
        let mut ready = ReadyQueue::default();
        (0..300).for_each(|at| ready.push(&demand(1), 1, 1, at));
        ready.push(&demand(0), 0, 1, 300);
        let mut asked = 0;
        let mut no_gpu = |demand: &Demand| {
            asked += 1;
            demand.resources.gpus == 0
        };
        ready.begin_round();
        assert_eq!((ready.pop(&mut no_gpu), ready.pop(&mut no_gpu)), (Some(300), None));
        assert_eq!(asked, 2);
        ready.begin_round();
        assert_eq!(ready.pop(|_| true), Some(0));
    }
}
