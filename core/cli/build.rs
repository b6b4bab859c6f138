//! Packs the sources of the plugin SDK into the program, so that `pddflow plugin new` makes a crate that builds anywhere.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Dependencies of the SDK; their versions are those of the workspace.
const DEPENDENCIES: [&str; 3] = ["schemars", "serde", "serde_json"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let mut text =
        String::from("/// Path in the new crate, and content.\npub(super) const SDK: &[(&str, &str)] = &[\n");
    for (from, to) in [("plugins/abi", "sdk/abi"), ("plugins/sdk", "sdk/sdk")] {
        let folder = root.join(from);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = ["Cargo.toml", "DESIGN.md", "pddflow.h"].map(|name| folder.join(name)).to_vec();
        files.retain(|file| file.is_file());
        files.extend(["src", "examples"].iter().flat_map(|inner| sources(&folder.join(inner))));
        for file in files {
            let name = file.strip_prefix(&folder).unwrap_or(&file).display().to_string().replace('\\', "/");
            let _ =
                writeln!(text, "    ({:?}, include_str!({:?})),", format!("{to}/{name}"), file.display().to_string());
        }
    }
    text.push_str("];\n\n/// Lines of the table of dependencies, as the workspace has them.\npub(super) const DEPENDENCIES: &str = ");
    let manifest = root.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", manifest.display());
    let manifest = fs_err::read_to_string(manifest).unwrap_or_default();
    let lines = manifest.lines().filter(|line| DEPENDENCIES.iter().any(|name| line.starts_with(&format!("{name} = "))));
    let lines: Vec<&str> = lines.map(|line| line.split(" #").next().unwrap_or(line).trim_end()).collect();
    assert_eq!(lines.len(), DEPENDENCIES.len(), "the workspace has the dependencies of the SDK: {lines:?}");
    let _ = writeln!(text, "{:?};", lines.join("\n"));
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("sdk.rs");
    if let Err(error) = fs_err::write(out, text) {
        panic!("{error}");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}
