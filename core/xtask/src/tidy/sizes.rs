//! Files and functions that one can hold in the head.

use super::Problems;
use super::sources::Source;
use crate::rust_text::{self, Function};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const FILE_GOAL: usize = 400;
const FILE_LIMIT: usize = 600;
const FUNCTION_GOAL: usize = 35;
const FUNCTION_LIMIT: usize = 80;
/// A comment with this mark above a function says why it is longer than the limit (a table in a `match`).
const EXCUSE: &str = "// long:";
/// How far above a function its excuse may stand (attributes and documentation come between).
const EXCUSE_REACH: usize = 6;

pub(crate) fn check(sources: &[Source]) -> Problems {
    let mut problems = Problems::new();
    for source in sources {
        let lines = rust_text::code_part(&source.text);
        if lines > FILE_LIMIT && !excused(source, 1) {
            problems.push(format!("{}: {lines} lines of code, at most {FILE_LIMIT}: split it", source.path));
        }
        // A test may be one long table.
        let functions = if source.is_test() { Vec::new() } else { rust_text::functions(&source.code) };
        for function in functions {
            if function.lines > FUNCTION_LIMIT && !excused(source, function.line) {
                let Function { name, line, lines } = function;
                problems.push(format!("{}:{line}: `{name}` has {lines} lines, at most {FUNCTION_LIMIT}", source.path));
            }
        }
    }
    problems
}

fn excused(source: &Source, line: usize) -> bool {
    let first = line.saturating_sub(EXCUSE_REACH + 1);
    source.text.lines().skip(first).take(line - first).any(|text| text.trim_start().starts_with(EXCUSE))
}

/// How far the goals are reached, in two lines.
pub(crate) fn summary(sources: &[Source]) -> String {
    let code = || sources.iter().filter(|source| !source.is_test());
    let files = code().map(|source| rust_text::code_part(&source.text)).collect();
    let functions = code().flat_map(|source| rust_text::functions(&source.code)).map(|f| f.lines).collect();
    format!(
        "code part of files: {} (goal {FILE_GOAL})\nfunctions: {} (goal {FUNCTION_GOAL})",
        spread(files),
        spread(functions)
    )
}

fn spread(mut lines: Vec<usize>) -> String {
    lines.sort_unstable();
    let at = |percent: usize| lines.get(lines.len() * percent / 100).copied().unwrap_or(0);
    format!("{} in all, lines median {}, p90 {}, most {}", lines.len(), at(50), at(90), lines.last().unwrap_or(&0))
}

/// Files and lines by crate, code and tests apart.
pub(crate) fn table(sources: &[Source]) -> String {
    let mut crates: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for source in sources {
        let (name, _) = source.path.split_once("/src/").or(source.path.split_once("/tests/")).unwrap_or(("tests", ""));
        let row = crates.entry(name).or_default();
        let all = source.text.lines().count();
        let code = if source.is_test() { 0 } else { rust_text::code_part(&source.text) };
        row[0] += 1;
        row[1] += code;
        row[2] += all - code;
    }
    let mut text = format!("{:<28}{:>8}{:>8}{:>8}\n", "crate", "files", "code", "tests");
    let mut total = [0; 3];
    for (name, row) in crates {
        let _ = writeln!(text, "{name:<28}{:>8}{:>8}{:>8}", row[0], row[1], row[2]);
        total.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let _ = writeln!(text, "{:<28}{:>8}{:>8}{:>8}", "all", total[0], total[1], total[2]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_things_are_found_unless_excused() {
        let body = "    a();\n".repeat(FUNCTION_LIMIT);
        let long = format!("fn f() {{\n{body}}}\n");
        let found = |text: &str| check(&[Source::new("a.rs", text)]).len();
        assert_eq!(found(&long), 1);
        assert_eq!(found(&format!("// long: a table.\n{long}")), 0);
        assert_eq!(found(&"\n".repeat(FILE_LIMIT + 1)), 1);
        assert_eq!(found(&"\n".repeat(FILE_LIMIT)), 0);
    }
}
