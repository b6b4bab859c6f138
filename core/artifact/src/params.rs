//! Parameters of kinds: from a JSON value to a Rust type and back, with every problem named.
//!
//! A kind's parameters are one struct that derives `Serialize`, `Deserialize` (with `deny_unknown_fields`) and
//! `JsonSchema`. Its defaults are filled in here, because the resolved value is what enters the key: writing a default
//! out in a pipeline file must not change the key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pddflow_runner::NodeError;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_tensor::augment::Policy;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::failure::fail;

/// Least likeness (Jaro-Winkler, 0 to 1) at which a name is offered as the one that was meant.
const NEAREST_NAME_FLOOR: f64 = 0.7;

/// JSON schema of the parameters `P`.
pub fn schema<P: JsonSchema>() -> Value {
    schemars::schema_for!(P).to_value()
}

/// The names of the parameters. Kept, because a schema is made of many pieces and every node of a plan asks.
fn names_of<P: JsonSchema>() -> Arc<Vec<String>> {
    static KNOWN: Mutex<BTreeMap<Cow<'static, str>, Arc<Vec<String>>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(P::schema_id()).or_insert_with(|| Arc::new(property_names(&schema::<P>()))))
}

/// Checks `with` against `P` and returns it with the defaults filled in.
pub fn resolve<P: Serialize + DeserializeOwned + JsonSchema>(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    resolve_and_read::<P>(with).map(|(resolved, _)| resolved)
}

/// As [`resolve`], with what it says.
pub fn resolve_and_read<P: Serialize + DeserializeOwned + JsonSchema>(
    with: &Value,
) -> Result<(Value, P), Vec<ParamProblem>> {
    let mut given = match with {
        Value::Null => Cow::Owned(Map::new()),
        Value::Object(map) => Cow::Borrowed(map),
        _ => return Err(vec![problem("", "parameters must be a mapping of names to values", None)]),
    };
    let names = names_of::<P>();
    let mut problems = unknown_names(&given, &names);
    if !problems.is_empty() {
        given.to_mut().retain(|name, _| names.contains(name));
    }
    match deserialize::<P, _>(&*given) {
        Ok(parameters) if problems.is_empty() => match serde_json::to_value(&parameters) {
            Ok(resolved) => Ok((resolved, parameters)),
            Err(error) => Err(vec![problem("", format!("parameters cannot be written back: {error}"), None)]),
        },
        Ok(_) => Err(problems),
        Err(error) => {
            let (message, help) = in_words(&error.inner().to_string());
            problems.push(problem(pointer(error.path()), message, help));
            Err(problems)
        }
    }
}

/// Deserialises; a mistake is looked for again with its path, which is too slow for the many that are right.
fn deserialize<'a, P: DeserializeOwned, D: Deserializer<'a, Error = serde_json::Error> + Copy>(
    given: D,
) -> Result<P, serde_path_to_error::Error<serde_json::Error>> {
    P::deserialize(given).or_else(|_| serde_path_to_error::deserialize(given))
}

/// Reads parameters that [`resolve`] has already accepted.
pub fn read<P: DeserializeOwned>(with: &Value) -> Result<P, NodeError> {
    deserialize(with).map_err(|error| {
        let (message, help) = in_words(&error.inner().to_string());
        let failure = fail("parameters", format!("parameter `{}`: {message}", error.path()));
        help.into_iter().fold(failure, NodeError::with_help)
    })
}

/// Problems of numbers that training kinds share: those named must be at least 1 (a `/` goes into a mapping), rates and
/// probabilities must lie in their ranges.
pub fn check_numbers(with: &Value, positive: &[&str]) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    let mut wrong = |field: &str, what: &str| {
        let value = with.pointer(&format!("/{field}")).unwrap_or(&Value::Null);
        problems.push(problem(format!("/{field}"), format!("`{field}` is {value} and must be {what}"), None));
    };
    let number = |field: &str| with.pointer(&format!("/{field}")).and_then(Value::as_f64);
    for field in positive {
        if number(field).is_some_and(|value| value < 1.0) {
            wrong(field, "at least 1");
        }
    }
    for field in ["momentum", "cutmix", "average"] {
        if number(field).is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            wrong(field, "from 0 to 1");
        }
    }
    if number("weight_decay").is_some_and(|value| value < 0.0) {
        wrong("weight_decay", "at least 0");
    }
    if number("lr").is_some_and(|value| value <= 0.0) {
        wrong("lr", "above 0");
    }
    problems
}

/// Writes the augmentation at `with[field]` in its one form; or what is wrong with it.
pub fn check_policy(with: &mut Value, field: &str) -> Option<ParamProblem> {
    match Policy::parse(with[field].as_str().unwrap_or_default()) {
        Ok(policy) => {
            with[field] = policy.canonical().into();
            None
        }
        Err(error) => Some(problem(format!("/{field}"), error.to_string(), None)),
    }
}

/// One of several structs whose fields together, in one flat mapping, are the parameters of a kind. No name may belong to two.
#[derive(Clone, Copy)]
pub struct Part {
    names: fn() -> Arc<Vec<String>>,
    schema: fn() -> Value,
    resolve: fn(&Value) -> Result<Value, Vec<ParamProblem>>,
}

impl Part {
    /// The fields of `P`.
    #[must_use]
    pub fn of<P: Serialize + DeserializeOwned + JsonSchema>() -> Self {
        Self { names: names_of::<P>, schema: schema::<P>, resolve: resolve::<P> }
    }
}

/// The schema of a kind whose parameters are those of several structs together.
pub fn schema_of_parts(parts: &[Part]) -> Value {
    let mut all = Value::Null;
    for mut more in parts.iter().map(|part| (part.schema)()) {
        if all.is_null() {
            all = more;
            continue;
        }
        for part in ["properties", "$defs"] {
            let Some(Value::Object(more)) = more.get_mut(part).map(Value::take) else { continue };
            match all.get_mut(part) {
                Some(Value::Object(known)) => known.extend(more),
                _ => all[part] = Value::Object(more),
            }
        }
        if let Some(Value::Array(more)) = more.get_mut("required").map(Value::take) {
            match all.get_mut("required") {
                Some(Value::Array(known)) => known.extend(more),
                _ => all["required"] = Value::Array(more),
            }
        }
    }
    all
}

/// [`resolve`] for parameters that are those of several structs together.
pub fn resolve_parts(with: &Value, parts: &[Part]) -> Result<Value, Vec<ParamProblem>> {
    let none = Map::new();
    let given = match with {
        Value::Object(given) => given,
        Value::Null => &none,
        _ => return Err(vec![problem("", "parameters must be a mapping of names to values", None)]),
    };
    let of_parts: Vec<_> = parts.iter().map(|part| (part.names)()).collect();
    let names: Vec<String> = of_parts.iter().flat_map(|names| names.iter().cloned()).collect();
    let (mut problems, mut all) = (unknown_names(given, &names), Map::new());
    for (part, names) in parts.iter().zip(&of_parts) {
        let own = given.iter().filter(|(name, _)| names.contains(name));
        match (part.resolve)(&Value::Object(own.map(|(name, value)| (name.clone(), value.clone())).collect())) {
            Ok(Value::Object(own)) => all.extend(own),
            Ok(_) => {}
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(Value::Object(all)) } else { Err(problems) }
}

/// [`read`] for the parameters of `P` among those that [`resolve_parts`] has accepted.
pub fn read_part<P: DeserializeOwned + JsonSchema>(with: &Value) -> Result<P, NodeError> {
    let names = names_of::<P>();
    let own = with.as_object().into_iter().flatten().filter(|(name, _)| names.contains(name));
    read(&Value::Object(own.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

/// One problem.
pub fn problem(pointer: impl Into<String>, message: impl Into<String>, help: Option<String>) -> ParamProblem {
    ParamProblem { pointer: pointer.into(), message: message.into(), help }
}

/// The name of `names` that is most like `given`, if any is alike at all.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness >= NEAREST_NAME_FLOOR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// "did you mean `x`?", or the list of what there is.
pub fn suggestion(given: &str, names: &[&str]) -> String {
    match nearest(given, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known names: {}", names.join(", ")),
    }
}

/// A mistake as serde tells it, in the words of a pipeline file, with what may have been meant.
fn in_words(told: &str) -> (String, Option<String>) {
    let unknown = told.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "));
    if let Some((given, expected)) = unknown {
        let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return (format!("`{given}` is not known here"), Some(suggestion(given, &names)));
    }
    let wrong = ["invalid type: ", "invalid value: "].iter().find_map(|start| told.strip_prefix(start));
    let Some((found, expected)) = wrong.and_then(|rest| rest.split_once(", expected ")) else {
        return (told.to_owned(), None);
    };
    let found = match found.split_once(' ').unwrap_or((found, "")) {
        ("string", text) => format!("the text {text}"),
        ("integer" | "boolean", value) => value.to_owned(),
        ("floating", rest) => rest.trim_start_matches("point ").to_owned(),
        ("sequence", _) => "a list".to_owned(),
        ("map", _) => "a mapping".to_owned(),
        ("null", _) | ("unit", _) => "nothing".to_owned(),
        _ => found.to_owned(),
    };
    let expected = match expected {
        "usize" | "u64" | "u32" | "u16" => "a whole number from 0",
        "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" => "a text",
        other => other,
    };
    (format!("{found} is given where {expected} is expected"), None)
}

/// A problem for each name that is none of `names`.
fn unknown_names(given: &Map<String, Value>, names: &[String]) -> Vec<ParamProblem> {
    let unknown = given.keys().filter(|name| !names.contains(name));
    let told = unknown.map(|name| {
        let help = suggestion(name, &names.iter().map(String::as_str).collect::<Vec<_>>());
        problem(format!("/{}", escape(name)), format!("unknown parameter `{name}`"), Some(help))
    });
    told.collect()
}

fn property_names(schema: &Value) -> Vec<String> {
    schema["properties"].as_object().map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { variant } => pointer.push_str(&format!("/{}", escape(variant))),
            Segment::Unknown => {}
        }
    }
    pointer
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        width: usize,
        #[serde(default = "ten")]
        epochs: u64,
    }

    fn ten() -> u64 {
        10
    }

    #[test]
    fn defaults_are_filled_in() {
        assert_eq!(resolve::<Sample>(&json!({ "width": 3 })).unwrap(), json!({ "width": 3, "epochs": 10 }));
    }

    #[test]
    fn every_unknown_name_and_the_bad_value_are_reported_at_once() {
        let problems = resolve::<Sample>(&json!({ "width": "x", "epoch": 1, "zzz": 2 })).unwrap_err();
        let found: Vec<(&str, Option<&str>)> =
            problems.iter().map(|p| (p.pointer.as_str(), p.help.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("/epoch", Some("did you mean `epochs`?")),
                ("/zzz", Some("known names: epochs, width")),
                ("/width", None)
            ]
        );
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Other {
        depth: usize,
        #[serde(default)]
        name: Option<String>,
    }

    #[test]
    fn two_structs_make_one_flat_mapping() {
        let parts = [Part::of::<Sample>(), Part::of::<Other>()];
        let both = resolve_parts(&json!({ "width": 3, "depth": 2 }), &parts).unwrap();
        assert_eq!(both, json!({ "width": 3, "epochs": 10, "depth": 2, "name": null }));
        assert_eq!(read_part::<Other>(&both).unwrap().depth, 2);
        let names = property_names(&schema_of_parts(&parts));
        assert_eq!(names, ["depth", "epochs", "name", "width"]);
        let problems = resolve_parts(&json!({ "width": 3, "dept": 2 }), &parts).err().unwrap();
        let found: Vec<(&str, Option<&str>)> =
            problems.iter().map(|p| (p.pointer.as_str(), p.help.as_deref())).collect();
        assert_eq!(found, [("/dept", Some("did you mean `depth`?")), ("", None)]);
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let problems = resolve::<Sample>(&json!({})).unwrap_err();
        assert!(problems[0].message.contains("width"), "{}", problems[0].message);
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_a_pipeline_file() {
        let told = |given: Value, expected: &str, help: Option<&str>| {
            #[derive(Serialize, serde::Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            struct Some {
                count: Option<usize>,
                rate: Option<f64>,
                on: Option<bool>,
                way: Option<Way>,
            }
            #[derive(Serialize, serde::Deserialize, JsonSchema)]
            #[serde(rename_all = "lowercase")]
            enum Way {
                Short,
                Long,
            }
            let found = resolve::<Some>(&given).unwrap_err();
            assert_eq!((found[0].message.as_str(), found[0].help.as_deref()), (expected, help));
        };
        told(json!({ "count": "x" }), "the text \"x\" is given where a whole number from 0 is expected", None);
        told(json!({ "count": -1 }), "`-1` is given where a whole number from 0 is expected", None);
        told(json!({ "count": 1.5 }), "`1.5` is given where a whole number from 0 is expected", None);
        told(json!({ "rate": [1] }), "a list is given where a number is expected", None);
        told(json!({ "on": 1 }), "`1` is given where `true` or `false` is expected", None);
        told(json!({ "way": "shortt" }), "`shortt` is not known here", Some("did you mean `short`?"));
    }
}
