//! Checks of the source tree that no compiler makes. Each gives a list of problems; an empty one is a pass.
//!
//! | check | rule |
//! |---|---|
//! | `sizes` | a file's code part is at most 600 lines, a function 80; the goals are 400 and 35 |
//! | `arrows` | crates depend on each other only as in `core/ARCHITECTURE.md`; one crate names burn; plugins are small |
//! | `places` | `unsafe`, printing, exiting, the environment: only where they belong; the root holds what it must |
//! | `words` | texts use the words of `core/GLOSSARY.md` |
//! | `dependencies` | every dependency is pinned and has its reason beside it |

mod arrows;
mod dependencies;
mod places;
mod sizes;
mod sources;
mod words;

use crate::Outcome;
use std::path::Path;

/// What a check found: one line each, with file and line where there is one.
type Problems = Vec<String>;

/// All checks.
///
/// # Errors
/// Every problem that was found, one a line.
pub fn all(root: &Path) -> Outcome {
    let sources = sources::read(root)?;
    let mut problems = sizes::check(&sources);
    problems.extend(arrows::check(root)?);
    problems.extend(places::check(root, &sources)?);
    problems.extend(words::check(root, &sources)?);
    problems.extend(dependencies::check(root)?);
    if problems.is_empty() {
        return Ok(format!("tidy: {} files, no problem\n{}", sources.len(), sizes::summary(&sources)));
    }
    Err(format!("tidy: {} problems\n{}", problems.len(), problems.join("\n")))
}

/// Lines of code by crate.
///
/// # Errors
/// A source that cannot be read.
pub fn size(root: &Path) -> Outcome {
    Ok(sizes::table(&sources::read(root)?))
}

#[cfg(test)]
mod tests {
    use super::sources::Source;
    use super::*;

    fn check(problems: &Problems) {
        assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    }

    fn read() -> (std::path::PathBuf, Vec<Source>) {
        let root = crate::workspace_root();
        let sources = sources::read(&root).unwrap();
        (root, sources)
    }

    #[test]
    fn files_and_functions_are_short() {
        check(&sizes::check(&read().1));
    }

    #[test]
    fn crates_depend_on_each_other_as_drawn() {
        check(&arrows::check(&crate::workspace_root()).unwrap());
    }

    #[test]
    fn dangerous_things_are_where_they_belong() {
        let (root, sources) = read();
        check(&places::check(&root, &sources).unwrap());
    }

    #[test]
    fn texts_use_the_words_of_the_glossary() {
        let (root, sources) = read();
        check(&words::check(&root, &sources).unwrap());
    }

    #[test]
    fn dependencies_are_pinned_and_explained() {
        check(&dependencies::check(&crate::workspace_root()).unwrap());
    }
}
