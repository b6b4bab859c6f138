//! A class as a pipeline file names it.

use std::borrow::Cow;
use std::fmt;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::suggestion;
use pddflow_runner::NodeError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A class by name or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassRef {
    /// By number, from 0.
    Number(usize),
    /// By name.
    Name(String),
}

/// The numbers of the named classes, in that order.
pub fn chosen(classes: &[ClassRef], names: &[String]) -> NodeResult<Vec<usize>> {
    let mut kept = Vec::with_capacity(classes.len());
    for class in classes {
        let number = match class {
            ClassRef::Number(number) if *number < names.len() => *number,
            ClassRef::Number(number) => {
                return Err(unknown(&number.to_string(), format!("there are {} classes, from 0", names.len())));
            }
            ClassRef::Name(name) => {
                let found = names.iter().position(|known| known == name);
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                found.ok_or_else(|| unknown(name, suggestion(name, &known)))?
            }
        };
        if kept.contains(&number) {
            let message = format!("`classes` names the class {number} (`{}`) twice", names[number]);
            return Err(fail("data_class", message).with_help("name each class once"));
        }
        kept.push(number);
    }
    Ok(kept)
}

fn unknown(class: &str, help: String) -> NodeError {
    fail("data_class", format!("`classes` names `{class}`, which the data do not have")).with_help(help)
}

impl Serialize for ClassRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Name(name) => name.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClassVisitor)
    }
}

struct ClassVisitor;

impl Visitor<'_> for ClassVisitor {
    type Value = ClassRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a class by name or number")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<ClassRef, E> {
        usize::try_from(number).map(ClassRef::Number).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<ClassRef, E> {
        usize::try_from(number).map(ClassRef::Number).map_err(|_| E::custom("class numbers begin at 0"))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ClassRef, E> {
        Ok(ClassRef::Name(name.to_owned()))
    }
}

impl JsonSchema for ClassRef {
    fn schema_name() -> Cow<'static, str> {
        "ClassRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "string" }, { "type": "integer", "minimum": 0 }] })
    }
}
