//! `pddflow export`: the artifacts of a fresh node as files.

use crate::args::NodeArgs;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::{Output, one_or_all};
use crate::problem::Problem;
use crate::results::{self, digest_of, unwritable, write_file};
use pddflow_artifact::Files;
use pddflow_cache::{Blob, Digest, RecordHead};
use pddflow_pipeline::PlanNode;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  pddflow export pipelines/quickstart.yaml table --to table
  pddflow export pipelines/quickstart.yaml dm --to sets      a folder for each node of the family";

/// Write the artifacts of a node to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    target: NodeArgs,
    /// The folder to write to
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    to: PathBuf,
    /// Write into a folder that has other files in it, replacing those of the same name
    #[arg(long)]
    force: bool,
}

/// Names of files that a message lists.
const MOST_NAMED: usize = 5;

/// What an output gives.
enum Exported {
    Tree(Files),
    File(String, Blob),
}

impl Exported {
    fn files(&self) -> Vec<(&str, &[u8])> {
        match self {
            Self::Tree(tree) => tree.iter().collect(),
            Self::File(name, blob) => vec![(name, blob)],
        }
    }
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.target.pipeline, &self.target.place)?;
        let found = opened.fresh(&self.target.node, output)?;
        let alone = found.len() == 1;
        let mut values = Vec::new();
        for (node, record) in found {
            // The nodes of a family have a folder each.
            let folder = if alone { self.to.clone() } else { results::folder_of(&self.to, node.id.as_str()) };
            let written = self.export(&opened, (node, &record), &folder)?;
            if output.json() {
                values.push(json!({ "node": node.id, "files": written }));
            } else {
                written.iter().for_each(|path| output.data(&format!("{}\n", path.display())));
            }
        }
        if output.json() {
            output.value(&one_or_all(values));
        }
        Ok(Exit::Ok)
    }

    fn export(
        &self,
        opened: &Opened,
        (node, record): (&PlanNode, &RecordHead),
        to: &Path,
    ) -> Result<Vec<PathBuf>, Problem> {
        let mut exported = Vec::new();
        for (port, digest) in &record.outputs {
            let blob = opened.store.get(digest)?;
            exported.push(if results::is_tree(opened.artifact(node, port)) {
                Exported::Tree(results::tree(&blob)?)
            } else {
                Exported::File(format!("{port}.{}", extension(&blob)), blob)
            });
        }
        let files: BTreeMap<&str, &[u8]> = exported.iter().flat_map(Exported::files).collect();
        let failed = |error: io::Error| unwritable(to, &error);
        if !self.force {
            refuse(to, &others(to, &files).map_err(failed)?)?;
        }
        let mut written = Vec::new();
        for (name, bytes) in &files {
            let path = to.join(name);
            if digest_of(&path).map_err(failed)? != Some(Digest::of(bytes)) {
                write_file(&path, bytes).map_err(failed)?;
            }
            written.push(path);
        }
        Ok(written)
    }
}

/// Files in the folder that the export would not write, or would write otherwise.
fn others(folder: &Path, files: &BTreeMap<&str, &[u8]>) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(inner) = folders.pop() {
        let entries = match fs_err::read_dir(inner) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str);
            let ours = name.and_then(|name| files.get(name));
            if ours.is_none() || digest_of(&path)? != ours.map(|bytes| Digest::of(bytes)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn refuse(folder: &Path, others: &[PathBuf]) -> Result<(), Problem> {
    if others.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = others.iter().take(MOST_NAMED).map(|path| path.display().to_string()).collect();
    let more =
        if others.len() > MOST_NAMED { format!(" and {} more", others.len() - MOST_NAMED) } else { String::new() };
    let message = format!("{} has other files in it: {}{more}", folder.display(), named.join(", "));
    Err(Problem::usage("folder_not_empty", message)
        .with_help("choose an empty or new folder, or use --force to write into this one; --force deletes nothing"))
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
