//! Parameter schemas of plugins: parsing, checking values, filling in presets and defaults.
//!
//! A schema may have the keyword `presets`: an object of named sets of parameters. Then `preset: NAME` gives what the parameters do not
//! give themselves. The name is gone once it is filled in, so that keys see the values and not what they are called.

use crate::error::{Code, PluginError};
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

/// One thing that is wrong with a plugin's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// JSON pointer into the parameters; empty for the whole.
    pub pointer: String,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What to do, e.g. the nearest name.
    pub help: Option<String>,
}

/// Most levels that defaults are filled in; schemas that refer to themselves end here.
const DEPTH_LIMIT: usize = 32;

/// A schema from its text.
pub(crate) fn parse(id: &str, text: &str) -> Result<Value, PluginError> {
    let wrong = |message: String| PluginError::new(Code::Schema, format!("the schema of `{id}` {message}"));
    let schema: Value = serde_json::from_str(text).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    if !schema.is_object() {
        return Err(wrong("is not a JSON object".to_owned()));
    }
    if schema.get("type").is_some_and(|kind| kind != "object") {
        return Err(wrong("is not of type `object`".to_owned()));
    }
    let schema = with_presets(schema).map_err(wrong)?;
    jsonschema::meta::validate(&schema).map_err(|error| wrong(format!("is not a JSON schema: {error}")))?;
    jsonschema::validator_for(&schema).map_err(|error| wrong(format!("cannot be used: {error}")))?;
    Ok(schema)
}

/// The keyword, and the property that chooses one.
const PRESETS: &str = "presets";
const PRESET: &str = "preset";

/// Makes `preset` a property, so that an unknown name is reported like any other invalid value.
fn with_presets(mut schema: Value) -> Result<Value, String> {
    let names: Vec<&String> = match schema.get(PRESETS) {
        None => return Ok(schema),
        Some(Value::Object(presets)) if presets.values().all(Value::is_object) => presets.keys().collect(),
        Some(_) => return Err(format!("has `{PRESETS}` that are not named sets of parameters")),
    };
    let property = json!({
        "description": "Published parameters by name; parameters that are given as well take precedence.",
        "enum": names,
    });
    match schema.get_mut("properties").and_then(Value::as_object_mut) {
        Some(properties) if !properties.contains_key(PRESET) => properties.insert(PRESET.to_owned(), property),
        _ => return Err(format!("has `{PRESETS}`, but no properties, or a property `{PRESET}` of its own")),
    };
    Ok(schema)
}

/// Puts the values of the chosen preset in its place.
fn apply_preset(schema: &Value, config: &mut Value) {
    let Some(presets) = schema.get(PRESETS) else { return };
    let Some(config) = config.as_object_mut() else { return };
    let chosen = config.remove(PRESET).and_then(|name| presets.get(name.as_str()?)?.as_object().cloned());
    for (name, value) in chosen.into_iter().flatten() {
        config.entry(name).or_insert(value);
    }
}

/// Checks parameters against a schema; returns them with presets and defaults filled in.
pub(crate) fn check(schema: &Value, config: &Value) -> Result<Value, Vec<ConfigProblem>> {
    let mut config = if config.is_null() { Value::Object(Map::new()) } else { config.clone() };
    let problem = |message: String| ConfigProblem { pointer: String::new(), message, help: None };
    let validator = jsonschema::validator_for(schema).map_err(|error| vec![problem(error.to_string())])?;
    let problems: Vec<ConfigProblem> =
        validator.iter_errors(&config).flat_map(|error| describe(schema, &error)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    apply_preset(schema, &mut config);
    fill(schema, schema, &mut config, DEPTH_LIMIT);
    Ok(config)
}

fn describe(schema: &Value, error: &jsonschema::ValidationError<'_>) -> Vec<ConfigProblem> {
    let place = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let names = names(schema, &error.schema_path().to_string());
            let one = |name: &String| ConfigProblem {
                pointer: format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")),
                message: format!("there is no parameter `{name}`"),
                help: Some(nearest_help(name, &names)),
            };
            unexpected.iter().map(one).collect()
        }
        ValidationErrorKind::Enum { options } => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let options: Vec<String> = options.as_array().into_iter().flatten().map(text).collect();
            let names: Vec<&str> = options.iter().map(String::as_str).collect();
            let help =
                if error.instance().is_string() { nearest_help(&text(error.instance()), &names) } else { all(&names) };
            let message = format!("{} is not one of the values allowed", error.instance());
            vec![ConfigProblem { pointer: place, message, help: Some(help) }]
        }
        _ => vec![ConfigProblem { pointer: place, message: error.to_string(), help: None }],
    }
}

/// Names of the properties beside the keyword that failed.
fn names<'a>(schema: &'a Value, path: &str) -> Vec<&'a str> {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let object = schema.pointer(parent).and_then(|value| value.get("properties")).and_then(Value::as_object);
    object.into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

/// "did you mean", or the list of names.
pub(crate) fn nearest_help(given: &str, names: &[&str]) -> String {
    match nearest(given, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there are none".to_owned(),
        None => all(names),
    }
}

fn all(names: &[&str]) -> String {
    format!("there are `{}`", names.join("`, `"))
}

/// The name that is most likely meant.
pub(crate) fn nearest<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    /// Similarity, from 0 to 1, below which a guess would mislead.
    const ALIKE: f64 = 0.75;
    let score = |name: &&str| strsim::jaro_winkler(given, name);
    let best = names.iter().copied().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(&best) >= ALIKE).then_some(best)
}

/// Inserts the defaults of properties that are missing.
fn fill(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    if depth == 0 {
        return;
    }
    let schema = resolve(root, schema);
    // One number is one value, however it is written: `1` and `1.0` make one key.
    if let (Some("number"), Some(whole)) = (schema.get("type").and_then(Value::as_str), value.as_i64()) {
        #[expect(clippy::cast_precision_loss, reason = "plugins read such parameters as doubles")]
        let real = whole as f64;
        *value = real.into();
    }
    let (Some(object), Some(properties)) = (value.as_object_mut(), schema.get("properties").and_then(Value::as_object))
    else {
        return;
    };
    for (name, property) in properties {
        let default = property.get("default").or_else(|| resolve(root, property).get("default"));
        if let (None, Some(default)) = (object.get(name), default) {
            object.insert(name.clone(), default.clone());
        }
        if let Some(inner) = object.get_mut(name) {
            fill(root, property, inner, depth - 1);
        }
    }
}

/// Follows a local `$ref`.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|target| root.pointer(target)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "lr": {"type": "number", "default": 0.1},
                "init": {"enum": ["noise", "real"], "default": "noise"},
                "inner": {"$ref": "#/$defs/Inner", "default": {}},
            },
            "$defs": {"Inner": {"type": "object", "properties": {"steps": {"type": "integer", "default": 3}}}}
        })
    }

    #[test]
    fn a_real_number_is_one_value_however_it_is_written() {
        let check = |config: Value| check(&schema(), &config).unwrap().to_string();
        assert_eq!(check(json!({ "lr": 1 })), check(json!({ "lr": 1.0 })));
        assert!(check(json!({ "inner": { "steps": 4 } })).contains("\"steps\":4}"), "counts stay whole");
    }

    #[test]
    fn defaults_are_filled_in_at_every_level() {
        let expected = json!({"lr": 0.5, "init": "noise", "inner": {"steps": 3}});
        assert_eq!(check(&schema(), &json!({"lr": 0.5})), Ok(expected.clone()));
        assert_eq!(check(&schema(), &expected), Ok(expected));
        assert!(check(&schema(), &Value::Null).is_ok());
    }

    #[test]
    fn problems_name_the_place_and_the_nearest_name() {
        let problems = check(&schema(), &json!({"lrr": 1, "init": "nois", "lr": "x"})).unwrap_err();
        let find = |pointer: &str| problems.iter().find(|problem| problem.pointer == pointer).unwrap();
        assert_eq!(find("/lrr").help.as_deref(), Some("did you mean `lr`?"));
        assert_eq!(find("/init").help.as_deref(), Some("did you mean `noise`?"));
        assert!(find("/lr").message.contains("number"), "{problems:?}");
    }

    #[test]
    fn a_preset_gives_what_is_not_given_and_its_name_is_gone() {
        let mut schema = schema();
        schema["presets"] = json!({"paper": {"lr": 0.2, "init": "real"}, "other": {}});
        let schema = parse("x", &schema.to_string()).unwrap();
        let inner = json!({"steps": 3});
        let expected = json!({"lr": 0.7, "init": "real", "inner": inner});
        assert_eq!(check(&schema, &json!({"preset": "paper", "lr": 0.7})), Ok(expected.clone()));
        assert_eq!(check(&schema, &expected), Ok(expected));
        let problem = check(&schema, &json!({"preset": "papre"})).unwrap_err().remove(0);
        assert_eq!((problem.pointer.as_str(), problem.help.as_deref()), ("/preset", Some("did you mean `paper`?")));
        assert!(check(&self::schema(), &json!({"preset": "paper"})).is_err());
        for presets in [json!(3), json!({"paper": 3})] {
            let text = json!({"properties": {}, "presets": presets}).to_string();
            assert!(parse("x", &text).unwrap_err().to_string().contains("`presets`"));
        }
    }

    #[test]
    fn what_is_not_a_schema_of_an_object_is_refused() {
        for text in ["", "[]", "{", r#"{"type": 7}"#, r#"{"type": "string"}"#, r##"{"$ref": "#/nowhere"}"##] {
            let error = parse("x", text).unwrap_err();
            assert_eq!(error.code(), "plugin::schema", "{text}");
        }
    }
}
