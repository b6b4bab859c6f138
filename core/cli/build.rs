//! Packs the sources that a plugin and its tests are built from into the program, so that `pddflow plugin new` makes a crate that builds
//! anywhere.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where the crates are here, and in the new crate: the SDK, and what runs its plugin in tests.
const CRATES: [(&str, &str); 6] = [
    ("plugins/abi", "sdk/abi"),
    ("plugins/sdk", "sdk/sdk"),
    ("plugins/plugin-test", "sdk/plugin-test"),
    ("core/host", "sdk/host"),
    ("core/tensor", "sdk/tensor"),
    ("core/kernels", "sdk/kernels"),
];
/// What a plugin itself depends on.
const OF_PLUGINS: [&str; 2] = ["schemars", "serde"];
/// Sections of a manifest that only matter here: tests and GPUs.
const LEFT_OUT: [&str; 3] = ["[features]", "[dev-dependencies]", "[[example]]"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let mut text =
        String::from("/// Path in the new crate, and content.\npub(super) const SDK: &[(&str, &str)] = &[\n");
    let mut names: BTreeSet<String> = OF_PLUGINS.map(str::to_owned).into();
    for (from, to) in CRATES {
        let folder = root.join(from);
        println!("cargo::rerun-if-changed={}", folder.display());
        let manifest = trimmed(&read(&folder.join("Cargo.toml")));
        let (_, needed) = manifest.split_once("[dependencies]").unwrap_or_default();
        names.extend(needed.lines().filter_map(|line| Some(line.split_once([' ', '.'])?.0.to_owned())));
        let _ = writeln!(text, "    ({:?}, {manifest:?}),", format!("{to}/Cargo.toml"));
        let mut files = ["DESIGN.md", "pddflow.h"].map(|name| folder.join(name)).to_vec();
        files.retain(|file| file.is_file());
        sources(&folder.join("src"), &mut files);
        for file in files {
            let name = file.strip_prefix(&folder).unwrap_or(&file).display().to_string().replace('\\', "/");
            let _ =
                writeln!(text, "    ({:?}, include_str!({:?})),", format!("{to}/{name}"), file.display().to_string());
        }
    }
    text.push_str("];\n\n/// Lines of the table of dependencies, as the workspace has them.\npub(super) const DEPENDENCIES: &str = ");
    for file in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }
    let manifest = read(&root.join("Cargo.toml"));
    let mut lines: Vec<String> = CRATES
        .map(|(_, to)| format!("pddflow-{} = {{ path = {to:?} }}", to.trim_start_matches("sdk/")))
        .into_iter()
        .collect();
    for line in manifest.lines() {
        let name = line.split_once(" = ").map_or("", |(name, _)| name);
        if names.contains(name) && !name.starts_with("pddflow-") {
            lines.push(line.split(" #").next().unwrap_or(line).trim_end().to_owned());
        }
    }
    assert!(OF_PLUGINS.iter().all(|name| lines.iter().any(|line| line.starts_with(name))), "{lines:?}");
    let lock = root.join("Cargo.lock").display().to_string();
    let _ = writeln!(text, "{:?};", lines.join("\n"));
    let _ = writeln!(
        text,
        "\n/// The versions that this program was built and tested with.\npub(super) const LOCK: &str = include_str!({lock:?});"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("sdk.rs");
    if let Err(error) = fs_err::write(out, text) {
        panic!("{error}");
    }
}

fn read(file: &Path) -> String {
    fs_err::read_to_string(file).unwrap_or_else(|error| panic!("{error}"))
}

/// A manifest without what only matters here.
fn trimmed(manifest: &str) -> String {
    let mut kept = true;
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            kept = !LEFT_OUT.contains(&line);
        }
        if kept && !line.contains("optional = true") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Source files below a folder, tests aside.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
