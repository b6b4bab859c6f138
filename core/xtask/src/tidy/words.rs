//! One word for one concept: the glossary is read, not repeated, here.
//!
//! In the right-hand column of `core/GLOSSARY.md`, words in bold are never used for that concept in any other sense
//! either, so a machine can look for them; the others need a reader.

use super::Problems;
use super::sources::{self, Source};
use std::path::Path;

/// Marks that no text of ours may carry.
const UNFINISHED: [&str; 2] = ["TODO", "FIXME"];

pub(crate) fn check(root: &Path, sources: &[Source]) -> Result<Problems, String> {
    let glossary = fs_err::read_to_string(root.join("core/GLOSSARY.md")).map_err(|error| error.to_string())?;
    let words = banned(&glossary);
    if words.is_empty() {
        return Err("core/GLOSSARY.md: no word in bold in the last column".to_owned());
    }
    let mut problems = Problems::new();
    for source in sources {
        // This file names the marks that it looks for.
        if !source.path.ends_with("tidy/words.rs") {
            problems.extend(check_text(&source.path, &source.text, &words, is_comment));
        }
    }
    for path in documents(root)? {
        let name = sources::relative(root, &path);
        if name != "core/GLOSSARY.md" {
            let text = fs_err::read_to_string(&path).map_err(|error| error.to_string())?;
            problems.extend(check_text(&name, &text, &words, |_| true));
        }
    }
    Ok(problems)
}

fn documents(root: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let mut found = sources::files(root, "md")?;
    found.push(root.join("README.md"));
    Ok(found)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn check_text(path: &str, text: &str, words: &[(String, String)], looked_at: impl Fn(&str) -> bool) -> Problems {
    let mut problems = Problems::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| looked_at(line)) {
        let place = format!("{path}:{}", index + 1);
        for (wrong, right) in words {
            if has_phrase(&line.to_lowercase(), wrong) {
                problems.push(format!("{place}: `{wrong}`: the word is `{right}` (core/GLOSSARY.md)"));
            }
        }
        for mark in UNFINISHED.iter().filter(|mark| has_phrase(line, mark)) {
            problems.push(format!("{place}: `{mark}`: finish it, or leave it out"));
        }
    }
    problems
}

/// Pairs of a word that is not used and the one that is, from the rows of a Markdown table.
fn banned(glossary: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for row in glossary.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [right, .., not] = cells.as_slice() else { continue };
        // Every second piece between `**` is bold.
        pairs.extend(not.split("**").skip(1).step_by(2).map(|word| (word.to_lowercase(), (*right).to_owned())));
    }
    pairs
}

fn has_phrase(line: &str, phrase: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices(phrase).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_word);
        // A plural counts as the word.
        let rest = &line[at + phrase.len()..];
        let after = rest.strip_prefix('s').unwrap_or(rest).chars().next().is_some_and(part_of_word);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bold_words_of_the_last_column_are_banned() {
        let pairs = banned("| word | meaning | not |\n|---|---|---|\n| key | x **y** | hash, **fingerprint** |\n");
        assert_eq!(pairs, [("fingerprint".to_owned(), "key".to_owned())]);
        let found = |line: &str| check_text("a.rs", line, &pairs, is_comment).len();
        assert_eq!(found("// The Fingerprints of it"), 1);
        assert_eq!(found("let fingerprint = 1;"), 0);
        assert_eq!(found("// fingerprinted"), 0);
        assert_eq!(found(concat!("// TO", "DO: later")), 1);
    }
}
