//! The program under test, built once per process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Programs and plugins, with the features that dependencies have in `cargo test --workspace` (naming a test makes
/// development dependencies count): there everything is built already, and nothing is built twice.
const WHAT: [&str; 5] = ["--workspace", "--lib", "--bins", "--test", "cli"];
/// What cargo has set for the crate of this test. Build scripts that look at it would run again, and half of the program with them.
const CARGO_OF_THIS_TEST: [&str; 4] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_"];
/// Names a program to test instead of building one, such as an installed one.
const PROGRAM: &str = "PDDFLOW_TEST_PROGRAM";

/// The folder of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The program. It is built with cargo first, with the profile and into the folder of this test, so that
/// `cargo test -p pddflow-tests` alone tests the sources as they stand; for a program such as `pddflow-bench` it is the one beside it.
///
/// # Panics
/// When it does not build.
pub fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os(PROGRAM).map(PathBuf::from).or_else(beside).unwrap_or_else(build))
}

fn beside() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(format!("pddflow{}", std::env::consts::EXE_SUFFIX));
    path.exists().then_some(path)
}

fn build() -> PathBuf {
    // .../target/<profile>/deps/<test>
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).expect("cargo puts tests into <target>/<profile>/deps");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace_root()).args(["build", "--quiet", "--profile", profile, "--target-dir"]);
    for (name, _) in std::env::vars_os() {
        if CARGO_OF_THIS_TEST.iter().any(|start| name.to_string_lossy().starts_with(start)) {
            command.env_remove(name);
        }
    }
    let output = command.arg(folder.parent().unwrap()).args(WHAT).output().expect("cargo starts");
    assert!(output.status.success(), "the program does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    folder.join(format!("pddflow{}", std::env::consts::EXE_SUFFIX))
}
