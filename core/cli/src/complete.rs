//! Completion of node names in a shell: what the pipeline file on the command line says, without loading plugins.

use crate::place;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use pddflow_pipeline::{NodeId, Options, PipelineFile};
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variable by which the shell's script asks for completions.
pub(crate) const VARIABLE: &str = "COMPLETE";
/// More instances than this are not listed: a family's name and `[` come first.
const MOST_NAMES: usize = 200;

/// The names of nodes that begin with what is written.
pub(crate) fn nodes(written: &OsStr) -> Vec<CompletionCandidate> {
    let written = written.to_string_lossy();
    // The shell's script passes the command line behind `--`.
    let words = env::args_os().skip_while(|word| word != "--").skip(1);
    let file = pipeline_of(words).and_then(|file| PipelineFile::read(&file).ok());
    let names = file.map(|file| file.node_names(&Options::default())).unwrap_or_default();
    matching(&names, &written).into_iter().map(CompletionCandidate::new).collect()
}

/// The first word that is a pipeline file, or the default one.
fn pipeline_of(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    // The program itself comes first.
    let named = words.skip(1).map(PathBuf::from).find(|word| word.is_file() && place::is_pipeline(word));
    named.or_else(|| Some(PathBuf::from(place::PIPELINE)))
}

/// Names of families and nodes that begin with a text; families alone while there are many instances.
fn matching(names: &[NodeId], written: &str) -> Vec<String> {
    let found: Vec<&str> = names.iter().map(NodeId::as_str).filter(|name| name.starts_with(written)).collect();
    let family = |name: &&str| name.split('[').next().unwrap_or(name).to_owned();
    let families: BTreeSet<String> = found.iter().map(family).filter(|name| name.starts_with(written)).collect();
    let instances = found.iter().filter(|name| name.contains('[')).map(ToString::to_string);
    let shown = if found.len() > MOST_NAMES && !families.is_empty() { 0 } else { MOST_NAMES };
    families.iter().cloned().chain(instances.take(shown)).collect()
}

/// The script that a shell reads to complete command lines; none for a shell that is not known.
pub(crate) fn script(shell: &str) -> Option<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells.completer(shell)?;
    completer.write_registration(VARIABLE, "pddflow", "pddflow", "pddflow", &mut script).ok()?;
    Some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_come_before_their_instances() {
        let names = ["data", "distill[1]", "distill[2]", "eval[model=a]"].map(NodeId::new);
        assert_eq!(matching(&names, "d"), ["data", "distill", "distill[1]", "distill[2]"]);
        assert_eq!(matching(&names, "distill["), ["distill[1]", "distill[2]"]);
        let many: Vec<NodeId> = (0..1_000).map(|k| NodeId::new(&format!("f[{k}]"))).collect();
        assert_eq!(matching(&many, ""), ["f"]);
        assert_eq!(matching(&many, "f[").len(), MOST_NAMES);
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            assert!(String::from_utf8(script(shell).unwrap()).unwrap().contains("pddflow"), "{shell}");
        }
    }
}
