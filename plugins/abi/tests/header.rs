//! The committed C header and the Rust structs are the same thing.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

use pddflow_abi::{ABI_MAJOR, ABI_MINOR, MAGIC};
use std::process::Command;

const HEADER: &str = include_str!("../pddflow.h");

#[test]
fn the_header_has_the_constants() {
    let magic = std::str::from_utf8(&MAGIC).unwrap().trim_end_matches('\0');
    for line in [
        format!("#define PDDFLOW_MAGIC \"{magic}\""),
        format!("#define PDDFLOW_ABI_MAJOR {ABI_MAJOR}"),
        format!("#define PDDFLOW_ABI_MINOR {ABI_MINOR}"),
    ] {
        assert!(HEADER.contains(&line), "{line}");
    }
}

#[test]
fn every_function_has_its_thread_tag() {
    let source = include_str!("../src/host.rs");
    let (mut doc, mut found) = (String::new(), 0);
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate() {
        if let Some(text) = line.strip_prefix("/// ") {
            doc.push_str(text);
            continue;
        }
        // A long signature stands on the line after its name.
        let next = lines.get(number + 1).copied().unwrap_or("");
        let signature = if line.ends_with(':') { next } else { line };
        if line.starts_with("pub ") && signature.contains("Option<") {
            found += 1;
            assert!(doc.ends_with("`[call]`") || doc.ends_with("`[any]`"), "{line} {doc}");
        }
        doc.clear();
    }
    assert!(found > 80, "{found}");
}

/// What every compiler must take without a word: the header, its assertions, and a plugin's header made with its macros.
const PLUGIN: &str = r#"
#include "pddflow.h"
static PddflowText text(void) { return PDDFLOW_TEXT("text"); }
static int32_t schema(PddflowCall *call, PddflowText *out) { (void)call; *out = text(); return PDDFLOW_STATUS_OK; }
static const PddflowDescriptor descriptor = {
    sizeof(PddflowDescriptor), PDDFLOW_ROLE_MODEL, PDDFLOW_TEXT_INIT("id"), PDDFLOW_TEXT_INIT("1.0"), PDDFLOW_TEXT_INIT("one line"),
    {0, 0}, schema, {0, 0}, {0, 0}, 0, 1, 0};
static const PddflowDescriptor *const descriptors[] = {&descriptor};
PDDFLOW_EXPORT const PddflowHeader pddflow_plugin = {
    PDDFLOW_MAGIC, sizeof(PddflowHeader), PDDFLOW_ABI_MAJOR, PDDFLOW_ABI_MINOR, 3, PDDFLOW_FLAGS_C, PDDFLOW_TEXT_INIT("c"),
    PDDFLOW_TEXT_INIT("11"), {0, 0}, descriptors, 1, 0};
"#;

fn compiles(compiler: &str, language: &str, standard: &str) {
    let source = std::env::temp_dir().join(format!("pddflow-header-{}-{language}", std::process::id()));
    std::fs::write(&source, PLUGIN).unwrap();
    let run = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I", env!("CARGO_MANIFEST_DIR")])
        .args(["-x", language])
        .arg(&source)
        .output();
    std::fs::remove_file(&source).unwrap();
    match run {
        Ok(run) => assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr)),
        Err(error) => println!("SKIP: there is no compiler `{compiler}`: {error}"),
    }
}

#[test]
fn the_header_compiles_as_strict_c_and_its_assertions_hold() {
    compiles("cc", "c", "-std=c11");
}

#[test]
fn the_header_compiles_as_strict_cpp_and_its_assertions_hold() {
    compiles("c++", "c++", "-std=c++17");
}

/// A header without its comments and without white space.
fn code(header: &str) -> String {
    let blocks = header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, after)| after));
    let lines: String = blocks.collect::<String>().lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    lines.split_whitespace().collect()
}

#[test]
fn the_header_of_this_version_is_frozen_as_it_is() {
    let frozen = format!("{}/frozen/v{ABI_MAJOR}_{ABI_MINOR}/pddflow.h", env!("CARGO_MANIFEST_DIR"));
    let frozen = std::fs::read_to_string(&frozen).unwrap_or_default();
    assert!(
        code(&frozen) == code(HEADER),
        "the header differs from that of version {ABI_MAJOR}.{ABI_MINOR}, which is frozen: raise ABI_MINOR in src/header.rs and in \
         cbindgen.toml, run `cargo xtask header`, and copy pddflow.h to frozen/v{ABI_MAJOR}_<minor>/"
    );
}
