//! What pipelines can say, as Markdown made from the schemas: kinds, sources and plugins with their parameters.

use pddflow_nodes::PluginInfo;
use pddflow_pipeline::{Arity, Catalog, KindSpec, PortSpec, expressions_table, settings_table};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Longest line; a word that is longer stays whole.
const WIDTH: usize = 110;
/// A longer default is not written out: that of a mapping is told by the members of its type.
const DEFAULT_WIDTH: usize = 50;
/// The type of a choice of a source; each source has a place of its own.
const SOURCE: &str = "Source";
/// How the definitions of a schema are referred to.
const DEFINITIONS: &str = "#/$defs/";

/// The page about everything that a pipeline file can say.
pub(crate) fn page(catalog: &dyn Catalog) -> String {
    let mut page = Text::default();
    page.heading(1, "Kinds, sources, parameters and expressions");
    page.paragraph(
        "`pddflow help kinds` prints this page, `pddflow help distill` the part about a kind, a source or a plugin. \
         [The format](pipelines.md) says how a pipeline file is written.",
    );
    page.heading(2, "Kinds");
    page.paragraph("The kind of a node says what it does. Every value may be an expression.");
    catalog.kinds().into_iter().for_each(|kind| page.kind(3, kind));
    page.heading(2, "Sources");
    page.paragraph("Values of `source` of the kind `dataset`: the name, or `{ name: { its parameters } }`.");
    sources(catalog).iter().for_each(|source| page.source(3, source));
    page.heading(2, "Types");
    page.paragraph("Values that parameters above refer to.");
    page.types(3);
    page.heading(2, "Settings");
    page.paragraph("Keys of any node, which never change its result.");
    page.text.push_str(&settings_table());
    page.heading(2, "Expressions");
    page.paragraph("What `${...}` may hold.");
    page.text.push_str(&expressions_table());
    page.text
}

/// What there is to say of a name: a kind, a source, or both.
pub(crate) fn topic(catalog: &dyn Catalog, name: &str) -> Option<String> {
    let mut text = Text::default();
    if let Some(kind) = catalog.kind(name) {
        text.kind(1, kind);
        let sources: Vec<String> = sources(catalog).iter().map(|source| format!("`{}`", source.name)).collect();
        if (kind.parameters)()["$defs"].get(SOURCE).is_some() {
            text.paragraph(&format!("Sources, which `pddflow help` explains too: {}.", sources.join(", ")));
        }
    }
    sources(catalog).iter().filter(|source| source.name == name).for_each(|source| text.source(1, source));
    text.types(2);
    (!text.text.is_empty()).then_some(text.text)
}

/// Names that [`topic`] knows.
pub(crate) fn topics(catalog: &dyn Catalog) -> Vec<String> {
    let kinds = catalog.kinds().into_iter().map(|kind| kind.name.clone());
    kinds.chain(sources(catalog).into_iter().map(|source| source.name)).collect()
}

/// A plugin with its parameters, their defaults and presets.
pub(crate) fn plugin(plugin: &PluginInfo) -> String {
    let mut text = Text::default();
    text.heading(1, &format!("{} `{}`", capital(&plugin.role.to_string()), plugin.id));
    text.paragraph(&sentence(&plugin.summary));
    text.parameters(&plugin.schema, &plugin.schema);
    if let Some(presets) = plugin.schema["presets"].as_object().filter(|presets| !presets.is_empty()) {
        text.paragraph("Presets (`preset`), whose values stand for parameters that are not given:");
        for (name, values) in presets {
            let values = values.as_object().into_iter().flatten();
            let values: Vec<String> = values.map(|(name, value)| format!("{name} {value}")).collect();
            text.item(0, &format!("`{name}`: {}", values.join(", ")));
        }
    }
    text.types(2);
    let revision =
        plugin.revision.map_or_else(|| "without a revision".to_owned(), |number| format!("revision {number}"));
    text.paragraph(&format!("Version {}, {revision}, {}", plugin.version, plugin.file.display()));
    text.text
}

/// A source of images.
struct Source {
    name: String,
    /// With a reference to its parameters.
    property: Value,
    /// The schema in which that leads somewhere.
    root: Value,
}

fn sources(catalog: &dyn Catalog) -> Vec<Source> {
    let Some(kind) = catalog.kind("dataset") else { return Vec::new() };
    let root = (kind.parameters)();
    let choices = root["$defs"][SOURCE]["oneOf"].as_array();
    let properties = choices.into_iter().flatten().filter_map(|choice| choice["properties"].as_object());
    let all = properties.flatten().map(|(name, property)| (name.clone(), property.clone()));
    all.collect::<Vec<_>>().into_iter().map(|(name, property)| Source { name, property, root: root.clone() }).collect()
}

/// Markdown that is being written, and the types that it has named so far.
#[derive(Default)]
struct Text {
    text: String,
    /// Definitions by name, with the schema in which their own references lead somewhere.
    types: BTreeMap<String, (Value, Value)>,
    told: BTreeSet<String>,
}

impl Text {
    fn heading(&mut self, level: usize, text: &str) {
        let gap = if self.text.is_empty() || self.text.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}{} {text}", "#".repeat(level));
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self.wrapped("", "", text);
        self.text.push('\n');
    }

    fn item(&mut self, depth: usize, text: &str) {
        let indent = "  ".repeat(depth);
        self.wrapped(&format!("{indent}- "), &format!("{indent}  "), text);
    }

    fn wrapped(&mut self, first: &str, others: &str, text: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in text.split_whitespace() {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(self.text, "{line}");
                line = others.to_owned();
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        let _ = writeln!(self.text, "{line}");
    }

    fn kind(&mut self, level: usize, kind: &KindSpec) {
        self.heading(level, &format!("`{}`", kind.name));
        self.paragraph(&kind.summary);
        for (words, ports, is_input) in [("Inputs (`needs`):", &kind.inputs, true), ("Outputs:", &kind.outputs, false)]
        {
            if !ports.is_empty() {
                self.paragraph(words);
                ports.iter().for_each(|port| self.item(0, &port_words(port, is_input)));
            }
        }
        let schema = (kind.parameters)();
        self.parameters(&schema, &schema);
    }

    fn source(&mut self, level: usize, source: &Source) {
        self.heading(level, &format!("`{}`", source.name));
        self.paragraph(source.property["description"].as_str().unwrap_or_default());
        let parameters = definition(&source.property, &source.root).map_or(&source.property, |(_, found)| found);
        self.parameters(parameters, &source.root);
    }

    /// The parameters of a schema.
    fn parameters(&mut self, schema: &Value, root: &Value) {
        if properties(schema).next().is_some() {
            self.paragraph("Parameters:");
            self.members(schema, root);
        }
    }

    /// The members of a mapping: the required ones first.
    fn members(&mut self, schema: &Value, root: &Value) {
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members: Vec<(&String, &Value)> = properties(schema).collect();
        members.sort_by_key(|(name, _)| !required.contains(name.as_str()));
        for (name, member) in members {
            let mut words = vec![self.type_of(member, root)];
            words.extend(required.contains(name.as_str()).then(|| "required".to_owned()));
            words.extend(default_of(member));
            let about = member["description"].as_str().unwrap_or_default();
            let colon = if about.is_empty() { "" } else { ": " };
            self.item(0, &format!("`{name}` ({}){colon}{about}", words.join("; ")));
        }
    }

    /// The types that were named and not told yet, and those that they name.
    fn types(&mut self, level: usize) {
        while let Some((name, (schema, root))) = self.next_type() {
            self.heading(level, &name);
            self.paragraph(schema["description"].as_str().unwrap_or_default());
            if properties(&schema).next().is_some() {
                self.members(&schema, &root);
                continue;
            }
            let cases = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()).cloned();
            for case in cases.unwrap_or_else(|| vec![schema]) {
                let about = case["description"].as_str().map(|about| format!(": {about}")).unwrap_or_default();
                let words = self.type_of(&case, &root);
                self.item(0, &format!("{words}{about}"));
            }
        }
    }

    fn next_type(&mut self) -> Option<(String, (Value, Value))> {
        let name = self.types.keys().find(|name| !self.told.contains(*name))?.clone();
        self.told.insert(name.clone());
        self.types.get(&name).map(|found| (name, found.clone()))
    }

    /// The type of a value in words.
    fn type_of(&mut self, schema: &Value, root: &Value) -> String {
        if let Some((name, found)) = definition(schema, root) {
            if name == SOURCE {
                return "source".to_owned();
            }
            self.types.entry(name.to_owned()).or_insert_with(|| (found.clone(), root.clone()));
            return format!("`{name}`");
        }
        if let Some(value) = schema.get("const") {
            return format!("`{}`", shown(value));
        }
        if let Some(values) = schema["enum"].as_array() {
            return alternatives(
                values.iter().filter(|value| !value.is_null()).map(|value| format!("`{}`", shown(value))),
            );
        }
        if let Some(cases) = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array()) {
            let cases: Vec<String> =
                cases.iter().filter(|case| case["type"] != "null").map(|case| self.type_of(case, root)).collect();
            return alternatives(cases.into_iter());
        }
        let types: Vec<String> = match &schema["type"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return "any value".to_owned(),
        };
        let types: Vec<String> =
            types.iter().filter(|one| *one != "null").map(|one| self.type_named(one, schema, root)).collect();
        alternatives(types.into_iter())
    }

    fn type_named(&mut self, name: &str, schema: &Value, root: &Value) -> String {
        match name {
            "integer" | "number" => format!("{name}{}", range(schema)),
            "array" => {
                let items = self.type_of(&schema["items"], root);
                let items = if items == "any value" { "values".to_owned() } else { items };
                match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
                    (Some(least), Some(most)) if least == most => format!("list of {least}: {items}"),
                    _ => format!("list of {items}"),
                }
            }
            "object" => {
                let members: Vec<String> = properties(schema)
                    .map(|(name, member)| format!("{name}: {}", self.type_of(member, root).replace('`', "")))
                    .collect();
                match (members.is_empty(), schema["additionalProperties"].is_object()) {
                    (false, _) => format!("`{{ {} }}`", members.join(", ")),
                    (true, true) => format!("mapping to {}", self.type_of(&schema["additionalProperties"], root)),
                    (true, false) => "mapping".to_owned(),
                }
            }
            other => other.to_owned(),
        }
    }
}

/// The definition that a schema refers to, by name.
fn definition<'a>(schema: &'a Value, root: &'a Value) -> Option<(&'a str, &'a Value)> {
    let alone = || schema["anyOf"].as_array().and_then(|cases| cases.iter().find_map(|case| case["$ref"].as_str()));
    let target = schema["$ref"].as_str().or_else(alone)?;
    let name = target.strip_prefix(DEFINITIONS)?;
    Some((name, root["$defs"].get(name)?))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flat_map(Map::iter)
}

fn default_of(schema: &Value) -> Option<String> {
    let default = schema.get("default").filter(|default| !default.is_null())?;
    let text = shown(default);
    (text.chars().count() <= DEFAULT_WIDTH).then(|| format!("default `{text}`"))
}

/// A value as a pipeline file may write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn range(schema: &Value) -> String {
    // Whole numbers of Rust have a least value of 0, which goes without saying.
    let is_whole = schema["type"].to_string().contains("integer");
    let least = schema.get("minimum").filter(|least| !is_whole || least.as_f64() != Some(0.0));
    match (least, schema.get("maximum"), schema.get("exclusiveMinimum")) {
        (Some(least), Some(most), _) => format!(" from {least} to {most}"),
        (Some(least), None, _) => format!(", at least {least}"),
        (None, Some(most), Some(above)) => format!(" above {above}, at most {most}"),
        (None, Some(most), None) => format!(", at most {most}"),
        (None, None, Some(above)) => format!(" above {above}"),
        (None, None, None) => String::new(),
    }
}

fn alternatives(words: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    words.for_each(|word| {
        if !all.contains(&word) {
            all.push(word);
        }
    });
    match all.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => all.concat(),
    }
}

fn port_words(port: &PortSpec, is_input: bool) -> String {
    let count = match port.arity {
        _ if !is_input => "",
        Arity::One => "one ",
        Arity::Optional => "at most one ",
        Arity::Many => "any number of ",
        Arity::Some => "one or more of ",
    };
    let artifact = port.artifact.replace('|', " or ");
    let colon = if port.summary.is_empty() { "" } else { ": " };
    format!(
        "`{}` ({count}{}){colon}{}",
        port.name,
        artifact.split_whitespace().collect::<Vec<_>>().join(" "),
        port.summary
    )
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn sentence(text: &str) -> String {
    format!("{}.", capital(text.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(schema: &Value) -> String {
        let mut text = Text::default();
        text.members(schema, schema);
        text.types(2);
        text.text
    }

    #[test]
    fn parameters_have_types_defaults_and_ranges() {
        let schema = json!({
            "properties": {
                "lr": { "type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5, "description": "Step." },
                "ipc": { "type": "integer", "minimum": 0, "description": "Images." },
                "names": { "type": ["array", "null"], "items": { "type": "string" }, "default": null },
                "keep": { "$ref": "#/$defs/Keep", "default": "last" },
            },
            "required": ["ipc"],
            "$defs": { "Keep": { "description": "Which.", "oneOf": [
                { "const": "last", "description": "The last." },
                { "type": "object", "properties": { "at": { "type": "integer" } }, "description": "That." },
            ] } },
        });
        let expected = "\
- `ipc` (integer; required): Images.
- `keep` (`Keep`; default `last`)
- `lr` (number from 0.0 to 1.0; default `0.5`): Step.
- `names` (list of string)

## Keep

Which.

- `last`: The last.
- `{ at: integer }`: That.
";
        assert_eq!(members(&schema), expected);
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let mut text = Text::default();
        text.item(1, &"word ".repeat(40));
        assert!(text.text.lines().count() == 2 && text.text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(text.text.lines().nth(1).unwrap().starts_with("    word"));
    }
}
