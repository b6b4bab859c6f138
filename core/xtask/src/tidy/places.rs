//! Things that are allowed in some places only.

use super::Problems;
use super::sources::Source;
use std::path::Path;

/// A piece of code, the paths where it may stand, and why nowhere else.
struct Rule {
    code: &'static [&'static str],
    allowed: &'static [&'static str],
    why: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        code: &["unsafe"],
        allowed: &["plugins/abi/", "plugins/sdk/", "core/host/", "core/tensor/src/kernels/", "cache/src/blob.rs"],
        why: "unsafe code stays in few places that are reviewed as such",
    },
    Rule {
        code: &["println!", "eprintln!", "print!", "eprint!"],
        allowed: &[],
        why: "only core/cli prints, through its output module",
    },
    Rule { code: &["process::exit"], allowed: &["core/cli/"], why: "only core/cli exits: a library returns an error" },
    Rule {
        code: &["env::var", "env::var_os"],
        // A program that a `command` node starts is found by `PATH`; nothing else of the environment reaches it.
        allowed: &["core/cli/", "core/xtask/", "core/nodes/src/command/process.rs"],
        why: "only core/cli reads the environment: elsewhere it would be a parameter nobody sees",
    },
    Rule { code: &["burn_"], allowed: &["core/tensor/"], why: "only core/tensor names burn" },
];

/// What the workspace root holds, apart from dot-files and what is not committed.
const ROOT: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "cache",
    "core",
    "pipelines",
    "plugins",
    "tests",
];
/// Git-ignored, so never part of the root as committed.
const IGNORED: [&str; 2] = ["results", "target"];

pub(crate) fn check(root: &Path, sources: &[Source]) -> Result<Problems, String> {
    let mut problems: Problems = sources.iter().filter(|source| !source.is_test()).flat_map(check_source).collect();
    problems.extend(check_root(root)?);
    Ok(problems)
}

fn check_source(source: &Source) -> Problems {
    let mut problems = Problems::new();
    for (number, line) in source.code_lines() {
        for rule in &RULES {
            let allowed = rule.allowed.iter().any(|place| source.path.starts_with(place));
            for code in rule.code.iter().filter(|code| !allowed && has_word(line, code)) {
                problems.push(format!("{}:{number}: `{code}`: {}", source.path, rule.why));
            }
        }
    }
    problems
}

/// Whether `line` has `code` as whole words; code that ends in `_` is the beginning of one.
fn has_word(line: &str, code: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let ends_word = code.ends_with(|c: char| c.is_alphanumeric());
    line.match_indices(code).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_word);
        let after = ends_word && line[at + code.len()..].chars().next().is_some_and(part_of_word);
        !(before || after)
    })
}

fn check_root(root: &Path) -> Result<Problems, String> {
    let mut problems = Problems::new();
    let mut present = Vec::new();
    for entry in fs_err::read_dir(root).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || IGNORED.contains(&name.as_str()) {
            continue;
        }
        if !ROOT.contains(&name.as_str()) {
            problems.push(format!("{name}: does not belong into the root; put it under core, plugins or tests"));
        }
        present.push(name);
    }
    let missing = ROOT.iter().filter(|name| !present.iter().any(|found| found == *name));
    problems.extend(missing.map(|name| format!("{name}: missing from the root")));
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_matched_whole() {
        let check = |line, code, found| assert_eq!(has_word(line, code), found, "{code} in {line}");
        check("unsafe { x }", "unsafe", true);
        check("#![deny(unsafe_code)]", "unsafe", false);
        check("eprintln!()", "println!", false);
        check("std::env::var_os(x)", "env::var", false);
        check("use burn_flex::X;", "burn_", true);
        check("sunburn_x", "burn_", false);
        check("std::process::exit(1)", "process::exit", true);
    }

    #[test]
    fn a_misplaced_thing_is_found() {
        let found = |path: &str, text: &str| check_source(&Source::new(path, text)).len();
        assert_eq!(found("core/runner/src/lib.rs", "unsafe { x() }"), 1);
        assert_eq!(found("core/runner/src/lib.rs", "// unsafe"), 0);
        assert_eq!(found("core/host/src/lib.rs", "unsafe { x() }"), 0);
        assert_eq!(found("core/cli/src/main.rs", "println!(\"x\")"), 1);
        assert_eq!(found("core/cli/src/main.rs", "#[cfg(test)]\nmod tests {\n println!();\n}\n"), 0);
    }
}
