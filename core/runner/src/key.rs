//! The key of a node: everything that its result depends on, and nothing else.
//!
//! | part | value | from |
//! |---|---|---|
//! | `key format` | [`KEY_FORMAT`] | the cache |
//! | `kind` | name of the kind | plan |
//! | `with` | resolved parameters, defaults filled in, seed included; without places: [`Kinds::key_with`] | plan |
//! | any other name | revision, plugin digests, files outside the store, device class, precision | [`Kinds::key_parts`] |
//! | `input <port>` | digests of the artifacts at that port, in order; absent when there is none | results of the nodes before |
//!
//! A *lineage key* is made of the same parts without the parameter that says how far a node goes ([`Kinds::growing`]),
//! whose name is a part `growing` in its place. No node's key has that part.
//!
//! Not in a key: the node's name, lineage, axes and place; the pipeline's name, file and `params` (they act through
//! `with`); settings; keys of the nodes before. So renaming, adding an axis point or a node elsewhere reruns nothing,
//! and a node before that gives the same bytes as last time reruns nothing after it.

use crate::error::NodeError;
use crate::kinds::Kinds;
use pddflow_cache::{Digest, KEY_FORMAT, Key, KeyPart};
use pddflow_pipeline::PlanNode;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) const INPUT_PREFIX: &str = "input ";
const FORMAT: &str = "key format";
const KIND: &str = "kind";
const WITH: &str = "with";
const GROWING: &str = "growing";

/// The parts that are known before anything runs; `with` only if it is not what the plan holds.
pub(crate) fn base_parts(node: &PlanNode, kinds: &dyn Kinds) -> Result<Vec<KeyPart>, NodeError> {
    let ask = || Ok((kinds.key_parts(node)?, kinds.key_with(node)));
    let (mut parts, with) = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|payload| {
        let text = panic_text(payload.as_ref());
        Err(NodeError::internal(format!("the kind `{}` panicked while its key was made: {text}", node.kind)))
    })?;
    if let Some(part) = parts.iter().find(|part| is_reserved(&part.name)) {
        let (kind, name) = (&node.kind, &part.name);
        return Err(NodeError::internal(format!("the kind `{kind}` uses the reserved key part `{name}`")));
    }
    parts.extend(with.map(|with| KeyPart::new(WITH, with)));
    parts.push(KeyPart::new(FORMAT, KEY_FORMAT.into()));
    parts.push(KeyPart::new(KIND, node.kind.as_str().into()));
    Ok(parts)
}

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

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}

fn is_reserved(name: &str) -> bool {
    [FORMAT, KIND, WITH, GROWING].contains(&name) || name.starts_with(INPUT_PREFIX)
}
