//! Files that are generated and committed, and the check that they are up to date.

use crate::Outcome;
use pddflow_abi::{FIELDS, SIZES};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources of the C header in the order in which C needs the types.
const HEADER_SOURCES: [&str; 5] = ["code", "data", "header", "host", "table"];

/// Whether a generated file is written or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write it.
    Write,
    /// Compare it with what is there.
    Check,
}

/// `plugins/abi/pddflow.h`, by cbindgen from `plugins/abi/src` with `plugins/abi/cbindgen.toml`.
///
/// # Errors
/// A source that cbindgen cannot read, a file that cannot be written, a difference when checking.
pub fn header(root: &Path, mode: Mode) -> Outcome {
    let folder = root.join("plugins/abi");
    let mut config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    config.trailer = Some(trailer());
    let builder = HEADER_SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, name| {
        builder.with_src(folder.join(format!("src/{name}.rs")))
    });
    let bindings = builder.generate().map_err(|error| format!("cbindgen: {error}"))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    settle(&folder.join("pddflow.h"), &text, mode, "cargo xtask header")
}

/// The end of the header: what a plugin defines, and the layout of every struct as assertions.
fn trailer() -> String {
    let sizes = SIZES.iter().map(|(name, size)| assertion(&format!("sizeof(Pddflow{name}) == {size}"), name));
    let fields = FIELDS.iter().map(|(name, field, offset)| {
        assertion(&format!("offsetof(Pddflow{name}, {field}) == {offset}"), &format!("{name}.{field}"))
    });
    let assertions: String = sizes.chain(fields).collect();
    format!(
        "\
/* What a plugin defines: `PDDFLOW_EXPORT const PddflowHeader pddflow_plugin = {{...}};` */
extern PDDFLOW_VISIBLE const PddflowHeader pddflow_plugin;

#ifdef __cplusplus
}}
#define PDDFLOW_ASSERT static_assert
#else
#define PDDFLOW_ASSERT _Static_assert
#endif
{assertions}"
    )
}

fn assertion(what: &str, name: &str) -> String {
    format!("PDDFLOW_ASSERT({what}, \"{name}\");\n")
}

/// `pipelines/schema.json`, as the program prints it. The built-in kinds only: an installed plugin's parameters are
/// not part of the committed file, so plugins beside the executable are left out.
///
/// # Errors
/// The program does not build or fails, a file that cannot be written, a difference when checking.
pub fn schema(root: &Path, mode: Mode) -> Outcome {
    // The variable is cargo's own, set for every program that it runs.
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    // The whole workspace, so that dependencies have the features of every other build and nothing is built twice.
    let build = ["build", "--quiet", "--workspace", "--bins"];
    let built =
        Command::new(cargo).current_dir(root).args(build).status().map_err(|error| format!("{cargo}: {error}"))?;
    if !built.success() {
        return Err("the program does not build".to_owned());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let program = target.join("debug").join(format!("pddflow{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program)
        .current_dir(root)
        .args(["schema", "--no-plugins"])
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("`pddflow schema` failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    settle(&root.join("pipelines/schema.json"), &output.stdout, mode, "cargo xtask schema")
}

fn settle(path: &Path, text: &[u8], mode: Mode, command: &str) -> Outcome {
    let present = fs_err::read(path).unwrap_or_default();
    match mode {
        _ if present == text => Ok(format!("{} is up to date", path.display())),
        Mode::Check => Err(format!("{} is not what its sources give; run `{command}` and commit it", path.display())),
        Mode::Write => {
            fs_err::write(path, text).map_err(|error| error.to_string())?;
            Ok(format!("wrote {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_header_is_what_its_sources_give() {
        header(&crate::workspace_root(), Mode::Check).unwrap();
    }

    #[test]
    fn a_difference_is_found_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(settle(&path, b"new", Mode::Check, "mend").unwrap_err().contains("run `mend`"));
        settle(&path, b"new", Mode::Write, "mend").unwrap();
        settle(&path, b"new", Mode::Check, "mend").unwrap();
    }
}
