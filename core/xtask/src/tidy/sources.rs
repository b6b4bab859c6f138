//! The Rust sources of the workspace.

use crate::rust_text;
use std::path::{Path, PathBuf};

/// Folders of the workspace that hold sources of ours.
const FOLDERS: [&str; 4] = ["cache", "core", "plugins", "tests"];

/// One Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the workspace root, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// With comments and literals blanked out.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), code: rust_text::blank(&text), text }
    }

    /// Whether the file only exists for tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || ["/tests/", "/benches/", "/examples/"].iter().any(|part| self.path.contains(part))
            || self.path.ends_with("/tests.rs")
    }

    /// Lines of code (not of tests at the end), with their number from 1, comments and literals blanked.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let count = rust_text::code_part(&self.text);
        self.code.lines().enumerate().take(count).map(|(index, line)| (index + 1, line))
    }
}

/// All Rust files of the workspace, sorted by path.
pub(crate) fn read(root: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in files(root, "rs")? {
        let text = fs_err::read_to_string(&path).map_err(|error| error.to_string())?;
        sources.push(Source::new(relative(root, &path), text));
    }
    Ok(sources)
}

/// All files of our folders with that extension, sorted.
pub(crate) fn files(root: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        walk(&root.join(folder), extension, &mut found).map_err(|error| error.to_string())?;
    }
    found.sort();
    Ok(found)
}

/// The path from the root, with `/` on every system.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            walk(&path, extension, found)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(())
}
