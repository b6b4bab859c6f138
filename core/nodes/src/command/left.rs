//! What a program leaves: files, and artifacts that other kinds take.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::{ArtifactError, Dataset, DistilledSet, NamedTensors, NetWeights, Results, Scores, Trajectories};
use pddflow_cache::Blob;
use pddflow_runner::pipeline::{Arity, PortSpec};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kind::port;

/// The output with all declared files.
pub(super) const FILES: &str = "files";
/// Outputs that are artifacts of other kinds: name, artifact type.
const TYPED: [(&str, &str); 7] = [
    ("data", "dataset"),
    ("set", "set"),
    ("trajectories", "trajectories"),
    ("weights", "weights"),
    ("scores", "scores"),
    ("tensors", "tensors"),
    ("results", "results"),
];

/// The ports of the kind.
pub(super) fn ports() -> Vec<PortSpec> {
    let typed = TYPED.map(|(name, artifact)| {
        port(name, artifact, Arity::One, &format!("the file that `outputs: {{ {name}: ... }}` names"))
    });
    std::iter::once(port(FILES, FILES, Arity::One, "the declared files")).chain(typed).collect()
}

/// Files that a program leaves in its folder: a list of them, or a mapping of outputs to files.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Left {
    /// What goes into the output `files`.
    pub(super) files: Vec<String>,
    /// What is an artifact, by the output.
    pub(super) typed: BTreeMap<String, String>,
}

impl Left {
    /// All files, with what they are called in the parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, &str)> {
        let files = self.files.iter().enumerate();
        let at = if self.typed.is_empty() { String::new() } else { format!("/{FILES}") };
        let files = files.map(move |(number, name)| (format!("/outputs{at}/{number}"), name.as_str()));
        files.chain(self.typed.iter().map(|(output, name)| (format!("/outputs/{output}"), name.as_str())))
    }

    /// Whether a node with these has an output.
    pub(super) fn has(&self, output: &str) -> bool {
        if output == FILES { !self.files.is_empty() } else { self.typed.contains_key(output) }
    }
}

/// Checks that bytes are the artifact of an output.
pub(super) fn check(output: &str, name: &str, bytes: &[u8]) -> NodeResult<()> {
    let blob = || Blob::from(bytes.to_vec());
    let found: Result<(), ArtifactError> = match output {
        "data" => Dataset::decode(&blob()).map(drop),
        "set" => DistilledSet::decode(bytes).map(drop),
        "trajectories" => Trajectories::decode(&blob()).map(drop),
        "weights" => NetWeights::decode(&blob()).map(drop),
        "scores" => Scores::decode(bytes).map(drop),
        "tensors" => NamedTensors::decode(bytes).map(drop),
        _ => Results::decode(bytes).map(drop),
    };
    found.map_err(|error| {
        let failure = fail("command_output", format!("the program left `{name}`, which cannot be its output `{output}`: {error}"));
        failure.with_help(format!(
            "write it in pddflow's own format (`save` of the Python package does for sets); files of other formats go through a \
             node of the kind `import` with `as: {output}`"
        ))
    })
}

impl Serialize for Left {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.typed.is_empty() {
            return self.files.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        if !self.files.is_empty() {
            map.serialize_entry(FILES, &self.files)?;
        }
        self.typed.iter().try_for_each(|(output, name)| map.serialize_entry(output, name))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Left {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LeftVisitor)
    }
}

struct LeftVisitor;

impl<'de> Visitor<'de> for LeftVisitor {
    type Value = Left;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files, or a mapping such as `{ set: out/images.safetensors, files: [log.txt] }`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Left, A::Error> {
        let mut left = Left::default();
        while let Some(name) = list.next_element()? {
            left.files.push(name);
        }
        Ok(left)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Left, A::Error> {
        let mut left = Left::default();
        while let Some(output) = map.next_key::<String>()? {
            if output == FILES {
                left.files = map.next_value()?;
            } else if TYPED.iter().any(|(name, _)| *name == output) {
                left.typed.insert(output, map.next_value()?);
            } else {
                let known = TYPED.map(|(name, _)| format!("`{name}`")).join(", ");
                let message = format!("there is no output `{output}`: give `files`, {known}");
                return Err(serde::de::Error::custom(message));
            }
        }
        Ok(left)
    }
}

impl JsonSchema for Left {
    fn schema_name() -> Cow<'static, str> {
        "Outputs".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let list = serde_json::json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 });
        let mut properties = serde_json::Map::from_iter([(FILES.to_owned(), list.clone())]);
        for (name, artifact) in TYPED {
            let description = format!("A file that is a `{artifact}` artifact; it is checked.");
            properties.insert(name.to_owned(), serde_json::json!({ "type": "string", "description": description }));
        }
        json_schema!({
            "oneOf": [
                list,
                { "type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1 }
            ]
        })
    }
}
