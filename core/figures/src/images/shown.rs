//! Sets as pixels.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{Dataset, DistilledSet, Pixels, Preprocessing, file_stem};
use pddflow_runner::Artifact;

/// Undoes the preprocessing and cuts to what a pixel can be. `data` is needed for whitened sets only, whose matrices are in
/// the data set.
pub fn show(set: &DistilledSet, from: &Artifact, data: Option<&Dataset>) -> NodeResult<Pixels> {
    let preprocessing = preprocessing(set, from, data)?;
    set.pixels(&preprocessing).during("undoing the normalisation")
}

/// A file name without ending for each set: its method and, where several sets share it, its stage or place.
pub fn set_names(sets: &[DistilledSet]) -> Vec<String> {
    let methods: Vec<String> = sets.iter().map(|set| file_stem(&set.info.method)).collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    methods.iter().for_each(|method| *count.entry(method.to_lowercase()).or_default() += 1);
    let staged = methods.iter().zip(sets).map(|(method, set)| match count[&method.to_lowercase()] {
        1 => method.clone(),
        _ => format!("{method}-stage{}", set.info.stage),
    });
    let mut names: Vec<String> = Vec::new();
    for name in staged {
        let taken = |name: &String| names.iter().any(|taken| taken.to_lowercase() == name.to_lowercase());
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        names.push(free.unwrap_or(name));
    }
    names
}

fn preprocessing(set: &DistilledSet, from: &Artifact, data: Option<&Dataset>) -> NodeResult<Preprocessing> {
    let note = &set.info.preprocessing;
    if let Some(data) = data {
        if data.preprocessing_digest() != note.digest() {
            let message = format!("the set of `{}` was made for another normalisation than that of `data`", from.from);
            return Err(fail("set_mismatch", message).with_help("wire the `dataset` node that the set was made from"));
        }
        return Ok(data.preprocessing().clone());
    }
    note.preprocessing(set.size().channels).ok_or_else(|| {
        let message = format!("the set of `{}` is whitened, and the whitening is in its data set", from.from);
        fail("data_needed", message).with_help("wire it: `needs: { sets: ..., data: <the dataset node> }`")
    })
}
