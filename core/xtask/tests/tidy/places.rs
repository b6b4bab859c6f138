//! Things that are allowed in some places only, and the length of files. Only the code of the crates is looked at, not
//! tests. Printing is clippy's to refuse.

use super::Problems;
use super::modules::{self, Module};
use serde_json::Value;
use std::path::Path;

/// Lines of a file before its tests.
const MOST_LINES: usize = 600;

/// Words of code, the paths where they may stand, and why nowhere else.
struct Rule {
    code: &'static [&'static str],
    allowed: &'static [&'static str],
    why: &'static str,
}

const RULES: [Rule; 3] = [
    Rule {
        code: &["unsafe"],
        allowed: &["plugins/abi/", "plugins/sdk/", "core/host/", "core/kernels/", "cache/src/blob.rs"],
        why: "unsafe code stays in few places that are reviewed as such",
    },
    Rule { code: &["process::exit"], allowed: &["core/cli/"], why: "only core/cli exits: a library returns an error" },
    Rule {
        code: &["env::var", "env::var_os", "env::vars", "env::vars_os"],
        // A program that a `command` node starts is found by `PATH`, `pass` names variables that it gets, and it sees a part of the
        // GPUs that this process sees.
        allowed: &["core/cli/", "core/nodes/src/command/gpus.rs", "core/nodes/src/command/process.rs", "tests/"],
        why: "only core/cli reads the environment: elsewhere it would be a parameter nobody sees",
    },
];

/// What the workspace root holds, apart from dot-files and what is not committed.
const ROOT: [&str; 13] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "cache",
    "core",
    "pipelines",
    "plugins",
    "python",
    "tests",
    // Not committed.
    "results",
    "target",
];

pub(super) fn check(packages: &[Value], root: &Path) -> Problems {
    let roots = packages.iter().flat_map(modules::roots);
    let modules = roots.flat_map(|root| modules::read(&root).into_values());
    modules.flat_map(|module| check_file(&module, root)).collect()
}

fn check_file(module: &Module, root: &Path) -> Problems {
    let path = module.file.strip_prefix(root).unwrap_or(&module.file).to_string_lossy().replace('\\', "/");
    let mut problems = Problems::new();
    if module.lines > MOST_LINES {
        problems.push(format!("{path}: {} lines of code, at most {MOST_LINES}: split it", module.lines));
    }
    for rule in RULES.iter().filter(|rule| !rule.allowed.iter().any(|place| path.starts_with(place))) {
        let found = rule.code.iter().filter(|code| module.names(code));
        problems.extend(found.map(|code| format!("{path}: `{code}`: {}", rule.why)));
    }
    problems
}

pub(super) fn check_root(root: &Path) -> Problems {
    let names = fs_err::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let wrong = names.filter(|name| !name.starts_with('.') && !ROOT.contains(&name.as_str()));
    wrong.map(|name| format!("{name}: does not belong into the root; put it under core, plugins or tests")).collect()
}

#[test]
fn a_misplaced_thing_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let found = |text: &str| {
        let file = folder.path().join("lib.rs");
        fs_err::write(&file, text).unwrap();
        modules::read(&file).into_values().flat_map(|module| check_file(&module, folder.path())).count()
    };
    assert_eq!(found("fn f() { unsafe { x() } }"), 1);
    assert_eq!(found("// unsafe\n#![deny(unsafe_code)]\nfn f() { std::env::args() }"), 0);
    assert_eq!(found("fn f() { std::env::var_os(x); std::process::exit(1) }"), 2);
    assert_eq!(found("use std::env::var;\nfn f() { env::vars() }"), 2);
    assert_eq!(found("#[cfg(test)]\nmod tests { fn f() { unsafe { x() } } }"), 0);
    assert_eq!(found(&"\n".repeat(MOST_LINES + 1)), 1);
    assert_eq!(found(&format!("{}#[cfg(test)]\nmod tests {{}}\n", "\n".repeat(MOST_LINES))), 0);
}
