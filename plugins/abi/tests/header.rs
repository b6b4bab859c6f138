//! The committed C header and the Rust structs are the same thing.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use pddflow_abi::{ABI_MAJOR, ABI_MINOR, FIELDS, MAGIC, SIZES};
use std::process::Command;

const HEADER: &str = include_str!("../pddflow.h");
const CONFIG: &str = include_str!("../cbindgen.toml");

#[test]
fn the_header_asserts_every_size_and_offset() {
    let mut missing = Vec::new();
    let sizes =
        SIZES.iter().map(|(name, size)| format!("_Static_assert(sizeof(Pddflow{name}) == {size}, \"{name}\");"));
    let fields = FIELDS.iter().map(|(name, field, offset)| {
        format!("_Static_assert(offsetof(Pddflow{name}, {field}) == {offset}, \"{name}.{field}\");")
    });
    for line in sizes.chain(fields) {
        if !HEADER.contains(&line) || !CONFIG.contains(&line.replace('"', "\\\"")) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "add to the trailer of cbindgen.toml and generate again:\n{}", missing.join("\n"));
}

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

#[test]
fn the_header_compiles_as_strict_c_and_its_assertions_hold() {
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/pddflow.h");
    let run = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-x", "c", header])
        .output();
    match run {
        Ok(run) => assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr)),
        Err(error) => println!("SKIP: there is no C compiler `cc`: {error}"),
    }
}
