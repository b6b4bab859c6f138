//! `pddflow export`: the artifacts of a fresh node as files.

use crate::args::ExportArgs;
use crate::command::show;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use crate::results;
use serde_json::json;

pub(crate) fn export(args: &ExportArgs, output: &Output) -> Result<Exit, Problem> {
    let opened = Opened::new(&args.pipeline, &args.place)?;
    let (node, record) = show::fresh(&opened, &args.node)?;
    let mut written = Vec::new();
    for (port, digest) in &record.outputs {
        let blob = opened.store.get(digest)?;
        if results::is_tree(opened.artifact(node, port)) {
            let tree = results::tree(&blob)?;
            results::write_tree(&tree, &args.to).map_err(|error| results::unwritable(&args.to, &error))?;
            written.extend(tree.iter().map(|(name, _)| args.to.join(name)));
        } else {
            let path = args.to.join(format!("{port}.{}", extension(&blob)));
            results::write_file(&path, &blob).map_err(|error| results::unwritable(&args.to, &error))?;
            written.push(path);
        }
    }
    if output.json() {
        output.value(&json!({ "node": node.id, "files": written }));
    } else {
        written.iter().for_each(|path| output.data(&format!("{}\n", path.display())));
    }
    Ok(Exit::Ok)
}

/// Artifacts that are no tree are JSON or safetensors; a safetensors file begins with a length, never with a brace and
/// text (that would be a header of more than a petabyte).
fn extension(bytes: &[u8]) -> &'static str {
    if bytes.first().is_some_and(|first| matches!(first, b'{' | b'[')) && bytes.get(7).is_none_or(|byte| *byte != 0) {
        "json"
    } else {
        "safetensors"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_safetensors_are_told_apart() {
        assert_eq!(extension(b"{\"a\": 1, \"b\": 2}"), "json");
        assert_eq!(extension(b"{}"), "json");
        assert_eq!(extension(&[b'{', 0, 0, 0, 0, 0, 0, 0, b'{']), "safetensors");
        assert_eq!(extension(&[80, 0, 0, 0, 0, 0, 0, 0, b'{']), "safetensors");
    }
}
