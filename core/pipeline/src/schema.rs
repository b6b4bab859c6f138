//! The JSON schema of pipeline files, for editors: keys, kinds, ports and the parameters of every kind.
//!
//! Editors complete and check with it while a file is written. It is looser than [`crate::load`]: a `${...}` may
//! stand for any value, and references are plain texts.

use serde_json::{Map, Value, json};

use crate::catalog::{Arity, Catalog, KindSpec, PortSpec};
use crate::document::{declaration, parts};

/// The schema (draft 2020-12) of a pipeline file with the kinds of a catalog.
#[must_use]
pub fn schema(catalog: &dyn Catalog) -> Value {
    let kinds = catalog.kinds();
    let mut definitions = shared_definitions();
    let shared = catalog.shared_schemas();
    for kind in &kinds {
        definitions.insert(parameters_name(kind), parameters(kind, &shared));
    }
    for (name, schema) in &shared {
        definitions.insert(name.clone(), moved(schema.clone(), name, &shared));
    }
    definitions.insert("node".to_owned(), node(&kinds));
    let mut schema = parts::schema();
    insert(&mut schema, "$defs", Value::Object(definitions));
    schema
}

fn insert(schema: &mut Value, key: &str, value: Value) {
    if let Some(map) = schema.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn shared_definitions() -> Map<String, Value> {
    let definitions = json!({
        "expression": {
            "type": "string", "pattern": r"\$\{",
            "description": "An expression over parameters and axes, for example `${stages - 1}`.",
        },
        "variable": {"pattern": r"^[\p{L}_][\p{L}\p{N}_]*$"},
        "reference": {
            "type": "string",
            "description": "A node, `node.port`, or instances of a family: `node[3]`, `node[..3]`, `node[model=x]`, `node[*]`.",
        },
        "choice": {
            "type": "object",
            "description": "References that are taken when a condition holds; without `else` the input is absent otherwise.",
            "required": ["if", "then"], "additionalProperties": false,
            "properties": {
                "if": {"description": "The condition, for example `${k > 1}`.",
                       "anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/expression"}]},
                "then": {"$ref": "#/$defs/references"},
                "else": {"$ref": "#/$defs/references"},
            },
        },
        "item": {"anyOf": [{"$ref": "#/$defs/reference"}, {"$ref": "#/$defs/choice"}, {"type": "null"}]},
        "references": {
            "anyOf": [{"$ref": "#/$defs/item"}, {"type": "array", "items": {"$ref": "#/$defs/item"}}],
        },
        "axis": {
            "description": "The values of an axis: a range `1..5` (without 5) or `1..=5`, a list, or an expression.",
            "anyOf": [
                {"type": "string", "pattern": r"\.\.|\$\{"},
                {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
            ],
        },
        "exclude": {
            "description": "Points that the family leaves out: a mapping of axes to values, or a condition `${...}`.",
            "anyOf": [{"type": "object"}, {"$ref": "#/$defs/expression"}],
        },
    });
    match definitions {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn node(kinds: &[&KindSpec]) -> Value {
    let cases: Vec<Value> = kinds.iter().map(|kind| case(kind)).collect();
    json!({
        "type": "object",
        "required": ["kind"],
        "additionalProperties": false,
        "properties": declaration::schemas(kinds),
        "allOf": cases,
    })
}

/// What follows for a node from its kind.
fn case(kind: &KindSpec) -> Value {
    let inputs: Map<String, Value> = kind.inputs.iter().map(|port| (port.name.clone(), input(port))).collect();
    let required: Vec<&str> =
        kind.inputs.iter().filter(|port| !port.arity.may_be_absent()).map(|port| port.name.as_str()).collect();
    let mut then = json!({
        "properties": {
            "with": {"$ref": format!("#/$defs/{}", parameters_name(kind))},
            "needs": {"properties": inputs, "required": required, "additionalProperties": false},
        },
    });
    if !required.is_empty() {
        insert(&mut then, "required", json!(["kind", "needs"]));
    }
    json!({
        "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
        "then": then,
    })
}

fn input(port: &PortSpec) -> Value {
    let count = match port.arity {
        Arity::One => "exactly one",
        Arity::Optional => "at most one",
        Arity::Many => "any number",
        Arity::Some => "one or more",
    };
    json!({
        "description": format!("{} Takes {count} of type `{}`.", port.summary, port.artifact).trim_start(),
        "$ref": "#/$defs/references",
    })
}

fn parameters_name(kind: &KindSpec) -> String {
    format!("with_{}", kind.name)
}

/// A kind's own schema without the definitions that all kinds share.
fn parameters(kind: &KindSpec, shared: &Map<String, Value>) -> Value {
    let mut schema = (kind.parameters)();
    if let Some(own) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        own.retain(|name, _| !shared.contains_key(name));
    }
    let mut schema = moved(schema, &parameters_name(kind), shared);
    if let Some(map) = schema.as_object_mut() {
        // `with` may be empty (null) when nothing is required.
        let required = map.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
        if !required && map.get("type") == Some(&json!("object")) {
            map.insert("type".to_owned(), json!(["object", "null"]));
        }
    }
    schema
}

/// A schema of its own, moved below `$defs` and opened for expressions.
fn moved(mut schema: Value, name: &str, shared: &Map<String, Value>) -> Value {
    relocate(&mut schema, &format!("#/$defs/{name}"), shared);
    open_properties(&mut schema);
    if let Some(map) = schema.as_object_mut() {
        map.remove("$schema");
    }
    schema
}

/// Lets `#` and `#/...` mean the schema's new place, but for what is shared.
fn relocate(schema: &mut Value, root: &str, shared: &Map<String, Value>) {
    let is_shared = |target: &str| target.strip_prefix("#/$defs/").is_some_and(|name| shared.contains_key(name));
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" && target.starts_with('#') => {
                        if !is_shared(target) {
                            *target = format!("{root}{}", target.trim_start_matches('#'));
                        }
                    }
                    _ => relocate(value, root, shared),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, root, shared)),
        _ => {}
    }
}

/// Lets an expression stand for every property and every item.
fn open_properties(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    for (key, value) in map {
        match (key.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(properties)) => {
                properties.values_mut().for_each(open);
            }
            ("additionalProperties" | "items", value @ Value::Object(_)) => open(value),
            ("$defs" | "definitions" | "dependentSchemas", Value::Object(definitions)) => {
                definitions.values_mut().for_each(open_properties);
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(open_properties);
            }
            ("if" | "then" | "else" | "not", value) => open_properties(value),
            _ => {}
        }
    }
}

/// The schema holds unless the value is an expression; what editors show stays on the outside. With `if` an error is
/// reported where it is, which `anyOf` would hide.
fn open(schema: &mut Value) {
    open_properties(schema);
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    // An unconstrained schema allows expressions already.
    let is_text = map.get("type") == Some(&json!("string"));
    if map.is_empty() || (is_text && !map.contains_key("enum") && !map.contains_key("pattern")) {
        return;
    }
    let mut outer = Map::new();
    for key in ["title", "description", "default", "examples", "deprecated"] {
        if let Some(value) = map.remove(key) {
            outer.insert(key.to_owned(), value);
        }
    }
    let inner = Value::Object(std::mem::take(map));
    outer.insert("if".to_owned(), json!({"$ref": "#/$defs/expression"}));
    outer.insert("else".to_owned(), inner);
    *schema = Value::Object(outer);
}
