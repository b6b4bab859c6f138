//! A plugin with its parameters, as a pipeline file writes it: `convnet`, or `{ convnet: { width: 32 } }`.

use std::borrow::Cow;
use std::fmt;

use pddflow_artifact::params::problem;
use pddflow_host::{PluginError, PluginInfo, Role};
use pddflow_runner::pipeline::ParamProblem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::plugins::Plugins;

/// A plugin's id and its parameters; written back always in the long form, so that both forms have one key.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginChoice {
    /// The plugin's id.
    pub id: String,
    /// Its parameters: an object.
    pub config: Value,
}

impl Serialize for PluginChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.id, &self.config)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for PluginChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = PluginChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plugin's name, or `{ name: { its parameters } }` with one name")
    }

    fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<PluginChoice, E> {
        Ok(PluginChoice { id: id.to_owned(), config: Value::Object(Map::new()) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PluginChoice, A::Error> {
        let Some((id, config)) = map.next_entry::<String, Value>()? else {
            return Err(A::Error::custom("no plugin is named: write `{ name: { its parameters } }`"));
        };
        if let Some(other) = map.next_key::<String>()? {
            return Err(A::Error::custom(format!("two plugins are named, `{id}` and `{other}`: give one")));
        }
        let config = if config.is_null() { Value::Object(Map::new()) } else { config };
        Ok(PluginChoice { id, config })
    }
}

/// Most choices are of a model.
impl JsonSchema for PluginChoice {
    fn schema_name() -> Cow<'static, str> {
        choice_name(Role::Model).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        choice_schema(Role::Model)
    }
}

/// The schema of a choice of a matcher: `#[schemars(with = "MatcherChoice")]`.
pub enum MatcherChoice {}

impl JsonSchema for MatcherChoice {
    fn schema_name() -> Cow<'static, str> {
        choice_name(Role::Matcher).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        choice_schema(Role::Matcher)
    }
}

/// Name of the schema of a choice of a plugin.
fn choice_name(role: Role) -> &'static str {
    match role {
        Role::Matcher => "Matcher",
        Role::Model => "Model",
    }
}

fn choice_schema(role: Role) -> Schema {
    json_schema!({
        "description": format!("The name of a {role} plugin, or one name with the plugin's parameters."),
        "oneOf": [
            { "type": "string" },
            { "type": "object", "minProperties": 1, "maxProperties": 1 }
        ]
    })
}

/// The same with the parameters of plugins, by the names of the schemas. Others are allowed: a pipeline may bring plugins
/// of its own.
#[must_use]
pub fn schemas_of(plugins: &[PluginInfo]) -> Map<String, Value> {
    let mut schemas = Map::new();
    for role in [Role::Matcher, Role::Model] {
        let mut properties = Map::new();
        for plugin in plugins.iter().filter(|plugin| plugin.role == role) {
            let name = format!("{role}_{}", plugin.id);
            let parameters = json!({ "anyOf": [{ "$ref": format!("#/$defs/{name}") }, { "type": "null" }] });
            let mut schema = plugin.schema.clone();
            schema["description"] = plugin.summary.as_str().into();
            schemas.insert(name, schema);
            properties.insert(plugin.id.clone(), parameters);
        }
        let ids: Vec<&String> = properties.keys().collect();
        let mut choice = choice_schema(role).to_value();
        choice["oneOf"] = json!([
            { "type": "string", "anyOf": [{ "enum": ids }, {}] },
            { "type": "object", "minProperties": 1, "maxProperties": 1, "properties": properties }
        ]);
        schemas.insert(choice_name(role).to_owned(), choice);
    }
    schemas
}

/// Checks the plugin choice at `with[field]` and fills in the plugin's defaults; a missing or null choice is left alone. `field` may lead
/// to an element of a list: `models/0`.
pub fn check_choice(plugins: &Plugins, role: Role, field: &str, with: &mut Value) -> Result<(), Vec<ParamProblem>> {
    let at = format!("/{field}");
    let Some(value) = with.pointer_mut(&at).filter(|value| !value.is_null()) else { return Ok(()) };
    let choice: PluginChoice =
        serde_json::from_value(value.clone()).map_err(|error| vec![problem(at.clone(), error.to_string(), None)])?;
    let registry = plugins.registry().map_err(|error| vec![plugin_problem(&at, error)])?;
    registry.find(role, &choice.id).map_err(|error| vec![plugin_problem(&at, &error)])?;
    let config = registry.check_config(role, &choice.id, &choice.config).map_err(|problems| {
        let inside = |found: pddflow_host::ConfigProblem| {
            problem(format!("{at}/{}{}", choice.id, found.pointer), found.message, found.help)
        };
        problems.into_iter().map(inside).collect::<Vec<_>>()
    })?;
    *value = json!({ choice.id: config });
    Ok(())
}

fn plugin_problem(pointer: &str, error: &PluginError) -> ParamProblem {
    problem(pointer, error.message(), error.help())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<PluginChoice, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn short_and_long_form_are_written_back_alike() {
        for form in [json!("dm"), json!({ "dm": null }), json!({ "dm": {} })] {
            assert_eq!(serde_json::to_value(read(form).unwrap()).unwrap(), json!({ "dm": {} }));
        }
    }

    #[test]
    fn two_names_or_none_are_refused() {
        assert!(read(json!({ "a": {}, "b": {} })).unwrap_err().contains("`a` and `b`"));
        assert!(read(json!({})).unwrap_err().contains("no plugin is named"));
        assert!(read(json!(3)).unwrap_err().contains("a plugin's name"));
    }
}
