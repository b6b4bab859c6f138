//! `shards`: nodes cut into pieces, which become nodes of the plan before the one that joins them.

use serde_json::Value;

use crate::catalog::{Catalog, SHARD, SHARDS};
use crate::expand::axis::MAX_INSTANCES;
use crate::plan::{InputRef, NodeId, PlanNode};

/// Why a node cannot be cut; none where it can, or is not to be.
pub(crate) fn refusal(catalog: &dyn Catalog, node: &PlanNode) -> Option<(String, String)> {
    let (kind, wanted) = (&node.kind, node.settings.shards);
    if wanted < 2 {
        return None;
    }
    if catalog.shards(kind, &node.with, 2).is_none() {
        let help = "leave `shards` out; `train`, `advance` and `evaluate` can be cut, since their nets share nothing";
        return Some((format!("nodes of kind `{kind}` cannot be cut into shards"), help.to_owned()));
    }
    node.axes.iter().any(|(axis, _)| axis == SHARDS).then(|| {
        let message = "the axis `shards` of `for` has the name of the axis that the pieces get".to_owned();
        (message, "give the axis another name".to_owned())
    })
}

/// The nodes with all pieces, each after those it needs.
///
/// # Errors
///
/// The first node with which the plan has too many.
pub(crate) fn cut(catalog: &dyn Catalog, nodes: Vec<PlanNode>) -> Result<Vec<PlanNode>, Box<PlanNode>> {
    if nodes.iter().all(|node| node.settings.shards < 2) {
        return Ok(nodes);
    }
    let mut places = Vec::with_capacity(nodes.len());
    let mut cut = Vec::with_capacity(nodes.len());
    for mut node in nodes {
        for input in node.inputs.iter_mut().flat_map(|(_, inputs)| inputs) {
            input.node = places.get(input.node).copied().unwrap_or(input.node);
        }
        let wanted = usize::try_from(std::mem::take(&mut node.settings.shards)).unwrap_or(1);
        let pieces = if wanted > 1 { catalog.shards(&node.kind, &node.with, wanted) } else { None };
        // One piece is the node.
        if let Some(pieces) = pieces.filter(|pieces| pieces.len() > 1) {
            let (first, of) = (cut.len(), pieces.len());
            if first + of > MAX_INSTANCES {
                return Err(Box::new(node));
            }
            cut.extend(pieces.into_iter().zip(1..).map(|(with, number)| piece(&node, with, (number, of))));
            let shard = |node| InputRef { node, output: SHARD.to_owned(), artifact: SHARD.to_owned() };
            node.inputs.insert(SHARDS.to_owned(), (first..cut.len()).map(shard).collect());
        }
        places.push(cut.len());
        cut.push(node);
    }
    Ok(cut)
}

fn piece(node: &PlanNode, with: Value, (number, of): (usize, usize)) -> PlanNode {
    let mut axes = node.axes.clone();
    axes.push((SHARDS.to_owned(), format!("{number}of{of}").into()));
    PlanNode { id: NodeId::of(&node.family, &axes), axes, with, ..node.clone() }
}
