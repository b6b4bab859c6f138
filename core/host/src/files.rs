//! Parameters of matchers that name files: texts whose schema has `"format": "file"`, also in lists and nested objects.
//!
//! Such a text is a path relative to the pipeline file. What the file holds is part of a node's key; the plugin gets the absolute path.

use serde_json::Value;
use std::path::Path;

/// A parameter that names a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileParam {
    /// JSON pointer into the parameters.
    pub pointer: String,
    /// The path as it is written.
    pub path: String,
}

/// Most levels that are looked at; schemas that refer to themselves end here.
const DEPTH_LIMIT: usize = 32;

/// The files that parameters name, in the order of the schema.
pub(crate) fn files(schema: &Value, config: &Value) -> Vec<FileParam> {
    let mut found = Vec::new();
    visit(schema, (schema, DEPTH_LIMIT), &mut config.clone(), "", &mut |pointer, path| {
        found.push(FileParam { pointer: pointer.to_owned(), path: path.clone() });
    });
    found
}

/// The parameters with absolute paths of files that lie relative to `folder`.
pub(crate) fn placed(schema: &Value, mut config: Value, folder: &Path) -> Value {
    visit(schema, (schema, DEPTH_LIMIT), &mut config, "", &mut |_, path| {
        let joined = folder.join(&*path);
        *path = std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned();
    });
    config
}

/// Whether a schema has such a parameter.
pub(crate) fn any(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => is_file(schema) || fields.values().any(any),
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

fn is_file(schema: &Value) -> bool {
    schema.get("format").is_some_and(|format| format == "file")
}

fn visit(
    root: &Value,
    (schema, depth): (&Value, usize),
    value: &mut Value,
    pointer: &str,
    found: &mut impl FnMut(&str, &mut String),
) {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    let schema = target.and_then(|target| root.pointer(target)).unwrap_or(schema);
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(path) if is_file(schema) => found(pointer, path),
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = schema.get("properties").and_then(|properties| properties.get(name));
                let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                visit(root, (inner.unwrap_or(&Value::Null), depth), value, &pointer, found);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter_mut().enumerate() {
                let inner = schema.get("items").unwrap_or(&Value::Null);
                visit(root, (inner, depth), value, &format!("{pointer}/{number}"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_found_at_every_level_and_placed_beside_the_pipeline() {
        let schema = json!({
            "properties": {
                "file": {"type": "string", "format": "file"},
                "name": {"type": "string"},
                "more": {"type": "array", "items": {"$ref": "#/$defs/Path"}},
            },
            "$defs": {"Path": {"type": "string", "format": "file"}}
        });
        let config = json!({"file": "a.py", "name": "a.py", "more": ["b.py", "sub/c.py"]});
        let found = files(&schema, &config);
        let found: Vec<_> = found.iter().map(|file| (file.pointer.as_str(), file.path.as_str())).collect();
        assert_eq!(found, [("/file", "a.py"), ("/more/0", "b.py"), ("/more/1", "sub/c.py")]);
        let placed = placed(&schema, config, Path::new("/pipelines"));
        assert_eq!(
            placed,
            json!({"file": "/pipelines/a.py", "name": "a.py", "more": ["/pipelines/b.py", "/pipelines/sub/c.py"]})
        );
        assert!(any(&schema) && !any(&json!({"properties": {"name": {"type": "string", "format": "date"}}})));
    }
}
