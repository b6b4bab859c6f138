//! The JSON schema of pipeline files, for editors: keys, kinds, ports and the parameters of every kind.
//!
//! Editors complete and check with it while a file is written. It is looser than [`crate::load`]: a `${...}` may
//! stand for any value, and references are plain texts.

use serde_json::{Map, Value, json};

use crate::catalog::{Arity, Catalog, KindSpec, PortSpec};
use crate::declaration::NODE_KEYS;
use crate::document::{FORMAT, TOP_KEYS};
use crate::setting::SETTING_KEYS;

/// The schema (draft 2020-12) of a pipeline file with the kinds of a catalog.
#[must_use]
pub fn schema(catalog: &dyn Catalog) -> Value {
    let kinds = catalog.kinds();
    let mut definitions = shared_definitions();
    for kind in &kinds {
        definitions.insert(parameters_name(kind), parameters(kind));
    }
    definitions.insert("node".to_owned(), node(&kinds));
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pddflow pipeline",
        "description": "A pipeline of nodes: each has a kind, parameters (with) and inputs from other nodes (needs).",
        "type": "object",
        "required": ["format"],
        "anyOf": [{"required": ["nodes"]}, {"required": ["params"]}, {"required": ["include"]}],
        "additionalProperties": false,
        "properties": top_properties(),
    });
    insert(&mut schema, "$defs", Value::Object(definitions));
    schema
}

fn insert(schema: &mut Value, key: &str, value: Value) {
    if let Some(map) = schema.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// The properties of a mapping in the order of its keys, each with what `describe` says about it.
fn properties(keys: &[&str], describe: impl Fn(&str) -> Value) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), describe(key))).collect::<Map<String, Value>>().into()
}

fn top_properties() -> Value {
    let values = |description: &str| json!({"type": "object", "description": description});
    properties(&TOP_KEYS, |key| match key {
        "format" => json!({"const": FORMAT, "description": "Version of the file format."}),
        "name" => json!({
            "type": "string", "pattern": r"^[\p{L}\p{N}_-][\p{L}\p{N}_.-]*$",
            "description": "Name of the pipeline; without one the file's name is used.",
        }),
        "description" => json!({"type": "string", "description": "What the pipeline is for."}),
        "include" => json!({
            "description": "Files with parts of the pipeline, relative to this one: their params, plugins, profiles and nodes are brought in; params here are stronger.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        }),
        "params" => json!({
            "type": "object",
            "description": "Values that expressions `${...}` use; `--set key=value` and profiles override them.",
            "propertyNames": {"$ref": "#/$defs/variable"},
        }),
        "plugins" => json!({
            "type": "array", "items": {"type": "string"},
            "description": "Plugin files, relative to this file.",
        }),
        "pools" => json!({
            "type": "object",
            "description": "Named resources that nodes share: how many may be in use at the same time.",
            "additionalProperties": {"type": "integer", "minimum": 1},
        }),
        "profiles" => json!({
            "type": "object",
            "description": "Named overlays of parameters, chosen with `--profile NAME`.",
            "additionalProperties": {
                "type": ["object", "null"], "additionalProperties": false,
                "properties": {
                    "description": {"type": "string"},
                    "params": values("Parameters of the pipeline to change."),
                    "nodes": {
                        "type": "object",
                        "description": "Nodes whose parameters change.",
                        "additionalProperties": {
                            "type": ["object", "null"], "additionalProperties": false,
                            "properties": profile_node(),
                        },
                    },
                },
            },
        }),
        _ => json!({
            "type": "object",
            "description": "The nodes by name.",
            "propertyNames": {"pattern": r"^[\p{L}_][\p{L}\p{N}_-]*$"},
            "additionalProperties": {"$ref": "#/$defs/node"},
        }),
    })
}

/// What a profile may change about a node.
fn profile_node() -> Value {
    let mut properties = Map::new();
    properties.insert(
        "with".to_owned(),
        json!({"type": "object", "description": "Parameters of the node to change; mappings are merged."}),
    );
    properties.extend(SETTING_KEYS.iter().map(|key| ((*key).to_owned(), setting(key))));
    Value::Object(properties)
}

/// A setting of a node. The forms are those of `setting.rs`; an expression may stand for each value.
fn setting(key: &str) -> Value {
    let or_expression = |schema: Value| json!({"anyOf": [schema, {"$ref": "#/$defs/expression"}]});
    let integer = |least: i64| or_expression(json!({"type": "integer", "minimum": least}));
    let time = || json!({"type": ["string", "number"]});
    let (description, schema) = match key {
        "retries" => (
            "How often the node is tried again after a failure, and how long it waits before: `3`, or `{ times: 3, wait: 10s, factor: 2, most: 5m }`.",
            json!({"anyOf": [
                {"type": ["integer", "null"], "minimum": 0},
                {"$ref": "#/$defs/expression"},
                {"type": "object", "required": ["times"], "additionalProperties": false, "properties": {
                    "times": integer(0), "wait": time(), "factor": {"type": ["number", "string"]}, "most": time(),
                }},
            ]}),
        ),
        "timeout" => ("Longest time of one attempt, for example `2h`, `90s` or seconds as a number.", time()),
        "allow_failure" => (
            "A failure of this node is no failure of the run; what needs it is skipped.",
            or_expression(json!({"type": "boolean"})),
        ),
        "resources" => (
            "What the node needs while it runs; it waits until that is free.",
            or_expression(json!({"type": "object", "additionalProperties": false, "properties": {
                "cpus": integer(0), "gpus": integer(0),
                "memory": {"type": ["string", "integer"], "description": "For example `8GiB`."},
                "pools": {"type": "object", "additionalProperties": integer(0),
                          "description": "Units of the pools that the pipeline declares."},
            }})),
        ),
        _ => (
            "Nodes with a larger priority start earlier; then those before the longest path.",
            or_expression(json!({"type": "integer"})),
        ),
    };
    json!({"description": description, "allOf": [schema]})
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
    let names: Vec<Value> = kinds.iter().map(|kind| json!({"const": kind.name, "description": kind.summary})).collect();
    let properties = properties(&NODE_KEYS, |key| match key {
        "kind" => json!({"description": "What the node does.", "oneOf": names}),
        "description" => json!({"type": "string", "description": "What the node is for."}),
        "for" => json!({
            "type": "object",
            "description": "Axes of a family: one instance for each point of their product, in the order of the axes.",
            "propertyNames": {"$ref": "#/$defs/variable"},
            "additionalProperties": {"$ref": "#/$defs/axis"},
        }),
        "exclude" => json!({
            "description": "Points that the family leaves out.",
            "anyOf": [{"$ref": "#/$defs/exclude"}, {"type": "array", "items": {"$ref": "#/$defs/exclude"}}],
        }),
        "when" => json!({
            "description": "A condition, for example `${transition}`: where it does not hold the node does not exist.",
            "anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/expression"}],
        }),
        "needs" => json!({
            "type": ["object", "null"],
            "description": "Inputs: for each port of the kind the artifacts it takes.",
            "additionalProperties": {"$ref": "#/$defs/references"},
        }),
        "with" => json!({"type": ["object", "null"], "description": "Parameters of the node."}),
        setting => self::setting(setting),
    });
    let cases: Vec<Value> = kinds.iter().map(|kind| case(kind)).collect();
    json!({
        "type": "object",
        "required": ["kind"],
        "additionalProperties": false,
        "properties": properties,
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

/// A kind's own schema, moved below `$defs` and opened for expressions.
fn parameters(kind: &KindSpec) -> Value {
    let mut schema = (kind.parameters)();
    relocate(&mut schema, &format!("#/$defs/{}", parameters_name(kind)));
    open_properties(&mut schema);
    if let Some(map) = schema.as_object_mut() {
        map.remove("$schema");
        // `with` may be empty (null) when nothing is required.
        let required = map.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
        if !required && map.get("type") == Some(&json!("object")) {
            map.insert("type".to_owned(), json!(["object", "null"]));
        }
    }
    schema
}

/// Lets `#` and `#/...` mean the schema's new place.
fn relocate(schema: &mut Value, root: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" && target.starts_with('#') => {
                        *target = format!("{root}{}", target.trim_start_matches('#'));
                    }
                    _ => relocate(value, root),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, root)),
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
