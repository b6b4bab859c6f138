//! The key of a node: everything that its result depends on, and nothing else.
//!
//! | part | value | from |
//! |---|---|---|
//! | `key format` | [`pddflow_cache::KEY_FORMAT`] | the cache |
//! | `kind` | name of the kind | plan |
//! | `with` | resolved parameters, defaults filled in, seed included; without places: [`crate::Kinds::key_with`] | plan |
//! | any other name | revisions of kind and plugins (digests of plugins without one), files outside the store, device, instructions, precision | [`crate::Kinds::key_parts`] |
//! | `input <port>` | digests of the artifacts at that port, in order; absent when there is none | results of the nodes before |
//!
//! A *lineage key* is made of the same parts without the parameter that says how far a node goes ([`crate::Kinds::growing`]),
//! whose name is a part `growing` in its place. No node's key has that part.
//!
//! Not in a key: the node's name, lineage, axes and place; the pipeline's name, file and `params` (they act through
//! `with`); settings; keys of the nodes before. So renaming, adding an axis point or a node elsewhere reruns nothing,
//! and a node before that gives the same bytes as last time reruns nothing after it.

use crate::error::NodeError;
use pddflow_cache::{Digest, Key, KeyPart};
use pddflow_pipeline::PlanNode;
use serde_json::Value;

pub(crate) const INPUT_PREFIX: &str = "input ";
pub(crate) const FORMAT: &str = "key format";
pub(crate) const KIND: &str = "kind";
pub(crate) const WITH: &str = "with";
const GROWING: &str = "growing";

/// The parts that the artifacts at a node's ports make.
pub(crate) fn input_parts<'a>(ports: impl IntoIterator<Item = (&'a str, Vec<Digest>)>) -> Vec<KeyPart> {
    let wired = ports.into_iter().filter(|(_, digests)| !digests.is_empty());
    let part = |(port, digests): (&str, Vec<Digest>)| {
        let texts = digests.iter().map(|digest| Value::from(digest.to_string()));
        KeyPart::new(format!("{INPUT_PREFIX}{port}"), texts.collect())
    };
    wired.map(part).collect()
}

/// The key of a node. Copies nothing: most nodes of most runs are fresh, and their parts are in their records.
pub(crate) fn node_key(node: &PlanNode, base: &[KeyPart], inputs: &[KeyPart]) -> Result<Key, NodeError> {
    let parts = base.iter().chain(inputs).map(|part| (part.name.as_str(), &part.value));
    let parts: Vec<(&str, &Value)> = parts.chain(plan_with(node, base).map(|with| (WITH, with))).collect();
    Ok(Key::of(&parts)?)
}

/// All parts of a node's key, sorted by name, for its record.
pub(crate) fn node_parts(node: &PlanNode, base: &[KeyPart], inputs: Vec<KeyPart>) -> Vec<KeyPart> {
    let mut parts = base.to_vec();
    parts.extend(plan_with(node, base).map(|with| KeyPart::new(WITH, with.clone())));
    parts.extend(inputs);
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    parts
}

/// The key of the lineage that a node belongs to, from all parts of its own key.
pub(crate) fn lineage_key(parts: &[KeyPart], growing: &str) -> Result<Key, NodeError> {
    let mut parts = parts.to_vec();
    for part in parts.iter_mut().filter(|part| part.name == WITH) {
        part.value.as_object_mut().and_then(|with| with.remove(growing));
    }
    parts.push(KeyPart::new(GROWING, growing.into()));
    let parts: Vec<(&str, &Value)> = parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
    Ok(Key::of(&parts)?)
}

/// The parameters of the plan, unless the kind gave what enters in their place.
fn plan_with<'a>(node: &'a PlanNode, base: &[KeyPart]) -> Option<&'a Value> {
    let replaced = base.iter().any(|part| part.name == WITH);
    (!replaced).then_some(&node.with)
}

/// Whether kinds may not use a name for a part.
pub(crate) fn is_reserved(name: &str) -> bool {
    [FORMAT, KIND, WITH, GROWING].contains(&name) || name.starts_with(INPUT_PREFIX)
}
