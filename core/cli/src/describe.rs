//! Artifacts in words.

use crate::opened::Opened;
use crate::problem::Problem;
use crate::results;
use pddflow_cache::RecordHead;
use pddflow_pipeline::PlanNode;
use serde_json::{Value, json};

/// Longer file lists are cut.
const MOST_FILES: usize = 12;

/// The Markdown tables that a node gave.
pub(crate) fn tables(opened: &Opened, node: &PlanNode, record: &RecordHead) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    for (port, digest) in &record.outputs {
        if opened.artifact(node, port) != results::TABLE {
            continue;
        }
        found.extend(results::markdown(&results::tree(&opened.store.get(digest)?)?));
    }
    Ok(found)
}

/// What an artifact holds, one line each: tensors with shapes, files with sizes.
pub(crate) fn contents(artifact: &str, bytes: &[u8]) -> Result<Vec<Value>, Problem> {
    if results::is_tree(artifact) {
        let tree = results::tree(bytes)?;
        return Ok(tree.iter().map(|(name, bytes)| json!({ "file": name, "bytes": bytes.len() })).collect());
    }
    Ok(tensors(bytes).unwrap_or_default())
}

/// The same for people.
pub(crate) fn lines(contents: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines: Vec<String> = contents
        .iter()
        .take(MOST_FILES)
        .map(|one| match one.get("file") {
            Some(file) => format!("{}, {} bytes", text(file), one["bytes"]),
            None => format!("{} {} {}", text(&one["tensor"]), text(&one["dtype"]), one["shape"]),
        })
        .collect();
    if contents.len() > MOST_FILES {
        lines.push(format!("and {} more", contents.len() - MOST_FILES));
    }
    lines
}

/// The header of a safetensors file: eight bytes of length, then JSON.
fn tensors(bytes: &[u8]) -> Option<Vec<Value>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: serde_json::Map<String, Value> = serde_json::from_slice(header).ok()?;
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
    Some(tensors.map(|(name, one)| json!({ "tensor": name, "dtype": one["dtype"], "shape": one["shape"] })).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_listed_and_other_bytes_are_none() {
        let header = br#"{"__metadata__":{"a":"b"},"images":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        let found = contents("set", &bytes).unwrap();
        assert_eq!(lines(&found), ["images F32 [2,3]"]);
        for other in [&b"{}"[..], b"", &[255; 20]] {
            assert!(contents("results", other).unwrap().is_empty());
        }
    }
}
