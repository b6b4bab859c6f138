//! What running nodes share: processors, memory, graphics processors, named pools.
//!
//! A node that asks for more than there is gets all there is. While a node waits for a resource, no node behind it in
//! the queue is given any of that resource; so the first in the queue cannot be overtaken for ever.

use crate::parallel::cores;
use pddflow_pipeline::Resources;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;

/// How much of each resource a run may use at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Processor cores.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Graphics processors.
    pub gpus: u32,
}

impl Default for Capacity {
    /// All cores, no limit of memory, one graphics processor, which nodes that ask for one have in turn.
    fn default() -> Self {
        Self { cpus: u32::try_from(cores()).unwrap_or(u32::MAX), memory_bytes: u64::MAX, gpus: 1 }
    }
}

/// One kind of resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Cpus,
    Memory,
    Gpus,
    Pool(String),
}

/// What is free while nodes run.
#[derive(Debug)]
pub(crate) struct Shares {
    capacity: BTreeMap<Kind, u64>,
    used: BTreeMap<Kind, u64>,
    /// Numbers of the graphics processors that no node has.
    free_gpus: BTreeSet<u32>,
}

/// Resources that a node waits for, while the queue is looked through.
#[derive(Debug, Default)]
pub(crate) struct Reserved(BTreeSet<Kind>);

impl Shares {
    pub(crate) fn new(capacity: &Capacity, pools: &BTreeMap<String, u32>) -> Self {
        let fixed = [
            (Kind::Cpus, u64::from(capacity.cpus)),
            (Kind::Memory, capacity.memory_bytes),
            (Kind::Gpus, u64::from(capacity.gpus)),
        ];
        let pools = pools.iter().map(|(name, size)| (Kind::Pool(name.clone()), u64::from(*size)));
        let capacity_of = fixed.into_iter().chain(pools).collect();
        Self { capacity: capacity_of, used: BTreeMap::new(), free_gpus: (0..capacity.gpus).collect() }
    }

    /// Takes what a node asks for if all of it is free and not reserved, and gives the numbers of its graphics processors; else
    /// reserves what it lacks.
    pub(crate) fn take(&mut self, asked: &Resources, reserved: &mut Reserved) -> Option<Vec<u32>> {
        let wanted = self.wanted(asked);
        let free = |kind: &Kind, amount: u64| {
            let used = self.used.get(kind).copied().unwrap_or(0);
            let capacity = self.capacity.get(kind).copied().unwrap_or(u64::MAX);
            used.checked_add(amount).is_some_and(|sum| sum <= capacity)
        };
        let lacking: Vec<&Kind> = wanted
            .iter()
            .filter(|(kind, amount)| reserved.0.contains(kind) || !free(kind, *amount))
            .map(|(kind, _)| kind)
            .collect();
        if !lacking.is_empty() {
            reserved.0.extend(lacking.into_iter().cloned());
            return None;
        }
        let mut gpus = Vec::new();
        for (kind, amount) in wanted {
            if kind == Kind::Gpus {
                gpus.extend((0..amount).zip(iter::from_fn(|| self.free_gpus.pop_first())).map(|(_, gpu)| gpu));
            }
            *self.used.entry(kind).or_default() += amount;
        }
        Some(gpus)
    }

    /// Gives back what a node took, and the graphics processors that it was given.
    pub(crate) fn give_back(&mut self, asked: &Resources, gpus: &[u32]) {
        self.free_gpus.extend(gpus);
        for (kind, amount) in self.wanted(asked) {
            if let Some(used) = self.used.get_mut(&kind) {
                *used = used.saturating_sub(amount);
            }
        }
    }

    /// What a node gets, each amount at most the capacity; nothing of what it does not ask for.
    fn wanted(&self, asked: &Resources) -> Vec<(Kind, u64)> {
        let fixed = [
            (Kind::Cpus, u64::from(asked.cpus)),
            (Kind::Memory, asked.memory_bytes),
            (Kind::Gpus, u64::from(asked.gpus)),
        ];
        let pools = asked.pools.iter().map(|(name, units)| (Kind::Pool(name.clone()), u64::from(*units)));
        let wanted = fixed.into_iter().chain(pools).filter(|(_, amount)| *amount > 0);
        let clamp = |(kind, amount): (Kind, u64)| {
            let most = self.capacity.get(&kind).copied().unwrap_or(u64::MAX);
            (kind, amount.min(most))
        };
        wanted.map(clamp).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(cpus: u32, gpus: u32) -> Resources {
        let mut asked = Resources::default();
        (asked.cpus, asked.gpus) = (cpus, gpus);
        asked
    }

    fn shares() -> Shares {
        Shares::new(&Capacity { cpus: 4, memory_bytes: 100, gpus: 1 }, &BTreeMap::from([("net".to_owned(), 2)]))
    }

    #[test]
    fn what_is_taken_is_free_again_when_given_back() {
        let mut shares = shares();
        assert!(shares.take(&asks(3, 1), &mut Reserved::default()).is_some());
        assert_eq!(shares.take(&asks(2, 0), &mut Reserved::default()), None);
        assert_eq!(shares.take(&asks(0, 1), &mut Reserved::default()), None);
        assert!(shares.take(&asks(1, 0), &mut Reserved::default()).is_some());
        shares.give_back(&asks(3, 1), &[0]);
        assert!(shares.take(&asks(2, 1), &mut Reserved::default()).is_some());
    }

    #[test]
    fn a_node_that_asks_for_more_than_there_is_gets_everything() {
        let mut shares = shares();
        assert!(shares.take(&asks(64, 8), &mut Reserved::default()).is_some());
        assert_eq!(shares.take(&asks(1, 0), &mut Reserved::default()), None);
        shares.give_back(&asks(64, 8), &[0]);
        assert!(shares.take(&asks(4, 1), &mut Reserved::default()).is_some());
    }

    #[test]
    fn no_two_nodes_have_the_same_graphics_processor() {
        let mut shares = Shares::new(&Capacity { cpus: 4, memory_bytes: 100, gpus: 3 }, &BTreeMap::new());
        let take = |shares: &mut Shares, gpus| shares.take(&asks(0, gpus), &mut Reserved::default());
        assert_eq!(take(&mut shares, 0), Some(vec![]));
        assert_eq!(take(&mut shares, 2), Some(vec![0, 1]));
        assert_eq!(take(&mut shares, 1), Some(vec![2]));
        assert_eq!(take(&mut shares, 1), None);
        shares.give_back(&asks(0, 2), &[0, 1]);
        assert_eq!(take(&mut shares, 1), Some(vec![0]));
        assert_eq!(take(&mut shares, 1), Some(vec![1]));
    }

    #[test]
    fn what_the_first_waits_for_is_not_given_to_those_behind_it() {
        let mut shares = shares();
        assert!(shares.take(&asks(3, 0), &mut Reserved::default()).is_some());
        let mut reserved = Reserved::default();
        assert_eq!(shares.take(&asks(4, 0), &mut reserved), None);
        assert_eq!(shares.take(&asks(1, 0), &mut reserved), None);
        assert!(shares.take(&asks(0, 1), &mut reserved).is_some());
    }

    #[test]
    fn pools_have_the_size_that_was_declared() {
        let mut shares = shares();
        let mut one = Resources::default();
        one.pools.insert("net".to_owned(), 1);
        assert!(shares.take(&one, &mut Reserved::default()).is_some());
        assert!(shares.take(&one, &mut Reserved::default()).is_some());
        assert_eq!(shares.take(&one, &mut Reserved::default()), None);
    }
}
