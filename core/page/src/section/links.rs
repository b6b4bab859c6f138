//! [`Links`]: the anchors of a run's nodes.

use crate::detail::Detail;
use crate::gather::Gathered;
use pddflow_runner::PastState;

/// Which nodes have a panel of their own, and where the others are found.
pub(crate) struct Links {
    prefix: String,
    /// The families in the order of the plan, each with the places of its nodes.
    pub(crate) families: Vec<(String, Vec<usize>)>,
    /// Of each node: its family's place, and whether it has a panel.
    nodes: Vec<(usize, bool)>,
}

impl Links {
    /// Panels go first to nodes that failed or are running, then to those that ran, then to the others.
    pub(crate) fn new(gathered: &Gathered<'_>, prefix: &str, detail: &Detail) -> Self {
        let mut families: Vec<(String, Vec<usize>)> = Vec::new();
        let mut nodes = Vec::new();
        for (at, node) in gathered.nodes.iter().enumerate() {
            let family = &node.planned.family;
            let place = families.iter().position(|(name, _)| name == family).unwrap_or_else(|| {
                families.push((family.clone(), Vec::new()));
                families.len() - 1
            });
            families[place].1.push(at);
            nodes.push((place, false));
        }
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_key(|at| match gathered.nodes[*at].past.state {
            PastState::Failed | PastState::Running => 0,
            PastState::Ran => 1,
            _ => 2,
        });
        order.into_iter().take(detail.panels).for_each(|at| nodes[at].1 = true);
        Self { prefix: prefix.to_owned(), families, nodes }
    }

    pub(crate) fn has_panel(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|(_, panel)| *panel)
    }

    pub(crate) fn node(&self, node: usize) -> String {
        match self.nodes.get(node) {
            Some((_, true)) => format!("{}n{node}", self.prefix),
            Some((family, false)) => self.family(*family),
            None => String::new(),
        }
    }

    pub(crate) fn family(&self, family: usize) -> String {
        format!("{}f{family}", self.prefix)
    }

    /// The place of a node's family.
    pub(crate) fn family_of(&self, node: usize) -> usize {
        self.nodes.get(node).map_or(0, |(family, _)| *family)
    }
}
